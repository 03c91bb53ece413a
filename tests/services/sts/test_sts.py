"""Becoming a role, and who one then is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.control_plane.organized import Organized, deny
from tests.region import ACCOUNT, NAME, WIRE, Region, client

from .words import OTHER, allow, role, trust


def test_a_session_is_the_role_under_a_name(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}))
    answer = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=900)
    given, who = answer["Credentials"], answer["AssumedRoleUser"]
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/deploy"
    assert given["AccessKeyId"].startswith("ASIA")
    assert timedelta(seconds=898) < given["Expiration"] - region.clock.moment <= timedelta(seconds=900)
    identity = client("sts", given["AccessKeyId"]).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (who["Arn"], who["AssumedRoleId"], ACCOUNT)
    assert region.sts.get_access_key_info(AccessKeyId=given["AccessKeyId"])["Account"] == ACCOUNT


def test_signatures_of_sessions_need_their_token_and_end_with_them(tmp_path: Path) -> None:
    """Against the verifying endpoint, at the time that botocore signs with."""

    class Now:
        later = timedelta()

        def now(self) -> datetime:
            return datetime.now(UTC) + self.later

    clock = Now()
    region = Region(tmp_path, clock=clock)
    given = region.sts.assume_role(RoleArn=role(region, trust({"AWS": ACCOUNT})), RoleSessionName="deploy")["Credentials"]
    WIRE.endpoint = Region(tmp_path, clock=clock, open_mode=False).endpoint

    def sts(secret: str = given["SecretAccessKey"], token: str | None = given["SessionToken"]) -> Any:
        found = boto3.client(
            "sts", region_name=NAME, aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=secret, aws_session_token=token,
            endpoint_url="http://127.0.0.1:4566", config=Config(retries={"max_attempts": 0}),
        )  # fmt: skip
        found.meta.events.register("before-send.*", WIRE.send)
        return found

    assert sts().get_caller_identity()["Account"] == ACCOUNT
    for wrong, code in ((sts("guess"), "SignatureDoesNotMatch"), (sts(token=None), "InvalidClientTokenId"), (sts(token="guess"), "InvalidClientTokenId")):
        with pytest.raises(ClientError) as caught:
            wrong.get_caller_identity()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    clock.later = timedelta(hours=2)
    with pytest.raises(ClientError) as caught:
        sts().get_caller_identity()
    assert caught.value.response["Error"]["Code"] in ("ExpiredToken", "RequestExpired", "SignatureDoesNotMatch")


def test_who_the_role_does_not_trust_is_refused_in_aws_words(region: Region) -> None:
    bob = region.as_user("sts", allow("ec2:*"), "bob")
    only = role(region, trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/bob"}))
    alice = region.as_user("sts", allow("sts:AssumeRole"))
    refusal = f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: sts:AssumeRole on resource: {only}"
    with region.refused("AccessDenied", refusal):
        alice.assume_role(RoleArn=only, RoleSessionName="deploy")
    missing = f"arn:aws:iam::{ACCOUNT}:role/none"
    with region.refused("AccessDenied", missing):
        alice.assume_role(RoleArn=missing, RoleSessionName="deploy")
    assert bob.assume_role(RoleArn=only, RoleSessionName="deploy")["Credentials"]


def test_trusting_an_account_leaves_the_choice_to_it(region: Region) -> None:
    arn = role(region, trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    for policy in (allow("ec2:*"), allow("sts:AssumeRole", resource=arn + "x")):
        alice = region.as_user("sts", policy)
        with region.refused("AccessDenied"):
            alice.assume_role(RoleArn=arn, RoleSessionName="deploy")
    assert region.as_user("sts", allow("sts:AssumeRole", resource=arn)).assume_role(RoleArn=arn, RoleSessionName="deploy")
    with region.refused("AccessDenied"):
        region.of(OTHER, "sts").assume_role(RoleArn=arn, RoleSessionName="deploy")


def test_names_of_users_external_ids_and_session_names_decide(region: Region) -> None:
    arn = role(region, trust({"AWS": "*"}, StringEquals={"aws:username": "alice", "sts:ExternalId": "42"}, StringLike={"sts:RoleSessionName": "ci-*"}))
    alice, bob = region.as_user("sts", allow("sts:AssumeRole")), region.as_user("sts", allow("sts:AssumeRole"), "bob")
    assert alice.assume_role(RoleArn=arn, RoleSessionName="ci-1", ExternalId="42")
    for who, more in ((bob, {}), (alice, {"ExternalId": "43"}), (alice, {"RoleSessionName": "me"})):
        with region.refused("AccessDenied"):
            who.assume_role(**{"RoleArn": arn, "RoleSessionName": "ci-1", "ExternalId": "42", **more})


def test_session_tags_are_principal_tags_and_take_their_own_permission(region: Region) -> None:
    plain = role(region, trust({"AWS": ACCOUNT}))
    tags = [{"Key": "team", "Value": "net"}]
    with region.refused("AccessDenied", "sts:TagSession"):
        region.sts.assume_role(RoleArn=plain, RoleSessionName="deploy", Tags=tags)
    arn = role(region, trust({"AWS": ACCOUNT}, "sts:AssumeRole", "sts:TagSession"), "tagged", Tags=[{"Key": "team", "Value": "none"}])
    statement = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "net"}}}
    region.iam.put_role_policy(RoleName="tagged", PolicyName="look", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for given, works in ((tags, True), ([], False)):
        key = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", Tags=given)["Credentials"]["AccessKeyId"]
        if works:
            client("ec2", key).describe_vpcs()
        else:
            with region.refused("UnauthorizedOperation"):
                client("ec2", key).describe_vpcs()


def test_a_source_identity_stays_with_the_session(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}, "sts:AssumeRole", "sts:SetSourceIdentity"))
    statement = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceIdentity": "carol"}}}
    region.iam.put_role_policy(RoleName="web", PolicyName="look", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    carol, dave = (
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", SourceIdentity=name)["Credentials"]["AccessKeyId"] for name in ("carol", "dave")
    )
    client("ec2", carol).describe_vpcs()
    with region.refused("UnauthorizedOperation"):
        client("ec2", dave).describe_vpcs()


def test_how_long_a_session_may_be(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}), MaxSessionDuration=7200)
    assert region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=7200)
    with region.refused("ValidationError", "MaxSessionDuration"):
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=7201)
    with region.refused("ValidationError"):
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=60)
    region.iam.put_role_policy(RoleName="web", PolicyName="chain", PolicyDocument=allow("sts:AssumeRole"))
    key = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy")["Credentials"]["AccessKeyId"]
    with region.refused("ValidationError", "role chaining"):
        client("sts", key).assume_role(RoleArn=arn, RoleSessionName="again", DurationSeconds=3601)
    assert client("sts", key).assume_role(RoleArn=arn, RoleSessionName="again", DurationSeconds=3600)


def test_what_is_not_there_is_said(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}))
    for member, value in (("ProvidedContexts", [{"ProviderArn": arn, "ContextAssertion": "text"}]), ("MinimumSessionTokenSize", 4096)):
        with region.refused("ValidationError", "not supported"):
            region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", **{member: value})
    with region.refused("ValidationError", "does not support sts:AssumeRoot"):
        region.sts.assume_root(TargetPrincipal=OTHER, TaskPolicyArn={"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"})


def test_conditions_about_the_role_and_its_account(region: Region) -> None:
    arn = role(region, trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), Tags=[{"Key": "stage", "Value": "dev"}])
    for key, value, works in (
        ("aws:ResourceTag/stage", "dev", True), ("iam:ResourceTag/stage", "dev", True), ("aws:ResourceTag/stage", "prod", False),
        ("aws:ResourceAccount", ACCOUNT, True), ("aws:ResourceAccount", OTHER, False), ("aws:ResourceOrgID", "o-0123456789", False),
    ):  # fmt: skip
        alice = region.as_user("sts", allow("sts:AssumeRole", StringEquals={key: value}))
        if works:
            assert alice.assume_role(RoleArn=arn, RoleSessionName="deploy")
        else:
            with region.refused("AccessDenied"):
                alice.assume_role(RoleArn=arn, RoleSessionName="deploy")


def test_a_perimeter_around_the_organization(region: Region) -> None:
    """The resource control policy that AWS recommends: nobody from outside, but services."""
    organized = Organized(region)
    arn = region.of(organized.member, "iam").create_role(RoleName="open", AssumeRolePolicyDocument=trust({"AWS": "*"}))["Role"]["Arn"]
    stranger, root = region.of(OTHER, "sts"), region.sts
    for sts in (stranger, root):
        assert sts.assume_role(RoleArn=arn, RoleSessionName="deploy")
    perimeter = {"StringNotEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    organized.attach(organized.root, {**deny("sts:AssumeRole", **perimeter), "Principal": "*"}, type_="RESOURCE")
    assert root.assume_role(RoleArn=arn, RoleSessionName="deploy")
    with region.refused("AccessDenied"):
        stranger.assume_role(RoleArn=arn, RoleSessionName="deploy")


def test_refusals_in_the_words_of_aws(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}))
    found = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member must {}"
    for more, words in (
        ({"DurationSeconds": 899}, found.format(899, "durationSeconds", "have value greater than or equal to 900")),
        ({"DurationSeconds": 43201}, found.format(43201, "durationSeconds", "have value less than or equal to 43200")),
        ({"RoleSessionName": "a b"}, found.format("a b", "roleSessionName", r"satisfy regular expression pattern: [\w+=,.@-]*")),
        ({"RoleSessionName": "a"}, found.format("a", "roleSessionName", "have length greater than or equal to 2")),
        ({"ExternalId": "1"}, found.format("1", "externalId", "have length greater than or equal to 2")),
        ({"SourceIdentity": "é!"}, found.format("é!", "sourceIdentity", r"satisfy regular expression pattern: [\w+=,.@-]*")),
    ):
        with region.refused("ValidationError") as held:
            region.sts.assume_role(**{"RoleArn": arn, "RoleSessionName": "deploy", **more})
        assert held["Error"]["Message"] == words
        assert region.last_status == 400
    with region.refused("MalformedInput"):
        region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy", DurationSeconds=1 << 31)
    missing = f"arn:aws:iam::{ACCOUNT}:role/none"
    with region.refused("AccessDenied") as held:
        region.sts.assume_role(RoleArn=missing, RoleSessionName="deploy")
    assert held["Error"]["Message"] == f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: {missing}"
    assert region.last_status == 403


def test_sessions_end_with_their_role(region: Region) -> None:
    arn = role(region, trust({"AWS": ACCOUNT}))
    key = region.sts.assume_role(RoleArn=arn, RoleSessionName="deploy")["Credentials"]["AccessKeyId"]
    region.iam.delete_role(RoleName="web")
    with region.store.read() as snapshot:
        assert snapshot.get("sts:Session", key) is None
