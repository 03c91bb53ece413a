"""Elements and conditions one by one; every case is asked of both the definition and the engine."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ACCOUNT, ANN, ANONYMOUS, OTHER, ROOT, SERVICE, STRANGER, WEB, ask, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.policy import spec
from latticewall.policy.decision import Grant
from latticewall.policy.document import Form, Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.match import action_test
from latticewall.policy.operators import NEGATED, POSITIVE
from latticewall.policy.pattern import Glob, Wild, constant, parse_template, split_arn
from latticewall.policy.request import Principal, Request


def allowed(written: Policy, request: Request) -> bool:
    """The answer on which definition and engine agree."""
    decision = PolicySet([written]).evaluate(request)
    assert decision == spec.evaluate([written], request)
    return decision.allowed


SERVICE_POLICY_CASES = [
    ("*", "/", True),
    ("{service}", "/", False),
    ("{service}/*", "/", True),
    ("{service}/", "/", True),
    ("{service}/rates", "/rates", True),
    ("{service}/rates", "/Rates", False),
    ("{service}/rates", "/rates/", False),
    ("{service}/r?tes", "/rates", True),
    ("{service}/api.parking/GetRates", "/api.parking/GetRates", True),
    ("*/rates", "/a/b/rates", True),
    ("*/rates", "/rates/x", False),
    ("*/*", "/", True),
    ("arn:aws:vpc-lattice:*:*:service/*/rates", "/rates", True),
    ("arn:aws:vpc-lattice:*/rates", "/rates", True),
    ("arn:aws:vpc-lattice:*:*/rates", "/rates", True),
    ("arn:aws:*:us-west-2:*:service/svc-*", "/rates", True),
    ("arn:aws:vpc-lattice:us-*:*:*:rates", "/rates", False),
    ("arn:aws:vpc-lattice:us-west-2::service/*", "/rates", False),
    ("", "/", False),
]


@pytest.mark.parametrize(("pattern", "path", "matches"), SERVICE_POLICY_CASES)
def test_resources(pattern: str, path: str, matches: bool) -> None:
    request = ask(resource=SERVICE + path)
    resource = pattern.format(service=SERVICE)
    assert allowed(policy({"Resource": resource}), request) is matches
    assert allowed(policy({"NotResource": resource}), request) is not matches


def test_a_star_in_an_arn_pattern_crosses_slashes_but_not_the_first_five_colons() -> None:
    queue = ask(resource="arn:aws:sqs:us-east-1:111122223333:a:b/c")
    assert allowed(policy({"Resource": "arn:aws:sqs:us-east-1:111122223333:*"}, form=Form.IDENTITY), queue)
    assert allowed(policy({"Resource": "arn:aws:sqs:*:*:a:*"}, form=Form.IDENTITY), queue)
    assert allowed(policy({"Resource": "arn:aws:sqs:*"}, form=Form.IDENTITY), queue)
    assert not allowed(policy({"Resource": "arn:aws:sns:*"}, form=Form.IDENTITY), queue)
    assert not allowed(policy({"Resource": "arn:aws:sqs:*:a:b/c:*"}, form=Form.IDENTITY), queue)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("vpc-lattice-svcs:Invoke", True),
        ("VPC-Lattice-Svcs:INVOKE", True),
        ("vpc-lattice-svcs:*", True),
        ("vpc-lattice-svcs:I?voke", True),
        ("*", True),
        ("*:*", True),
        ("vpc-lattice:*", False),
        ("vpc-lattice-svcs:Connect", False),
        ("vpc-lattice-svcs:Invoke?", False),
    ],
)
def test_actions(pattern: str, matches: bool) -> None:
    assert allowed(policy({"Action": pattern}), ask()) is matches
    assert allowed(policy({"NotAction": pattern}), ask()) is not matches
    assert allowed(policy({"Action": ["s3:Get", pattern]}), ask()) is matches


GRANTS: list[tuple[Any, Principal, Grant | None]] = [
    ("*", ANONYMOUS, Grant.EVERYONE),
    ({"AWS": "*"}, ANONYMOUS, Grant.EVERYONE),
    ("*", WEB, Grant.EVERYONE),
    ({"AWS": ACCOUNT}, WEB, Grant.ACCOUNT),
    ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ANN, Grant.ACCOUNT),
    ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ROOT, Grant.ACCOUNT),
    ({"AWS": ACCOUNT}, STRANGER, None),
    ({"AWS": ACCOUNT}, ANONYMOUS, None),
    ({"AWS": WEB.role_arn}, WEB, Grant.ROLE),
    ({"AWS": WEB.arn}, WEB, Grant.DIRECT),
    ({"AWS": WEB.arn + "x"}, WEB, None),
    ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/web"}, WEB, None),
    ({"AWS": "AROAWEBWEBWEBWEBWEBWE"}, WEB, Grant.ROLE),
    ({"AWS": "AIDAANNANNANNANNANNAN"}, ANN, Grant.DIRECT),
    ({"AWS": ANN.arn}, ANN, Grant.DIRECT),
    ({"AWS": ANN.arn.upper().replace("ARN:AWS:IAM", "arn:aws:iam").replace("USER", "user")}, ANN, None),
    ({"AWS": [OTHER, ACCOUNT, WEB.role_arn]}, WEB, Grant.ROLE),
    ({"Service": "ec2.amazonaws.com"}, Principal.service("ec2.amazonaws.com"), Grant.DIRECT),
    ({"Service": "ec2.amazonaws.com"}, Principal.service("lambda.amazonaws.com"), None),
    ({"Service": "ec2.amazonaws.com"}, WEB, None),
    ({"Federated": "arn:aws:iam::1:oidc-provider/x"}, Principal.federated("arn:aws:iam::1:oidc-provider/x"), Grant.DIRECT),
    ({"CanonicalUser": "abc"}, WEB, None),
]


@pytest.mark.parametrize(("who", "principal", "grant"), GRANTS)
def test_principals(who: Any, principal: Principal, grant: Grant | None) -> None:
    written = policy({"Principal": who}, form=Form.RESOURCE)
    decision = PolicySet([written]).evaluate(ask(principal))
    assert decision == spec.evaluate([written], ask(principal))
    assert (decision.grant if decision.allowed else None) == (grant or None)


@pytest.mark.parametrize(
    ("listed", "principal", "denied"),
    [
        ([WEB.role_arn], WEB, False),
        ([WEB.arn], WEB, False),
        ([WEB.role_arn], ANN, True),
        ([WEB.role_arn], ANONYMOUS, True),
        ([ACCOUNT], ANN, True),
        ([ACCOUNT], ROOT, False),
        ([ACCOUNT, ANN.arn], ANN, False),
        ([ACCOUNT, ANN.arn], WEB, True),
        (["*", ACCOUNT], WEB, False),
    ],
)
def test_not_principal_denies_all_but_the_listed(listed: list[str], principal: Principal, denied: bool) -> None:
    written = policy({"Effect": "Deny", "NotPrincipal": {"AWS": listed}}, {"Effect": "Allow"})
    assert allowed(written, ask(principal)) is not denied


MISSING = None
VALUES: list[tuple[str, ...] | None] = [MISSING, (), ("",), ("a",), ("a", "b"), ("c",), ("a", "c")]
TRUTH_TABLE = {
    # operator: for each of VALUES, with the policy's values a and b
    "StringEquals": "...a...",
    "StringNotEquals": "a.a..a.",
    "StringEqualsIfExists": "a..a...",
    "StringNotEqualsIfExists": "a.a..a.",
    "ForAnyValue:StringEquals": "...aa.a",
    "ForAnyValue:StringNotEquals": "..a..aa",
    "ForAllValues:StringEquals": "aaaaa..",
    "ForAllValues:StringNotEquals": "aaa..a.",
    "ForAnyValue:StringEqualsIfExists": "...aa.a",
    "ForAllValues:StringEqualsIfExists": "aaaaa..",
}


@pytest.mark.parametrize(("operator", "row"), TRUTH_TABLE.items())
def test_truth_table_of_a_multi_valued_key(operator: str, row: str) -> None:
    """As documented by AWS; without a set operator, a multi-valued key counts only if it holds one value."""
    written = policy({"Condition": {operator: {"x:k": ["a", "b"]}}})
    answers = [allowed(written, ask(context={} if values is None else {"x:k": values})) for values in VALUES]
    assert "".join("a" if answer else "." for answer in answers) == row


def test_a_deny_cannot_be_escaped_by_repeating_a_value() -> None:
    written = policy({"Effect": "Deny", "Condition": {"StringNotEquals": {"vpc-lattice-svcs:RequestQueryString/v": "1"}}}, {"Effect": "Allow"})
    key = "vpc-lattice-svcs:RequestQueryString/v"
    assert allowed(written, ask(context={key: ("1",)}))
    assert not allowed(written, ask(context={key: ("1", "2")}))
    assert not allowed(written, ask(context={key: ("2",)}))
    assert not allowed(written, ask())


@pytest.mark.parametrize("wanted", ["true", "false", True, False])
def test_null(wanted: str | bool) -> None:
    written = policy({"Condition": {"Null": {"x:k": wanted}}})
    must_be_absent = wanted in ("true", True)
    assert allowed(written, ask()) is must_be_absent
    for values in VALUES[1:]:
        assert allowed(written, ask(context={"x:k": values or ()})) is not must_be_absent


CONDITIONS: list[tuple[str, Any, str, bool]] = [
    ("StringEquals", "Anonymous", "Anonymous", True),
    ("StringEquals", "Anonymous", "anonymous", False),
    ("StringEquals", "a*", "ab", False),
    ("StringNotEquals", ["a", "b"], "a", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringEqualsIgnoreCase", "aNoNymous", "Anonymous", True),
    ("StringNotEqualsIgnoreCase", "anonymous", "Anonymous", False),
    ("stringlike", "a*c?", "abbcd", True),
    ("StringLike", "a*c?", "ABBCD", False),
    ("StringNotLike", ["x*", "a*"], "abc", False),
    ("NumericEquals", 443, "443", True),
    ("NumericEquals", "443.0", "443", True),
    ("NumericNotEquals", 443, "80", True),
    ("NumericLessThan", "1024", "1023", True),
    ("NumericLessThan", "1024", "1024", False),
    ("NumericLessThanEquals", "1024", "1024", True),
    ("NumericGreaterThan", "-1.5", "-1.4", True),
    ("NumericGreaterThanEquals", "2", "10", True),
    ("NumericEquals", "1", "one", False),
    ("NumericEquals", "1", "1e0", False),
    ("DateLessThan", "2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z", True),
    ("DateGreaterThan", "2026-01-02T00:00:00Z", "1767312001", True),
    ("DateEquals", "2026-01-02", "2026-01-02T00:00:00Z", True),
    ("DateEquals", "2026-01-02T02:00:00+02:00", "2026-01-02T00:00:00.000Z", True),
    ("DateGreaterThanEquals", "2026", "2026-01-01", True),
    ("DateNotEquals", "2026-01-02", "2026-01-03", True),
    ("DateLessThan", "2026-01-02", "tomorrow", False),
    ("Bool", "true", "True", True),
    ("Bool", False, "false", True),
    ("Bool", "false", "no", False),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
    ("IpAddress", "10.0.0.0/24", "10.0.0.77", True),
    ("IpAddress", "10.0.0.5", "10.0.0.5", True),
    ("IpAddress", ["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
    ("IpAddress", "0.0.0.0/0", "::1", False),
    ("IpAddress", "10.0.0.0/8", "ten", False),
    ("NotIpAddress", "10.0.0.0/8", "11.0.0.1", True),
    ("NotIpAddress", "10.0.0.0/8", "10.1.1.1", False),
    ("ArnEquals", "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:role/a/b", True),
    ("ArnLike", "arn:aws:iam::1111*:role/web", "arn:aws:iam::111122223333:role/web", True),
    ("ArnLike", "arn:aws:*:role/web", "arn:aws:iam::111122223333:role/web", False),
    ("StringLike", "arn:aws:*:role/web", "arn:aws:iam::111122223333:role/web", True),
    ("ArnLike", "*", "arn:aws:iam::111122223333:role/web", False),
    ("ArnNotLike", "arn:aws:iam::*:role/web", "arn:aws:iam::1:role/app", True),
    ("ArnNotEquals", "arn:aws:iam::*:role/web", "arn:aws:iam::1:role/web", False),
]


@pytest.mark.parametrize(("operator", "wanted", "value", "holds"), CONDITIONS)
def test_operators(operator: str, wanted: Any, value: str, holds: bool) -> None:
    written = policy({"Condition": {operator: {"x:Key": wanted}}})
    assert allowed(written, ask(context={"x:Key": value})) is holds
    assert allowed(written, ask(context={"X:kEY": value})) is holds


@pytest.mark.parametrize("positive", ["StringEquals", "StringLike", "NumericEquals", "DateEquals", "ArnLike", "IpAddress", "Bool", "BinaryEquals"])
def test_missing_key_fails_a_positive_operator_and_passes_if_exists(positive: str) -> None:
    value = {"Numeric": "1", "Date": "2026-01-01", "IpAddr": "10.0.0.1", "Bool": "true", "Binary": "QQ=="}
    wanted = next((text for start, text in value.items() if positive.startswith(start)), "arn:aws:a:b:c:d")
    assert not allowed(policy({"Condition": {positive: {"x:k": wanted}}}), ask())
    assert allowed(policy({"Condition": {f"{positive}IfExists": {"x:k": wanted}}}), ask())


def test_operators_and_keys_are_anded() -> None:
    written = policy({"Condition": {"StringEquals": {"x:a": "1", "x:b": "2"}, "Bool": {"x:c": "true"}}})
    assert allowed(written, ask(context={"x:a": "1", "x:b": "2", "x:c": "true"}))
    for missing in "abc":
        full = {"x:a": "1", "x:b": "2", "x:c": "true"}
        del full[f"x:{missing}"]
        assert not allowed(written, ask(context=full))


def test_query_parameter_names_are_exact_and_header_names_are_not() -> None:
    query = policy({"Condition": {"ForAnyValue:StringEquals": {"vpc-lattice-svcs:requestquerystring/Dept": "x"}}})
    assert allowed(query, ask(context={"vpc-lattice-svcs:RequestQueryString/Dept": ("x",)}))
    assert not allowed(query, ask(context={"vpc-lattice-svcs:RequestQueryString/dept": ("x",)}))
    header = policy({"Condition": {"StringEquals": {"vpc-lattice-svcs:RequestHeader/X-Env": "x"}}})
    assert allowed(header, ask(context={"vpc-lattice-svcs:RequestHeader/x-env": "x"}))


VARIABLE_CASES = [
    ("${aws:PrincipalTag/team}", "blue", True),
    ("${aws:principaltag/TEAM}", "blue", True),
    ("${aws:PrincipalTag/none}", "", False),
    ("${aws:PrincipalTag/none, 'green'}", "green", True),
    ("${aws:PrincipalTag/team, 'green'}", "green", False),
    ("${aws:PrincipalOrgPaths}", "o-exampleorg/r-ab12/ou-ab12-11111111/", False),
    ("x-${aws:PrincipalTag/team}-*", "x-blue-1", True),
    ("${*}", "*", True),
    ("${*}", "a", False),
    ("${?}${$}{x}", "?${x}", True),
    ("${unclosed", "${unclosed", True),
]


@pytest.mark.parametrize(("pattern", "value", "matches"), VARIABLE_CASES)
def test_variables(pattern: str, value: str, matches: bool) -> None:
    request = ask(context={"x:k": value}, resource=f"{SERVICE}/{value}")
    assert allowed(policy({"Condition": {"StringLike": {"x:k": pattern}}}), request) is matches
    assert allowed(policy({"Condition": {"StringNotLike": {"x:k": pattern}}}), request) is not matches
    assert allowed(policy({"Resource": f"{SERVICE}/{pattern}"}), request) is matches
    assert allowed(policy({"Resource": f"*/{pattern}"}), request) is matches


@pytest.mark.parametrize("version", ["2012-10-17", "2008-10-17"])
def test_variables_are_literal_before_2012(version: str) -> None:
    written = policy({"Condition": {"StringEquals": {"x:k": "${aws:PrincipalTag/team}"}}}, version=version)
    new = version == "2012-10-17"
    assert allowed(written, ask(context={"x:k": "blue"})) is new
    assert allowed(written, ask(context={"x:k": "${aws:PrincipalTag/team}"})) is not new


def test_what_a_variable_brings_in_is_never_a_wildcard_nor_a_separator() -> None:
    sly = Principal(WEB.arn, ACCOUNT, "AssumedRole", role_arn=WEB.role_arn, userid=WEB.userid, tags={"team": "*"})
    assert not allowed(policy({"Resource": f"{SERVICE}/${{aws:PrincipalTag/team}}"}), ask(sly, resource=f"{SERVICE}/secret"))
    assert allowed(policy({"Resource": f"{SERVICE}/${{aws:PrincipalTag/team}}"}), ask(sly, resource=f"{SERVICE}/*"))
    splitting = Principal(WEB.arn, ACCOUNT, "AssumedRole", tags={"team": "a:b"})
    written = policy({"Condition": {"ArnLike": {"x:arn": "arn:aws:${aws:PrincipalTag/team}:c:d:e"}}})
    assert not allowed(written, ask(splitting, context={"x:arn": "arn:aws:a:b:c:d:e"}))
    account = policy({"Condition": {"ArnLike": {"x:arn": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}}})
    assert allowed(account, ask(context={"x:arn": f"arn:aws:iam::{ACCOUNT}:role/x"}))


PIECES = st.lists(st.sampled_from(["a", "b", "*", "?", "ab", "aa"]), max_size=8).map("".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PIECES, st.text("ab", max_size=10))
def test_glob_is_the_table_of_its_definition(pattern: str, text: str) -> None:
    template = parse_template(pattern, wildcards=True, variables=False)
    assert Glob(constant(template) or ()).matches(text) is spec.glob(template, text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("pattern", ["a*" * 2000 + "b", "*a" * 2000, "*" + "a?" * 2000 + "b*", "*?" * 2000])
def test_glob_time_is_linear(pattern: str) -> None:
    glob = Glob(constant(parse_template(pattern, wildcards=True, variables=False)) or ())
    assert glob.matches("a" * 8000) is (pattern in ("*a" * 2000, "*?" * 2000))


def test_templates() -> None:
    template = parse_template("arn:aws:s3:::b/${aws:username}/*?", wildcards=True, variables=True)
    assert constant(template) is None
    assert template[-2:] == (Wild.ANY, Wild.ONE)
    segments = split_arn(template)
    assert segments is not None
    assert [len(segment) for segment in segments] == [1, 1, 1, 0, 0, 5]
    assert split_arn(parse_template("*:a:b:c:d:e", wildcards=True, variables=True)) is None


ODD = ["", " ", "-", "+", ".", "1.", "\u0661\u0662\u0663\u0664\u0665", "1e9", "0x10", "nan", "0000-01-01", "9999-12-31T23:59:60Z", "2026-02-30", "10.0.0"]
ODD += ["10.0.0.1/8", "::1%eth0", "fe80::1/64", "\u0661.\u0661.\u0661.\u0661", "=", "YQ", "\xff", "\x00", "arn:::::", "arn:" * 5, "*", "?", "${aws:username}"]
ODD += ["a" * 5000, "9" * 5000]


@pytest.mark.parametrize("name", [*POSITIVE, *NEGATED])
def test_no_value_of_a_request_is_too_odd(name: str) -> None:
    """Callers choose headers and parameters: whatever they send is compared, or matches nothing."""
    wanted = {"Numeric": "1", "Date": "2026", "Bool": "true", "Null": "true", "Binary": "YQ==", "Ip": "10.0.0.0/8", "NotIp": "10.0.0.0/8"}
    value = next((text for start, text in wanted.items() if name.startswith(start)), "arn:aws:iam::*:role/*")
    for prefix in [""] if name == "Null" else ["", "ForAnyValue:", "ForAllValues:"]:
        written = policy({"Condition": {prefix + name: {"x:k": value}}})
        for odd in ODD:
            expected = name in NEGATED or (prefix == "ForAllValues:" and odd == "")
            assert allowed(written, ask(context={"x:k": odd})) is (expected and name != "Null")
            assert allowed(written, ask(context={"x:k": (odd,)})) is allowed(written, ask(context={"x:k": odd}))


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999-23:59", "0001", "9" * 18, "-" + "9" * 18])
def test_the_first_and_last_moments_are_dates(text: str) -> None:
    early = text.startswith(("0", "-"))
    assert allowed(policy({"Condition": {"DateLessThan": {"x:k": "2026"}}}), ask(context={"x:k": text})) is early
    assert allowed(policy({"Condition": {"DateGreaterThan": {"x:k": text}}}), ask(context={"x:k": "2026"})) is early


def test_actions_have_wildcards_and_no_variables() -> None:
    """"Policy variables" are for resources and conditions."""
    assert [action_test([pattern])("x:putthing") for pattern in ("x:Put*", "x:*", "*", "x:PutThin?", "X:PUTTHING")] == [True] * 5
    assert [action_test([pattern])("x:putthing") for pattern in ("x:Put", "x:Put?", "", "x:${*}")] == [False] * 4
    assert action_test(["x:${*}"])("x:${put}")
    assert action_test(["x:${aws:username}*"])("x:${aws:username}s")
    assert not action_test(["x:${aws:username}*"])("")
