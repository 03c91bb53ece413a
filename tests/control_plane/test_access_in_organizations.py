"""Service and resource control policies over the calls of members' principals, root users included."""

from __future__ import annotations

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from .organized import Organized, allow, deny, document

REGIONS = {"StringNotEquals": {"aws:RequestedRegion": NAME}}


@pytest.fixture
def organized(region: Region) -> Organized:
    return Organized(region)


def test_a_denial_names_the_policy(region: Region, organized: Organized) -> None:
    admin = organized.administrator("iam")
    admin.list_users()
    arn = organized.attach(organized.unit, deny("iam:ListRoles"))
    session = f"arn:aws:sts::{organized.member}:assumed-role/OrganizationAccountAccessRole/admin"
    words = f"User: {session} is not authorized to perform: iam:ListRoles on resource: * with an explicit deny in a service control policy: {arn}"
    with region.refused("AccessDenied") as said:
        admin.list_roles()
    assert said["Error"]["Message"] == words
    admin.list_users()


def test_every_level_must_allow(region: Region, organized: Organized) -> None:
    admin, network = organized.administrator("vpc-lattice"), organized.administrator("ec2")
    admin.list_services()
    network.describe_vpcs()
    organized.attach(organized.unit, allow("vpc-lattice:*"))
    organized.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=organized.unit)
    admin.list_services()
    with region.refused("UnauthorizedOperation", "with an explicit deny in a service control policy"):
        network.describe_vpcs()
    organized.attach(organized.member, allow("ec2:*"))
    organized.client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=organized.member)
    with region.refused("AccessDeniedException", "with an explicit deny in a service control policy"):
        admin.list_services()
    organized.client.move_account(AccountId=organized.member, SourceParentId=organized.unit, DestinationParentId=organized.root)
    with region.refused("AccessDeniedException", "service control policy"):
        admin.list_services()
    network.describe_vpcs()


def test_root_users_of_members_are_limited_and_the_management_account_is_not(region: Region, organized: Organized) -> None:
    arn = organized.attach(organized.root, deny("ec2:CreateVpc"))
    with region.refused("UnauthorizedOperation", arn):
        region.of(organized.member, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    region.of(organized.member, "ec2").describe_vpcs()
    region.vpc()
    region.of("999988887777", "ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_no_path_makes_a_role_service_linked(region: Region, organized: Organized) -> None:
    """Paths may hold colons, so that an ARN can have the words of a service-linked role's in its middle."""
    organized.attach(organized.root, deny("ec2:CreateVpc"))
    iam = organized.administrator("iam")
    for path in ("/x:role/aws-service-role/", "/:role/aws-service-role/ec2.amazonaws.com/"):
        name = f"role-{len(path)}"
        trust = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
        arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(allow("*")))
        session = region.sts.assume_role(RoleArn=arn, RoleSessionName="work")["Credentials"]
        with region.refused("UnauthorizedOperation", "service control policy"):
            client("ec2", session["AccessKeyId"], token=session["SessionToken"]).create_vpc(CidrBlock="10.0.0.0/16")


def test_conditions_in_control_policies(region: Region, organized: Organized) -> None:
    organized.attach(organized.root, deny("ec2:CreateVpc", **REGIONS))
    region.of(organized.member, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    with region.refused("UnauthorizedOperation"):
        region.of(organized.member, "ec2", "eu-north-8").create_vpc(CidrBlock="10.0.0.0/16")


def test_resource_control_policies_reach_roles_from_outside(region: Region, organized: Organized) -> None:
    role = f"arn:aws:iam::{organized.member}:role/OrganizationAccountAccessRole"
    region.sts.assume_role(RoleArn=role, RoleSessionName="admin")
    outside = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
    organized.attach(organized.unit, {**deny("sts:AssumeRole", **outside), "Principal": "*"}, type_="RESOURCE")
    with region.refused("AccessDenied"):
        region.sts.assume_role(RoleArn=role, RoleSessionName="admin")


def test_resource_control_policies_reach_the_logs_of_a_member(region: Region, organized: Organized) -> None:
    logs = organized.administrator("logs")
    logs.create_log_group(logGroupName="/app")
    arn = organized.attach(organized.member, {**deny("logs:DeleteLogGroup"), "Principal": "*"}, type_="RESOURCE")
    with region.refused("AccessDeniedException", f"with an explicit deny in a resource control policy: {arn}"):
        logs.delete_log_group(logGroupName="/app")
    with region.refused("AccessDeniedException", "resource control policy"):
        region.of(organized.member, "logs").delete_log_group(logGroupName="/app")


def test_paths_of_the_organization(region: Region, organized: Organized) -> None:
    under = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{organized.id}/*/{organized.unit}/*"}}
    organized.attach(organized.root, deny("ec2:CreateVpc", **under))
    other = organized.account("other")
    region.of(other, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    with region.refused("UnauthorizedOperation"):
        region.of(organized.member, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    organized.client.move_account(AccountId=other, SourceParentId=organized.root, DestinationParentId=organized.unit)
    with region.refused("UnauthorizedOperation"):
        region.of(other, "ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_leaving_the_organization_ends_its_limits(region: Region, organized: Organized) -> None:
    organized.attach(organized.root, deny("ec2:CreateVpc"))
    organized.client.remove_account_from_organization(AccountId=organized.member)
    region.of(organized.member, "ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_a_users_policies_count_within_the_levels(region: Region, organized: Organized) -> None:
    iam = region.of(organized.member, "iam")
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="only", PolicyDocument=document(allow("ec2:DescribeVpcs")))
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    client("ec2", key).describe_vpcs()
    with region.refused("UnauthorizedOperation", "because no identity-based policy allows the ec2:DescribeSubnets action"):
        client("ec2", key).describe_subnets()
    organized.attach(organized.member, deny("ec2:Describe*"))
    with region.refused("UnauthorizedOperation", "explicit deny in a service control policy"):
        client("ec2", key).describe_vpcs()


def test_resource_control_policies_reach_the_buckets_of_a_member(region: Region, organized: Organized) -> None:
    """Whoever asks: the account's administrator, its root user, and another account that the bucket's policy lets in."""
    s3 = organized.administrator("s3")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    everyone = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    s3.put_bucket_policy(Bucket="data", Policy=document(everyone))
    own, root, other = s3, region.of(organized.member, "s3"), region.of(ACCOUNT, "s3")
    for caller in (own, root, other):
        assert caller.get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    organized.attach(organized.unit, {**deny("s3:GetObject"), "Principal": "*"}, type_="RESOURCE")
    for caller in (own, root, other):
        with region.refused("AccessDenied", "resource control policy"):
            caller.get_object(Bucket="data", Key="k")
    own.put_object(Bucket="data", Key="k", Body=b"y")
