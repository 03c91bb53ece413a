"""Service and resource control policies: written, refused, enabled, attached, listed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, Region

from latticewall.base.organization_policies import levels

from .organization import account, control, organization, policy, root_of, unit

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
NO_VPC = {"Effect": "Deny", "Action": "ec2:CreateVpc", "Resource": "*"}
NO_ASSUMING = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}


def test_a_policy_lives(region: Region) -> None:
    made = organization(region)
    client = region.organizations
    created = client.create_policy(Name="no-vpc", Description="none", Type=SCP, Content=control(NO_VPC), Tags=[{"Key": "a", "Value": "1"}])["Policy"]
    id_ = created["PolicySummary"]["Id"]
    assert created["PolicySummary"] == {
        "Id": id_, "Arn": f"arn:aws:organizations::{ACCOUNT}:policy/{made['Id']}/service_control_policy/{id_}", "Name": "no-vpc", "Description": "none",
        "Type": SCP, "AwsManaged": False,
    }  # fmt: skip
    assert client.describe_policy(PolicyId=id_)["Policy"] == created
    assert client.list_tags_for_resource(ResourceId=id_)["Tags"] == [{"Key": "a", "Value": "1"}]
    with region.refused("DuplicatePolicyException"):
        policy(region, "no-vpc", NO_VPC)
    changed = client.update_policy(PolicyId=id_, Name="never", Content=control({**NO_VPC, "Sid": "Never"}))["Policy"]
    assert changed["PolicySummary"]["Name"] == "never"
    assert "Never" in changed["Content"]
    assert changed["PolicySummary"]["Description"] == "none"
    assert [item["Name"] for item in client.list_policies(Filter=SCP)["Policies"]] == ["FullAWSAccess", "never"]
    assert [item["Id"] for item in client.list_policies(Filter=RCP)["Policies"]] == ["p-RCPFullAWSAccess"]
    client.delete_policy(PolicyId=id_)
    with region.refused("PolicyNotFoundException"):
        client.describe_policy(PolicyId=id_)


def test_policies_of_aws(region: Region) -> None:
    organization(region)
    shown = region.organizations.describe_policy(PolicyId="p-FullAWSAccess")["Policy"]["PolicySummary"]
    assert (shown["Arn"], shown["AwsManaged"]) == ("arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess", True)
    for call, params in ((region.organizations.update_policy, {"Description": "x"}), (region.organizations.delete_policy, {})):
        with region.refused("InvalidInputException") as said:
            call(PolicyId="p-FullAWSAccess", **params)
        assert said["Reason"] == "IMMUTABLE_POLICY"
    with region.refused("DuplicatePolicyException"):
        policy(region, "FullAWSAccess", NO_VPC)


@pytest.mark.parametrize(
    ("type_", "content", "words"),
    [
        (SCP, "{", "Syntax errors in policy"),
        (SCP, control({**NO_VPC, "Principal": "*"}), "Statement[0]"),
        (RCP, control({**NO_ASSUMING, "Effect": "Allow"}), "Statement[0].Effect must be Deny"),
        (RCP, control({**NO_ASSUMING, "Principal": {"AWS": "123456789012"}}), 'Statement[0] must have Principal "*"'),
        (RCP, control({**NO_ASSUMING, "Action": "ec2:*"}), "do not reach ec2:*"),
        (RCP, control({**NO_ASSUMING, "Action": "*"}), "must name its service"),
        (RCP, control({"NotAction" if key == "Action" else key: value for key, value in NO_ASSUMING.items()}), "NotAction is not allowed"),
        (RCP, control(NO_ASSUMING).replace("2012-10-17", "2008-10-17"), "version 2012-10-17"),
    ],
)
def test_what_a_type_does_not_admit_is_refused(region: Region, type_: str, content: str, words: str) -> None:
    organization(region)
    with region.refused("MalformedPolicyDocumentException", words):
        region.organizations.create_policy(Name="x", Description="", Type=type_, Content=content)


def test_limits_and_other_types_are_said_openly(region: Region) -> None:
    organization(region)
    long = control({**NO_VPC, "Resource": ["arn:aws:ec2:*:*:vpc/" + "x" * 5100]})
    with region.refused("ConstraintViolationException") as said:
        region.organizations.create_policy(Name="x", Description="", Type=SCP, Content=long)
    assert said["Reason"] == "POLICY_CONTENT_LIMIT_EXCEEDED"
    with region.refused("UnsupportedAPIEndpointException", "TAG_POLICY"):
        region.organizations.create_policy(Name="x", Description="", Type="TAG_POLICY", Content="{}")
    with region.refused("UnsupportedAPIEndpointException", "TAG_POLICY"):
        region.organizations.enable_policy_type(RootId=root_of(region), PolicyType="TAG_POLICY")
    with region.refused("InvalidInputException"):
        region.organizations.describe_effective_policy(PolicyType=SCP)
    with region.refused("EffectivePolicyNotFoundException"):
        region.organizations.describe_effective_policy(PolicyType="TAG_POLICY")


def test_a_type_must_be_enabled_first(region: Region) -> None:
    organization(region)
    root = root_of(region)
    id_ = policy(region, "no-vpc", NO_VPC)
    with region.refused("PolicyTypeNotEnabledException"):
        region.organizations.attach_policy(PolicyId=id_, TargetId=root)
    with region.refused("PolicyTypeNotEnabledException"):
        region.organizations.disable_policy_type(RootId=root, PolicyType=SCP)
    with region.refused("RootNotFoundException"):
        region.organizations.enable_policy_type(RootId="r-0000", PolicyType=SCP)
    assert region.organizations.enable_policy_type(RootId=root, PolicyType=SCP)["Root"]["PolicyTypes"] == [{"Type": SCP, "Status": "ENABLED"}]
    with region.refused("PolicyTypeAlreadyEnabledException"):
        region.organizations.enable_policy_type(RootId=root, PolicyType=SCP)
    region.organizations.attach_policy(PolicyId=id_, TargetId=root)
    region.organizations.enable_policy_type(RootId=root, PolicyType=RCP)
    region.organizations.disable_policy_type(RootId=root, PolicyType=SCP)
    region.organizations.enable_policy_type(RootId=root, PolicyType=SCP)
    assert attached(region, root) == ["p-FullAWSAccess"]
    assert attached(region, root, RCP) == ["p-RCPFullAWSAccess"]


def attached(region: Region, target: str, type_: str = SCP) -> list[str]:
    return [item["Id"] for item in region.organizations.list_policies_for_target(TargetId=target, Filter=type_)["Policies"]]


def test_attachments(region: Region) -> None:
    organization(region, "SERVICE")
    root, member, client = root_of(region), account(region), region.organizations
    production = unit(region, root, "production")
    id_ = policy(region, "no-vpc", NO_VPC)
    assert [attached(region, target) for target in (root, production, member, ACCOUNT)] == [["p-FullAWSAccess"]] * 4
    client.attach_policy(PolicyId=id_, TargetId=production)
    with region.refused("DuplicatePolicyAttachmentException"):
        client.attach_policy(PolicyId=id_, TargetId=production)
    for wrong, code in (({"TargetId": "999988887777"}, "TargetNotFoundException"), ({"PolicyId": "p-00000000"}, "PolicyNotFoundException")):
        with region.refused(code):
            client.attach_policy(**{"PolicyId": id_, "TargetId": production, **wrong})
    assert client.list_targets_for_policy(PolicyId=id_)["Targets"] == [
        {"TargetId": production, "Name": "production", "Type": "ORGANIZATIONAL_UNIT",
         "Arn": client.describe_organizational_unit(OrganizationalUnitId=production)["OrganizationalUnit"]["Arn"]}
    ]  # fmt: skip
    types = [item["Type"] for item in client.list_targets_for_policy(PolicyId="p-FullAWSAccess")["Targets"]]
    assert sorted(types) == ["ACCOUNT", "ACCOUNT", "ORGANIZATIONAL_UNIT", "ROOT"]
    with region.refused("PolicyInUseException"):
        client.delete_policy(PolicyId=id_)
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=production)
    with region.refused("ConstraintViolationException") as said:
        client.detach_policy(PolicyId=id_, TargetId=production)
    assert said["Reason"] == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    with region.refused("PolicyNotAttachedException"):
        client.detach_policy(PolicyId=id_, TargetId=root)
    for number in range(4):
        client.attach_policy(PolicyId=policy(region, f"more-{number}", NO_VPC), TargetId=member)
    with region.refused("ConstraintViolationException") as said:
        client.attach_policy(PolicyId=id_, TargetId=member)
    assert said["Reason"] == "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"


def test_the_resource_control_policy_of_aws_stays(region: Region) -> None:
    organization(region, "RESOURCE")
    root = root_of(region)
    region.organizations.attach_policy(PolicyId=policy(region, "nobody", NO_ASSUMING, type_="RESOURCE"), TargetId=root)
    with region.refused("InvalidInputException") as said:
        region.organizations.detach_policy(PolicyId="p-RCPFullAWSAccess", TargetId=root)
    assert said["Reason"] == "NON_DETACHABLE_POLICY"


def test_what_limits_an_account_is_said_per_level(region: Region) -> None:
    organization(region)
    root, member = root_of(region), account(region)
    production = unit(region, root, "production")
    region.organizations.move_account(AccountId=member, SourceParentId=root, DestinationParentId=production)

    def asked(account: str, holder: str = "", type_: str = SCP) -> Any:
        with region.store.read() as snapshot:
            return levels(snapshot.get, account, type_, holder)

    assert asked(member) == ()
    region.organizations.enable_policy_type(RootId=root, PolicyType=SCP)
    region.organizations.attach_policy(PolicyId=policy(region, "no-vpc", NO_VPC), TargetId=production)
    (full,), unit_level, account_level = asked(member)
    assert unit_level == (full, control(NO_VPC))
    assert account_level == (full,)
    assert asked(ACCOUNT) == asked("999988887777") == asked(member, type_=RCP) == ()
    assert asked(member, f"arn:aws:iam::{member}:role/aws-service-role/vpc-lattice.amazonaws.com/AWSServiceRoleForVpcLattice") == ()
    region.organizations.close_account(AccountId=member)
    assert '"Deny"' in asked(member)[0][0]


def test_consolidated_billing_has_no_policies(region: Region) -> None:
    created = region.organizations.create_organization(FeatureSet="CONSOLIDATED_BILLING")["Organization"]
    assert created["AvailablePolicyTypes"] == []
    with region.refused("PolicyTypeNotAvailableForOrganizationException"):
        policy(region, "x", NO_VPC)
    with region.refused("PolicyTypeNotAvailableForOrganizationException"):
        region.organizations.enable_policy_type(RootId=root_of(region), PolicyType=SCP)
    handshake = region.organizations.enable_all_features()["Handshake"]
    assert region.organizations.describe_organization()["Organization"]["FeatureSet"] == "CONSOLIDATED_BILLING"
    with region.refused("HandshakeConstraintViolationException"):
        region.organizations.enable_all_features()
    assert region.organizations.accept_handshake(HandshakeId=handshake["Id"])["Handshake"]["State"] == "ACCEPTED"
    assert region.organizations.describe_organization()["Organization"]["FeatureSet"] == "ALL"
    region.organizations.enable_policy_type(RootId=root_of(region), PolicyType=SCP)


def test_lists_come_in_pages(region: Region) -> None:
    organization(region, "SERVICE")
    for number in range(5):
        policy(region, f"policy-{number}", NO_VPC)
        unit(region, root_of(region), f"unit-{number}")
    pages = list(region.organizations.get_paginator("list_policies").paginate(Filter=SCP, PaginationConfig={"PageSize": 4}))
    assert [len(page["Policies"]) for page in pages] == [4, 2]
    pages = list(region.organizations.get_paginator("list_targets_for_policy").paginate(PolicyId="p-FullAWSAccess", PaginationConfig={"PageSize": 4}))
    assert [len(page["Targets"]) for page in pages] == [4, 3]
    pages = list(region.organizations.get_paginator("list_children").paginate(
        ParentId=root_of(region), ChildType="ORGANIZATIONAL_UNIT", PaginationConfig={"PageSize": 3}
    ))  # fmt: skip
    assert [len(page["Children"]) for page in pages] == [3, 2]


def test_control_policies_have_no_effective_form(region: Region) -> None:
    with region.refused("AWSOrganizationsNotInUseException"):
        region.organizations.describe_effective_policy(PolicyType="TAG_POLICY")
    organization(region)
    with region.refused("EffectivePolicyNotFoundException"):
        region.organizations.describe_effective_policy(PolicyType="TAG_POLICY")
    with region.refused("TargetNotFoundException"):
        region.organizations.describe_effective_policy(PolicyType="TAG_POLICY", TargetId="123456789012")
