"""Firewall policies through boto3: references, order and priorities, what a change of a group does to its policies."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

from .test_rule_groups import ARN, PASS, STRICT, create, stateless, strings

BODY = {"StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"]}


def strict(*arns: str, **more: Any) -> dict[str, Any]:
    references = [{"ResourceArn": arn, "Priority": number + 1} for number, arn in enumerate(arns)]
    return {**BODY, "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"}, "StatefulRuleGroupReferences": references, **more}


def group(region: Region, name: str = "web", **more: Any) -> str:
    return str(create(region, name, RuleGroup=strings(PASS, **STRICT), **more)["RuleGroupResponse"]["RuleGroupArn"])


def policy(region: Region, name: str = "edge", body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return dict(region.firewall.create_firewall_policy(FirewallPolicyName=name, FirewallPolicy=body or BODY, **more))


def test_a_policy_is_described_as_terraform_reads_it(region: Region) -> None:
    body = strict(group(region), StatefulDefaultActions=["aws:drop_established", "aws:alert_established"])
    created = policy(region, body=body, Description="edge of the network", Tags=[{"Key": "team", "Value": "net"}])
    response = created["FirewallPolicyResponse"]
    assert response["FirewallPolicyArn"] == f"{ARN}:firewall-policy/edge"
    assert (response["FirewallPolicyStatus"], response["NumberOfAssociations"]) == ("ACTIVE", 0)
    assert (response["ConsumedStatefulRuleCapacity"], response["ConsumedStatelessRuleCapacity"]) == (10, 0)
    assert response["EncryptionConfiguration"]["Type"] == "AWS_OWNED_KMS_KEY"
    described = region.firewall.describe_firewall_policy(FirewallPolicyArn=response["FirewallPolicyArn"])
    assert (described["FirewallPolicy"], described["UpdateToken"]) == (body, created["UpdateToken"])
    assert region.firewall.describe_rule_group(RuleGroupName="web", Type="STATEFUL")["RuleGroupResponse"]["NumberOfAssociations"] == 1
    assert region.firewall.list_firewall_policies()["FirewallPolicies"] == [{"Name": "edge", "Arn": response["FirewallPolicyArn"]}]


def test_priorities_are_for_strict_order_and_unique(region: Region) -> None:
    arn, plain = group(region), create(region, "plain")["RuleGroupResponse"]["RuleGroupArn"]
    with region.refused("InvalidRequestException", "context: StatefulRuleGroupReferences[0][Priority=1]") as held:
        policy(region, body={**BODY, "StatefulRuleGroupReferences": [{"ResourceArn": plain, "Priority": 1}]})
    assert held["Error"]["Message"].startswith("Priority cannot be provided, parameter: [1]")
    with region.refused("InvalidRequestException", "Priority must be provided"):
        policy(region, body={**strict(), "StatefulRuleGroupReferences": [{"ResourceArn": arn}]})
    other = group(region, "other")
    with region.refused("InvalidRequestException", "Priority must be unique"):
        policy(region, body={**strict(), "StatefulRuleGroupReferences": [{"ResourceArn": item, "Priority": 5} for item in (arn, other)]})
    flat = create(region, "flat", Type="STATELESS", RuleGroup=stateless())["RuleGroupResponse"]["RuleGroupArn"]
    with region.refused("InvalidRequestException", "statelessRuleGroupReferences.1.member.priority"):
        policy(region, body={**BODY, "StatelessRuleGroupReferences": [{"ResourceArn": flat}]})
    with region.refused("InvalidRequestException", "more than once"):
        policy(region, body={**strict(), "StatefulRuleGroupReferences": [{"ResourceArn": arn, "Priority": number} for number in (1, 2)]})


def test_groups_have_the_order_of_their_policy(region: Region) -> None:
    plain, ranked = create(region, "plain")["RuleGroupResponse"]["RuleGroupArn"], group(region)
    with region.refused("InvalidRequestException", "STRICT_ORDER"):
        policy(region, body=strict(plain))
    with region.refused("InvalidRequestException", "DEFAULT_ACTION_ORDER"):
        policy(region, body={**BODY, "StatefulRuleGroupReferences": [{"ResourceArn": ranked}]})
    with region.refused("InvalidRequestException", "STRICT_ORDER"):
        policy(region, body={**BODY, "StatefulDefaultActions": ["aws:drop_strict"]})


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("StatelessDefaultActions", ["aws:pass", "aws:drop"], "StatelessDefaultActions"),
        ("StatelessDefaultActions", ["aws:nothing"], "aws:nothing"),
        ("StatelessDefaultActions", [], "StatelessDefaultActions"),
        ("StatelessFragmentDefaultActions", ["unknownCustom"], "StatelessFragmentDefaultActions"),
        ("StatefulDefaultActions", ["aws:drop_strict", "aws:drop_established"], "only one drop action"),
        ("StatefulDefaultActions", ["aws:dance"], "aws:dance"),
        ("TLSInspectionConfigurationArn", f"arn:aws:network-firewall:{NAME}:{ACCOUNT}:tls-configuration/x", "TLS inspection"),
    ],
)  # fmt: skip
def test_actions_that_do_not_exist_or_not_together_are_refused(region: Region, member: str, value: Any, words: str) -> None:
    with region.refused("InvalidRequestException", words):
        policy(region, body={**strict(), member: value})


def test_only_groups_that_exist_here_and_fit(region: Region) -> None:
    flat = create(region, "flat", Type="STATELESS", RuleGroup=stateless())["RuleGroupResponse"]["RuleGroupArn"]
    for arn in (f"{ARN}:stateful-rulegroup/none", flat):
        with region.refused("InvalidRequestException", arn):
            policy(region, body=strict(arn))
    stranger = region.of("999988887777", "network-firewall")
    foreign = stranger.create_rule_group(RuleGroupName="theirs", Type="STATEFUL", Capacity=1, RuleGroup=strings(PASS, **STRICT))
    with region.refused("InvalidRequestException"):
        policy(region, body=strict(foreign["RuleGroupResponse"]["RuleGroupArn"]))


def test_capacities_of_the_groups_add_up_to_a_limit(region: Region) -> None:
    arns = [group(region, f"big-{number}", Capacity=15_001) for number in range(2)]
    with region.refused("InvalidRequestException", "30000"):
        policy(region, body=strict(*arns))


def test_tokens_dry_runs_and_the_order_that_stays(region: Region) -> None:
    before = region.store.revision
    policy(region, DryRun=True)
    assert region.store.revision == before
    token = policy(region)["UpdateToken"]
    arn = f"{ARN}:firewall-policy/edge"
    changed = {**BODY, "StatelessDefaultActions": ["aws:drop"]}
    region.firewall.update_firewall_policy(FirewallPolicyArn=arn, FirewallPolicy=changed, UpdateToken=token, DryRun=True)
    assert region.firewall.describe_firewall_policy(FirewallPolicyArn=arn)["FirewallPolicy"] == BODY
    with region.refused("InvalidRequestException", "rule order"):
        region.firewall.update_firewall_policy(FirewallPolicyArn=arn, FirewallPolicy=strict(), UpdateToken=token)
    newer = region.firewall.update_firewall_policy(FirewallPolicyArn=arn, FirewallPolicy=changed, UpdateToken=token)["UpdateToken"]
    with region.refused("InvalidTokenException"):
        region.firewall.update_firewall_policy(FirewallPolicyArn=arn, FirewallPolicy=BODY, UpdateToken=token)
    described = region.firewall.describe_firewall_policy(FirewallPolicyName="edge")
    assert (described["FirewallPolicy"], described["UpdateToken"]) == (changed, newer)


def test_a_group_in_use_stays_until_no_policy_refers_to_it(region: Region) -> None:
    arn = group(region)
    token = policy(region, body=strict(arn))["UpdateToken"]
    with region.refused("InvalidOperationException") as held:
        region.firewall.delete_rule_group(RuleGroupArn=arn)
    assert held["Error"]["Message"] == "Unable to delete the object because it is still in use"
    region.firewall.update_firewall_policy(FirewallPolicyName="edge", FirewallPolicy=strict(), UpdateToken=token)
    region.firewall.delete_rule_group(RuleGroupArn=arn)


def test_a_policy_is_one_per_name_and_gone_when_deleted(region: Region) -> None:
    policy(region)
    with region.refused("InvalidRequestException", "edge"):
        policy(region)
    assert region.firewall.delete_firewall_policy(FirewallPolicyName="edge")["FirewallPolicyResponse"]["FirewallPolicyStatus"] == "DELETING"
    with region.refused("ResourceNotFoundException"):
        region.firewall.describe_firewall_policy(FirewallPolicyName="edge")


def test_a_group_may_not_change_into_what_its_policies_cannot_use(region: Region) -> None:
    first, second = group(region, "first"), create(region, "second", RuleGroup=strings(PASS, **STRICT))
    policy(region, body=strict(first, second["RuleGroupResponse"]["RuleGroupArn"]))
    counting = "drop tcp any any -> any 80 (threshold:type threshold, track by_src, count 5, seconds 10; sid:9;)"
    with region.refused("InvalidRequestException", "counts its matches"):
        region.firewall.update_rule_group(
            RuleGroupName="second", Type="STATEFUL", RuleGroup=strings(counting, **STRICT), UpdateToken=second["UpdateToken"]
        )  # fmt: skip
    assert region.firewall.describe_rule_group(RuleGroupName="second", Type="STATEFUL")["UpdateToken"] == second["UpdateToken"]
