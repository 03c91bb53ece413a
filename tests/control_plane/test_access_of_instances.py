"""Decisions on instances: what launching one asks for, and what its role may."""

from __future__ import annotations

from typing import Any

from tests.region import ACCOUNT, NAME, Region, client

from latticewall.control_plane.identity import metadata_credentials, refresh_instance_sessions

from .organized import allow, deny, document
from .roles import role, session


def launch(region: Region, **more: Any) -> dict[str, Any]:
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    return {"ImageId": image["ImageId"], "InstanceType": size, "MinCount": 1, "MaxCount": 1, **more}


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
