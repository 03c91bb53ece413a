"""Decisions on calls: wording, sessions, instances' roles, calls that a stack makes, tags and roles on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.auth.authorization_message import ensure_message_key
from latticewall.auth.callers import caller_of
from latticewall.auth.permissions import compiled
from latticewall.base.faults import Denied
from latticewall.control_plane.identity import metadata_credentials, refresh_instance_sessions
from latticewall.services.cloudformation.runner import StackRunner

from .organized import allow, deny, document

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com", "AWS": ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
]})  # fmt: skip
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"


def role(region: Region, name: str, *statements: dict[str, Any]) -> str:
    arn = str(region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"])
    if statements:
        region.iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=document(*statements))
    return arn


def session(region: Region, arn: str, service: str, **more: Any) -> Any:
    made = region.sts.assume_role(RoleArn=arn, RoleSessionName="work", **more)["Credentials"]
    return client(service, made["AccessKeyId"], token=made["SessionToken"])


def launch(region: Region, **more: Any) -> dict[str, Any]:
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    return {"ImageId": image["ImageId"], "InstanceType": size, "MinCount": 1, "MaxCount": 1, **more}


# -- wording ----------------------------------------------------------------------------------------------------------------------------------------------


def test_ec2_says_why_in_a_sealed_message(region: Region) -> None:
    with region.store.write() as tx:
        ensure_message_key(tx, region.app.random)
    vpc = region.vpc()
    alice = region.as_user("ec2", document(allow("ec2:*"), {**deny("ec2:DeleteVpc"), "Sid": "Never"}, allow("sts:DecodeAuthorizationMessage")))
    with region.refused("UnauthorizedOperation") as said:
        alice.delete_vpc(VpcId=vpc)
    head, encoded = said["Error"]["Message"].split(" Encoded authorization failure message: ")
    resource = f"arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/{vpc}"
    assert head == (
        f"You are not authorized to perform this operation. User: {USER} is not authorized to perform: ec2:DeleteVpc on resource: {resource} "
        "with an explicit deny in an identity-based policy."
    )
    decoded = json.loads(client("sts", region.keys["alice"]).decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert (decoded["allowed"], decoded["explicitDeny"]) == (False, True)
    assert [one["statementId"] for one in decoded["matchedStatements"]["items"]] == ["Never"]
    assert (decoded["context"]["action"], decoded["context"]["resource"]) == ("ec2:DeleteVpc", resource)
    assert {"key": "ec2:VpcID", "values": {"items": [{"value": vpc}]}} in decoded["context"]["conditions"]["items"]


def test_ec2_names_no_resource_where_there_is_none(region: Region) -> None:
    alice = region.as_user("ec2", document(allow("ec2:CreateVpc")))
    with region.refused("UnauthorizedOperation") as said:
        alice.describe_vpcs()
    assert said["Error"]["Message"] == (
        f"You are not authorized to perform this operation. User: {USER} is not authorized to perform: ec2:DescribeVpcs "
        "because no identity-based policy allows the ec2:DescribeVpcs action"
    )


def test_a_denial_by_a_managed_policy_or_boundary_names_it(region: Region) -> None:
    alice = region.as_user("vpc-lattice", document(allow("*")))
    policies = {
        name: region.iam.create_policy(PolicyName=name, PolicyDocument=document(allow("*"), deny(action)))["Policy"]["Arn"]
        for name, action in (("held", "vpc-lattice:ListServices"), ("edge", "vpc-lattice:ListTargetGroups"))
    }
    region.iam.attach_user_policy(UserName="alice", PolicyArn=policies["held"])
    region.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=policies["edge"])
    with region.refused("AccessDeniedException", f"with an explicit deny in an identity-based policy: {policies['held']}"):
        alice.list_services()
    with region.refused("AccessDeniedException", f"with an explicit deny in a permissions boundary: {policies['edge']}"):
        alice.list_target_groups()


# -- sessions ---------------------------------------------------------------------------------------------------------------------------------------------


def test_a_session_that_is_gone_speaks_for_nobody(region: Region) -> None:
    arn = role(region, "web", allow("ec2:*"))
    inside = session(region, arn, "ec2", Policy=document(allow("ec2:DescribeVpcs")))
    inside.describe_vpcs()
    with region.refused("UnauthorizedOperation", "because no session policy allows the ec2:DescribeSubnets action"):
        inside.describe_subnets()
    with region.store.read() as snapshot:
        (row,) = snapshot.rows("sts:Session")
        caller = caller_of(snapshot, row.id, NAME)
    assert caller is not None
    region.app.call(caller, "ec2:DescribeVpcs", {})
    with region.store.write() as tx:
        tx.delete(row)
    with pytest.raises(Denied):  # as a stack would go on to call, whose maker's session has ended
        region.app.call(caller, "ec2:DescribeVpcs", {})


def test_sessions_of_users_may_not_ask_iam_and_little_of_sts(region: Region) -> None:
    arn = role(region, "web")
    everything = document(allow("*"))
    region.as_user("iam", everything).get_user()

    def inside(service: str, credentials: dict[str, str]) -> Any:
        return client(service, credentials["AccessKeyId"], token=credentials["SessionToken"])

    sts = client("sts", region.keys["alice"])
    own = sts.get_session_token()["Credentials"]
    inside("ec2", own).describe_vpcs()
    inside("sts", own).assume_role(RoleArn=arn, RoleSessionName="work")
    federated = sts.get_federation_token(Name="bob", Policy=document(allow("ec2:DescribeVpcs")))["Credentials"]
    inside("ec2", federated).describe_vpcs()
    with region.refused("UnauthorizedOperation", "because no session policy allows"):
        inside("ec2", federated).describe_subnets()
    for credentials in (own, federated):
        assert inside("sts", credentials).get_caller_identity()["Account"] == ACCOUNT
        with region.refused("InvalidClientTokenId"):
            inside("iam", credentials).list_users()
        for call, params in (("get_access_key_info", {"AccessKeyId": region.keys["alice"]}), ("decode_authorization_message", {"EncodedMessage": "x"})):
            with region.refused("AccessDenied", "Cannot call"):
                getattr(inside("sts", credentials), call)(**params)
    with region.refused("AccessDenied"):
        inside("sts", federated).assume_role(RoleArn=arn, RoleSessionName="work")


def test_tags_of_principal_and_session_decide(region: Region) -> None:
    arn = role(region, "web", allow("vpc-lattice:*", StringEquals={"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}))
    red, blue = (region.lattice.create_service(name=name, tags={"team": name})["id"] for name in ("red", "blue"))
    inside = session(region, arn, "vpc-lattice", Tags=[{"Key": "team", "Value": "red"}])
    inside.get_service(serviceIdentifier=red)
    with region.refused("AccessDeniedException"):
        inside.get_service(serviceIdentifier=blue)


def test_where_when_and_with_what_a_call_is_made(region: Region) -> None:
    keys = {
        "aws:SourceIp": ("IpAddress", "127.0.0.0/8", "10.0.0.0/8"), "aws:CurrentTime": ("DateLessThan", "2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        "aws:UserAgent": ("StringLike", "*Boto3*", "curl*"), "aws:ViaAWSService": ("Bool", "false", "true"),
    }  # fmt: skip
    for key, (operator, right, wrong) in keys.items():
        region.as_user("ec2", document(allow("ec2:DescribeVpcs", **{operator: {key: right}}))).describe_vpcs()
        alice = region.as_user("ec2", document(allow("ec2:DescribeVpcs", **{operator: {key: wrong}})))
        with region.refused("UnauthorizedOperation"):
            alice.describe_vpcs()


# -- instances --------------------------------------------------------------------------------------------------------------------------------------------


def test_an_instance_may_what_its_role_may(region: Region) -> None:
    role(region, "web", allow("ec2:DescribeVpcs", "vpc-lattice:ListServices"))
    region.iam.create_instance_profile(InstanceProfileName="web")
    region.iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    subnet = region.subnet(region.vpc())
    instance = region.ec2.run_instances(**launch(region, SubnetId=subnet, IamInstanceProfile={"Name": "web"}))["Instances"][0]["InstanceId"]
    refresh_instance_sessions(region.app)
    given = metadata_credentials(region.app, instance)
    assert given is not None

    def inside(service: str) -> Any:
        return client(service, given["AccessKeyId"], secret=given["SecretAccessKey"], token=given["Token"])

    assert inside("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/{instance}"
    inside("ec2").describe_vpcs()
    inside("vpc-lattice").list_services()
    words = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/web/{instance} is not authorized to perform: ec2:DescribeSubnets"
    with region.refused("UnauthorizedOperation", words):
        inside("ec2").describe_subnets()
    region.iam.put_role_policy(RoleName="web", PolicyName="only", PolicyDocument=document(allow("ec2:DescribeSubnets")))
    inside("ec2").describe_subnets()
    with region.refused("UnauthorizedOperation"):
        inside("ec2").describe_vpcs()


def test_a_subnet_cannot_be_hidden_in_a_network_interface(region: Region) -> None:
    vpc = region.vpc()
    public, private = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24")
    secret = f"arn:aws:ec2:{NAME}:{ACCOUNT}:subnet/{private}"
    alice = region.as_user("ec2", document(allow("ec2:*"), deny("ec2:RunInstances", resource=secret)))
    alice.run_instances(**launch(region, NetworkInterfaces=[{"SubnetId": public, "DeviceIndex": 0}]))
    with region.refused("UnauthorizedOperation", private):
        alice.run_instances(**launch(region, NetworkInterfaces=[{"SubnetId": private, "DeviceIndex": 0}]))


def test_a_launch_that_names_no_group_is_about_the_default_one(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    (default,) = (group["GroupId"] for group in region.ec2.describe_security_groups()["SecurityGroups"] if group["VpcId"] == vpc)
    group = region.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    names = ["instance/*", "subnet/*", "network-interface/*", f"security-group/{group}"]
    arns = [*(f"arn:aws:ec2:{NAME}:{ACCOUNT}:{name}" for name in names), "arn:aws:ec2:*::image/*"]
    alice = region.as_user("ec2", document(allow("ec2:RunInstances", resource=arns)))
    first, second = {"SubnetId": subnet, "DeviceIndex": 0, "Groups": [group]}, {"SubnetId": subnet, "DeviceIndex": 1}
    alice.run_instances(**launch(region, SubnetId=subnet, SecurityGroupIds=[group]))
    alice.run_instances(**launch(region, NetworkInterfaces=[first]))
    for more in ({"SubnetId": subnet}, {"NetworkInterfaces": [first, second]}):
        with region.refused("UnauthorizedOperation", f"ec2:RunInstances on resource: arn:aws:ec2:{NAME}:{ACCOUNT}:security-group/{default}"):
            alice.run_instances(**launch(region, **more))


def test_tags_at_creation_take_the_permission_to_tag(region: Region) -> None:
    tagged = [{"ResourceType": "vpc", "Tags": [{"Key": "team", "Value": "red"}]}]
    alice = region.as_user("ec2", document(allow("ec2:CreateVpc")))
    alice.create_vpc(CidrBlock="10.0.0.0/16")
    with region.refused("UnauthorizedOperation", f"ec2:CreateTags on resource: arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/*"):
        alice.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tagged)
    tagging = allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateVpc", "aws:RequestTag/team": "red"})
    vpc = region.as_user("ec2", document(allow("ec2:CreateVpc"), tagging)).create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tagged)["Vpc"]["VpcId"]
    with region.refused("UnauthorizedOperation"):
        alice.create_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "red"}])


def test_tags_that_differ_in_case_only_cannot_hide_behind_each_other(region: Region) -> None:
    """A condition finds both; an Allow is earned by neither, and a Deny is escaped by neither."""

    def tagged(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
        return [{"ResourceType": "vpc", "Tags": [{"Key": key, "Value": value} for key, value in pairs]}]

    asked = {"StringEquals": {"aws:RequestTag/Team": "red"}}
    alice = region.as_user("ec2", document(allow("ec2:CreateVpc"), allow("ec2:CreateTags", **asked)))
    alice.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged(("team", "red")))
    for pairs in ((("Team", "blue"), ("team", "red")), (("team", "red"), ("Team", "blue"))):
        with region.refused("UnauthorizedOperation"):
            alice.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tagged(*pairs))
        vpc = region.ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tagged(*pairs))["Vpc"]["VpcId"]
        for team in ("red", "blue"):
            refusing = deny("ec2:DeleteVpc", StringEquals={"aws:ResourceTag/TEAM": team})
            limited = region.as_user("ec2", document(allow("ec2:DeleteVpc"), refusing))
            with region.refused("UnauthorizedOperation", "explicit deny"):
                limited.delete_vpc(VpcId=vpc)
        region.as_user("ec2", document(allow("ec2:CreateVpc"), allow("ec2:CreateTags", **asked)))


def test_a_session_tag_replaces_the_roles_in_any_case(region: Region) -> None:
    arn = role(region, "web", allow("ec2:DescribeVpcs", StringEquals={"aws:PrincipalTag/team": "blue"}))
    region.iam.tag_role(RoleName="web", Tags=[{"Key": "Team", "Value": "red"}])
    session(region, arn, "ec2", Tags=[{"Key": "team", "Value": "blue"}]).describe_vpcs()
    of_red = session(region, arn, "ec2")
    with region.refused("UnauthorizedOperation"):
        of_red.describe_vpcs()


def test_kinds_of_instances_and_what_they_may_ask_metadata(region: Region) -> None:
    subnet = region.subnet(region.vpc())
    safe = deny("ec2:RunInstances", resource="arn:aws:ec2:*:*:instance/*", StringNotEquals={"ec2:MetadataHttpTokens": "required"})
    alice = region.as_user("ec2", document(allow("ec2:*"), safe))
    with region.refused("UnauthorizedOperation"):
        alice.run_instances(**launch(region, SubnetId=subnet))
    alice.run_instances(**launch(region, SubnetId=subnet, MetadataOptions={"HttpTokens": "required"}))
    small = allow("ec2:RunInstances", resource="arn:aws:ec2:*:*:instance/*", StringEquals={"ec2:InstanceType": "t3.nano"})
    arns = [f"arn:aws:ec2:*:*:{name}/*" for name in ("subnet", "network-interface", "security-group")]
    others = allow("ec2:RunInstances", resource=[*arns, "arn:aws:ec2:*::image/*"])
    alice = region.as_user("ec2", document(small, others))
    with region.refused("UnauthorizedOperation", "instance/*"):
        alice.run_instances(**launch(region, SubnetId=subnet))


# -- IAM --------------------------------------------------------------------------------------------------------------------------------------------------


def test_which_policies_may_be_attached_and_boundaries_kept(region: Region) -> None:
    arn = role(region, "web")
    boundary = region.iam.create_policy(PolicyName="edge", PolicyDocument=document(allow("*")))["Policy"]["Arn"]
    reading = region.iam.create_policy(PolicyName="reading", PolicyDocument=document(allow("ec2:Describe*")))["Policy"]["Arn"]
    alice = region.as_user("iam", document(allow("iam:AttachRolePolicy", ArnEquals={"iam:PolicyARN": reading}),
                                           allow("iam:CreateRole", StringEquals={"iam:PermissionsBoundary": boundary})))  # fmt: skip
    alice.attach_role_policy(RoleName="web", PolicyArn=reading)
    with region.refused("AccessDenied", f"iam:AttachRolePolicy on resource: {arn}"):
        alice.attach_role_policy(RoleName="web", PolicyArn=boundary)
    with region.refused("AccessDenied"):
        alice.create_role(RoleName="free", AssumeRolePolicyDocument=TRUST)
    alice.create_role(RoleName="bound", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=boundary)


def test_users_may_look_after_their_own_keys(region: Region) -> None:
    own = document(allow("iam:*AccessKey*", resource=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    alice = region.as_user("iam", own)
    assert len(alice.list_access_keys()["AccessKeyMetadata"]) == 1
    alice.create_access_key()
    region.iam.create_user(UserName="bob")
    with region.refused("AccessDenied", "user/bob"):
        alice.create_access_key(UserName="bob")


# -- stacks -----------------------------------------------------------------------------------------------------------------------------------------------

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


def test_what_a_user_may_ends_with_the_clock(region: Region) -> None:
    until = (region.clock.moment + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    alice = region.as_user("ec2", document(allow("ec2:DescribeVpcs", DateLessThan={"aws:CurrentTime": until})))
    alice.describe_vpcs()
    region.clock.moment += timedelta(hours=2)
    with region.refused("UnauthorizedOperation"):
        alice.describe_vpcs()


# -- work -------------------------------------------------------------------------------------------------------------------------------------------------


def test_policies_are_compiled_once(region: Region) -> None:
    arn = role(region, "web")
    for number in range(10):
        made = region.iam.create_policy(PolicyName=f"policy-{number}", PolicyDocument=document(allow("ec2:Describe*"), allow(f"vpc-lattice:Get{number}")))
        region.iam.attach_role_policy(RoleName="web", PolicyArn=made["Policy"]["Arn"])
    inside = session(region, arn, "ec2")
    inside.describe_vpcs()
    before = compiled.cache_info()
    for _ in range(20):
        inside.describe_vpcs()
    after = compiled.cache_info()
    assert (after.misses, after.hits >= before.hits + 20) == (before.misses, True)


def test_a_role_that_does_not_exist_yet_is_not_handed_on_either(region: Region) -> None:
    """Who may make profiles names a role today that somebody makes tomorrow."""
    later = f"arn:aws:iam::{ACCOUNT}:role/later"
    mine = document(allow("rolesanywhere:*"), allow("iam:PassRole", resource=f"arn:aws:iam::{ACCOUNT}:role/mine", StringEquals={"iam:ResourceTag/team": "red"}))
    alice = region.as_user("rolesanywhere", mine)
    with region.refused("AccessDeniedException", f"iam:PassRole on resource: {later}"):
        alice.create_profile(name="box", roleArns=[later])
    region.iam.create_role(RoleName="mine", AssumeRolePolicyDocument=TRUST)
    with region.refused("AccessDeniedException", "iam:PassRole"):
        alice.create_profile(name="box", roleArns=[f"arn:aws:iam::{ACCOUNT}:role/mine"])
    region.iam.tag_role(RoleName="mine", Tags=[{"Key": "team", "Value": "red"}])
    alice.create_profile(name="box", roleArns=[f"arn:aws:iam::{ACCOUNT}:role/mine"])
