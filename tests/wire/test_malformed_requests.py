"""A request that cannot be read is the client's fault in the service's own words, never an exception of ours."""

from __future__ import annotations

import pytest
from botocore_side import CATALOG
from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.error_dialects import dialect
from latticewall.base.faults import Invalid
from latticewall.wire.message import HttpRequest
from latticewall.wire.parse import parse

FORM = (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),)


def refusal(operation_name: str, request: HttpRequest) -> tuple[str, str]:
    operation = CATALOG.operation(operation_name)
    with pytest.raises(Invalid) as caught:
        parse(operation, request)
    return dialect(operation.service).code(caught.value), caught.value.message


def post(body: bytes, path: str = "/") -> HttpRequest:
    return HttpRequest("POST", path, "", FORM, body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"logGroupName": NaN}',
        b'{"logGroupName": 5}',
        b'{"logGroupName": "\\ud800"}',
        b'{"tags": []}',
        b'{"tags": {"a": true}}',
        b'{"logGroupName": ' + b"9" * 5000 + b"}",
    ],
)
def test_json(body: bytes) -> None:
    assert refusal("logs:CreateLogGroup", HttpRequest("POST", "/", body=body))[0] == "SerializationException"


@pytest.mark.parametrize("body", [b'{"limit": 1.5}', b'{"limit": "1"}', b'{"limit": true}', b'{"limit": 1e999}'])
def test_json_integers(body: bytes) -> None:
    assert refusal("logs:DescribeLogGroups", HttpRequest("POST", "/", body=body))[0] == "SerializationException"


def test_lattice_says_cannot_parse() -> None:
    operation = CATALOG.operation("vpc-lattice:CreateService")
    with pytest.raises(Invalid) as caught:
        parse(operation, HttpRequest("POST", "/services", body=b"{"))
    code, status, members = dialect(operation.service).code_and_members(caught.value)
    assert (code, status, members["reason"]) == ("ValidationException", 400, "cannotParse")


def test_lattice_query_integer() -> None:
    assert refusal("vpc-lattice:ListServices", HttpRequest("GET", "/services", "maxResults=many"))[0] == "ValidationException"


@pytest.mark.parametrize(
    "body",
    [
        b"<a",
        b"\x00",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<a>&undefined;</a>",
        b"<a>" * 1000 + b"</a>" * 1000,
        b"<CreateHostedZoneRequest><HostedZoneConfig><PrivateZone>maybe</PrivateZone></HostedZoneConfig></CreateHostedZoneRequest>",
    ],
)
def test_xml(body: bytes) -> None:
    assert refusal("route53:CreateHostedZone", HttpRequest("POST", "/2013-04-01/hostedzone", body=body))[0] == "MalformedInput"


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("sts:AssumeRole", b"DurationSeconds=abc", "MalformedInput"),
        ("sts:AssumeRole", b"RoleArn=%ff", "MalformedInput"),
        ("sts:AssumeRole", b"\xff\xfe", "MalformedInput"),
        ("iam:CreateRole", b"RoleName.x=1", "MalformedInput"),
        ("ec2:CreateVpc", b"DryRun=maybe", "InvalidParameterValue"),
        ("ec2:DescribeInstances", b"InstanceId=i-1", "InvalidParameterValue"),
        ("ec2:DescribeInstances", b"Filter.1=x", "InvalidParameterValue"),
        ("iam:TagRole", b"RoleName=web&Tags=x", "MalformedInput"),
        ("ec2:CreateVpc", b"Bogus=1", "UnknownParameter"),
        ("ec2:CreateVpc", b"TagSpecification.1.Bogus=1", "UnknownParameter"),
        ("ec2:CreateVpc", b"TagSpecification.x.Tag.1.Key=1", "UnknownParameter"),
        ("ec2:CreateVpc", b"CidrBlock.1=10.0.0.0/16", "UnknownParameter"),
        ("ec2:CreateVpc", b".".join([b"TagSpecification"] * 100) + b"=1", "InvalidParameterValue"),
    ],
)
def test_forms(operation: str, body: bytes, code: str) -> None:
    assert refusal(operation, post(body))[0] == code


def test_unknown_ec2_parameter_is_named() -> None:
    assert refusal("ec2:DescribeVpcs", post(b"Filter.1.Nam=x")) == ("UnknownParameter", "The parameter Filter.1.Nam is not recognized")


def test_iam_ignores_unknown_parameters_and_takes_the_first_of_two() -> None:
    assert parse(CATALOG.operation("iam:GetRole"), post(b"RoleName=a&RoleName=b&Bogus=1&Action=GetRole&Version=x")) == {"RoleName": "a"}


def test_presigned_queries_carry_their_signature_beside_the_parameters() -> None:
    request = HttpRequest("GET", "/", "Action=DescribeVpcs&VpcId.1=vpc-1&X-Amz-Signature=abc&X-Amz-Date=1")
    assert parse(CATALOG.operation("ec2:DescribeVpcs"), request) == {"VpcIds": ["vpc-1"]}


def test_an_empty_list_is_the_bare_name() -> None:
    assert parse(CATALOG.operation("ec2:DescribeVpcs"), post(b"VpcId=")) == {"VpcIds": []}
    assert parse(CATALOG.operation("iam:TagRole"), post(b"RoleName=web&Tags=")) == {"RoleName": "web", "Tags": []}


def test_recursive_shapes_do_not_recurse_without_end() -> None:
    def nested(depth: int) -> HttpRequest:
        return HttpRequest("POST", "/", body=b'{"Aggregators":[' * depth + b"{}" + b"]}" * depth)

    operation = CATALOG.operation("ssm:GetInventory")
    assert outcome(operation, nested(200)) == "SerializationException"
    document = parse(operation, nested(20))
    for _ in range(20):
        document = document["Aggregators"][0]
    assert document == {}


def test_list_numbers_order_the_items_and_may_have_gaps() -> None:
    body = b"VpcId.10=c&VpcId.2=b&VpcId.1=a"
    assert parse(CATALOG.operation("ec2:DescribeVpcs"), post(body)) == {"VpcIds": ["a", "b", "c"]}


def outcome(operation: Operation, request: HttpRequest) -> object:
    """The document, or the code of the refusal; whatever else is raised fails the test."""
    try:
        return parse(operation, request)
    except Invalid as refused:
        return dialect(operation.service).code(refused)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200) | st.text(alphabet='{}[]":,<>/&;=.%0123456789abTagKeyVpcIdnull', max_size=120).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for name in ("ec2:CreateVpc", "iam:CreateRole", "logs:CreateLogGroup", "route53:CreateHostedZone", "vpc-lattice:CreateListener"):
        operation = CATALOG.operation(name)
        path = operation.request_uri.replace("{serviceIdentifier}", "svc-1")
        found = outcome(operation, HttpRequest("POST", path, "", FORM, body))
        assert isinstance(found, dict) or (isinstance(found, str) and found)
