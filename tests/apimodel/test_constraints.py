"""Every violation at once, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from latticewall.apimodel.catalog import Catalog
from latticewall.apimodel.constraints import check, verify
from latticewall.apimodel.error_dialects import dialect
from latticewall.base.faults import Invalid

CATALOG = Catalog()
MINIMUM = "Member must have value greater than or equal to 900"
ROLE = "arn:aws:iam::123456789012:role/web"


def found(operation: str, params: dict[str, Any]) -> dict[str, str]:
    shape = CATALOG.operation(operation).input
    assert shape is not None
    return {path: message.rpartition("constraint: ")[2] for path, message in check(shape, params)}


def refusal(operation: str, params: dict[str, Any]) -> tuple[str, str]:
    model = CATALOG.operation(operation)
    with pytest.raises(Invalid) as caught:
        verify(model, params)
    return dialect(model.service).code(caught.value), caught.value.message


def test_one_violation_in_awss_sentence() -> None:
    assert refusal("sts:AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "web", "DurationSeconds": 899}) == (
        "ValidationError",
        f"1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: {MINIMUM}",
    )


def test_all_violations_are_reported() -> None:
    params = {"RoleArn": "short", "RoleSessionName": "a b", "Tags": [{"Key": "k"}]}
    code, message = refusal("sts:AssumeRole", params)
    assert code == "ValidationError"
    assert message == (
        "3 validation errors detected: "
        "Value 'short' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; "
        "Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*; "
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"
    )


def test_network_firewall_says_invalid_request() -> None:
    assert refusal("network-firewall:CreateRuleGroup", {})[0] == "InvalidRequestException"


def test_lattice_lists_the_fields() -> None:
    operation = CATALOG.operation("vpc-lattice:CreateListener")
    with pytest.raises(Invalid) as caught:
        verify(operation, {"serviceIdentifier": "svc-01234567890abcdef", "name": "x", "protocol": "FTP", "port": 0, "defaultAction": {}})
    _, _, members = dialect(operation.service).code_and_members(caught.value)
    assert members["reason"] == "fieldValidationFailed"
    assert {field["name"] for field in members["fieldList"]} == {"name", "protocol", "port", "defaultAction"}


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"name": "ab"}, "name", "Member must have length greater than or equal to 3"),
        ({"name": "a" * 41}, "name", "Member must have length less than or equal to 40"),
        ({"name": "Web"}, "name", "Member must satisfy regular expression pattern: (?!svc-)(?![-])(?!.*[-]$)(?!.*[-]{2})[a-z0-9-]+"),
        ({"name": "web\n"}, "name", "Member must satisfy regular expression pattern: (?!svc-)(?![-])(?!.*[-]$)(?!.*[-]{2})[a-z0-9-]+"),
        ({"name": 5}, "name", "Member must be a string"),
        ({"name": None}, "name", "Member must not be null"),
        ({}, "name", "Member must not be null"),
        ({"name": "web", "authType": "MTLS"}, "authType", "Member must satisfy enum value set: [NONE, AWS_IAM]"),
        ({"name": "web", "colour": "red"}, "colour", "Unknown parameter 'colour'"),
        ({"name": "web", "tags": {"": "x"}}, "tags.key", "Member must have length greater than or equal to 1"),
        ({"name": "web", "tags": ["x"]}, "tags", "Member must be a map"),
    ],
)
def test_each_constraint(params: dict[str, Any], path: str, message: str) -> None:
    assert found("vpc-lattice:CreateService", params)[path] == message


def test_valid_parameters_have_no_violation() -> None:
    verify(CATALOG.operation("vpc-lattice:CreateService"), {"name": "web", "authType": "AWS_IAM", "tags": {"Name": "web"}})
    verify(CATALOG.operation("iam:TagRole"), {"RoleName": "web", "Tags": [{"Key": "größe 1", "Value": ""}]})
    verify(CATALOG.operation("sts:GetCallerIdentity"), {})


def test_unanchored_patterns_match_the_whole_value() -> None:
    assert "tags.1.member.key" in found("iam:TagRole", {"RoleName": "web", "Tags": [{"Key": "ok!", "Value": "x"}]})


def test_exactly_one_member_of_a_union() -> None:
    action = {"serviceIdentifier": "svc-01234567890abcdef", "name": "web", "protocol": "HTTP"}
    both = {"forward": {"targetGroups": [{"targetGroupIdentifier": "tg-01234567890abcdef"}]}, "fixedResponse": {"statusCode": 404}}
    assert "Exactly one" in found("vpc-lattice:CreateListener", {**action, "defaultAction": both})["defaultAction"]
    assert "Exactly one" in found("vpc-lattice:CreateListener", {**action, "defaultAction": {}})["defaultAction"]
    verify(CATALOG.operation("vpc-lattice:CreateListener"), {**action, "defaultAction": {"fixedResponse": {"statusCode": 404}}})


def test_booleans_are_not_numbers() -> None:
    assert found("sts:AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "web", "DurationSeconds": True})["durationSeconds"]
    assert found("logs:DescribeLogGroups", {"limit": 2**31})["limit"]


def test_sensitive_values_are_not_repeated() -> None:
    message = refusal("iam:CreateLoginProfile", {"UserName": "eve", "Password": "x" * 500})[1]
    assert "xxx" not in message
    assert "Value at 'password' failed to satisfy constraint" in message


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({}, "MissingParameter", "The request must contain the parameter VpcId"),
        ({"VpcId": "vpc-1", "Colour": "red"}, "UnknownParameter", "The parameter Colour is not recognized"),
        ({"VpcId": 1}, "InvalidParameterValue", "Invalid value '1' for VpcId of DeleteVpc: Member must be a string"),
    ],
)
def test_ec2_reports_one_violation_with_its_own_code(params: dict[str, Any], code: str, message: str) -> None:
    assert refusal("ec2:DeleteVpc", params) == (code, message)


def test_a_region_may_have_any_name() -> None:
    vpc = {"VPCRegion": "home-lab-1", "VPCId": "vpc-0123456789abcdef0"}
    verify(CATALOG.operation("route53:CreateHostedZone"), {"Name": "example.com", "CallerReference": "1", "VPC": vpc})
