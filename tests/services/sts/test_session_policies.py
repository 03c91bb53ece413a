"""Session policies: one set, which only takes away."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.region import ACCOUNT, Region

from .words import OTHER, TRUSTING, allow, assumed, role, trust


def managed(region: Region, name: str, document: str) -> str:
    return str(region.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])


def test_what_the_role_and_the_session_allow(region: Region) -> None:
    arn = role(region, trust(TRUSTING), may=allow("ec2:DescribeVpcs", "ec2:DescribeSubnets"))
    subnets = managed(region, "subnets", allow("ec2:DescribeSubnets", "ec2:DescribeRouteTables"))
    ec2 = assumed(region.sts, arn, "ec2", Policy=allow("ec2:DescribeVpcs"), PolicyArns=[{"arn": subnets}])
    ec2.describe_vpcs()
    ec2.describe_subnets()
    with region.refused("UnauthorizedOperation"):
        ec2.describe_route_tables()
    only = assumed(region.sts, arn, "ec2", PolicyArns=[{"arn": subnets}])
    only.describe_subnets()
    with region.refused("UnauthorizedOperation"):
        only.describe_vpcs()


def test_a_deny_of_one_session_policy_counts_for_all(region: Region) -> None:
    arn = role(region, trust(TRUSTING), may=allow("ec2:*"))
    never = managed(region, "never", allow("ec2:DescribeVpcs", effect="Deny"))
    ec2 = assumed(region.sts, arn, "ec2", Policy=allow("ec2:*"), PolicyArns=[{"arn": never}])
    ec2.describe_subnets()
    with region.refused("UnauthorizedOperation"):
        ec2.describe_vpcs()


def test_policies_of_aws_may_be_named(region: Region) -> None:
    arn = role(region, trust(TRUSTING), may=allow("*"))
    lattice = assumed(region.sts, arn, "vpc-lattice", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/VPCLatticeReadOnlyAccess"}])
    lattice.list_services()
    with region.refused("AccessDeniedException", "because no session policy allows"):
        lattice.create_service(name="web")


def test_what_policies_a_call_may_pass(region: Region) -> None:
    arn = role(region, trust(TRUSTING))
    foreign = region.of(OTHER, "iam").create_policy(PolicyName="theirs", PolicyDocument=allow("ec2:*"))["Policy"]["Arn"]
    many = [{"arn": f"arn:aws:iam::{ACCOUNT}:policy/p{number}"} for number in range(11)]
    more: dict[str, Any]
    for code, words, more in (
        ("MalformedPolicyDocument", "", {"Policy": "{}"}),
        ("ValidationError", "less than or equal to 10", {"PolicyArns": many}),
        ("ValidationError", "does not exist", {"PolicyArns": many[:1]}),
        ("ValidationError", "does not exist", {"PolicyArns": [{"arn": foreign}]}),
        ("NoSuchEntity", "", {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/None"}]}),
        ("ValidationError", "longer than 2048", {"Policy": allow("ec2:*") + " " * 2048}),
        ("PackedPolicyTooLarge", "of allotted space, please use smaller policy.", {"Policy": allow(*(f"ec2:Describe{noise(n)}" for n in range(60)))}),
    ):
        with region.refused(code, words):
            region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", **more)


def noise(number: int) -> str:
    """Letters that do not compress."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:12]


def test_the_packed_size_is_told(region: Region) -> None:
    arn = role(region, trust(TRUSTING, "sts:AssumeRole", "sts:TagSession"))
    small = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Policy=allow("ec2:*"))["PackedPolicySize"]
    tagged = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Policy=allow("ec2:*"), Tags=[{"Key": "a", "Value": "b" * 200}])
    assert 0 < small < tagged["PackedPolicySize"] <= 100
    assert "PackedPolicySize" not in region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy")


def test_the_caller_needs_the_permission_in_his_session_too(region: Region) -> None:
    first = role(region, trust(TRUSTING), "first", may=allow("sts:AssumeRole"))
    second = role(region, json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}), "second")  # fmt: skip
    assert assumed(region.sts, first, Policy=allow("sts:AssumeRole")).assume_role(RoleArn=second, RoleSessionName="deploy")
    limited = assumed(region.sts, first, Policy=allow("ec2:*"))
    with region.refused("AccessDenied"):
        limited.assume_role(RoleArn=second, RoleSessionName="deploy")
