"""What a session hands on to the role it assumes: tags, the source identity, and not more than an hour."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, Region, client

from .words import TRUSTING, allow, assumed, role, tags, trust

EVERYTHING = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")


@pytest.fixture
def roles(region: Region) -> tuple[str, str]:
    """Two roles that let everybody of the account in, and may assume each other."""
    return role(region, trust(TRUSTING, *EVERYTHING), "first", may=allow("sts:*")), role(region, trust(TRUSTING, *EVERYTHING), "second", may=allow("sts:*"))


def held(region: Region, sts: Any, arn: str, **more: Any) -> Any:
    """The stored session of an AssumeRole."""
    key = sts.assume_role(RoleArn=arn, RoleSessionName="deploy", **more)["Credentials"]["AccessKeyId"]
    with region.store.read() as snapshot:
        row = snapshot.get("sts:Session", key)
    assert row
    return row


def test_transitive_tags_go_along_the_whole_chain(region: Region, roles: tuple[str, str]) -> None:
    first, second = roles
    sts = assumed(region.sts, first, Tags=tags(team="net", stage="dev"), TransitiveTagKeys=["TEAM"])
    row = held(region, sts, second, Tags=tags(stage="prod"), TransitiveTagKeys=["stage"])
    assert row.tags == {"team": "net", "stage": "prod"}
    again = held(region, client("sts", row.id), first)
    assert (again.tags, again.document["_transitive"]) == ({"team": "net", "stage": "prod"}, ["team", "stage"])


def test_a_transitive_tag_is_not_to_be_replaced(region: Region, roles: tuple[str, str]) -> None:
    first, second = roles
    sts = assumed(region.sts, first, Tags=tags(team="net"), TransitiveTagKeys=["team"])
    for key in ("team", "Team"):
        with region.refused("InvalidParameterValue", "conflicts with a transitive tag key"):
            sts.assume_role(RoleArn=second, RoleSessionName="deploy", Tags=tags(**{key: "other"}))


def test_handing_tags_on_takes_the_permission_to_tag(region: Region, roles: tuple[str, str]) -> None:
    only = role(region, trust(TRUSTING), "only")
    sts = assumed(region.sts, roles[0], Tags=tags(team="net"), TransitiveTagKeys=["team"])
    with region.refused("AccessDenied", "sts:TagSession"):
        sts.assume_role(RoleArn=only, RoleSessionName="deploy")
    plain = assumed(region.sts, roles[0], Tags=tags(team="net"))
    assert held(region, plain, only).tags == {}


def test_what_tags_a_call_may_ask_for(region: Region, roles: tuple[str, str]) -> None:
    arn = roles[0]
    for words, more in (
        ("Duplicate tag keys", {"Tags": [*tags(team="a"), *tags(Team="b")]}),
        ("must be included in the requested tags", {"Tags": tags(team="a"), "TransitiveTagKeys": ["stage"]}),
        ("must be included in the requested tags", {"TransitiveTagKeys": ["stage"]}),
        ("reserved", {"Tags": tags(**{"aws:x": "a"})}),
    ):
        with region.refused("InvalidParameterValue", words):
            region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", **more)
    with region.refused("ValidationError", "'tags' failed"):
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Tags=tags(**{f"k{number}": "" for number in range(51)}))
    with region.refused("PackedPolicyTooLarge", "Packed size of session tags consumes 498% of allotted space."):
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Tags=tags(**{f"T{number}": "a" * 250 for number in range(9)}))


def test_conditions_see_the_tags_asked_for(region: Region) -> None:
    conditions: Any = {
        "StringEquals": {"aws:RequestTag/team": "${aws:PrincipalTag/team}"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
        "ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "team"},
    }  # fmt: skip
    arn = role(region, trust(TRUSTING, *EVERYTHING, **conditions))
    alice = region.as_user("sts", allow("sts:*"), team="net")
    assert alice.assume_role(RoleArn=arn, RoleSessionName="deploy", Tags=tags(team="net"), TransitiveTagKeys=["team"])
    for given, transitive in ((tags(team="other"), ["team"]), (tags(team="net", more="x"), ["team"]), (tags(team="net"), []), ([], [])):
        with region.refused("AccessDenied"):
            alice.assume_role(RoleArn=arn, RoleSessionName="deploy", Tags=given, TransitiveTagKeys=transitive)


def test_the_source_identity_sticks(region: Region, roles: tuple[str, str]) -> None:
    first, second = roles
    carol = assumed(region.sts, first, SourceIdentity="carol")
    answer = carol.assume_role(RoleArn=second, RoleSessionName="deploy")
    assert answer["SourceIdentity"] == "carol"
    assert held(region, client("sts", answer["Credentials"]["AccessKeyId"]), first).document["_keys"]["aws:SourceIdentity"] == "carol"
    assert carol.assume_role(RoleArn=second, RoleSessionName="deploy", SourceIdentity="carol")
    with region.refused("ValidationError", "already set"):
        carol.assume_role(RoleArn=second, RoleSessionName="deploy", SourceIdentity="dave")
    only = role(region, trust(TRUSTING), "only")
    with region.refused("AccessDenied", "sts:SetSourceIdentity"):
        carol.assume_role(RoleArn=only, RoleSessionName="deploy")


def test_the_trust_policy_sees_the_source_identity_and_the_calling_session(region: Region, roles: tuple[str, str]) -> None:
    conditions: Any = {"StringEquals": {"sts:SourceIdentity": "carol", "aws:SourceIdentity": "carol"}}
    arn = role(region, trust({"AWS": roles[0]}, *EVERYTHING, **conditions))
    assert assumed(region.sts, roles[0], SourceIdentity="carol").assume_role(RoleArn=arn, RoleSessionName="deploy")
    for sts in (assumed(region.sts, roles[0], SourceIdentity="dave"), assumed(region.sts, roles[0]), assumed(region.sts, roles[1], SourceIdentity="carol")):
        with region.refused("AccessDenied"):
            sts.assume_role(RoleArn=arn, RoleSessionName="deploy")


def test_devices_are_nobodys(region: Region, roles: tuple[str, str]) -> None:
    for words, more in (
        ("unable to validate MFA code", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/alice", "TokenCode": "123456"}),
        ("must provide both", {"SerialNumber": "GAHT12345678"}),
        ("must provide both", {"TokenCode": "123456"}),
    ):
        for call in (region.sts.assume_role, region.sts.get_session_token):
            with region.refused("AccessDenied", words):
                call(**({"RoleArn": roles[0], "RoleSessionName": "deploy"} if call == region.sts.assume_role else {}), **more)
    wanting = role(region, trust(TRUSTING, Bool={"aws:MultiFactorAuthPresent": "true"}), "mfa")
    sts = assumed(region.sts, roles[0])
    with region.refused("AccessDenied"):
        sts.assume_role(RoleArn=wanting, RoleSessionName="deploy")


def test_session_keys_are_condition_keys(region: Region) -> None:
    conditions: Any = {"Bool": {"aws:MultiFactorAuthPresent": "false"}, "DateGreaterThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}
    arn = role(region, trust(TRUSTING), may=allow("ec2:DescribeVpcs", **conditions))
    assumed(region.sts, arn, "ec2").describe_vpcs()
    alice = region.as_user("ec2", allow("ec2:DescribeVpcs", **conditions))
    with region.refused("UnauthorizedOperation"):
        alice.describe_vpcs()
