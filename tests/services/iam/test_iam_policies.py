"""Managed and inline policies through boto3; AWS's own belong to nobody here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, Region

from latticewall.policy.document import Form, parse_policy

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]})
MORE = ALLOW.replace("ec2:Describe*", "ec2:*")
NOTHING = ALLOW.replace("ec2:Describe*", "s3:None")
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


def test_a_managed_policy_has_the_newest_version_of_the_language(region: Region) -> None:
    """Inline policies may have the older one or none ("IAM JSON policy elements: Version"); managed ones may not, at creation or later."""
    older, arn = ALLOW.replace("2012-10-17", "2008-10-17"), create(region)
    for document in (older, ALLOW.replace('"Version": "2012-10-17", ', "")):
        with region.refused("MalformedPolicyDocument", "Policy document must be version 2012-10-17 or greater."):
            region.iam.create_policy(PolicyName="older", PolicyDocument=document)
        with region.refused("MalformedPolicyDocument", "version 2012-10-17"):
            region.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)
    region.iam.create_user(UserName="ann")
    region.iam.put_user_policy(UserName="ann", PolicyName="older", PolicyDocument=older)
    region.iam.get_user_policy(UserName="ann", PolicyName="older")


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


def test_every_policy_of_aws_can_be_read_attached_and_evaluated(region: Region) -> None:
    pages = region.iam.get_paginator("list_policies").paginate(Scope="AWS", PaginationConfig={"PageSize": 10})
    listed = [policy for page in pages for policy in page["Policies"]]
    assert len(listed) == len({policy["Arn"] for policy in listed}) > 30
    for policy in listed:
        shown = region.iam.get_policy(PolicyArn=policy["Arn"])["Policy"]
        assert shown["Arn"] == f"arn:aws:iam::aws:policy{shown['Path']}{shown['PolicyName']}"
        document = region.iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=shown["DefaultVersionId"])["PolicyVersion"]["Document"]
        parse_policy(json.dumps(document), Form.IDENTITY)
    of_services = {  # what templates attach by name: every service of a region has its own
        "AWSCertificateManagerFullAccess", "AWSCloudFormationFullAccess", "AWSLambda_FullAccess", "AWSNetworkFirewallFullAccess",
        "AWSResourceAccessManagerFullAccess", "AWSRolesAnywhereFullAccess", "AmazonEC2FullAccess", "AmazonKinesisFirehoseFullAccess",
        "AmazonRDSFullAccess", "AmazonRoute53FullAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "AmazonSSMFullAccess",
        "CloudWatchFullAccess", "CloudWatchLogsFullAccess", "ElasticLoadBalancingFullAccess", "IAMFullAccess", "ServiceQuotasFullAccess",
        "VPCLatticeFullAccess", "service-role/AWSLambdaBasicExecutionRole",
    }  # fmt: skip
    assert of_services <= {policy["Arn"].partition(":policy/")[2] for policy in listed}
    region.iam.create_user(UserName="alice")
    with region.refused("PolicyNotAttachable", "Service Role Policy"):
        region.iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/aws-service-role/AWSVpcLatticeServiceRolePolicy")


def test_policies_of_aws_decide(region: Region) -> None:
    alice = region.as_user("iam", NOTHING)
    with region.refused("AccessDenied"):
        alice.list_users()
    region.iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert alice.list_users()["Users"]
    with region.refused("AccessDenied"):
        alice.create_user(UserName="bob")
    region.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess")
    with region.refused("AccessDenied", "permissions boundary"):
        alice.list_users()


def test_how_long_policies_may_be(region: Region) -> None:
    """White space does not count; an identity's inline policies count together."""

    def of(size: int) -> str:
        short = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}, separators=(",", ":"))
        return short.replace('"Sid":""', f'"Sid":"{"x" * (size - len(short))}"').replace(",", ", \n")

    region.iam.create_policy(PolicyName="fits", PolicyDocument=of(6144))
    with region.refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144"):
        region.iam.create_policy(PolicyName="not", PolicyDocument=of(6145))
    region.iam.create_user(UserName="alice")
    region.iam.put_user_policy(UserName="alice", PolicyName="a", PolicyDocument=of(1000))
    region.iam.put_user_policy(UserName="alice", PolicyName="a", PolicyDocument=of(1048))
    region.iam.put_user_policy(UserName="alice", PolicyName="b", PolicyDocument=of(1000))
    with region.refused("LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user alice"):
        region.iam.put_user_policy(UserName="alice", PolicyName="b", PolicyDocument=of(1001))
    trust = TRUST.replace("ec2.", "x" * 2048)
    with region.refused("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"):
        region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust)


def test_ten_managed_policies_are_the_most(region: Region) -> None:
    arns = [create(region, f"p{number}") for number in range(11)]
    region.iam.create_group(GroupName="net")
    for arn in arns[:10]:
        region.iam.attach_group_policy(GroupName="net", PolicyArn=arn)
    region.iam.attach_group_policy(GroupName="net", PolicyArn=arns[0])
    with region.refused("LimitExceeded", "Cannot exceed quota for PoliciesPerGroup: 10"):
        region.iam.attach_group_policy(GroupName="net", PolicyArn=arns[10])


def test_who_holds_a_policy(region: Region) -> None:
    arn = create(region)
    region.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST, Path="/app/", PermissionsBoundary=arn)
    region.iam.create_user(UserName="alice")
    region.iam.attach_user_policy(UserName="alice", PolicyArn=arn)

    def holders(**asked: Any) -> list[str]:
        found = region.iam.list_entities_for_policy(PolicyArn=arn, **asked)
        return [item[key] for member, key in (("PolicyUsers", "UserName"), ("PolicyRoles", "RoleName")) for item in found[member]]

    assert holders() == ["alice", "web"]
    assert holders(PolicyUsageFilter="PermissionsBoundary") == ["web"]
    assert holders(PolicyUsageFilter="PermissionsPolicy") == ["alice"]
    assert holders(EntityFilter="Role") == ["web"]
    assert holders(PathPrefix="/app/") == ["web"]
    first = region.iam.list_entities_for_policy(PolicyArn=arn, MaxItems=1)
    assert ([user["UserName"] for user in first["PolicyUsers"]], first["PolicyRoles"], first["IsTruncated"]) == (["alice"], [], True)
    second = region.iam.list_entities_for_policy(PolicyArn=arn, MaxItems=1, Marker=first["Marker"])
    assert (second["PolicyUsers"], [role["RoleName"] for role in second["PolicyRoles"]]) == ([], ["web"])
    shown = {policy["PolicyName"]: policy for policy in region.iam.list_policies(Scope="Local", PolicyUsageFilter="PermissionsBoundary")["Policies"]}["look"]
    assert (shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == (1, 1)


def test_a_path_narrows_the_list_of_attached_policies(region: Region) -> None:
    region.iam.create_user(UserName="alice")
    for name, path in (("a", "/"), ("b", "/team/")):
        region.iam.attach_user_policy(UserName="alice", PolicyArn=create(region, name, Path=path))
    assert [item["PolicyName"] for item in region.iam.list_attached_user_policies(UserName="alice", PathPrefix="/team/")["AttachedPolicies"]] == ["b"]
