"""Groups, whose policies speak for their members, and identities that get another name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, Region, client

TRUSTED = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def allow(action: str, effect: str = "Allow") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]})


def trust(**principal: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**TRUSTED, "Principal": principal}]})


def user(region: Region, name: str) -> Any:
    """A client of a new user."""
    region.iam.create_user(UserName=name)
    return client("iam", region.iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"])


def test_a_group_lives(region: Region) -> None:
    created = region.iam.create_group(GroupName="net", Path="/team/")["Group"]
    assert created["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/team/net"
    assert created["GroupId"].startswith("AGPA")
    with region.refused("EntityAlreadyExists", "Group with name NET already exists."):
        region.iam.create_group(GroupName="NET")
    region.iam.create_group(GroupName="app")
    assert [group["GroupName"] for group in region.iam.list_groups()["Groups"]] == ["net", "app"]
    assert [group["GroupName"] for group in region.iam.list_groups(PathPrefix="/team/")["Groups"]] == ["net"]
    region.iam.delete_group(GroupName="net")
    with region.refused("NoSuchEntity", "The group with name net cannot be found."):
        region.iam.get_group(GroupName="net")


def test_members(region: Region) -> None:
    region.iam.create_group(GroupName="net")
    for name in ("alice", "bob"):
        region.iam.create_user(UserName=name)
        region.iam.add_user_to_group(GroupName="net", UserName=name)
        region.iam.add_user_to_group(GroupName="net", UserName=name)
    shown = region.iam.get_group(GroupName="net")
    assert ([item["UserName"] for item in shown["Users"]], shown["IsTruncated"]) == (["alice", "bob"], False)
    assert [group["GroupName"] for group in region.iam.list_groups_for_user(UserName="alice")["Groups"]] == ["net"]
    for delete, params in ((region.iam.delete_group, {"GroupName": "net"}), (region.iam.delete_user, {"UserName": "alice"})):
        with region.refused("DeleteConflict", "must remove users from group first"):
            delete(**params)
    region.iam.remove_user_from_group(GroupName="net", UserName="alice")
    with region.refused("NoSuchEntity", "alice"):
        region.iam.remove_user_from_group(GroupName="net", UserName="alice")
    with region.refused("NoSuchEntity", "The user with name carol cannot be found."):
        region.iam.add_user_to_group(GroupName="net", UserName="carol")
    region.iam.delete_user(UserName="alice")


def test_a_user_is_in_ten_groups_at_most(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    for number in range(11):
        region.iam.create_group(GroupName=f"g{number}")
        if number < 10:
            region.iam.add_user_to_group(GroupName=f"g{number}", UserName="alice")
    with region.refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10"):
        region.iam.add_user_to_group(GroupName="g10", UserName="alice")


@pytest.mark.parametrize("managed", [False, True])
def test_policies_of_groups_speak_for_their_members(region: Region, managed: bool) -> None:
    alice = user(region, "alice")
    region.iam.create_group(GroupName="net")
    if managed:
        arn = region.iam.create_policy(PolicyName="look", PolicyDocument=allow("iam:ListUsers"))["Policy"]["Arn"]
        region.iam.attach_group_policy(GroupName="net", PolicyArn=arn)
        assert region.iam.list_attached_group_policies(GroupName="net")["AttachedPolicies"] == [{"PolicyName": "look", "PolicyArn": arn}]
        assert region.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
        assert [item["GroupName"] for item in region.iam.list_entities_for_policy(PolicyArn=arn)["PolicyGroups"]] == ["net"]
    else:
        region.iam.put_group_policy(GroupName="net", PolicyName="look", PolicyDocument=allow("iam:ListUsers"))
        assert region.iam.get_group_policy(GroupName="net", PolicyName="look")["PolicyDocument"] == json.loads(allow("iam:ListUsers"))
    with region.refused("AccessDenied"):
        alice.list_users()
    region.iam.add_user_to_group(GroupName="net", UserName="alice")
    assert alice.list_users()["Users"]
    region.iam.update_group(GroupName="net", NewGroupName="network", NewPath="/x/")
    assert alice.list_users()["Users"]
    assert [group["Arn"] for group in region.iam.list_groups_for_user(UserName="alice")["Groups"]] == [f"arn:aws:iam::{ACCOUNT}:group/x/network"]
    region.iam.put_group_policy(GroupName="network", PolicyName="no", PolicyDocument=allow("iam:ListUsers", "Deny"))
    region.iam.put_user_policy(UserName="alice", PolicyName="yes", PolicyDocument=allow("iam:*"))
    with region.refused("AccessDenied", "explicit deny"):
        alice.list_users()
    region.iam.remove_user_from_group(GroupName="network", UserName="alice")
    assert alice.list_users()["Users"]
    with region.refused("DeleteConflict", "detach all policies" if managed else "delete policies"):
        region.iam.delete_group(GroupName="network")


def test_a_user_keeps_everything_under_another_name(region: Region) -> None:
    alice = user(region, "alice")
    region.iam.create_user(UserName="bob")
    region.iam.put_user_policy(UserName="alice", PolicyName="one", PolicyDocument=allow("iam:GetUser"))
    before = region.iam.get_user(UserName="alice")["User"]
    with region.refused("EntityAlreadyExists", "User with name Bob already exists."):
        region.iam.update_user(UserName="alice", NewUserName="Bob")
    region.iam.update_user(UserName="alice", NewUserName="alicia", NewPath="/app/")
    shown = alice.get_user()["User"]
    assert (shown["Arn"], shown["UserId"]) == (f"arn:aws:iam::{ACCOUNT}:user/app/alicia", before["UserId"])
    assert {key["UserName"] for key in region.iam.list_access_keys(UserName="alicia")["AccessKeyMetadata"]} == {"alicia"}
    with region.refused("NoSuchEntity"):
        region.iam.get_user(UserName="alice")
    region.iam.update_user(UserName="alicia", NewUserName="Alicia")
    region.iam.create_user(UserName="alice")


def test_a_trust_policy_names_the_identity_and_not_its_name(region: Region) -> None:
    user(region, "alice")
    arn = region.iam.get_user(UserName="alice")["User"]["Arn"]
    with region.refused("MalformedPolicyDocument", 'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/nobody"'):
        region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust(AWS=[arn, arn.replace("alice", "nobody")]))
    role = region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust(AWS=arn))["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust(AWS=arn))
    sts = client("sts", region.iam.list_access_keys(UserName="alice")["AccessKeyMetadata"][0]["AccessKeyId"])
    sts.assume_role(RoleArn=role["Arn"], RoleSessionName="mine")
    region.iam.update_user(UserName="alice", NewUserName="alicia")
    shown = region.iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"]
    assert shown == json.loads(trust(AWS=arn.replace("alice", "alicia")))
    sts.assume_role(RoleArn=role["Arn"], RoleSessionName="mine")
    for key in region.iam.list_access_keys(UserName="alicia")["AccessKeyMetadata"]:
        region.iam.delete_access_key(UserName="alicia", AccessKeyId=key["AccessKeyId"])
    region.iam.delete_user(UserName="alicia")
    left = region.iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert left.startswith("AIDA")
    user(region, "alicia")
    again = client("sts", region.iam.list_access_keys(UserName="alicia")["AccessKeyMetadata"][0]["AccessKeyId"])
    with region.refused("AccessDenied"):
        again.assume_role(RoleArn=role["Arn"], RoleSessionName="mine")
    region.iam.update_assume_role_policy(RoleName="web", PolicyDocument=trust(AWS=arn.replace("alice", "alicia")))
    again.assume_role(RoleArn=role["Arn"], RoleSessionName="mine")


def test_only_principals_become_ids(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    arn = region.iam.get_user(UserName="alice")["User"]["Arn"]
    statement = {**TRUSTED, "Principal": {"AWS": arn}, "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}, "NumericLessThan": {"aws:EpochTime": 4.5}}}
    document = {"Version": "2012-10-17", "Statement": statement}
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps(document))
    with region.store.read() as snapshot:
        kept = json.loads(snapshot.rows("iam:Role", name="web")[0].document["AssumeRolePolicyDocument"])["Statement"]
    assert kept["Principal"]["AWS"].startswith("AIDA")
    assert kept["Condition"]["ArnEquals"] == {"aws:PrincipalArn": arn}


def test_lists_come_in_pages_of_a_hundred(region: Region) -> None:
    for number in range(101):
        region.iam.create_group(GroupName=f"g{number:03d}")
    first = region.iam.list_groups()
    assert (len(first["Groups"]), first["IsTruncated"]) == (100, True)
    rest = region.iam.list_groups(Marker=first["Marker"])
    assert ([group["GroupName"] for group in rest["Groups"]], rest["IsTruncated"]) == (["g100"], False)
    assert "Marker" not in rest
    with region.refused("ValidationError"):
        region.iam.list_groups(Marker="bogus")


def test_numbers_of_any_length(region: Region) -> None:
    arn = region.iam.create_user(UserName="alice")["User"]["Arn"]
    many = "9" * 1500
    document = trust(AWS=arn).replace('"Action"', f'"Condition": {{"StringEquals": {{"aws:username": {many}}}}}, "Action"')
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=document)
    assert region.iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"]["aws:username"] == many
    identity = allow("s3:*").replace('"Action"', f'"Condition": {{"StringEquals": {{"aws:username": [1e999, {"9" * 5000}]}}}}, "Action"')
    found = region.iam.simulate_custom_policy(PolicyInputList=[identity], ActionNames=["s3:GetObject"])["EvaluationResults"][0]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("implicitDeny", ["aws:username"])
    known = {"ContextKeyName": "aws:username", "ContextKeyValues": ["1e999"], "ContextKeyType": "string"}
    found = region.iam.simulate_custom_policy(PolicyInputList=[identity], ActionNames=["s3:GetObject"], ContextEntries=[known])["EvaluationResults"][0]
    assert found["MatchedStatements"][0]["EndPosition"] == {"Line": 1, "Column": len(identity) - 1}
