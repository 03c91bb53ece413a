"""Network Firewall's kinds. Rows' ids are the objects' UUIDs; names are unique per region (rule groups: per type).

Private members: `_rule_group` (RuleGroup member), `_policy` (FirewallPolicy member), `_endpoints` [{SubnetId, AvailabilityZone, EndpointId}],
`_logging` [LogDestinationConfigs], `_token` (the current UpdateToken).
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Lifecycle, Ref

ARN = "arn:aws:network-firewall:{region}:{account}:"
RULE_GROUP = Kind(
    "network-firewall:RuleGroup", name_member="RuleGroupName", arn_member="RuleGroupArn", arn=ARN + "{type}-rulegroup/{name}", id_member="RuleGroupId",
    by_name=True,
)  # fmt: skip
POLICY = Kind(
    "network-firewall:FirewallPolicy", name_member="FirewallPolicyName", arn_member="FirewallPolicyArn", arn=ARN + "firewall-policy/{name}",
    id_member="FirewallPolicyId", unique="region", by_name=True, refs={"RuleGroup": Ref("network-firewall:RuleGroup")},
)  # fmt: skip
FIREWALL = Kind(
    "network-firewall:Firewall", name_member="FirewallName", arn_member="FirewallArn", arn=ARN + "firewall/{name}", id_member="FirewallId",
    unique="region", by_name=True,
    refs={
        "FirewallPolicyArn": Ref("network-firewall:FirewallPolicy"), "VpcId": Ref("ec2:Vpc"), "SubnetId": Ref("ec2:Subnet"),
        "LogGroup": Ref("logs:LogGroup", "clear"), "Endpoint": Ref("ec2:VpcEndpoint"),
    },
    lifecycle=Lifecycle(settles=True),
)  # fmt: skip
KINDS = (RULE_GROUP, POLICY, FIREWALL)
