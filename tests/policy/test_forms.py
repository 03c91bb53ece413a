"""Which sentence of IAM's refuses what, in IAM's order of checks; and what the forms of AWS Organizations may hold.

The facts about IAM were taken from what a public emulator's tests record of its answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import latticewall
from latticewall.policy.document import Form, Malformed, parse_policy

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::example_bucket"}
SYNTAX = "Syntax errors in policy."
VERSION = "Policy document must be version 2012-10-17 or greater."
LEGACY = "The policy failed legacy parsing"
PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
ONE_COLON = "Actions/Condition can contain only one colon."
ACTIONS = "Policy statement must contain actions."
RESOURCES = "Policy statement must contain resources."
SIDS = "Statement IDs (SID) in a single policy must be unique."
PATHS = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, '
    "policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)


def good(**changes: Any) -> dict[str, Any]:
    """A statement with elements changed; None leaves one out."""
    return {key: value for key, value in (GOOD | changes).items() if value is not None}


def when(**block: Any) -> dict[str, Any]:
    return good(Condition=block)


def refused(statement: Any, form: Form = Form.MANAGED, **document: Any) -> str:
    """The message; in `document` None leaves an element out."""
    whole = {"Version": "2012-10-17", "Statement": statement} | document
    with pytest.raises(Malformed) as caught:
        parse_policy(json.dumps({key: value for key, value in whole.items() if value is not None}), form)
    return caught.value.message


def accepted(statement: Any, form: Form = Form.MANAGED, **document: Any) -> None:
    parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statement} | document), form)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ([], SYNTAX),
        (["afd"], SYNTAX),
        (good(**{"Extra field": "value"}), SYNTAX),
        (good(Effect="invalid"), SYNTAX),
        (good(Effect=None), SYNTAX),
        (good(Effect="denY"), LEGACY),
        (good(Action="invalid"), PREFACED),
        (good(Action=None, NotAction=""), PREFACED),
        (good(Action="a a:ListBucket"), "Vendor a a is not valid"),
        (good(Action="*:ListBucket"), "Vendor * is not valid"),
        (good(Action="s3:List:Bucket"), ONE_COLON),
        ([good(Action="s3s:ListBucket"), good(Action="s:3s:ListBucket")], ONE_COLON),
        (good(Resource="invalid resource"), 'Resource invalid resource must be in ARN format or "*".'),
        (good(Resource=""), 'Resource  must be in ARN format or "*".'),
        (good(Action="s:3:ListBucket", Resource="sdfsadf"), 'Resource sdfsadf must be in ARN format or "*".'),
        (good(Resource=["adf"]), 'Resource adf must be in ARN format or "*".'),
        (good(Resource="a:bsdfdsafsad"), 'Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".'),
        (good(Resource="a:b:cadfsdf"), 'Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".'),
        (good(Resource="a:b:c:d:e:f:g:h"), 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'),
        (good(Resource="aws:s3:::example_bucket"), 'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".'),
        (good(Resource=["arn:error:s3:::b", "arn:error:s3::b"]), 'Partition "error" is not valid for resource "arn:error:s3:::b".'),
        (good(Resource="arn:aws"), "Resource vendor must be fully qualified and cannot contain regexes."),
        (good(Resource="arn:aws:s*:::b"), "Resource vendor must be fully qualified and cannot contain regexes."),
        (good(Resource=None), RESOURCES),
        (good(Resource=[]), RESOURCES),
        (good(Action="invalid", Resource=None), PREFACED),
        (good(Action=None), ACTIONS),
        (good(Action=None, Resource=None), ACTIONS),
        (good(Action=[]), ACTIONS),
        ([{"Effect": "Deny"}, GOOD], ACTIONS),
        (good(Resource="arn:aws:iam:::example_bucket"), PATHS),
        (good(Resource="arn:aws:s3::example_bucket"), LEGACY),
        (good(Action=None, Resource="arn:aws:s3::example_bucket"), LEGACY),
        (good(Resource=None, NotResource="arn:aws:s3::example_bucket"), LEGACY),
        (good(Resource="arn:aws::::example_bucket"), LEGACY),
        (good(Resource="arn:aws::fdsasf"), LEGACY),
        (good(Resource="arn:aws:iam:us-east-1::user/u"), "IAM resource arn:aws:iam:us-east-1::user/u cannot contain region information."),
        (good(Resource="arn:aws:s3:us-east-1::b"), "Resource arn:aws:s3:us-east-1::b can not contain region information."),
        (good(Resource={"a": "arn:aws:s3:::example_bucket"}), SYNTAX),
        (good(Resource=["adfdf", {}]), SYNTAX),
        (good(NotResource=[]), SYNTAX),
        (good(NotAction="iam:dsf"), SYNTAX),
        (good(Action=[[]]), SYNTAX),
        (good(Action={}), SYNTAX),
        (good(Condition=[]), SYNTAX),
        (good(Condition="a"), SYNTAX),
        (when(a="b"), SYNTAX),
        (when(DateGreaterThan="b"), SYNTAX),
        (when(DateGreaterThan=[]), SYNTAX),
        (when(DateGreaterThan={"a:a": {}}), SYNTAX),
        (when(x={"a": "1"}), SYNTAX),
        (when(**{"ForAnyValue::StringEqualsIfExists": {"a:a": "asf"}}), SYNTAX),
        (good(Sid={}), SYNTAX),
        (good(Sid=[]), SYNTAX),
        ([good(Sid="sdf"), {"Sid": "sdf", "Effect": "Allow"}], SIDS),
        (when(DateGreaterThan={"a:a": "sdfdsf"}), LEGACY),
        (when(DateLessThanEquals={"a:a": "234-13"}), LEGACY),
        (when(DateLessThanEquals={"a:a": "2016-12-13t2:00:00.593194+1"}), LEGACY),
        (when(DateLessThan={"a:a": "9223372036854775808"}), LEGACY),
        (good(Resource="arn:error:s3:::b", Condition={"DateGreaterThan": {"a:a": "sdfdsf"}}), LEGACY),
        (good(Effect="allow", Action=None, Resource="arn:aws:s3:us-east-1::b"), LEGACY),
    ],
)
def test_refusals_of_iam(statement: Any, sentence: str) -> None:
    assert refused(statement).startswith(f"{sentence} (line 1 column ")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"Version": None}, VERSION),
        ({"Version": "2008-10-17"}, VERSION),
        ({"Version": "2013-10-17"}, SYNTAX),
        ({"Version": None, "Statement": [good(Sid="s"), {"Sid": "s", "Effect": "Allow"}]}, VERSION),
        ({"Version": None, "Statement": good(Effect="denY")}, VERSION),
        ({"Statement": None}, SYNTAX),
        ({"Extra field": "value"}, SYNTAX),
        ({"Id": ["x"]}, SYNTAX),
        ({"Id": {}}, SYNTAX),
    ],
)
def test_refusals_of_whole_documents(document: dict[str, Any], sentence: str) -> None:
    assert refused(GOOD, **document).startswith(sentence)


@pytest.mark.parametrize(
    "statement",
    [
        good(Action="iam: asdf safdsf af "),
        good(Resource=["arn:aws:s3:::example_bucket", "*"]),
        good(Action="*"),
        good(Action="*:*"),
        good(Action="service-prefix:action-name"),
        good(Action="aaaaaadsfdsafsadfsadfaaaaa:ListBucket"),
        good(Action="s3.s:ListBucket"),
        good(Resource="arn:aws:iam:::user/example_bucket"),
        good(Resource="arn:aws:iam::111122223333:*"),
        good(Resource="arn:aws:iam::*:${aws:username}"),
        good(Resource="arn:aws:s33:::example_bucket"),
        good(Resource="arn:aws:invalid-service:us-east-1::example_bucket"),
        good(Resource="arn:aws:s3:us-west-2:111122223333:accesspoint/x"),
        good(Resource="arn:*:s3:::b"),
        good(Resource="arn:aws-us-gov:s3:::b"),
        good(Resource="arn:aws:s3:*"),
        good(Condition={}),
        when(DateGreaterThan={}),
        when(StringEqualsIfExists={"a:a": "asf"}),
        when(DateLessThanEquals={"a:a": ["2019-07-01T13:20:15Z", "2016-12-13T21:20:37.593194+00:00", "2016"]}),
        good(Action=None, NotAction="s3:ListBucket", Resource=None, NotResource="*"),
        [good(Sid="sdf"), GOOD],
    ],
)
def test_what_iam_accepts(statement: Any) -> None:
    accepted(statement)
    accepted(statement, Form.SERVICE_CONTROL)


def test_inline_policies_may_be_of_the_old_version_and_carry_an_id() -> None:
    accepted(GOOD, Form.IDENTITY, Version="2008-10-17", Id="x")
    assert parse_policy(json.dumps({"Statement": GOOD}), Form.IDENTITY).variables is False


def test_policies_of_aws_are_accepted() -> None:
    stored = json.loads((Path(latticewall.__file__).parent / "services" / "iam" / "aws_managed.json").read_text())
    for name, policy in stored.items():
        assert parse_policy(json.dumps(policy["Document"]), Form.MANAGED, name).statements


FULL: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
CONTROL = FULL | {"Effect": "Deny", "Action": "s3:*"}


@pytest.mark.parametrize(
    ("form", "statement", "words"),
    [
        (Form.SERVICE_CONTROL, GOOD | {"Principal": "*"}, "Policy document should not specify a principal. (line 1 column "),
        (Form.SERVICE_CONTROL, GOOD | {"NotPrincipal": "*"}, "Policy document should not specify a principal. (line 1 column "),
        (Form.SERVICE_CONTROL, good(Resource=None), RESOURCES),
        (Form.RESOURCE_CONTROL, CONTROL | {"Effect": "Allow"}, "Statement[0].Effect must be Deny: only RCPFullAWSAccess allows"),
        (Form.RESOURCE_CONTROL, FULL | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, "only RCPFullAWSAccess allows"),
        (Form.RESOURCE_CONTROL, CONTROL | {"Action": "*"}, "Statement[0].Action of a resource control policy must name its service"),
        (Form.RESOURCE_CONTROL, CONTROL | {"Principal": {"AWS": "111122223333"}}, 'must have Principal "*" and nothing else'),
        (Form.RESOURCE_CONTROL, {key: value for key, value in CONTROL.items() if key != "Principal"}, "Missing required field Principal"),
        (
            Form.RESOURCE_CONTROL,
            {"NotPrincipal" if key == "Principal" else key: value for key, value in CONTROL.items()},
            'must have Principal "*" and nothing else',
        ),
        (
            Form.RESOURCE_CONTROL,
            {"NotAction" if key == "Action" else key: value for key, value in CONTROL.items()},
            "Statement[0].NotAction is not allowed in a resource control policy",
        ),
    ],
)
def test_refusals_of_organizations(form: Form, statement: dict[str, Any], words: str) -> None:
    assert words in refused(statement, form)
    for version in ("2008-10-17", None):
        assert refused(GOOD if form is Form.SERVICE_CONTROL else CONTROL, form, Version=version).startswith(VERSION)


def test_what_organizations_accept() -> None:
    allow, deny = good(Action=None, NotAction="iam:*"), good(Effect="Deny", Resource=None, NotResource="arn:aws:s3:::b/*")
    accepted([allow, deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}], Form.SERVICE_CONTROL)
    accepted(FULL, Form.RESOURCE_CONTROL)
    accepted([CONTROL, CONTROL | {"Action": ["s3:Get*", "sts:AssumeRole"], "Condition": {"Null": {"aws:PrincipalOrgID": "true"}}}], Form.RESOURCE_CONTROL)
