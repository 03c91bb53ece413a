"""Short forms of the API's documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firewall_lab import GROUP_ARN

STRICT = {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}
DROP_ESTABLISHED = ("aws:drop_established", "aws:alert_established")


def strings(*rules: str, strict: bool = True) -> dict[str, Any]:
    """A rule group of Suricata strings; a rule without sid gets its place as sid."""
    numbered = (rule if "sid:" in rule else f"{rule[:-1]} sid:{number};)" for number, rule in enumerate(rules, 1))
    return {**(STRICT if strict else {}), "RulesSource": {"RulesString": "\n".join(numbered)}}


def five_tuple(action: str, protocol: str, source: str, destination: str, port: str, sid: int, *, direction: str = "FORWARD") -> dict[str, Any]:
    header = {"Protocol": protocol, "Source": source, "SourcePort": "ANY", "Direction": direction, "Destination": destination, "DestinationPort": port}
    options = [{"Keyword": "msg", "Settings": [f'"{action} {sid}"']}, {"Keyword": "sid", "Settings": [str(sid)]}]
    return {"Action": action, "Header": header, "RuleOptions": options}


def tuples(*rules: Mapping[str, Any]) -> dict[str, Any]:
    return {**STRICT, "RulesSource": {"StatefulRules": list(rules)}}


def domains(kind: str, *targets: str, strict: bool = True, variables: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    source = {"RulesSourceList": {"GeneratedRulesType": kind, "TargetTypes": ["TLS_SNI", "HTTP_HOST"], "Targets": list(targets)}}
    sets = {name: {"Definition": list(items)} for name, items in (variables or {"EXTERNAL_NET": ["0.0.0.0/0"]}).items()}
    return {**(STRICT if strict else {}), "RuleVariables": {"IPSets": sets}, "RulesSource": source}


def strict_policy(*groups: Mapping[str, Any], defaults: Sequence[str] = DROP_ESTABLISHED, **members: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A strict-order policy over these groups in their order, and the groups by ARN."""
    by_arn = {f"{GROUP_ARN}g{number}": group for number, group in enumerate(groups, 1)}
    policy = {
        "StatelessDefaultActions": ["aws:forward_to_sfe"],
        "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"],
        "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"},
        "StatefulDefaultActions": list(defaults),
        "StatefulRuleGroupReferences": [{"ResourceArn": arn, "Priority": 10 * number} for number, arn in enumerate(by_arn, 1)],
        **members,
    }
    return policy, by_arn


def action_policy(*groups: Mapping[str, Any], **members: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A default-action-order policy over these groups."""
    policy, by_arn = strict_policy(*groups, defaults=())
    references = [{"ResourceArn": arn} for arn in by_arn]
    return {**policy, "StatefulEngineOptions": {}, "StatefulRuleGroupReferences": references, **members}, by_arn
