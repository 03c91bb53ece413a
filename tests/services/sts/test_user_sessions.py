"""GetSessionToken and GetFederationToken: sessions that a user's key makes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, Region, client

from .words import OTHER, TRUSTING, allow, assumed, role, tags, trust


def key_of(answer: Any) -> str:
    return str(answer["Credentials"]["AccessKeyId"])


def test_a_session_of_the_user_is_the_user(region: Region) -> None:
    alice = region.as_user("sts", allow("ec2:DescribeVpcs", StringEquals={"aws:username": "alice", "aws:PrincipalTag/team": "net"}), team="net")
    answer = alice.get_session_token()
    seconds = (answer["Credentials"]["Expiration"] - region.clock.moment).total_seconds()
    assert 43_198 < seconds <= 43_200
    who = client("sts", key_of(answer)).get_caller_identity()
    assert who["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert who["UserId"] == alice.get_caller_identity()["UserId"]
    client("ec2", key_of(answer)).describe_vpcs()
    with region.refused("UnauthorizedOperation"):
        client("ec2", key_of(answer)).describe_subnets()


def test_a_session_of_root_lasts_an_hour(region: Region) -> None:
    answer = region.sts.get_session_token(DurationSeconds=129_600)
    assert (answer["Credentials"]["Expiration"] - region.clock.moment).total_seconds() <= 3600
    assert client("sts", key_of(answer)).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    client("ec2", key_of(answer)).describe_vpcs()


def test_what_such_sessions_may_not(region: Region) -> None:
    alice = region.as_user("sts", allow("*"))
    token, federated = key_of(alice.get_session_token()), key_of(alice.get_federation_token(Name="bob", Policy=allow("*")))
    arn = role(region, trust(TRUSTING))
    assert client("sts", token).assume_role(RoleArn=arn, RoleSessionName="deploy")
    with region.refused("AccessDenied", "Cannot call AssumeRole"):
        client("sts", federated).assume_role(RoleArn=arn, RoleSessionName="deploy")
    for key in (token, federated, key_of(region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy"))):
        with region.refused("AccessDenied", "Cannot call GetSessionToken with session credentials"):
            client("sts", key).get_session_token()
        with region.refused("AccessDenied"):
            client("sts", key).get_federation_token(Name="carol")
    for key in (token, federated):
        with region.refused("InvalidClientTokenId"):
            client("iam", key).list_users()


def test_a_federated_user_may_what_both_allow(region: Region) -> None:
    alice = region.as_user("sts", allow("ec2:DescribeVpcs", "sts:GetFederationToken"))
    with region.refused("AccessDenied", "sts:TagSession"):
        alice.get_federation_token(Name="bob", Tags=tags(team="net"))
    alice = region.as_user("sts", allow("ec2:DescribeVpcs", "sts:GetFederationToken", "sts:TagSession"))
    both = allow("ec2:DescribeVpcs", "ec2:DescribeSubnets")
    answer = alice.get_federation_token(Name="bob", Policy=both, Tags=tags(team="net"))
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:bob", "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob"}
    who = client("sts", key_of(answer)).get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (answer["FederatedUser"]["Arn"], answer["FederatedUser"]["FederatedUserId"])
    ec2 = client("ec2", key_of(answer))
    ec2.describe_vpcs()
    with region.refused("UnauthorizedOperation"):
        ec2.describe_subnets()
    nothing = client("ec2", key_of(alice.get_federation_token(Name="bob")))
    with region.refused("UnauthorizedOperation"):
        nothing.describe_vpcs()


def test_conditions_see_a_federated_user(region: Region) -> None:
    conditions: Any = {"StringEquals": {"aws:PrincipalType": "FederatedUser", "aws:userid": f"{ACCOUNT}:bob", "aws:PrincipalTag/team": "net"}}
    alice = region.as_user("sts", allow("ec2:DescribeVpcs", "sts:GetFederationToken", "sts:TagSession"), team="none")
    for given, works in ((tags(team="net"), True), ([], False)):
        ec2 = client("ec2", key_of(alice.get_federation_token(Name="bob", Policy=allow("ec2:*", **conditions), Tags=given)))
        if works:
            ec2.describe_vpcs()
        else:
            with region.refused("UnauthorizedOperation"):
                ec2.describe_vpcs()


def test_federating_takes_the_permission(region: Region) -> None:
    alice = region.as_user("sts", allow("ec2:*"))
    with region.refused("AccessDenied", f"sts:GetFederationToken on resource: arn:aws:sts::{ACCOUNT}:federated-user/bob"):
        alice.get_federation_token(Name="bob")
    assert alice.get_session_token(), "no policy is asked"
    with region.refused("ValidationError", "not supported"):
        region.sts.get_federation_token(Name="bob")
    for seconds in (899, 129_601):
        with region.refused("ValidationError", "durationSeconds"):
            alice.get_session_token(DurationSeconds=seconds)


def test_sessions_end_with_what_they_rest_on(region: Region) -> None:
    alice = region.as_user("sts", allow("*"))
    token, federated = key_of(alice.get_session_token()), key_of(alice.get_federation_token(Name="bob"))
    role_session = key_of(alice.assume_role(RoleArn=role(region, trust(TRUSTING)), RoleSessionName="deploy"))
    region.iam.delete_access_key(UserName="alice", AccessKeyId=region.keys["alice"])
    with region.store.read() as snapshot:
        assert [snapshot.get("sts:Session", key) for key in (token, federated)] == [None, None]
        assert snapshot.get("sts:Session", role_session), "a role's session outlives the key that asked for it"


def test_a_deleted_users_sessions_end(region: Region) -> None:
    alice = region.as_user("sts", allow("*"))
    token = key_of(alice.get_session_token())
    with region.store.write() as tx:  # as if the key had been another's
        tx.unlink("sts:Session", token, "key")
    region.iam.delete_access_key(UserName="alice", AccessKeyId=region.keys["alice"])
    region.iam.delete_user_policy(UserName="alice", PolicyName="only")
    region.iam.delete_user(UserName="alice")
    with region.store.read() as snapshot:
        assert snapshot.get("sts:Session", token) is None


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_who_one_is_is_never_denied(region: Region, effect: str) -> None:
    alice = region.as_user("sts", allow("*" if effect == "Deny" else "ec2:*", effect=effect))
    assert alice.get_caller_identity()["Account"] == ACCOUNT
    with region.refused("AccessDenied"):
        alice.get_access_key_info(AccessKeyId="ASIAY34FZKBOKMUTVV7A")


def test_whose_a_key_is(region: Region) -> None:
    assert region.sts.get_access_key_info(AccessKeyId="ASIAY34FZKBOKMUTVV7A")["Account"] == "609629065308"
    with region.refused("ValidationError"):
        region.sts.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")
    key = region.of(OTHER, "sts").get_session_token()["Credentials"]["AccessKeyId"]
    assert region.sts.get_access_key_info(AccessKeyId=key)["Account"] == OTHER


def test_chained_from_a_users_session_is_no_chain(region: Region) -> None:
    arn = role(region, trust(TRUSTING), MaxSessionDuration=7200)
    alice = region.as_user("sts", allow("*"))
    sts = client("sts", key_of(alice.get_session_token()))
    assert sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=7200)
    region.iam.put_role_policy(RoleName="web", PolicyName="only", PolicyDocument=allow("sts:*"))
    chained = assumed(sts, arn)
    with region.refused("ValidationError", "role chaining"):
        chained.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=7200)
