"""The Rules section: which parameters it lets pass, with which words it refuses, and what a rule may say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.base.faults import Fault
from latticewall.services.cloudformation import rules
from latticewall.services.cloudformation.template import Template, parse

from .region import Region

VALUES = {"Size": "large", "Zones": ["a", "b"], "First": "vpc-1", "Second": "vpc-2", "AWS::Region": "eu-north-7"}
TYPES = {"Size": "String", "Zones": "CommaDelimitedList", "First": "AWS::EC2::VPC::Id", "Second": "AWS::EC2::VPC::Id"}
SIZE = {"Ref": "Size"}


def of(rule: Any) -> Template:
    declared = {name: {"Type": kind} for name, kind in TYPES.items()}
    return parse(json.dumps({"Parameters": declared, "Rules": {"R": rule}, "Resources": {"A": {"Type": "AWS::EC2::InternetGateway"}}}))


def asserting(value: Any, **more: Any) -> Template:
    return of({"Assertions": [{"Assert": value, "AssertDescription": "as it must be"}], **more})


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ({"Fn::Contains": [["small", "large"], SIZE]}, True),
        ({"Fn::Contains": [["small", "larger"], SIZE]}, False),
        ({"Fn::Contains": [{"Ref": "Zones"}, "b"]}, True),
        ({"Fn::Not": [{"Fn::Contains": [["1", "2"], SIZE]}]}, True),
        ({"Fn::Not": [{"Fn::Contains": [["large"], SIZE]}]}, False),
        ({"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-north-7"]}, True),
        ({"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}, False),
        ({"Fn::EachMemberEquals": [["large", "large"], SIZE]}, True),
        ({"Fn::EachMemberEquals": [["large", "small"], SIZE]}, False),
        ({"Fn::EachMemberIn": [{"Ref": "Zones"}, ["a", "b", "c"]]}, True),
        ({"Fn::EachMemberIn": [{"Ref": "Zones"}, ["a", "c"]]}, False),
        ({"Fn::EachMemberIn": [{"Fn::RefAll": "AWS::EC2::VPC::Id"}, ["vpc-1", "vpc-2"]]}, True),
        ({"Fn::EachMemberIn": [{"Fn::RefAll": "AWS::EC2::VPC::Id"}, ["vpc-1"]]}, False),
        ({"Fn::And": [{"Fn::Equals": [SIZE, "large"]}, {"Fn::Equals": [SIZE, "small"]}]}, False),
        ({"Fn::Or": [{"Fn::Equals": [SIZE, "large"]}, {"Fn::Equals": [SIZE, "small"]}]}, True),
    ],
)
def test_assertions(value: Any, holds: bool) -> None:
    template = asserting(value)
    rules.check_form(template)
    if holds:
        rules.enforce(template, VALUES)
    else:
        with pytest.raises(Fault, match="Template error: Rule R failed: as it must be"):
            rules.enforce(template, VALUES)


@pytest.mark.parametrize(("size", "asked"), [("large", True), ("small", False)])
def test_a_condition_says_whether_a_rule_counts(size: str, asked: bool) -> None:
    template = asserting({"Fn::Equals": ["a", "b"]}, RuleCondition={"Fn::Equals": [SIZE, size]})
    rules.check_form(template)
    if asked:
        with pytest.raises(Fault):
            rules.enforce(template, VALUES)
    else:
        rules.enforce(template, VALUES)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, r"\[/Rules/R\] Every Rules member must contain a list of Assertions"),
        ({"Assertions": []}, "must contain a list of Assertions"),
        ({"Assertions": [{"AssertDescription": "x"}]}, "Every assertion must contain an Assert"),
        ({"Assertions": [{"Assert": True}]}, "must be one of the functions"),
        ({"Assertions": [{"Assert": SIZE}]}, "must be one of the functions"),
        ({"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "A"}, "a"]}}]}, r"Unresolved dependencies \[A\]. Rules can only reference parameters"),
        ({"Assertions": [{"Assert": {"Fn::Equals": [{"Fn::ValueOf": ["First", "VpcId"]}, "a"]}}]}, "Fn::ValueOf is not supported in rules"),
        ({"Assertions": [{"Assert": {"Fn::Equals": ["a", "a"]}}], "Condition": {}}, r"Invalid rule member \[Condition\]"),
        ({"Assertions": [{"Assert": {"Fn::Equals": ["a", "a"]}}], "RuleCondition": "yes"}, "must be one of the functions"),
    ],
)
def test_what_is_no_rule(rule: Any, words: str) -> None:
    with pytest.raises(Fault, match=words):
        rules.check_form(of(rule))


def test_a_template_as_cdk_writes_it(region: Region) -> None:
    """Refused until the region has been prepared for CDK; what it says about itself makes nothing."""
    wanted = {"Fn::Not": [{"Fn::Contains": [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]}]}
    body = json.dumps({
        "Resources": {
            "Gateway": {"Type": "AWS::EC2::InternetGateway", "Metadata": {"aws:cdk:path": "Stack/Gateway/Resource"}},
            "CDKMetadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": "v2:deflate64:H4sIAAAA"}, "Condition": "CDKMetadataAvailable"},
        },
        "Conditions": {"CDKMetadataAvailable": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, name]} for name in ("us-east-1", "eu-north-7")]}},
        "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"}},
        "Rules": {"CheckBootstrapVersion": {"Assertions": [{"Assert": wanted, "AssertDescription": "CDK bootstrap stack version 6 required."}]}},
    })  # fmt: skip
    with region.refused("ValidationError", "Unable to fetch parameters [/cdk-bootstrap/hnb659fds/version] from parameter store"):
        region.stacks.create_stack(StackName="demo", TemplateBody=body)
    region.ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="5")
    with region.refused("ValidationError", "Rule CheckBootstrapVersion failed: CDK bootstrap stack version 6 required."):
        region.stacks.create_stack(StackName="demo", TemplateBody=body)
    region.ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="21", Overwrite=True)
    assert region.deploy(body) == "CREATE_COMPLETE"
    assert region.resources()["CDKMetadata"]["ResourceStatus"] == "CREATE_COMPLETE"
    assert region.deploy(body.replace("H4sIAAAA", "H4sIBBBB")) == "UPDATE_COMPLETE"
    assert region.delete() == "DELETE_COMPLETE"
