"""Decisions on calls that a stack makes: with its maker's rights, or with those of its service role."""

from __future__ import annotations

import json
from typing import Any

from tests.region import ACCOUNT, Region, client

from latticewall.services.cloudformation.runner import StackRunner

from .organized import allow, deny, document
from .roles import USER, role

TEMPLATE = json.dumps({"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}}})


def work_on_stacks(region: Region) -> None:
    runner = StackRunner(region.app)
    for _ in range(40):
        if not runner.step():
            region.settle()
            if not runner.step():
                break


def stack_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return found


def stacked(region: Region, policy: str, name: str, **more: Any) -> str:
    """The status of a stack that alice makes with this policy."""
    region.as_user("cloudformation", policy).create_stack(StackName=name, TemplateBody=TEMPLATE, **more)
    work_on_stacks(region)
    return str(stack_of(name)["StackStatus"])


def test_a_stack_may_what_its_maker_may(region: Region) -> None:
    stacks = allow("cloudformation:*")
    assert stacked(region, document(stacks), "none") == "ROLLBACK_COMPLETE"
    events = client("cloudformation").describe_stack_events(StackName="none")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any(f"User: {USER} is not authorized to perform: ec2:CreateVpc" in reason for reason in reasons)
    via = allow("ec2:*", **{"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}, "Bool": {"aws:ViaAWSService": "true"}})
    assert stacked(region, document(stacks, via), "via") == "CREATE_COMPLETE"
    alice = client("ec2", region.keys["alice"])
    with region.refused("UnauthorizedOperation"):
        alice.create_vpc(CidrBlock="10.8.0.0/16")


FOR_STACKS = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
]})  # fmt: skip


def service_role(region: Region, name: str, *statements: dict[str, Any]) -> str:
    arn = role(region, name, *statements)
    region.iam.update_assume_role_policy(RoleName=name, PolicyDocument=FOR_STACKS)
    return arn


def test_a_stack_with_a_role_may_what_the_role_may(region: Region) -> None:
    arn = service_role(region, "deploy", allow("ec2:CreateVpc", "ec2:Describe*", "ec2:CreateTags"))
    stacks, passing = allow("cloudformation:*"), allow("iam:PassRole", resource=arn, StringEquals={"iam:PassedToService": "cloudformation.amazonaws.com"})
    alice = region.as_user("cloudformation", document(stacks, allow("ec2:*")))
    with region.refused("AccessDenied", f"is not authorized to perform: iam:PassRole on resource: {arn}"):
        alice.create_stack(StackName="demo", TemplateBody=TEMPLATE, RoleARN=arn)
    assert stacked(region, document(stacks, passing), "demo", RoleARN=arn) == "CREATE_COMPLETE"
    assert stack_of("demo")["RoleARN"] == arn

    # remembered: whoever may not pass it deletes with it, and what it may not do is told of it
    alice = region.as_user("cloudformation", document(stacks, allow("ec2:*")))
    alice.delete_stack(StackName="demo")
    work_on_stacks(region)
    assert stack_of("demo")["StackStatus"] == "DELETE_FAILED"
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/deploy/AWSCloudFormation is not authorized to perform: ec2:DeleteVpc"
    assert any(who in event.get("ResourceStatusReason", "") for event in alice.describe_stack_events(StackName="demo")["StackEvents"])

    # another role takes its place, and no policy of the caller counts
    other = service_role(region, "remove", allow("ec2:*", StringEquals={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/remove"}))
    region.as_user("cloudformation", document(stacks, allow("iam:PassRole"), deny("ec2:*"))).delete_stack(StackName="demo", RoleARN=other)
    work_on_stacks(region)
    with region.refused("ValidationError", "does not exist"):
        stack_of("demo")


def test_the_role_of_a_change_set_and_of_an_update(region: Region) -> None:
    arn = service_role(region, "deploy", allow("ec2:*"))
    alice = region.as_user("cloudformation", document(allow("cloudformation:*"), allow("iam:PassRole")))
    given = {"StackName": "demo", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": TEMPLATE}
    alice.create_change_set(**given, RoleARN=arn)
    alice = region.as_user("cloudformation", document(allow("cloudformation:*")))
    alice.execute_change_set(StackName="demo", ChangeSetName="first")
    work_on_stacks(region)
    assert (stack_of("demo")["StackStatus"], stack_of("demo")["RoleARN"]) == ("CREATE_COMPLETE", arn)
    wider = TEMPLATE.replace("10.9.0.0/16", "10.8.0.0/16")
    alice.update_stack(StackName="demo", TemplateBody=wider)
    work_on_stacks(region)
    assert stack_of("demo")["StackStatus"] == "UPDATE_COMPLETE"

    # a role that is gone speaks for nobody: neither at the call nor for what goes on
    alice.update_stack(StackName="demo", TemplateBody=TEMPLATE)
    region.iam.delete_role_policy(RoleName="deploy", PolicyName="only")
    region.iam.delete_role(RoleName="deploy")
    work_on_stacks(region)
    assert stack_of("demo")["StackStatus"].startswith("UPDATE_ROLLBACK_")
    with region.refused("ValidationError", f"Role {arn} is invalid or cannot be assumed"):
        alice.delete_stack(StackName="demo")


def test_roles_that_do_not_let_cloudformation_in(region: Region) -> None:
    arn = role(region, "web", allow("*"))
    alice = region.as_user("cloudformation", document(allow("cloudformation:*"), allow("iam:PassRole")))
    for wrong in (arn, arn + "-missing", arn.replace(ACCOUNT, "444455556666")):
        with region.refused("ValidationError", f"Role {wrong} is invalid or cannot be assumed"):
            alice.create_stack(StackName="demo", TemplateBody=TEMPLATE, RoleARN=wrong)
    assert client("cloudformation").describe_stacks()["Stacks"] == []
