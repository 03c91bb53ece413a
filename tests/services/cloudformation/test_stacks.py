"""Stacks: creation, update in place and by replacement, rollback, deletion, exports, protection."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from latticewall.services.cloudformation import rows

from .region import Region


def template(outputs: dict[str, Any] | None = None, **resources: Any) -> dict[str, Any]:
    return {"Resources": resources, **({"Outputs": outputs} if outputs else {})}


def vpc(cidr: str = "10.0.0.0/16", **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": cidr, **more}}


def subnet(cidr: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr}, **more}


def group(*ports: int, **more: Any) -> dict[str, Any]:
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": str(port), "CidrIp": "10.0.0.0/8"} for port in ports]
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "web", "VpcId": {"Ref": "Vpc"}, "SecurityGroupIngress": rules, **more}}


OVERLAPPING = subnet("10.0.1.0/25", DependsOn="Good")
BAD = template(Vpc=vpc(), Good=subnet("10.0.1.0/24"), Bad=OVERLAPPING)

# -- creation ------------------------------------------------------------------------------------------------------------------------------


def test_events_tell_the_story_in_order(region: Region) -> None:
    assert region.deploy(template(Vpc=vpc())) == "CREATE_COMPLETE"
    assert [(logical, status) for logical, status, _ in region.events()] == [
        ("demo", "CREATE_IN_PROGRESS"), ("Vpc", "CREATE_IN_PROGRESS"), ("Vpc", "CREATE_IN_PROGRESS"), ("Vpc", "CREATE_COMPLETE"), ("demo", "CREATE_COMPLETE"),
    ]  # fmt: skip


def test_events_stay_in_order_when_the_clock_is_set_back(region: Region) -> None:
    assert region.deploy(template(Vpc=vpc())) == "CREATE_COMPLETE"
    before = region.events()
    region.clock.moment -= timedelta(hours=1)
    region.delete()
    stack = region.stacks.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"][0]["StackId"]
    after = region.events(stack)
    assert after[: len(before)] == before
    assert after[-1][:2] == ("demo", "DELETE_COMPLETE")


def test_a_dependent_waits_until_what_it_needs_is_ready(region: Region) -> None:
    region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24"))))
    while region.runner.step():
        pass
    assert set(region.resources()) == {"Vpc"}
    region.work()
    assert region.status() == "CREATE_COMPLETE"


def test_parameters_conditions_and_outputs(region: Region) -> None:
    body = template(
        {"Id": {"Value": {"Ref": "Vpc"}, "Description": "the VPC"}, "Never": {"Condition": "Off", "Value": "x"}},
        Vpc=vpc(EnableDnsHostnames={"Ref": "Names"}, Tags=[{"Key": "Name", "Value": {"Fn::Sub": "${AWS::StackName}-vpc"}}]),
        Extra={**vpc("10.9.0.0/16"), "Condition": "Off"},
    )
    body |= {"Parameters": {"Names": {"Type": "String", "Default": "true"}}, "Conditions": {"Off": {"Fn::Equals": [{"Ref": "Names"}, "no"]}}}
    assert region.deploy(body, Tags=[{"Key": "team", "Value": "net"}]) == "CREATE_COMPLETE"
    assert region.outputs() == {"Id": region.physical("Vpc")}
    (found,) = region.ec2.describe_vpcs()["Vpcs"]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert (tags["Name"], tags["team"]) == ("demo-vpc", "net")
    attribute = region.ec2.describe_vpc_attribute(VpcId=found["VpcId"], Attribute="enableDnsHostnames")
    assert attribute["EnableDnsHostnames"] == {"Value": True}
    (shown,) = region.stacks.describe_stacks(StackName="demo")["Stacks"]
    assert shown["Parameters"] == [{"ParameterKey": "Names", "ParameterValue": "true"}]
    assert shown["Tags"] == [{"Key": "team", "Value": "net"}]


def test_names_are_taken_once(region: Region) -> None:
    region.deploy(template(Vpc=vpc()))
    with region.refused("AlreadyExistsException", "Stack [demo] already exists"):
        region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Vpc=vpc())))
    with region.refused("ValidationError", "at 'stackName' failed to satisfy constraint"):
        region.stacks.create_stack(StackName="1demo", TemplateBody=json.dumps(template(Vpc=vpc())))
    with region.refused("ValidationError", "Stack with id nowhere does not exist"):
        region.stacks.describe_stacks(StackName="nowhere")
    region.delete()
    assert region.deploy(template(Vpc=vpc())) == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (template(Subnet=subnet("10.0.1.0/24")), "Unresolved resource dependencies [Vpc] in the Resources block of the template"),
        (template(A={**vpc(), "DependsOn": "B"}, B={**vpc(), "DependsOn": "A"}), "Circular dependency between resources: [A, B]"),
        (template(Moon={"Type": "AWS::EC2::Moon"}), "Unrecognized resource types: [AWS::EC2::Moon]"),
        (template(Vpc=vpc(Colour="red")), "Properties validation failed for resource Vpc with message: Encountered unsupported property Colour"),
        ({**template(Vpc=vpc()), "Parameters": {"P": {"Type": "String"}}}, "Parameters: [P] must have values"),
    ],
)
def test_bad_templates_create_nothing(region: Region, body: dict[str, Any], words: str) -> None:
    with region.refused("ValidationError", words):
        region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(body))
    assert not region.stacks.list_stacks()["StackSummaries"]


def test_a_function_that_cannot_work_with_these_values_is_refused_at_once(region: Region) -> None:
    body = {
        **template(Vpc=vpc(), Subnet=subnet({"Fn::FindInMap": ["Blocks", {"Ref": "Stage"}, "subnet"]})), "Parameters": {"Stage": {"Type": "String"}},
        "Mappings": {"Blocks": {"dev": {"subnet": "10.0.1.0/24"}}}, "Conditions": {"IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}},
    }  # fmt: skip
    given = [{"ParameterKey": "Stage", "ParameterValue": "prod"}]
    region.stacks.validate_template(TemplateBody=json.dumps(body))  # its values are not known
    with region.refused("ValidationError", "Template error: Unable to get mapping for Blocks::prod::subnet"):
        region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(body), Parameters=given)
    with region.refused("ValidationError", "Template error: Unable to get mapping for Blocks::prod::subnet"):
        region.stacks.create_change_set(StackName="demo", ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=json.dumps(body), Parameters=given)
    assert not region.stacks.list_stacks()["StackSummaries"]
    assert region.deploy(body, parameters={"Stage": "dev"}) == "CREATE_COMPLETE"
    with region.refused("ValidationError", "Template error: Unable to get mapping for Blocks::prod::subnet"):
        region.stacks.update_stack(StackName="demo", TemplateBody=json.dumps(body), Parameters=given)
    body["Resources"]["Subnet"]["Condition"] = "IsDev"  # what is not made looks nothing up
    assert region.deploy(body, parameters={"Stage": "prod"}) == "UPDATE_COMPLETE"
    assert list(region.resources()) == ["Vpc"]


def test_capabilities_are_asked_for(region: Region) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}}
    with region.refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"):
        region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Role=role)))


# -- failure -------------------------------------------------------------------------------------------------------------------------------


def test_a_failed_creation_is_undone(region: Region) -> None:
    assert region.deploy(BAD) == "ROLLBACK_COMPLETE"
    assert not region.counts()
    assert "Bad CREATE_FAILED: The CIDR '10.0.1.0/25' conflicts with another subnet" in region.reasons()
    reasons = [reason for logical, status, reason in region.events() if (logical, status) == ("demo", "ROLLBACK_IN_PROGRESS")]
    assert reasons == ["The following resource(s) failed to create: [Bad]. Rollback requested by user."]
    with region.refused("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated."):
        region.stacks.update_stack(StackName="demo", TemplateBody=json.dumps(template(Vpc=vpc())))
    assert region.delete() == "DELETE_COMPLETE"


def test_a_creation_may_stay_as_it_failed(region: Region) -> None:
    assert region.deploy(BAD, DisableRollback=True) == "CREATE_FAILED"
    assert region.resources()["Good"]["ResourceStatus"] == "CREATE_COMPLETE"
    assert region.delete() == "DELETE_COMPLETE"
    assert not region.counts()


def test_a_creation_may_be_deleted_when_it_fails(region: Region) -> None:
    stack = region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(BAD), OnFailure="DELETE")["StackId"]
    region.work()
    assert region.status(stack) == "DELETE_COMPLETE"
    assert not region.counts()


def test_what_the_data_plane_cannot_realise_fails_the_stack(region: Region) -> None:
    region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Gateway={"Type": "AWS::EC2::TransitGateway"}, Vpc=vpc())))
    region.work(failing={"ec2:TransitGateway": "no room for it"})
    assert region.status() == "ROLLBACK_COMPLETE"
    assert "Gateway CREATE_FAILED: no room for it" in region.reasons()
    assert not region.counts()


def test_a_creation_that_takes_too_long_fails(region: Region) -> None:
    region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24"))), TimeoutInMinutes=5)
    region.runner.step()
    region.clock.moment += timedelta(minutes=6)
    region.work()
    assert region.status() == "ROLLBACK_COMPLETE"
    assert ("demo", "ROLLBACK_IN_PROGRESS", "Stack creation time exceeded the specified timeout. Rollback requested by user.") in region.events()
    assert not region.counts()


def test_a_failed_rollback_can_be_continued(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), Web=group(80)))
    after = template(Vpc=vpc(), Web=group(81), Bad=subnet("10.9.0.0/24", DependsOn="Web"))
    region.stacks.update_stack(StackName="demo", TemplateBody=json.dumps(after))
    while region.status() != "UPDATE_ROLLBACK_IN_PROGRESS":
        assert region.runner.step()
    region.ec2.delete_security_group(GroupId=region.physical("Web"))
    region.work()
    assert region.status() == "UPDATE_ROLLBACK_FAILED"
    region.stacks.continue_update_rollback(StackName="demo")
    region.work()
    assert region.status() == "UPDATE_ROLLBACK_FAILED", "the group is still gone"
    assert region.delete() == "DELETE_COMPLETE"
    assert not region.counts()


def test_a_failed_update_goes_back_to_what_was(region: Region) -> None:
    before = template({"Cidr": {"Value": {"Fn::GetAtt": ["Good", "CidrBlock"]}}}, Vpc=vpc(), Good=subnet("10.0.1.0/24"), Web=group(80))
    assert region.deploy(before) == "CREATE_COMPLETE"
    ids = {name: found["PhysicalResourceId"] for name, found in region.resources().items()}
    kinds = region.counts()
    bad = subnet("10.0.2.0/25", DependsOn="Good")
    after = template(Vpc=vpc(EnableDnsSupport=False), Good=subnet("10.0.2.0/24"), Web=group(80, 443), More=vpc("10.7.0.0/16"), Bad=bad)
    assert region.deploy(after) == "UPDATE_ROLLBACK_COMPLETE"
    assert {name: found["PhysicalResourceId"] for name, found in region.resources().items()} == ids
    assert region.counts() == kinds
    assert region.outputs() == {"Cidr": "10.0.1.0/24"}
    (rule,) = region.ec2.describe_security_groups(GroupIds=[ids["Web"]])["SecurityGroups"][0]["IpPermissions"]
    assert rule["FromPort"] == 80
    with region.refused("ValidationError", "No updates are to be performed."):
        region.stacks.update_stack(StackName="demo", TemplateBody=json.dumps(before))
    assert region.delete() == "DELETE_COMPLETE"
    assert not region.counts()


# -- updates -------------------------------------------------------------------------------------------------------------------------------


def test_what_can_change_changes_in_place(region: Region) -> None:
    region.deploy(template(Vpc=vpc(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]), Web=group(80, 81)))
    ids = {name: found["PhysicalResourceId"] for name, found in region.resources().items()}
    assert region.deploy(template(Vpc=vpc(Tags=[{"Key": "a", "Value": "9"}]), Web=group(81, 82))) == "UPDATE_COMPLETE"
    assert {name: found["PhysicalResourceId"] for name, found in region.resources().items()} == ids
    (web,) = region.ec2.describe_security_groups(GroupIds=[ids["Web"]])["SecurityGroups"]
    assert sorted(rule["FromPort"] for rule in web["IpPermissions"]) == [81, 82]
    (found,) = region.ec2.describe_vpcs()["Vpcs"]
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags == {"a": "9", **{f"aws:cloudformation:{key}": tags[f"aws:cloudformation:{key}"] for key in ("logical-id", "stack-id", "stack-name")}}


def test_what_cannot_change_is_replaced_with_all_that_hangs_on_it(region: Region) -> None:
    region.deploy(template({"Id": {"Value": {"Ref": "Vpc"}}}, Vpc=vpc(), Subnet=subnet("10.0.1.0/24"), Web=group(80)))
    ids = {name: found["PhysicalResourceId"] for name, found in region.resources().items()}
    kinds = region.counts()
    after = template({"Id": {"Value": {"Ref": "Vpc"}}}, Vpc=vpc("10.5.0.0/16"), Subnet=subnet("10.5.1.0/24"), Web=group(80))
    assert region.deploy(after) == "UPDATE_COMPLETE", region.reasons()
    now = {name: found["PhysicalResourceId"] for name, found in region.resources().items()}
    assert not set(ids.values()) & set(now.values())
    assert region.outputs() == {"Id": now["Vpc"]}
    assert region.counts() == kinds, "the old ones are gone"
    gone = [logical for logical, status, _ in region.events() if status == "DELETE_COMPLETE"]
    assert sorted(gone) == ["Subnet", "Vpc", "Web"]
    assert gone[-1] == "Vpc"


def test_resources_come_and_go_with_the_template(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), A=subnet("10.0.1.0/24"), B=subnet("10.0.2.0/24")))
    assert region.deploy(template(Vpc=vpc(), B=subnet("10.0.2.0/24"), C=subnet("10.0.1.128/25"))) == "UPDATE_ROLLBACK_COMPLETE", "A goes last"
    assert region.deploy(template(Vpc=vpc(), B=subnet("10.0.2.0/24"), C=subnet("10.0.3.0/24"))) == "UPDATE_COMPLETE"
    assert set(region.resources()) == {"Vpc", "B", "C"}
    assert region.counts()["ec2:Subnet"] == 2


def test_an_output_alone_is_an_update(region: Region) -> None:
    region.deploy(template(Vpc=vpc()))
    assert region.deploy(template({"Id": {"Value": {"Ref": "Vpc"}}}, Vpc=vpc())) == "UPDATE_COMPLETE"
    assert region.outputs() == {"Id": region.physical("Vpc")}


def test_stack_tags_reach_the_resources(region: Region) -> None:
    region.deploy(template(Vpc=vpc()), Tags=[{"Key": "team", "Value": "a"}])
    assert region.deploy(template(Vpc=vpc()), Tags=[{"Key": "team", "Value": "b"}]) == "UPDATE_COMPLETE"
    tags = {tag["Key"]: tag["Value"] for tag in region.ec2.describe_vpcs()["Vpcs"][0]["Tags"]}
    assert tags["team"] == "b"


def test_the_runner_uses_what_parameter_store_says(region: Region) -> None:
    region.ssm.put_parameter(Name="/net/cidr", Value="10.4.0.0/16", Type="String")
    body = {**template(Vpc=vpc({"Ref": "Cidr"})), "Parameters": {"Cidr": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/net/cidr"}}}
    assert region.deploy(body) == "CREATE_COMPLETE"
    assert region.ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"] == "10.4.0.0/16"
    (parameter,) = region.stacks.describe_stacks(StackName="demo")["Stacks"][0]["Parameters"]
    assert parameter == {"ParameterKey": "Cidr", "ParameterValue": "/net/cidr", "ResolvedValue": "10.4.0.0/16"}


# -- deletion ------------------------------------------------------------------------------------------------------------------------------


def test_what_is_in_use_elsewhere_stays_and_can_be_tried_again(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24")))
    guest = region.ec2.create_subnet(VpcId=region.physical("Vpc"), CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    assert region.delete() == "DELETE_FAILED"
    assert {name: found["ResourceStatus"] for name, found in region.resources().items()} == {"Vpc": "DELETE_FAILED", "Subnet": "DELETE_COMPLETE"}
    assert guest in region.reasons()
    region.ec2.delete_subnet(SubnetId=guest)
    assert region.delete() == "DELETE_COMPLETE"
    assert not region.counts()


def test_retained_resources_stay(region: Region) -> None:
    region.deploy(template(Vpc={**vpc(), "DeletionPolicy": "Retain"}, Subnet=subnet("10.0.1.0/24")))
    kept = region.physical("Vpc")
    assert region.delete() == "DELETE_COMPLETE"
    assert [found["VpcId"] for found in region.ec2.describe_vpcs()["Vpcs"]] == [kept]


def test_what_is_gone_already_is_no_error(region: Region) -> None:
    region.deploy(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24")))
    region.ec2.delete_subnet(SubnetId=region.physical("Subnet"))
    assert region.delete() == "DELETE_COMPLETE"


def test_a_stack_can_be_deleted_while_it_is_made(region: Region) -> None:
    stack = region.stacks.create_stack(StackName="demo", TemplateBody=json.dumps(template(Vpc=vpc(), Subnet=subnet("10.0.1.0/24"))))["StackId"]
    region.runner.step()
    region.stacks.delete_stack(StackName="demo")
    region.work()
    assert region.status(stack) == "DELETE_COMPLETE"
    assert not region.counts()


def test_termination_protection(region: Region) -> None:
    region.deploy(template(Vpc=vpc()), EnableTerminationProtection=True)
    with region.refused("ValidationError", "Stack [demo] cannot be deleted while TerminationProtection is enabled"):
        region.stacks.delete_stack(StackName="demo")
    region.stacks.update_termination_protection(StackName="demo", EnableTerminationProtection=False)
    assert region.delete() == "DELETE_COMPLETE"


def test_deleting_nothing_succeeds(region: Region) -> None:
    region.stacks.delete_stack(StackName="never-was")
    region.deploy(template(Vpc=vpc()))
    region.delete()
    region.stacks.delete_stack(StackName="demo")
    statuses = [stack["StackStatus"] for stack in region.stacks.list_stacks()["StackSummaries"]]
    assert statuses == ["DELETE_COMPLETE"]


def test_deleted_stacks_are_remembered_by_their_ids_for_a_while(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_DELETED", 1)
    ids = []
    for name in ("one", "two", "three"):
        region.deploy(template(Vpc=vpc()), name)
        ids.append(region.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"])
        region.delete(name)
    assert region.status(ids[2]) == "DELETE_COMPLETE"
    assert region.events(ids[2])[-1][1] == "DELETE_COMPLETE"
    with region.refused("ValidationError", "does not exist"):
        region.status(ids[0])
    with region.refused("ValidationError", "Stack with id two does not exist"):
        region.status("two")


# -- exports -------------------------------------------------------------------------------------------------------------------------------


def exporting(value: Any) -> dict[str, Any]:
    return {"Id": {"Value": value, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-vpc"}}}}


def test_exports_and_imports(region: Region) -> None:
    assert region.deploy(template(exporting({"Ref": "Vpc"}), Vpc=vpc()), "base") == "CREATE_COMPLETE"
    user = template(Subnet={"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Fn::ImportValue": "base-vpc"}, "CidrBlock": "10.0.1.0/24"}})
    assert region.deploy(user, "user") == "CREATE_COMPLETE", region.reasons("user")
    (export,) = region.stacks.list_exports()["Exports"]
    assert (export["Name"], export["Value"]) == ("base-vpc", region.physical("Vpc", "base"))
    assert region.stacks.list_imports(ExportName="base-vpc")["Imports"] == ["user"]
    with region.refused("ValidationError", "Cannot delete export base-vpc as it is in use by user"):
        region.stacks.delete_stack(StackName="base")
    assert region.deploy(template(exporting("other"), Vpc=vpc()), "base") == "UPDATE_ROLLBACK_COMPLETE"
    assert region.deploy(template({"Id": {"Value": "x", "Export": {"Name": "base-vpc"}}}, Vpc=vpc("10.8.0.0/16")), "rival") == "ROLLBACK_COMPLETE"
    assert region.delete("user") == "DELETE_COMPLETE"
    assert region.delete("base") == "DELETE_COMPLETE"


def test_an_import_of_nothing_fails(region: Region) -> None:
    assert region.deploy(template(Vpc=vpc({"Fn::ImportValue": "nothing"}))) == "ROLLBACK_COMPLETE"
    assert "No export named nothing found." in region.reasons()


def test_an_update_can_be_cancelled(region: Region) -> None:
    """What it has done so far is taken back."""
    names = {"EnableDnsHostnames": False}
    assert region.deploy(template(Vpc=vpc(**names))) == "CREATE_COMPLETE"
    with region.refused("ValidationError", "CancelUpdateStack cannot be called from current stack status"):
        region.stacks.cancel_update_stack(StackName="demo")
    changed = template(Vpc=vpc(EnableDnsHostnames=True), Subnet=subnet("10.0.1.0/24"), Other=subnet("10.0.2.0/24", DependsOn="Subnet"))
    region.stacks.update_stack(StackName="demo", TemplateBody=json.dumps(changed))
    while "Subnet" not in region.resources():
        assert region.runner.step()
    region.stacks.cancel_update_stack(StackName="demo")
    region.work()
    assert region.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert set(region.resources()) == {"Vpc"}
    assert region.ec2.describe_subnets()["Subnets"] == []
    attribute = region.ec2.describe_vpc_attribute(VpcId=region.physical("Vpc"), Attribute="enableDnsHostnames")
    assert attribute["EnableDnsHostnames"] == {"Value": False}


def test_resources_of_a_stack_one_by_one_and_listed(region: Region) -> None:
    body = template(Vpc={**vpc(), "Metadata": {"team": "net"}}, Subnet=subnet("10.0.1.0/24"))
    assert region.deploy(body) == "CREATE_COMPLETE"
    detail = region.stacks.describe_stack_resource(StackName="demo", LogicalResourceId="Vpc")["StackResourceDetail"]
    assert (detail["PhysicalResourceId"], detail["ResourceType"], detail["ResourceStatus"], json.loads(detail["Metadata"])) == (
        region.ec2.describe_vpcs()["Vpcs"][0]["VpcId"], "AWS::EC2::VPC", "CREATE_COMPLETE", {"team": "net"}
    )  # fmt: skip
    listed = region.stacks.list_stack_resources(StackName="demo")["StackResourceSummaries"]
    assert {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed} == {name: region.physical(name) for name in ("Vpc", "Subnet")}
    assert {one["ResourceStatus"] for one in listed} == {"CREATE_COMPLETE"}
    with region.refused("ValidationError", "Resource Never does not exist for stack demo"):
        region.stacks.describe_stack_resource(StackName="demo", LogicalResourceId="Never")
    with region.refused("ValidationError", "other"):
        region.stacks.list_stack_resources(StackName="other")


def test_a_stack_that_was_rolled_back_holds_no_export(region: Region) -> None:
    """It was refused for the very export that is not there yet, and must be deleted; the exporter need not wait for that."""
    user = template(Subnet={"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Fn::ImportValue": "late"}, "CidrBlock": "10.0.1.0/24"}})
    assert region.deploy(user, "user") == "ROLLBACK_COMPLETE"
    base = template({"Id": {"Value": {"Ref": "Vpc"}, "Export": {"Name": "late"}}}, Vpc=vpc())
    assert region.deploy(base, "base") == "CREATE_COMPLETE"
    with region.refused("ValidationError", "Export 'late' is not imported by any stack."):
        region.stacks.list_imports(ExportName="late")
    assert region.delete("base") == "DELETE_COMPLETE"
