"""Parsing: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from latticewall.policy.document import AUTH_POLICY_LIMIT, Form, Malformed, minify, parse_policy, policy_size

ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
AUTH = ALLOW | {"Principal": "*"}


def without_place(fault: Malformed) -> str:
    """The message; where the fault is has tests of its own."""
    message, count = re.subn(r"\(line \d+ column \d+: ", "(", fault.message)
    assert count == 1 or fault.message.endswith(" bytes."), fault.message
    return message


def refused(text: str | dict[str, Any], form: Form = Form.IDENTITY) -> Malformed:
    with pytest.raises(Malformed) as caught:
        parse_policy(text if isinstance(text, str) else json.dumps(text), form)
    return caught.value


def statement(**changes: Any) -> dict[str, Any]:
    """A document of one statement with elements changed; None leaves one out."""
    return {"Version": "2012-10-17", "Statement": {key: value for key, value in (ALLOW | changes).items() if value is not None}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "Syntax errors in policy. (Expecting value)"),
        ('{"Statement": [}', "Syntax errors in policy. (Expecting value)"),
        ("[]", "Syntax errors in policy. (the document must be a JSON object)"),
        ('"*"', "Syntax errors in policy. (the document must be a JSON object)"),
        ("{}", "Syntax errors in policy. (Statement must be a statement or a list of statements)"),
        ("[" * 100_000, "Syntax errors in policy. (nested too deeply)"),
        ('{"Version": NaN}', "Syntax errors in policy. (NaN is not JSON)"),
        ('{"Version":"2012-10-17","Version":"2012-10-17"}', "Syntax errors in policy. (duplicate element Version)"),
        ('{"Statement":{"Effect":"Deny","Effect":"Allow"}}', "Syntax errors in policy. (duplicate element Effect)"),
        ({"Statement": []}, "Syntax errors in policy. (Statement must be a statement or a list of statements)"),
        ({"Statement": ["x"]}, "Syntax errors in policy. (Statement[0] must be an object)"),
        ({"Version": "2012-10-18", "Statement": ALLOW}, 'Syntax errors in policy. (Version is "2012-10-18", which is neither'),
        ({"Version": ["2012-10-17"], "Statement": ALLOW}, 'Syntax errors in policy. (Version is ["2012-10-17"], which is neither'),
        ({"Statement": ALLOW, "Comment": 1}, "Syntax errors in policy. (unknown element Comment)"),
        ({"Statement": ALLOW, "Id": ["x"]}, "Syntax errors in policy. (Id must be a string)"),
        (statement(effect="Allow"), "Syntax errors in policy. (Statement[0] has unknown element effect)"),
        (statement(Effect="allowed"), 'Syntax errors in policy. (Statement[0].Effect must be Allow or Deny, not "allowed")'),
        (statement(Effect="allow"), 'The policy failed legacy parsing (Statement[0].Effect must be Allow or Deny, not "allow")'),
        (statement(Effect=None), "Syntax errors in policy. (Statement[0].Effect must be Allow or Deny, not null)"),
        (statement(Action=None), "Policy statement must contain actions. (Statement[0])"),
        (statement(Action=[]), "Policy statement must contain actions. (Statement[0])"),
        (statement(Action=1), "Syntax errors in policy. (Statement[0].Action must be a string or a list of strings)"),
        (statement(Action=["s3:Get", None]), "Syntax errors in policy. (Statement[0].Action must be a string or a list of strings)"),
        (statement(Action="Get"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[0].Action[0] is \"Get\")"),
        (statement(Action="s3:"), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[0].Action[0] is \"s3:\")"),
        (statement(Action="s3:a:b"), "Actions/Condition can contain only one colon. (Statement[0].Action[0] is \"s3:a:b\")"),
        (statement(Action="s*:Get"), "Vendor s* is not valid (Statement[0].Action[0] is \"s*:Get\")"),
        (statement(NotAction="s3:Put"), "Syntax errors in policy. (Statement[0] has both Action and NotAction)"),
        (statement(Resource=None), "Policy statement must contain resources. (Statement[0])"),
        (statement(Resource=[]), "Policy statement must contain resources. (Statement[0])"),
        (statement(Resource="bucket"), 'Resource bucket must be in ARN format or "*". (Statement[0].Resource[0])'),
        (statement(Resource="arn:aws:s3"), 'Resource arn:aws:s3 must be in ARN format or "*". (Statement[0].Resource[0]: an ARN has six parts)'),
        (statement(Principal="*"), "Policy document should not specify a principal. (Statement[0].Principal)"),
        (statement(Sid="no spaces"), "Statement IDs (SID) must be alpha-numeric."),
        (statement(Sid=1), "Syntax errors in policy. (Statement[0].Sid must be a string)"),
        ({"Statement": [ALLOW | {"Sid": "A"}, ALLOW | {"Sid": "A"}]}, 'Statement IDs (SID) in a single policy must be unique. (Sid "A")'),
        (statement(Condition=[]), "Syntax errors in policy. (Statement[0].Condition must be an object)"),
        (statement(Condition={"StringEqual": {"a:b": "c"}}), "Syntax errors in policy. (Invalid Condition type : StringEqual: did you mean StringEquals?)"),
        (statement(Condition={"NullIfExists": {"a:b": "true"}}), "Syntax errors in policy. (Invalid Condition type : NullIfExists"),
        (statement(Condition={"ForSome:StringLike": {"a:b": "c"}}), "Syntax errors in policy. (Invalid Condition type : ForSome:StringLike"),
        (statement(Condition={"StringEquals": "x"}), "Syntax errors in policy. (Statement[0].Condition.StringEquals must be an object)"),
        (statement(Condition={"StringEquals": {"key": "x"}}), "Actions/Conditions must be prefaced by a vendor"),
        (statement(Condition={"StringEquals": {"a:b": []}}), "Syntax errors in policy. (Statement[0].Condition.StringEquals.a:b has no values)"),
        (statement(Condition={"StringEquals": {"a:b": {}}}), "Syntax errors in policy. (Statement[0].Condition.StringEquals.a:b must hold strings"),
        (statement(Condition={"StringEquals": {"a:b": None}}), "Syntax errors in policy. (Statement[0].Condition.StringEquals.a:b must hold strings"),
        (statement(Condition={"IpAddress": {"aws:SourceIp": "fe80::1%eth0"}}), 'Invalid value for condition operator IpAddress: "fe80::1%eth0"'),
        (statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), 'Invalid value for condition operator IpAddress: "10.0.0.0/33"'),
        (statement(Condition={"NumericEquals": {"a:b": "many"}}), 'Invalid value for condition operator NumericEquals: "many"'),
        (statement(Condition={"DateLessThan": {"a:b": "soon"}}), 'The policy failed legacy parsing (Statement[0].Condition.DateLessThan.a:b[0] is "soon")'),
        (statement(Condition={"Null": {"a:b": "maybe"}}), 'Invalid value for condition operator Null: "maybe"'),
        (statement(Resource="arn:aws:s3:::\ud800"), "Syntax errors in policy. (Statement[0].Resource[0] holds half a surrogate pair)"),
    ],
)
def test_identity_refusals(document: str | dict[str, Any], message: str) -> None:
    fault = refused(document)
    assert fault.code == "MalformedPolicyDocument"
    assert without_place(fault).startswith(message)


@pytest.mark.parametrize(
    ("form", "changes", "message"),
    [
        (Form.AUTH, {}, "Missing required field Principal (Statement[0])"),
        (Form.AUTH, {"Principal": {}}, "Invalid principal in policy. (Statement[0].Principal must be"),
        (Form.AUTH, {"Principal": "everyone"}, "Invalid principal in policy. (Statement[0].Principal must be"),
        (Form.AUTH, {"Principal": {"AWS": []}}, "Invalid principal in policy. (Statement[0].Principal names nobody)"),
        (Form.AUTH, {"Principal": {"aws": "*"}}, 'Invalid principal in policy: "aws" (Statement[0].Principal)'),
        (Form.AUTH, {"Principal": {"AWS": "1234"}}, 'Invalid principal in policy: "AWS":"1234"'),
        (Form.AUTH, {"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}}, 'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"'),
        (Form.AUTH, {"Principal": {"AWS": "arn:aws:iam::111122223333:group/g"}}, "Invalid principal in policy"),
        (Form.AUTH, {"NotPrincipal": {"AWS": "*"}}, "NotPrincipal is only supported with Effect Deny"),
        (Form.TRUST, {"Principal": "*"}, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0].Action[0] is \"s3:Get*\")"),
        (Form.TRUST, {"Principal": "*", "Action": "*", "Resource": None}, "AssumeRole policy may only specify STS AssumeRole actions. (Statement[0]."),
        (Form.TRUST, {"Principal": "*", "Action": "sts:AssumeRole"}, "Has prohibited field Resource. (Statement[0])"),
    ],
)
def test_refusals_of_policies_with_principals(form: Form, changes: dict[str, Any], message: str) -> None:
    fault = refused(statement(**changes), form)
    assert without_place(fault).startswith(message)
    if form is Form.AUTH:
        assert (fault.code, fault.members, fault.fields) == (
            "ValidationException",
            {"reason": "fieldValidationFailed"},
            (("policy", fault.message),),
        )


def test_auth_policy_that_is_no_json_cannot_be_parsed() -> None:
    assert refused("{", Form.AUTH).members == {"reason": "cannotParse"}


def test_size_limit_of_auth_policies() -> None:
    def sized(count: int) -> str:
        text = json.dumps({"Statement": AUTH | {"Sid": "x"}}, separators=(",", ":"))
        return text.replace('"x"', '"' + "x" * (count - len(text) + 1) + '"')

    assert parse_policy(sized(AUTH_POLICY_LIMIT), Form.AUTH).statements[0].sid.startswith("xxx")
    assert refused(sized(AUTH_POLICY_LIMIT + 1), Form.AUTH).message == "The policy is larger than 10240 bytes."


def test_one_value_and_a_list_of_one_are_the_same() -> None:
    one = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "a:b", "Resource": "*", "Condition": {"Bool": {"a:b": True}}}
    many = {
        "Effect": "Allow",
        "Principal": {"AWS": ["111122223333"]},
        "Action": ["a:b"],
        "Resource": ["*"],
        "Condition": {"Bool": {"a:b": ["true"]}},
    }
    assert parse_policy(json.dumps({"Statement": one}), Form.AUTH) == parse_policy(json.dumps({"Statement": [many]}), Form.AUTH)


def test_numbers_keep_their_spelling() -> None:
    parsed = parse_policy('{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NumericEquals":{"a:b":[1.50,-2]}}}}', Form.IDENTITY)
    assert parsed.statements[0].conditions[0].values == ("1.50", "-2")


def test_star_is_aws_star() -> None:
    star, spelled = (parse_policy(json.dumps({"Statement": AUTH | {"Principal": who}}), Form.AUTH) for who in ("*", {"AWS": "*"}))
    assert star == spelled


def test_minify_keeps_order_and_spelling() -> None:
    text = '{\n  "Version" : "2012-10-17",\r\n\t"Statement": [ {"Sid": "a \\" b\\\\", "x": [1.0, true]} ]\n}\n'
    assert minify(text) == '{"Version":"2012-10-17","Statement":[{"Sid":"a \\" b\\\\","x":[1.0,true]}]}'
    assert json.loads(minify(text)) == json.loads(text)
    assert policy_size(' {"a": "b c"} ') == len('{"a":"b c"}')
