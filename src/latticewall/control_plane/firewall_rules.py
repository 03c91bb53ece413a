"""What the network-firewall service asks before it keeps rules: is it valid for the service, does the engine load it, does the policy make an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.compile.firewall.engine import PolicyInput, compile_engine
from latticewall.compile.firewall.validation import lines_to_check, validate_rule_group
from latticewall.dataplane.suricata_check import engine_check

TRIAL_HOME_NET = ("10.0.0.0/8",)
"""Stands for the VPC's CIDR while a group or policy is checked; which network it is does not change whether rules parse."""


class FirewallRules:
    """The port `firewall_rules` of services."""

    def check_group(self, document: Mapping[str, Any], group_type: str, capacity: int) -> int:
        """Consumed capacity. Raises Invalid: the service's message, or the engine's own words with the line."""
        consumed = validate_rule_group(document, group_type, capacity)
        if group_type == "STATEFUL":
            pairs = lines_to_check(document, TRIAL_HOME_NET, _trial_prefix_lists(document))
            complaints = engine_check([text for _, text in pairs])
            if complaints:
                worst = complaints[0]
                rule = pairs[worst.line - 1][0] if 0 < worst.line <= len(pairs) else None
                where = f" (line {rule.line})" if rule and rule.line else ""
                raise Invalid(f"stateful rule is invalid, rule: {rule or worst.rule}, reason: {worst.reason}{where}")
        return consumed

    def check_policy(self, arn: str, policy: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> None:
        """Raises Invalid when the policy and its groups make no engine: an order that cannot be realised exactly, for instance."""
        references = {key: value for group in groups.values() for key, value in _trial_prefix_lists(group).items()}
        engine = compile_engine(PolicyInput(arn, policy, groups, TRIAL_HOME_NET, references))
        if isinstance(engine, tuple):
            raise Invalid("; ".join(problem.message for problem in engine))


def _trial_prefix_lists(document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    references = (document.get("ReferenceSets") or {}).get("IPSetReferences") or {}
    return {item["ReferenceArn"]: ("192.0.2.0/24",) for item in references.values()}
