"""Roles, users, their keys, and instance profiles through boto3."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.region import ACCOUNT, Region, client

TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TRUSTED]})
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def role(region: Region, name: str = "web", **more: Any) -> dict[str, Any]:
    return dict(region.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **more)["Role"])


def test_a_role_lives(region: Region) -> None:
    created = role(region, Path="/app/", Description="web servers", MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "net"}])
    assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/web"
    assert created["RoleId"].startswith("AROA")
    shown = region.iam.get_role(RoleName="web")["Role"]
    assert (shown["Path"], shown["Description"], shown["MaxSessionDuration"]) == ("/app/", "web servers", 7200)
    assert shown["Tags"] == [{"Key": "team", "Value": "net"}]
    region.iam.update_role(RoleName="web", MaxSessionDuration=3600)
    newer = TRUST.replace("ec2.", "lambda.")
    region.iam.update_assume_role_policy(RoleName="web", PolicyDocument=newer)
    shown = region.iam.get_role(RoleName="web")["Role"]
    assert (shown["MaxSessionDuration"], shown["AssumeRolePolicyDocument"]) == (3600, json.loads(newer))
    region.iam.tag_role(RoleName="web", Tags=[{"Key": "cost", "Value": "1"}])
    region.iam.untag_role(RoleName="web", TagKeys=["team"])
    assert region.iam.list_role_tags(RoleName="web")["Tags"] == [{"Key": "cost", "Value": "1"}]
    region.iam.delete_role(RoleName="web")
    with region.refused("NoSuchEntity", "The role with name web cannot be found."):
        region.iam.get_role(RoleName="web")
    assert region.last_status == 404


def test_names_are_unique_whatever_their_case(region: Region) -> None:
    role(region, "Web")
    with region.refused("EntityAlreadyExists", "Role with name web already exists."):
        role(region, "web")
    region.of("999988887777", "iam").create_role(RoleName="Web", AssumeRolePolicyDocument=TRUST)
    region.iam.create_user(UserName="alice")
    with region.refused("EntityAlreadyExists"):
        region.iam.create_user(UserName="ALICE", Path="/other/")


def test_roles_are_listed_by_path_in_pages(region: Region) -> None:
    for name, path in (("a", "/"), ("b", "/app/"), ("c", "/app/"), ("d", "/app/db/")):
        role(region, name, Path=path)
    pages = list(region.iam.get_paginator("list_roles").paginate(PathPrefix="/app/", PaginationConfig={"PageSize": 2}))
    assert [[item["RoleName"] for item in page["Roles"]] for page in pages] == [["b", "c"], ["d"]]
    assert [page["IsTruncated"] for page in pages] == [True, False]


@pytest.mark.parametrize("document", ["x", EVERYTHING, TRUST.replace('"Allow"', '"Perhaps"'), TRUST.replace("sts:AssumeRole", "")])
def test_a_trust_policy_must_be_one(region: Region, document: str) -> None:
    with region.refused("MalformedPolicyDocument"):
        region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=document)
    role(region)
    with region.refused("MalformedPolicyDocument"):
        region.iam.update_assume_role_policy(RoleName="web", PolicyDocument=document)


def test_an_instance_profile_holds_one_role(region: Region) -> None:
    role(region, "web")
    role(region, "db")
    created = region.iam.create_instance_profile(InstanceProfileName="box")["InstanceProfile"]
    assert (created["Arn"], created["Roles"]) == (f"arn:aws:iam::{ACCOUNT}:instance-profile/box", [])
    with region.refused("EntityAlreadyExists"):
        region.iam.create_instance_profile(InstanceProfileName="BOX")
    region.iam.create_service_linked_role(AWSServiceName="vpc-lattice.amazonaws.com")
    with region.refused("UnmodifiableEntity"):
        region.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="AWSServiceRoleForVpcLattice")
    region.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="web")
    with region.refused("LimitExceeded"):
        region.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="db")
    assert [item["RoleName"] for item in region.iam.get_instance_profile(InstanceProfileName="box")["InstanceProfile"]["Roles"]] == ["web"]
    assert [item["InstanceProfileName"] for item in region.iam.list_instance_profiles_for_role(RoleName="web")["InstanceProfiles"]] == ["box"]
    for delete, params in ((region.iam.delete_instance_profile, {"InstanceProfileName": "box"}), (region.iam.delete_role, {"RoleName": "web"})):
        with region.refused("DeleteConflict", "remove roles from instance profile"):
            delete(**params)
    with region.refused("NoSuchEntity", "db"):
        region.iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="db")
    region.iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="web")
    region.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="db")
    region.iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="db")
    region.iam.delete_instance_profile(InstanceProfileName="box")
    region.iam.delete_role(RoleName="web")


def test_keys_of_users(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    first = region.iam.create_access_key(UserName="alice")["AccessKey"]
    second = region.iam.create_access_key(UserName="alice")["AccessKey"]
    assert first["AccessKeyId"].startswith("AKIA")
    assert first["SecretAccessKey"] != second["SecretAccessKey"]
    with region.refused("LimitExceeded", "AccessKeysPerUser"):
        region.iam.create_access_key(UserName="alice")
    listed = region.iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
    assert {(key["AccessKeyId"], key["Status"]) for key in listed} == {(first["AccessKeyId"], "Active"), (second["AccessKeyId"], "Active")}
    assert all("SecretAccessKey" not in key for key in listed)
    region.iam.update_access_key(UserName="alice", AccessKeyId=first["AccessKeyId"], Status="Inactive")
    region.iam.create_user(UserName="bob")
    with region.refused("NoSuchEntity", first["AccessKeyId"]):
        region.iam.delete_access_key(UserName="bob", AccessKeyId=first["AccessKeyId"])
    with region.refused("DeleteConflict", "access keys"):
        region.iam.delete_user(UserName="alice")
    for key in (first, second):
        region.iam.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    region.iam.delete_user(UserName="alice")


def test_a_session_does_not_pass_for_the_user_of_its_name(region: Region) -> None:
    """A role session may carry any name: without a user name its calls are about nobody."""
    region.iam.create_user(UserName="alice")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{**TRUSTED, "Principal": {"AWS": ACCOUNT}}]})
    arn = region.iam.create_role(RoleName="wide", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    region.iam.put_role_policy(RoleName="wide", PolicyName="all", PolicyDocument=EVERYTHING)
    session = client("iam", region.sts.assume_role(RoleArn=arn, RoleSessionName="alice")["Credentials"]["AccessKeyId"])
    for call in (session.create_access_key, session.list_access_keys, session.get_user):
        with region.refused("ValidationError", "serName when calling with non-User credentials"):
            call()


def test_users_ask_about_themselves(region: Region) -> None:
    alice = region.as_user("iam", EVERYTHING)
    assert alice.get_user()["User"]["UserName"] == "alice"
    assert len(alice.list_access_keys()["AccessKeyMetadata"]) == 1
    assert region.iam.get_user()["User"]["UserName"] == "root"
    with region.refused("NoSuchEntity", "The user with name carol cannot be found."):
        region.iam.get_user(UserName="carol")


def test_identities_are_the_same_in_every_region(region: Region) -> None:
    role(region)
    elsewhere = region.of(ACCOUNT, "iam", "us-east-9")
    assert elsewhere.get_role(RoleName="web")["Role"]["RoleName"] == "web"
    with region.refused("NoSuchEntity"):
        region.of("999988887777", "iam").get_role(RoleName="web")


@pytest.mark.parametrize("noun", ["user", "policy", "instance_profile"])
def test_tags(region: Region, noun: str) -> None:
    if noun == "policy":
        named = {"PolicyArn": region.iam.create_policy(PolicyName="look", PolicyDocument=EVERYTHING)["Policy"]["Arn"]}
    else:
        named = {"UserName": "alice"} if noun == "user" else {"InstanceProfileName": "box"}
        getattr(region.iam, f"create_{noun}")(**named)
    getattr(region.iam, f"tag_{noun}")(**named, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    getattr(region.iam, f"untag_{noun}")(**named, TagKeys=["a"])
    assert getattr(region.iam, f"list_{noun}_tags")(**named)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_instance_profiles_are_listed_by_path(region: Region) -> None:
    for name, path in (("a", "/"), ("b", "/app/")):
        region.iam.create_instance_profile(InstanceProfileName=name, Path=path)
    assert [item["InstanceProfileName"] for item in region.iam.list_instance_profiles(PathPrefix="/app/")["InstanceProfiles"]] == ["b"]


def test_a_user_s_boundary_comes_and_goes(region: Region) -> None:
    edge = region.iam.create_policy(PolicyName="edge", PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    region.iam.create_user(UserName="alice", PermissionsBoundary=edge)
    assert region.iam.get_user(UserName="alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == edge
    region.iam.delete_user_permissions_boundary(UserName="alice")
    assert "PermissionsBoundary" not in region.iam.get_user(UserName="alice")["User"]


def test_the_administrator_s_key_stays(region: Region) -> None:
    key = region.iam.create_access_key()["AccessKey"]["AccessKeyId"]
    with region.store.write() as tx:
        row = tx.get("iam:AccessKey", key)
        assert row is not None
        row.document["_administrator"] = True
        tx.put(row)
    for call, more in ((region.iam.delete_access_key, {}), (region.iam.update_access_key, {"Status": "Inactive"})):
        with region.refused("DeleteConflict", key):
            call(AccessKeyId=key, **more)


def test_when_a_key_was_last_used(region: Region) -> None:
    alice = region.as_user("iam", EVERYTHING)
    key = region.keys["alice"]
    found = region.iam.get_access_key_last_used(AccessKeyId=key)
    assert (found["UserName"], found["AccessKeyLastUsed"]) == ("alice", {"ServiceName": "N/A", "Region": "N/A"})
    before = region.store.revision
    alice.get_user()
    assert region.store.revision == before
    first = region.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert (first["ServiceName"], first["Region"]) == ("iam", "eu-north-7")
    region.as_user("ec2", EVERYTHING).describe_vpcs()
    second = region.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert second["ServiceName"] == "ec2"
    assert second["LastUsedDate"] >= first["LastUsedDate"]
    region.clock.moment += timedelta(minutes=2)
    region.as_user("ec2", EVERYTHING).describe_vpcs()
    assert region.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]["LastUsedDate"] - second["LastUsedDate"] >= timedelta(minutes=2)
    region.clock.moment -= timedelta(hours=1)
    region.as_user("ec2", EVERYTHING).describe_vpcs()
    assert region.iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]["LastUsedDate"] <= region.clock.now()  # the clock was set
    with region.refused("AccessDenied"):
        region.of("999988887777", "iam").get_access_key_last_used(AccessKeyId=key)


def test_lists_leave_boundary_and_tags_out(region: Region) -> None:
    more = {"PermissionsBoundary": "arn:aws:iam::aws:policy/PowerUserAccess", "Tags": [{"Key": "a", "Value": "1"}]}
    region.iam.create_user(UserName="alice", **more)
    role(region, **more)
    for found, member in ((region.iam.list_users()["Users"], "UserName"), (region.iam.list_roles()["Roles"], "RoleName")):
        assert {member, "Arn", "CreateDate"} <= set(found[0])
        assert not {"PermissionsBoundary", "Tags"} & set(found[0])


def test_tag_keys_of_users_and_roles_ignore_case(region: Region) -> None:
    region.iam.create_user(UserName="alice", Tags=[{"Key": "Department", "Value": "finance"}])
    region.iam.tag_user(UserName="alice", Tags=[{"Key": "department", "Value": "hr"}])
    assert region.iam.list_user_tags(UserName="alice")["Tags"] == [{"Key": "Department", "Value": "hr"}]
    region.iam.untag_user(UserName="alice", TagKeys=["DEPARTMENT"])
    assert region.iam.list_user_tags(UserName="alice")["Tags"] == []
    twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    with region.refused("InvalidInput", "Duplicate tag keys found"):
        region.iam.tag_user(UserName="alice", Tags=twice)
    region.iam.create_instance_profile(InstanceProfileName="box", Tags=twice)
    for tags in ([twice[0], twice[0]], [{"Key": "aws:x", "Value": ""}]):
        with region.refused("InvalidInput"):
            region.iam.tag_instance_profile(InstanceProfileName="box", Tags=tags)


def test_nobody_has_a_password_or_device(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    for call in (region.iam.get_login_profile, region.iam.delete_login_profile, region.iam.update_login_profile):
        with region.refused("NoSuchEntity", "Login Profile for User alice cannot be found."):
            call(UserName="alice")
    for call, member in (
        (region.iam.list_mfa_devices, "MFADevices"), (region.iam.list_ssh_public_keys, "SSHPublicKeys"),
        (region.iam.list_signing_certificates, "Certificates"), (region.iam.list_service_specific_credentials, "ServiceSpecificCredentials"),
    ):  # fmt: skip
        assert call(UserName="alice")[member] == []
        with region.refused("NoSuchEntity"):
            call(UserName="bob")
    assert region.iam.list_virtual_mfa_devices()["VirtualMFADevices"] == region.iam.list_server_certificates()["ServerCertificateMetadataList"] == []
    assert region.iam.list_saml_providers()["SAMLProviderList"] == []


def test_a_unique_id_is_no_name(region: Region) -> None:
    alice = region.iam.create_user(UserName="alice")["User"]["UserId"]
    web = role(region)["RoleId"]
    for call, params in (
        (region.iam.get_user, {"UserName": alice}), (region.iam.delete_user, {"UserName": alice}), (region.iam.create_access_key, {"UserName": alice}),
        (region.iam.get_role, {"RoleName": web}), (region.iam.get_instance_profile, {"InstanceProfileName": web}),
    ):  # fmt: skip
        with region.refused("NoSuchEntity"):
            call(**params)
