"""Types of Organizations in stacks: made, changed in place, taken away."""

from __future__ import annotations

from typing import Any

from .region import ACCOUNT, Region, client
from .test_stacks import template
from .test_types import att, come_and_go, of, ref

ORGANIZATION = {"Organization": of("Organizations::Organization", FeatureSet="ALL")}


def control(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}


def units(name: str, policy: str, action: str, target: str, team: str) -> dict[str, Any]:
    return template(
        {"Root": {"Value": att("Organization", "RootId")}, "Manager": {"Value": att("Organization", "ManagementAccountId")},
         "Policy": {"Value": att("Policy", "Arn")}},
        **ORGANIZATION,
        Unit=of("Organizations::OrganizationalUnit", Name=name, ParentId=att("Organization", "RootId"), Tags=[{"Key": "team", "Value": team}]),
        Inner=of("Organizations::OrganizationalUnit", Name="web", ParentId=ref("Unit")),
        Policy=of("Organizations::Policy", Name=policy, Type="SERVICE_CONTROL_POLICY", Content=control(action), TargetIds=[ref(target)]),
    )  # fmt: skip


def enable(region: Region) -> None:
    """The policy type is enabled by hand, as in AWS: no resource type does it."""
    assert region.deploy(template(**ORGANIZATION)) == "CREATE_COMPLETE", region.reasons()
    root = client("organizations").list_roots()["Roots"][0]["Id"]
    client("organizations").enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")


def test_units_and_policies_come_change_and_go(region: Region) -> None:
    enable(region)
    first = units("production", "control", "ec2:CreateVpc", "Unit", "red")
    assert region.deploy(first) == "UPDATE_COMPLETE", region.reasons()
    outputs, unit = region.outputs(), region.physical("Unit")
    assert (outputs["Manager"], outputs["Policy"].rsplit("/", 1)[-1]) == (ACCOUNT, region.physical("Policy"))
    found = client("organizations").list_policies_for_target(TargetId=unit, Filter="SERVICE_CONTROL_POLICY")["Policies"]
    assert [one["Name"] for one in found] == ["FullAWSAccess", "control"]

    assert region.deploy(units("live", "limits", "ec2:DeleteVpc", "Inner", "blue")) == "UPDATE_COMPLETE", region.reasons()
    assert region.physical("Unit") == unit
    assert client("organizations").describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]["Name"] == "live"
    assert {"Key": "team", "Value": "blue"} in client("organizations").list_tags_for_resource(ResourceId=unit)["Tags"]
    policy = client("organizations").describe_policy(PolicyId=region.physical("Policy"))["Policy"]
    assert (policy["PolicySummary"]["Name"], "ec2:DeleteVpc" in policy["Content"]) == ("limits", True)
    targets = client("organizations").list_targets_for_policy(PolicyId=region.physical("Policy"))["Targets"]
    assert [one["TargetId"] for one in targets] == [region.physical("Inner")]
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert not region.counts()


def test_all_features_come_later(region: Region) -> None:
    billing = template(Organization=of("Organizations::Organization", FeatureSet="CONSOLIDATED_BILLING"))
    come_and_go(region, billing, template(**ORGANIZATION))
    assert client("organizations").describe_organization()["Organization"]["FeatureSet"] == "ALL"
    assert region.delete() == "DELETE_COMPLETE", region.reasons()


def test_an_account_moves_and_is_closed_in_the_end(region: Region) -> None:
    enable(region)

    def account(parent: Any) -> dict[str, Any]:
        return template(
            {"Account": {"Value": att("Account", "AccountId")}, "Status": {"Value": att("Account", "Status")}},
            **ORGANIZATION,
            Unit=of("Organizations::OrganizationalUnit", Name="production", ParentId=att("Organization", "RootId")),
            Account=of("Organizations::Account", AccountName="member", Email="member@example.com", ParentIds=[parent], RoleName="Administrator"),
        )  # fmt: skip

    assert region.deploy(account(ref("Unit"))) == "UPDATE_COMPLETE", region.reasons()
    member = region.outputs()["Account"]
    assert region.outputs()["Status"] == "ACTIVE"
    parents = client("organizations").list_parents(ChildId=member)["Parents"]
    assert [one["Id"] for one in parents] == [region.physical("Unit")]
    assert region.deploy(account(att("Organization", "RootId"))) == "UPDATE_COMPLETE", region.reasons()
    assert client("organizations").list_parents(ChildId=member)["Parents"][0]["Type"] == "ROOT"
    assert region.deploy(template(**ORGANIZATION)) == "UPDATE_COMPLETE", region.reasons()
    assert client("organizations").describe_account(AccountId=member)["Account"]["Status"] == "SUSPENDED"
