"""Managed and inline policies through boto3; AWS's own belong to nobody here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, Region

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]})
MORE = ALLOW.replace("ec2:Describe*", "ec2:*")
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TRUSTED]})
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def create(region: Region, name: str = "look", **more: Any) -> str:
    return str(region.iam.create_policy(PolicyName=name, PolicyDocument=ALLOW, **more)["Policy"]["Arn"])


def test_a_policy_and_its_versions(region: Region) -> None:
    arn = create(region, Path="/team/", Description="looks", Tags=[{"Key": "a", "Value": "1"}])
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/look"
    shown = region.iam.get_policy(PolicyArn=arn)["Policy"]
    assert (shown["DefaultVersionId"], shown["AttachmentCount"], shown["Description"], shown["Tags"]) == ("v1", 0, "looks", [{"Key": "a", "Value": "1"}])
    region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=MORE)
    assert region.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    region.iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    versions = region.iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(version["VersionId"], version["IsDefaultVersion"]) for version in versions] == [("v2", True), ("v1", False)]
    assert region.iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"] == json.loads(MORE)
    with region.refused("DeleteConflict", "default version"):
        region.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    with region.refused("DeleteConflict", "versions"):
        region.iam.delete_policy(PolicyArn=arn)
    region.iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    with region.refused("NoSuchEntity"):
        region.iam.get_policy_version(PolicyArn=arn, VersionId="v1")
    region.iam.delete_policy(PolicyArn=arn)
    with region.refused("NoSuchEntity", arn):
        region.iam.get_policy(PolicyArn=arn)


def test_five_versions_at_most_and_numbers_are_not_used_again(region: Region) -> None:
    arn = create(region)
    for _ in range(4):
        region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=MORE)
    with region.refused("LimitExceeded"):
        region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=MORE)
    region.iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    assert region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=MORE, SetAsDefault=True)["PolicyVersion"]["VersionId"] == "v6"


def test_an_attached_policy_stays(region: Region) -> None:
    arn = create(region)
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    region.iam.attach_role_policy(RoleName="web", PolicyArn=arn)
    region.iam.attach_role_policy(RoleName="web", PolicyArn=arn)
    assert region.iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"] == [{"PolicyName": "look", "PolicyArn": arn}]
    assert [role["RoleName"] for role in region.iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == ["web"]
    with region.refused("DeleteConflict", "attached"):
        region.iam.delete_policy(PolicyArn=arn)
    with region.refused("DeleteConflict", "detach all policies"):
        region.iam.delete_role(RoleName="web")
    region.iam.detach_role_policy(RoleName="web", PolicyArn=arn)
    with region.refused("NoSuchEntity"):
        region.iam.detach_role_policy(RoleName="web", PolicyArn=arn)
    region.iam.put_role_permissions_boundary(RoleName="web", PermissionsBoundary=arn)
    with region.refused("DeleteConflict", "attached"):
        region.iam.delete_policy(PolicyArn=arn)
    region.iam.delete_role_permissions_boundary(RoleName="web")
    region.iam.delete_policy(PolicyArn=arn)


def test_policies_of_aws_can_be_used_and_not_changed(region: Region) -> None:
    before = region.store.revision
    assert region.iam.get_policy(PolicyArn=ADMINISTRATOR)["Policy"]["PolicyName"] == "AdministratorAccess"
    names = [policy["PolicyName"] for policy in region.iam.list_policies(Scope="AWS")["Policies"]]
    assert "VPCLatticeServicesInvokeAccess" in names
    assert region.store.revision == before
    create(region, "AdministratorAccess")
    region.iam.create_user(UserName="root-like")
    region.iam.attach_user_policy(UserName="root-like", PolicyArn=ADMINISTRATOR)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (region.iam.create_policy_version, {"PolicyDocument": ALLOW, "SetAsDefault": True}), (region.iam.delete_policy, {}),
        (region.iam.tag_policy, {"Tags": [{"Key": "a", "Value": "b"}]}),
    ]  # fmt: skip
    for call, more in calls:
        with region.refused("AccessDenied"):
            call(PolicyArn=ADMINISTRATOR, **more)
    other = region.of("999988887777", "iam")
    other.create_user(UserName="theirs")
    other.attach_user_policy(UserName="theirs", PolicyArn=ADMINISTRATOR)
    assert other.list_policies(Scope="Local")["Policies"] == []
    assert [policy["PolicyName"] for policy in other.list_policies(OnlyAttached=True)["Policies"]] == ["AdministratorAccess"]
    with region.refused("NoSuchEntity"):
        region.iam.attach_user_policy(UserName="root-like", PolicyArn="arn:aws:iam::aws:policy/ReadEverythingTwice")


def test_another_account_s_policy_is_out_of_reach(region: Region) -> None:
    arn = create(region)
    stranger = region.of("999988887777", "iam")
    stranger.create_user(UserName="mallory")
    calls: list[tuple[Any, dict[str, Any]]] = [
        (stranger.create_policy_version, {"PolicyDocument": MORE, "SetAsDefault": True}), (stranger.delete_policy, {}), (stranger.get_policy, {}),
        (stranger.attach_user_policy, {"UserName": "mallory"}),
    ]  # fmt: skip
    for call, more in calls:
        with region.refused("NoSuchEntity"):
            call(PolicyArn=arn, **more)


@pytest.mark.parametrize(
    "document",
    ["", "{}", "not json", '{"Version":"2012-10-17"}', '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}',
     '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}', ALLOW.replace('"Resource"', '"Principal": "*", "Resource"'),
     ALLOW.replace('"ec2:Describe*"', '"nocolon"')],
)  # fmt: skip
def test_a_malformed_policy_is_refused_where_it_is_given(region: Region, document: str) -> None:
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    code = "MalformedPolicyDocument" if document else "ValidationError"
    with region.refused(code):
        region.iam.create_policy(PolicyName="look", PolicyDocument=document)
    with region.refused(code):
        region.iam.put_role_policy(RoleName="web", PolicyName="inline", PolicyDocument=document)


def test_documents_survive_the_wire_with_every_character(region: Region) -> None:
    odd = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "a1", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/100%25+x y/&<ü>"}]})
    arn = region.iam.create_policy(PolicyName="odd", PolicyDocument=odd)["Policy"]["Arn"]
    assert region.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == json.loads(odd)
    assert b"%7B%22Version%22" in region.last_body
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    region.iam.put_role_policy(RoleName="web", PolicyName="odd", PolicyDocument=odd)
    assert region.iam.get_role_policy(RoleName="web", PolicyName="odd")["PolicyDocument"] == json.loads(odd)
    assert region.iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_inline_policies(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    region.iam.put_user_policy(UserName="alice", PolicyName="one", PolicyDocument=ALLOW)
    region.iam.put_user_policy(UserName="alice", PolicyName="one", PolicyDocument=MORE)
    assert region.iam.list_user_policies(UserName="alice")["PolicyNames"] == ["one"]
    assert region.iam.get_user_policy(UserName="alice", PolicyName="one")["PolicyDocument"] == json.loads(MORE)
    with region.refused("DeleteConflict"):
        region.iam.delete_user(UserName="alice")
    region.iam.delete_user_policy(UserName="alice", PolicyName="one")
    for call in (region.iam.get_user_policy, region.iam.delete_user_policy):
        with region.refused("NoSuchEntity", "one"):
            call(UserName="alice", PolicyName="one")
    region.iam.delete_user(UserName="alice")
