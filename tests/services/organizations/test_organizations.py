"""An organization, its accounts, and what being a member means to policies."""

from __future__ import annotations

import json
from typing import Any

from tests.region import ACCOUNT, Region, client

from .organization import account

OTHER = "999988887777"


def test_an_organization_lives(region: Region) -> None:
    with region.refused("AWSOrganizationsNotInUseException"):
        region.organizations.describe_organization()
    created = region.organizations.create_organization(FeatureSet="ALL")["Organization"]
    assert created["Arn"] == f"arn:aws:organizations::{ACCOUNT}:organization/{created['Id']}"
    assert created["MasterAccountId"] == ACCOUNT
    with region.refused("AlreadyInOrganizationException"):
        region.organizations.create_organization()
    assert region.organizations.describe_organization()["Organization"]["Id"] == created["Id"]
    (root,) = region.organizations.list_roots()["Roots"]
    member = account(region)
    assert region.organizations.list_parents(ChildId=member)["Parents"] == [{"Id": root["Id"], "Type": "ROOT"}]
    assert {item["Id"] for item in region.organizations.list_accounts_for_parent(ParentId=root["Id"])["Accounts"]} == {ACCOUNT, member}
    with region.refused("OrganizationNotEmptyException"):
        region.organizations.delete_organization()
    region.organizations.remove_account_from_organization(AccountId=member)
    region.organizations.delete_organization()
    with region.refused("AWSOrganizationsNotInUseException"):
        region.organizations.list_accounts()


def test_accounts(region: Region) -> None:
    region.organizations.create_organization()
    member = account(region)
    shown = region.organizations.describe_account(AccountId=member)["Account"]
    assert (shown["Name"], shown["Email"], shown["Status"], shown["JoinedMethod"]) == ("dev", "dev@example.com", "ACTIVE", "CREATED")
    again = region.organizations.create_account(AccountName="other", Email="dev@example.com")["CreateAccountStatus"]
    assert (again["State"], again["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    assert [item["Id"] for item in region.organizations.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]] == [again["Id"]]
    account(region, "prod")
    pages = list(region.organizations.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Accounts"]) for page in pages] == [2, 1]
    with region.refused("AccountNotFoundException"):
        region.organizations.describe_account(AccountId=OTHER)
    with region.refused("MasterCannotLeaveOrganizationException"):
        region.organizations.remove_account_from_organization(AccountId=ACCOUNT)
    with region.refused("CreateAccountStatusNotFoundException"):
        region.organizations.describe_create_account_status(CreateAccountRequestId="car-" + "0" * 32)


def test_only_the_management_account_manages(region: Region) -> None:
    region.organizations.create_organization()
    member = region.of(account(region), "organizations")
    assert member.describe_organization()["Organization"]["MasterAccountId"] == ACCOUNT
    refused: tuple[Any, ...] = (
        (member.list_accounts, {}), (member.create_account, {"AccountName": "x", "Email": "x@example.com"}), (member.delete_organization, {}),
        (member.describe_account, {"AccountId": ACCOUNT}), (member.list_roots, {}),
    )  # fmt: skip
    for call, params in refused:
        with region.refused("AccessDeniedException"):
            call(**params)
    with region.refused("AWSOrganizationsNotInUseException"):
        region.of(OTHER, "organizations").describe_organization()


def test_the_management_account_commands_a_new_account_by_its_role(region: Region) -> None:
    region.organizations.create_organization()
    member = account(region)
    arn = f"arn:aws:iam::{member}:role/OrganizationAccountAccessRole"
    key = region.sts.assume_role(RoleArn=arn, RoleSessionName="admin")["Credentials"]["AccessKeyId"]
    client("ec2", key).create_vpc(CidrBlock="10.7.0.0/16")
    assert region.ec2.describe_vpcs()["Vpcs"] == []
    with region.refused("AccessDenied"):
        region.of(OTHER, "sts").assume_role(RoleArn=arn, RoleSessionName="admin")


def test_membership_is_what_conditions_see(region: Region) -> None:
    organization = region.organizations.create_organization()["Organization"]["Id"]
    member = account(region)
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = region.iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    sts = region.of(member, "sts")
    assert sts.assume_role(RoleArn=arn, RoleSessionName="one")
    with region.refused("AccessDenied"):
        region.of(OTHER, "sts").assume_role(RoleArn=arn, RoleSessionName="one")
    region.organizations.remove_account_from_organization(AccountId=member)
    with region.refused("AccessDenied"):
        sts.assume_role(RoleArn=arn, RoleSessionName="one")


def test_tags_of_accounts(region: Region) -> None:
    region.organizations.create_organization()
    member = account(region)
    region.organizations.tag_resource(ResourceId=member, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    region.organizations.untag_resource(ResourceId=member, TagKeys=["a"])
    assert region.organizations.list_tags_for_resource(ResourceId=member)["Tags"] == [{"Key": "b", "Value": "2"}]
