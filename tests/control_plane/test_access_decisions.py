"""Decisions on calls: wording, sessions, what conditions look at, policies of IAM itself, roles that are handed on."""

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

from .organized import allow, deny, document
from .roles import TRUST, USER, role, session

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


def test_what_a_user_may_ends_with_the_clock(region: Region) -> None:
    until = (region.clock.moment + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    alice = region.as_user("ec2", document(allow("ec2:DescribeVpcs", DateLessThan={"aws:CurrentTime": until})))
    alice.describe_vpcs()
    region.clock.moment += timedelta(hours=2)
    with region.refused("UnauthorizedOperation"):
        alice.describe_vpcs()


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
