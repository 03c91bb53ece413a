"""Firewall policies and rule groups that are shared: used by firewalls and policies of other accounts, changed by their owner alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import Region, client

from .accounts import Sharing

BODY = {"StatelessDefaultActions": ["aws:pass"], "StatelessFragmentDefaultActions": ["aws:pass"]}
RULES: dict[str, Any] = {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": [
    {"RuleDefinition": {"MatchAttributes": {"Protocols": [6]}, "Actions": ["aws:drop"]}, "Priority": 1},
]}}}  # fmt: skip


@pytest.fixture
def sharing(region: Region) -> Sharing:
    return Sharing(region)


def test_a_new_policy_of_the_same_name_is_not_shared(region: Region, sharing: Sharing) -> None:
    owner, dev = client("network-firewall", sharing.owner), client("network-firewall", sharing.dev)
    policy = owner.create_firewall_policy(FirewallPolicyName="wall", FirewallPolicy=BODY)["FirewallPolicyResponse"]["FirewallPolicyArn"]
    share = sharing.share(policy, to=sharing.dev)["resourceShareArn"]
    owner.delete_firewall_policy(FirewallPolicyArn=policy)
    region.settle()
    owner.create_firewall_policy(FirewallPolicyName="wall", FirewallPolicy=BODY)
    assert dev.list_firewall_policies()["FirewallPolicies"] == []
    assert [one["status"] for one in sharing.ram().list_resources(resourceOwner="SELF")["resources"]] == ["UNAVAILABLE"]
    sharing.ram().associate_resource_share(resourceShareArn=share, resourceArns=[policy])
    assert [one["Arn"] for one in dev.list_firewall_policies()["FirewallPolicies"]] == [policy]


def test_a_policy_and_a_rule_group_are_used_where_they_are_shared(region: Region, sharing: Sharing) -> None:
    owner, dev = client("network-firewall", sharing.owner), client("network-firewall", sharing.dev)
    group = owner.create_rule_group(RuleGroupName="closed", Type="STATELESS", Capacity=10, RuleGroup=RULES)["RuleGroupResponse"]["RuleGroupArn"]
    policy = owner.create_firewall_policy(FirewallPolicyName="wall", FirewallPolicy=BODY)["FirewallPolicyResponse"]["FirewallPolicyArn"]
    vpc = sharing.vpc(sharing.dev)
    subnet = client("ec2", sharing.dev).create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    firewall = {"FirewallName": "wall", "FirewallPolicyArn": policy, "VpcId": vpc, "SubnetMappings": [{"SubnetId": subnet}]}
    mixed = {**BODY, "StatelessRuleGroupReferences": [{"ResourceArn": group, "Priority": 1}]}
    with region.refused("InvalidRequestException", "firewall policy does not exist"):
        dev.create_firewall(**firewall)
    with region.refused("InvalidRequestException", "rule group does not exist"):
        dev.create_firewall_policy(FirewallPolicyName="own", FirewallPolicy=mixed)
    assert (dev.list_firewall_policies()["FirewallPolicies"], dev.list_rule_groups()["RuleGroups"]) == ([], [])
    sharing.share(policy, group, to=sharing.dev)
    assert [one["Arn"] for one in dev.list_firewall_policies()["FirewallPolicies"]] == [policy]
    assert [one["Arn"] for one in dev.list_rule_groups()["RuleGroups"]] == [group]
    dev.create_firewall(**firewall)
    dev.create_firewall_policy(FirewallPolicyName="own", FirewallPolicy=mixed)
    region.settle()
    assert owner.describe_firewall_policy(FirewallPolicyArn=policy)["FirewallPolicyResponse"]["NumberOfAssociations"] == 1
    for call, params in (
        ("describe_firewall_policy", {"FirewallPolicyArn": policy}), ("delete_firewall_policy", {"FirewallPolicyArn": policy}),
        ("describe_rule_group", {"RuleGroupArn": group}), ("delete_rule_group", {"RuleGroupArn": group}),
    ):  # fmt: skip
        with region.refused("ResourceNotFoundException"):
            getattr(dev, call)(**params)
    for call, params in (("delete_firewall_policy", {"FirewallPolicyArn": policy}), ("delete_rule_group", {"RuleGroupArn": group})):
        with region.refused("InvalidOperationException"):
            getattr(owner, call)(**params)
