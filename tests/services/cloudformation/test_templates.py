"""Reading templates: both notations, and every way in which one can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.apimodel.catalog import Catalog
from latticewall.base.faults import Fault
from latticewall.services.cloudformation import graph
from latticewall.services.cloudformation.template import parse

CATALOG = Catalog()
VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}


def subnet(vpc: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": vpc, "CidrBlock": "10.0.1.0/24"}, **more}


def refused(template: Any) -> str:
    with pytest.raises(Fault) as caught:
        graph.check(parse(template if isinstance(template, str) else json.dumps(template)), CATALOG)
    assert caught.value.code in ("ValidationError", "InsufficientCapabilitiesException")
    return caught.value.message


def resources(**given: Any) -> dict[str, Any]:
    return {"Resources": given}


def test_short_forms_mean_the_long_ones() -> None:
    body = """
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Select [0, !Split [",", !Sub "${A},x"]]
      Tags: [{Key: Name, Value: !GetAtt Other.DnsEntry.DomainName}, {Key: on, Value: !If [Yes1, !Ref A, !Ref AWS::NoValue]}]
"""
    properties = parse(body).resources["Vpc"].properties
    assert properties["CidrBlock"] == {"Fn::Select": [0, {"Fn::Split": [",", {"Fn::Sub": "${A},x"}]}]}
    assert properties["Tags"][0]["Value"] == {"Fn::GetAtt": ["Other", "DnsEntry.DomainName"]}
    assert properties["Tags"][1]["Value"] == {"Fn::If": ["Yes1", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}


def test_dates_stay_text_and_keys_become_text() -> None:
    template = parse("Mappings: {Ages: {1: {since: 2012-10-17}}}\nResources: {A: {Type: AWS::EC2::InternetGateway}}")
    assert template.mappings == {"Ages": {"1": {"since": "2012-10-17"}}}


def test_json_and_yaml_say_the_same() -> None:
    document = resources(Vpc=VPC)
    assert parse(json.dumps(document)) == parse("Resources: {Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}}")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Resources:\n  A: [1, 2\n", "YAML not well-formed. (line 3, column 1)"),
        ("Resources:\n  A: {}\n  A: {}\n", "Duplicate key [A] (line 3, column 3)"),
        ('{"Resources": }', "JSON not well-formed. (line 1, column 15)"),
        ("just words", "unsupported structure."),
        ("   ", "empty"),
        ("Resources: {}", "At least one Resources member must be defined."),
        ("Resources: [1]", "At least one Resources member must be defined."),
        ("Foo: 1\nResources: {A: {Type: AWS::EC2::VPC}}", "Invalid template property or properties [Foo]"),
        ("AWSTemplateFormatVersion: 2011-01-01\nResources: {A: {Type: AWS::EC2::VPC}}", "unsupported value for AWSTemplateFormatVersion: 2011-01-01."),
        ("Resources: {A: {Properties: {}}}", "[/Resources/A] Every Resources object must contain a Type member."),
        ("Resources: {A-b: {Type: AWS::EC2::VPC}}", "Resource name A-b is non alphanumeric."),
        ("Transform: AWS::LanguageExtensions\nResources: {'Fn::ForEach::X': [N, [a], {'V${N}': {Type: AWS::EC2::VPC}}]}", "Fn::ForEach is not supported"),
        ("Resources: {A: {Type: AWS::EC2::VPC, Colour: red}}", "Invalid template resource property 'Colour'"),
        ("Resources: {A: {Type: AWS::EC2::VPC, DeletionPolicy: Keep}}", "Unrecognized DeletionPolicy Keep for resource A"),
        ("Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: AWS::EC2::VPC}}", "No transform named AWS::Serverless-2016-10-31 found."),
        ("Resources: {A: {Type: AWS::EC2::InternetGateway}}\nOutputs: {B: {}}", "[/Outputs/B] Every Outputs member must contain a Value object"),
        ("Resources: !Ref A", "[/Resources/Ref] Every Resources member must be an object."),
        ("a: &a [x, *a]\nResources: {A: {Type: AWS::EC2::VPC}}", "nested too deeply"),
        ("!!python/object:os.system {}", "YAML not well-formed."),
        ("Mappings: {M: {a: b}}\nResources: {A: {Type: AWS::EC2::VPC}}", "[/Mappings/M/a] Every Mappings entry must be an object of attributes."),
        ("Mappings: {M: {a: {b: !Ref C}}}\nResources: {A: {Type: AWS::EC2::VPC}}", "Every Mappings attribute must be a String or a List."),
    ],
)  # fmt: skip
def test_malformed_templates(body: str, words: str) -> None:
    assert words in refused(body)


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too large" in refused("\n".join([*lines, "Resources: {A: {Type: AWS::EC2::VPC}}"]))


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in refused('{"Resources": ' + "[" * 5000 + "]" * 5000 + "}")
    assert "nested too deeply" in refused("Resources: " + "[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (resources(A=subnet({"Ref": "Nowhere"})), "Template format error: Unresolved resource dependencies [Nowhere] in the Resources block of the template"),
        (resources(A=subnet({"Fn::Sub": "${Nowhere}"})), "Unresolved resource dependencies [Nowhere] in the Resources block of the template"),
        (resources(A={**VPC, "DependsOn": "B"}), "Unresolved resource dependencies [B] in the Resources block of the template"),
        (resources(A=subnet({"Fn::GetAtt": ["B", "VpcId"]})), "Template error: instance of Fn::GetAtt references undefined resource B"),
        (resources(A=VPC, B=subnet({"Fn::GetAtt": ["A", "Colour"]})), "Template error: resource A does not support attribute type Colour in Fn::GetAtt"),
        (resources(A=VPC, B=subnet({"Fn::Sub": "${A.Colour}"})), "resource A does not support attribute type Colour in Fn::GetAtt"),
        (resources(A={"Type": "AWS::EC2::Moon"}, B={"Type": "My::Own"}), "Template format error: Unrecognized resource types: [AWS::EC2::Moon, My::Own]"),
        (resources(A={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", "Colour": "red"}}), "Encountered unsupported property Colour"),
        (
            resources(A={"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": "v", "PrivateDnsNameOptionsOnLaunch": {"Colour": "red"}}}),
            "Encountered unsupported property PrivateDnsNameOptionsOnLaunch/Colour",
        ),
        (resources(A={"Type": "AWS::EC2::Subnet", "Properties": {}}), "required key [VpcId] not found"),
        (resources(A={**VPC, "Condition": "Sometimes"}), "Unresolved condition dependency Sometimes in the Resources block of the template"),
        (resources(A=subnet({"Fn::If": ["Sometimes", "a", "b"]})), "Unresolved condition dependency Sometimes in the Resources block of the template"),
        ({**resources(A=VPC), "Outputs": {"B": {"Value": {"Ref": "C"}}}}, "Unresolved resource dependencies [C] in the Outputs block of the template"),
        (
            {**resources(A=VPC), "Conditions": {"B": {"Fn::Equals": [{"Ref": "A"}, "x"]}}},
            "Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template",
        ),
        ({**resources(A=VPC), "Conditions": {"B": "yes"}}, "Conditions can only be boolean operations"),
    ],
)  # fmt: skip
def test_what_could_never_be_deployed(template: Any, words: str) -> None:
    assert words in refused(template)


def found_in_map(*argument: Any) -> dict[str, Any]:
    return {"Fn::FindInMap": list(argument)}


NOT_THREE = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
NOT_TAKEN = {"Fn::Equals": ["a", "b"]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (found_in_map("Moon", "a", "b"), "Template error: Mapping named 'Moon' is not present in the 'Mappings' section of template."),
        (found_in_map("M", "mars", "b"), "Template error: Unable to get mapping for M::mars::b"),
        (found_in_map("M", "a", "c"), "Template error: Unable to get mapping for M::a::c"),
        ({"Fn::If": ["Never", found_in_map("M", "a", "c"), "10.0.0.0/16"]}, "Template error: Unable to get mapping for M::a::c"),
        ({"Fn::Sub": ["${Name}${x}", {"x": found_in_map("M", "a", "c")}]}, "Template error: Unable to get mapping for M::a::c"),
        (found_in_map("M", "a"), NOT_THREE),
        (found_in_map("M", {"Fn::Select": [0, ["a"]]}, "b"), NOT_THREE),
        (found_in_map("M", "mars", "b", {"DefaultValue": "10.0.0.0/16"}), NOT_THREE),
        ({"Fn::Length": ["a"]}, "Template error: Encountered unsupported function: Fn::Length"),
        ({"Fn::Nonsense": ["a"]}, "Template error: Encountered unsupported function: Fn::Nonsense"),
        ({"Fn::Select": [3, ["a"]]}, "Template error: Fn::Select cannot select nonexistent value at index 3"),
        ({"Fn::Join": [{"Ref": "Name"}]}, "every Fn::Join object requires two parameters"),
        ({"Fn::If": ["Never", "a"]}, "Fn::If requires a list argument with three elements"),
    ],
)  # fmt: skip
def test_functions_that_never_work(value: Any, words: str) -> None:
    more = {"Mappings": {"M": {"a": {"b": "10.0.0.0/16"}}}, "Parameters": {"Name": {"Type": "String"}}, "Conditions": {"Never": NOT_TAKEN}}
    assert words in refused({**more, **resources(A={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": value}})})
    assert words in refused({**more, **resources(A=VPC), "Outputs": {"O": {"Value": value, "Condition": "Never"}}})


@pytest.mark.parametrize(
    "value",
    [
        found_in_map("M", {"Ref": "Name"}, "b"), found_in_map("M", {"Ref": "AWS::Region"}, "c"), found_in_map("M", "a", found_in_map("M", "a", "b")),
        {"Fn::Select": [7, {"Fn::GetAZs": ""}]}, {"Fn::Select": [7, {"Fn::Split": [",", {"Ref": "Name"}]}]}, {"Fn::Cidr": [{"Ref": "Name"}, 2, 8]},
        {"Fn::Join": [",", {"Fn::GetAtt": ["B", "CidrBlockAssociations"]}]}, {"Fn::Select": [0, {"Ref": "Name"}]}, {"Fn::Sub": "${Name}{{resolve:ssm:x}}"},
    ],
)  # fmt: skip
def test_functions_of_what_is_not_known_yet_may_work(value: Any) -> None:
    template = {**resources(A={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": value}}, B=VPC), "Mappings": {"M": {"a": {"b": "b"}}}}
    graph.check(parse(json.dumps({**template, "Parameters": {"Name": {"Type": "String"}}})), CATALOG)


def test_with_language_extensions_there_is_more() -> None:
    value = {"Fn::Sub": ["${a}${b}", {"a": found_in_map("M", {"Fn::Select": [0, ["x"]]}, "b", {"DefaultValue": "c"}), "b": {"Fn::Length": ["a"]}}]}
    template = {**resources(A={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": value}}), "Mappings": {"M": {"a": {"b": "b"}}}}
    graph.check(parse(json.dumps({**template, "Transform": "AWS::LanguageExtensions"})), CATALOG)


def test_branches_in_branches_are_each_looked_at_once() -> None:
    value: Any = "10.0.0.0/16"
    for _ in range(25):
        value = {"Fn::If": ["Never", value, "10.1.0.0/16"]}
    template = {**resources(A={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": value}}), "Conditions": {"Never": NOT_TAKEN}}
    graph.check(parse(json.dumps(template)), CATALOG)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"A": {"Fn::Not": [{"Condition": "B"}]}}, "Template format error: Unresolved condition dependency B in the Conditions block of the template"),
        ({"A": {"Fn::Not": [{"Condition": "B"}]}, "B": {"Fn::Not": [{"Condition": "A"}]}}, "Found circular condition dependency between A and B"),
        ({"A": {"Fn::And": [{"Condition": "A"}, NOT_TAKEN]}}, "Found circular condition dependency between A and A"),
        ({"A": {"Fn::Not": [NOT_TAKEN, NOT_TAKEN]}}, "every Fn::Not object requires a list of 1 boolean parameters."),
        ({"A": {"Fn::Equals": [found_in_map("Moon", "a", "b"), "x"]}}, "Mapping named 'Moon' is not present"),
    ],
)  # fmt: skip
def test_conditions_that_never_hold(conditions: dict[str, Any], words: str) -> None:
    assert words in refused({**resources(A=VPC), "Conditions": conditions})


def test_a_nested_property_is_found_by_its_path() -> None:
    group = {"Name": "a", "Type": "INSTANCE", "Config": {"Port": 80, "HealthCheck": {"Colour": "red"}}}
    message = refused(resources(Group={"Type": "AWS::VpcLattice::TargetGroup", "Properties": group}))
    assert message == "Properties validation failed for resource Group with message: Encountered unsupported property Config/HealthCheck/Colour"


def test_cycles_name_their_members_only() -> None:
    group = "AWS::EC2::SecurityGroup"

    def refer(to: str) -> dict[str, Any]:
        rule = {"IpProtocol": "-1", "SourceSecurityGroupId": {"Fn::GetAtt": [to, "GroupId"]}}
        return {"Type": group, "Properties": {"GroupDescription": "x", "VpcId": {"Ref": "Vpc"}, "SecurityGroupIngress": [rule]}}

    after = {**VPC, "DependsOn": "B"}
    assert refused(resources(Vpc=VPC, B=refer("C"), C=refer("B"), After=after)) == "Circular dependency between resources: [B, C]"
    assert refused(resources(Vpc=VPC, Me=refer("Me"))) == "Circular dependency between resources: [Me]"
    assert refused(resources(A={**VPC, "DependsOn": "A"})) == "Circular dependency between resources: [A]"


def test_order_follows_references_of_every_kind() -> None:
    template = parse(json.dumps(resources(
        D=subnet({"Fn::If": ["X", {"Ref": "C"}, {"Fn::Sub": ["${v}${A}", {"v": {"Fn::GetAtt": "B.VpcId"}}]}]}), C={**VPC, "DependsOn": ["B"]}, B=VPC, A=VPC
    )))  # fmt: skip
    order = graph.order(template)
    assert order.index("D") == 3
    assert order.index("B") < order.index("C")


def test_capabilities() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    named = {**role, "Properties": {**role["Properties"], "RoleName": "boss"}}
    plain, special = parse(json.dumps(resources(A=role))), parse(json.dumps(resources(A=named)))
    for template, missing, enough in ((plain, (), "CAPABILITY_IAM"), (special, ("CAPABILITY_IAM",), "CAPABILITY_NAMED_IAM")):
        with pytest.raises(Fault) as caught:
            graph.check_capabilities(template, missing)
        assert (caught.value.code, caught.value.message) == ("InsufficientCapabilitiesException", f"Requires capabilities : [{enough}]")
        graph.check_capabilities(template, [enough])
    graph.check_capabilities(plain, ["CAPABILITY_NAMED_IAM"])
