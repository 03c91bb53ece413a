"""Every remark of the linter, on a policy that earns it; and policies that earn none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import ACCOUNT, OTHER, SERVICE, WEB
from drawing import policies_as_written
from hypothesis import given, settings

import latticewall
from latticewall.policy.condition_keys import KEYS, similar_key
from latticewall.policy.document import Form
from latticewall.policy.lint import Finding, Severity, lint
from latticewall.policy.lint.resources import overlap
from latticewall.policy.operators import NEGATED, POSITIVE

MET = "vpc-lattice-svcs:RequestMethod"
QUERY = "vpc-lattice-svcs:RequestQueryString/v"
SIGNED = {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}


def findings(*statements: dict[str, Any], form: Form = Form.AUTH, version: str = "2012-10-17", **more: Any) -> tuple[Finding, ...]:
    defaults: dict[str, Any] = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}
    if form in (Form.AUTH, Form.TRUST, Form.RESOURCE_CONTROL):
        defaults["Principal"] = "*"
    filled = [{key: value for key, value in defaults.items() if f"Not{key}" not in statement} | statement for statement in statements]
    return lint(json.dumps({"Version": version, "Statement": filled, **more}), form)


def codes(*statements: dict[str, Any], form: Form = Form.AUTH, **more: Any) -> list[str]:
    return [finding.code for finding in findings(*statements, form=form, **more)]


def condition(operator: str, key: str, values: Any, also: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"Condition": {operator: {key: values}} | (also or {})}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ({"Resource": SERVICE}, "bare-service-arn"),
        ({"Resource": [f"{SERVICE}/a", SERVICE]}, "bare-service-arn"),
        ({"Action": "vpc-lattice-svcs:*", "Resource": SERVICE}, "bare-service-arn"),
        ({"Resource": f"{SERVICE}/rates?currency=eur"}, "query-in-resource"),
        ({"Resource": "arn:aws:s3:::bucket/*"}, "unreachable-resource"),
        ({"Resource": f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:servicenetwork/sn-0123456789abcdef0"}, "unreachable-resource"),
        ({"Resource": f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:service/payments/*"}, "unreachable-resource"),
        ({"Resource": "arn:aws:vpc-lattice:us-west-2::service/*"}, "unreachable-resource"),
        ({"Resource": "/rates"}, "unreachable-resource"),
        ({"NotResource": "arn:aws:s3:::bucket/*", "Effect": "Deny"}, "unreachable-resource"),
        ({"Action": "vpc-lattice-svcs:Connect", "Resource": f"{SERVICE}/rates"}, "unreachable-resource"),
        ({"Action": "vpc-lattice:Invoke"}, "unknown-action"),
        ({"Action": "vpc-lattice-svcs:Invok"}, "unknown-action"),
        ({"Action": "s3:GetObject"}, "unknown-action"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, "principal-never-calls"),
        ({"Principal": {"AWS": WEB.arn}}, "session-principal"),
        ({"Principal": {"AWS": "AROAWEBWEBWEBWEBWEBWE"}}, "principal-by-id"),
        ({"Effect": "Deny", "NotPrincipal": {"AWS": ACCOUNT}}, "not-principal-account"),
        ({"Effect": "Deny", "NotPrincipal": {"AWS": WEB.role_arn}}, "not-principal"),
        ({"Effect": "Deny", "NotPrincipal": "*"}, "not-principal-everyone"),
        (condition("StringEquals", "aws:PrincipalOrgId2", "o-x"), "unknown-key"),
        (condition("StringEquals", "vpc-lattice-svcs:Method", "GET"), "unknown-key"),
        (condition("StringEquals", "vpc-lattice-svcs:RequestHeader", "GET"), "unknown-key"),
        (condition("StringEquals", "aws:SourceVpc", "vpc-1"), "key-never-present"),
        (condition("StringEquals", MET, "GET") | {"Action": "vpc-lattice-svcs:Connect"}, "key-never-present"),
        (condition("NumericEquals", MET, "80"), "unsuitable-operator"),
        (condition("DateLessThan", "vpc-lattice-svcs:Port", "2026-01-01"), "unsuitable-operator"),
        (condition("Bool", "vpc-lattice-svcs:SourceVpc", "true"), "unsuitable-operator"),
        (condition("IpAddress", "vpc-lattice-svcs:ServiceArn", "10.0.0.0/8"), "unsuitable-operator"),
        (condition("StringEquals", QUERY, "1"), "array-without-set-operator"),
        (condition("StringEquals", "aws:PrincipalType", "anonymous"), "impossible-value"),
        (condition("StringNotEquals", "aws:PrincipalType", "anonymous"), "impossible-value"),
        (condition("StringLike", MET, "get"), "impossible-value"),
        (condition("ArnEquals", "aws:PrincipalArn", WEB.arn), "session-arn-as-principal-arn"),
        (condition("StringEquals", "aws:SourceIp", "10.0.0.0/8"), "address-block-as-text"),
        (condition("StringEquals", "aws:PrincipalOrgPaths", "o-x/*"), "wildcard-in-equals"),
        (condition("ArnLike", "aws:PrincipalArn", "*role/web"), "value-is-no-arn"),
        (condition("ArnNotEquals", "aws:PrincipalArn", "web"), "value-is-no-arn"),
        (condition("IpAddress", "aws:SourceIp", "10.1.2.3/8"), "host-bits"),
        (condition("Null", QUERY, ["true", "false"]), "null-always-holds"),
        (condition("ForAllValues:StringEquals", QUERY, ["1", "2"]), "for-all-values-without-guard"),
        (condition("ForAnyValue:StringEquals", MET, "GET"), "set-operator-on-single-value"),
        (condition("StringEquals", "aws:PrincipalOrgID", "o-x"), "unsigned-callers-never"),
        (condition("StringNotEquals", "aws:PrincipalOrgID", "o-x"), "unsigned-callers-admitted"),
        (condition("StringEqualsIfExists", "aws:PrincipalTag/team", "blue"), "unsigned-callers-admitted"),
        (condition("ForAllValues:StringEquals", "aws:PrincipalOrgPaths", "o-x/"), "unsigned-callers-admitted"),
        (condition("StringEquals", "aws:PrincipalTag/team", "red") | {"Effect": "Deny"}, "unsigned-callers-escape"),
    ],
)
def test_remarks_on_auth_policies(statement: dict[str, Any], code: str) -> None:
    assert code in codes(statement)


@pytest.mark.parametrize(
    "statements",
    [
        [{}],
        [{"Resource": f"{SERVICE}/*"}],
        [{"Resource": [SERVICE, f"{SERVICE}/*"]}],
        [{"Resource": "*/rates"}],
        [{"Resource": "arn:aws:vpc-lattice:*:*:service/*/rates"}],
        [{"Resource": f"{SERVICE}/${{aws:PrincipalTag/team}}/*"}],
        [{"Action": "vpc-lattice-svcs:Connect", "Resource": SERVICE}],
        [{"Action": "vpc-lattice-svcs:Connect", "Resource": f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:resourceconfiguration/rcfg-0123456789abcdef0"}],
        [{"Action": ["vpc-lattice-svcs:*", "vpc-lattice-svcs:Conn?ct"]}],
        [{"Principal": {"AWS": [ACCOUNT, WEB.role_arn]}} | condition("StringEquals", "aws:PrincipalOrgID", "o-x")],
        [condition("StringNotEqualsIgnoreCase", "aws:PrincipalType", "anonymous")],
        [condition("StringNotEquals", "aws:PrincipalTag/team", "red", also=None) | {"Principal": {"AWS": ACCOUNT}}],
        [{"Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "red", "aws:PrincipalType": "Anonymous"}}}],
        [condition("ForAllValues:StringEquals", QUERY, "1", {"Null": {QUERY: "false"}})],
        [condition("ForAnyValue:StringLike", QUERY, ["1*"])],
        [condition("NumericEquals", "vpc-lattice-svcs:Port", 443)],
        [condition("NumericLessThan", "vpc-lattice-svcs:RequestHeader/x-version", 3)],
        [condition("ArnEquals", "aws:PrincipalArn", WEB.role_arn) | {"Effect": "Deny", "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01"}}}],
        [{"Effect": "Deny", **condition("StringEquals", "aws:PrincipalType", "Anonymous")}, {}],
        [condition("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "192.0.2.7"])],
        [condition("StringEquals", "acme:Color", "red")],
    ],
)
def test_policies_without_fault(statements: list[dict[str, Any]]) -> None:
    assert codes(*statements) == []


def test_remarks_on_several_statements() -> None:
    assert codes({"Sid": "A"}, {"Sid": "B"}) == ["duplicate-statement"]
    assert codes({"Resource": ["*/a", "*/b"]}, {"Resource": ["*/b", "*/a"]}) == ["duplicate-statement"]
    everything = {"Effect": "Deny", "Action": "*"}
    assert codes({"Sid": "A"}, everything) == ["shadowed-by-deny"]
    assert codes({}, {"Effect": "Deny", "Action": "vpc-lattice-svcs:*"}) == ["shadowed-by-deny"]
    assert codes({"Action": "*"}, {"Effect": "Deny", "Action": "vpc-lattice-svcs:Connect"}) == []
    assert codes({}, everything | {"Resource": f"{SERVICE}/*"}) == []
    assert codes({}, everything | {"Principal": {"AWS": OTHER}}) == []
    assert codes({}, everything | condition("StringEquals", MET, "PUT")) == []


def test_remarks_on_other_forms() -> None:
    lattice = {"Action": "vpc-lattice-svcs:Invoke", "Resource": SERVICE}
    assert codes(lattice, form=Form.IDENTITY) == ["bare-service-arn"]
    assert codes({"Action": ["vpc-lattice-svcs:Invoke", "s3:*"], "Resource": "arn:aws:s3:::b/*"}, form=Form.IDENTITY) == []
    assert codes({"Action": "s3:Get*", "Resource": "arn:aws:s3:::b"}, form=Form.IDENTITY, Id="x") == ["id-without-use"]
    assert codes({"Resource": "arn:aws:s3:::home/${aws:username}", "Action": "s3:*"}, form=Form.IDENTITY, version="2008-10-17") == ["variable-in-old-version"]
    assert codes({"Action": "ec2:*", "Effect": "Deny"}, form=Form.RESOURCE_CONTROL) == ["unreached-service"]
    assert codes({"Action": "s3:*", "Effect": "Deny"}, form=Form.RESOURCE_CONTROL) == []
    trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}
    assert [finding.code for finding in lint(json.dumps(trust), Form.TRUST)] == ["trust-everyone"]
    assert codes(condition("StringEquals", "aws:SourceVpc", "vpc-1") | {"Action": "s3:*"}, form=Form.IDENTITY) == []


def test_a_finding_says_where_and_what_to_write_instead() -> None:
    start = '{"Version": "2012-10-17",\n "Statement": {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke",\n'
    text = f'{start}  "Resource": "{SERVICE}"}}}}'
    (finding,) = lint(text, Form.AUTH)
    assert (finding.severity, finding.path, finding.line, finding.column) == (Severity.WARNING, "Statement[0].Resource[0]", 3, 15)
    assert finding.suggestion == f"{SERVICE}/* for every path"
    assert str(finding).startswith(f"line 3 column 15: warning: {SERVICE} is the service itself and matches no request")


def test_what_is_no_policy_is_one_error() -> None:
    (finding,) = lint('{"Statement": [{“Effect”: "Allow"}]}', Form.AUTH)
    assert (finding.severity, finding.code, finding.line, finding.column) == (Severity.ERROR, "malformed", 1, 17)
    assert "U+201C" in finding.sentence


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aws:PrincipalOrgId2", "aws:PrincipalOrgID"),
        ("aws:PrincipleOrgID", "aws:PrincipalOrgID"),
        ("aws:PrincipalTags/team", "aws:PrincipalTag/team"),
        ("vpc-lattice-svcs:RequestHeaders/x-env", "vpc-lattice-svcs:RequestHeader/x-env"),
        ("vpc-lattice-svcs:SourceIp", "aws:SourceIp"),
        ("aws:Zzzzzz", ""),
    ],
)
def test_the_key_that_was_meant(written: str, meant: str) -> None:
    assert similar_key(written) == meant


def test_keys_are_named_once() -> None:
    assert len({key.name.lower() for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("*", "abc", True),
        ("a*c", "ab*", True),
        ("a?c", "*b*", True),
        ("a", "a?", False),
        ("ab*", "*ba", True),
        ("ab", "a", False),
        ("", "*", True),
        ("arn:aws:s3:::x", "arn:*:s3:*:*:*", True),
        ("arn:aws:s3:::x", "arn:*:s3:*:?:*", False),
        ("arn:${aws:username}:s3:::x", "arn:aws:s3:::x", True),
    ],
)
def test_patterns_that_have_a_text_in_common(one: str, other: str, meet: bool) -> None:
    assert overlap(one, other, variables=True) is meet


@settings(max_examples=100, deadline=None, derandomize=True)
@given(policies_as_written())
def test_any_policy_can_be_linted(text: str) -> None:
    for finding in lint(text, Form.AUTH):
        assert finding.severity is not Severity.ERROR
        assert finding.path
        assert finding.sentence


@pytest.mark.parametrize("operator", [*POSITIVE, *NEGATED])
def test_every_operator_of_every_known_key(operator: str) -> None:
    value = {"Numeric": "1", "Date": "2026-01-01", "Bool": "true", "Null": "true", "Binary": "YQ==", "Ip": "10.0.0.1", "NotIp": "10.0.0.1"}
    wanted = next((text for start, text in value.items() if operator.startswith(start)), "arn:aws:iam::111122223333:role/x")
    for key in KEYS:
        name = f"{key.name}x" if key.name.endswith("/") else key.name
        assert "unknown-key" not in codes(condition(operator, name, wanted))


def test_policies_of_aws_are_no_errors() -> None:
    stored = Path(latticewall.__file__).parent / "services" / "iam" / "aws_managed.json"
    for name, policy in json.loads(stored.read_text()).items():
        assert [finding for finding in lint(json.dumps(policy["Document"]), Form.MANAGED) if finding.severity is Severity.ERROR] == [], name
