"""Network Firewall's rows: a firewall with its policy and rule groups resolved."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows
from latticewall.world.types import Firewall, FirewallEndpoint, RuleGroup


def build_firewalls(rows: Rows) -> tuple[Firewall, ...]:
    return tuple(found for row in rows.of("network-firewall:Firewall") if (found := _firewall(rows, row)))


def _firewall(rows: Rows, row: Row) -> Firewall | None:
    policy = rows.by_arn("network-firewall:FirewallPolicy", row.document["FirewallPolicyArn"])
    if policy is None:
        return None
    endpoints = [
        FirewallEndpoint(item["EndpointId"], item["SubnetId"], row.document["VpcId"], item["AvailabilityZone"]) for item in row.document.get("_endpoints") or ()
    ]
    body = policy.document["_policy"]
    references = [*(body.get("StatefulRuleGroupReferences") or ()), *(body.get("StatelessRuleGroupReferences") or ())]
    groups = [group for item in references if (group := rows.by_arn("network-firewall:RuleGroup", item["ResourceArn"]))]
    return Firewall(
        arn=row.arn, name=row.name, account=row.account, vpc_id=row.document["VpcId"], endpoints=tuple(sorted(endpoints, key=lambda item: item.id)),
        policy_arn=policy.arn, policy=body, rule_groups=tuple(RuleGroup(item.arn, item.document["Type"], item.document["_rule_group"]) for item in groups),
        logging=tuple(row.document.get("_logging") or ()),
    )  # fmt: skip
