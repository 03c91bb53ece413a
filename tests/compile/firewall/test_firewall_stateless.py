"""Stateless groups -> the chain before the queue."""

from __future__ import annotations

from typing import Any

import pytest

from latticewall.compile.firewall.stateless import compile_stateless, stateless_chain
from latticewall.plan.nft import Match, NftRule

ARNS = ("arn:aws:network-firewall:eu-west-1:1:stateless-rulegroup/first", "arn:aws:network-firewall:eu-west-1:1:stateless-rulegroup/second")
POLICY: dict[str, Any] = {
    "StatelessDefaultActions": ["aws:forward_to_sfe"],
    "StatelessFragmentDefaultActions": ["aws:drop"],
    "StatelessRuleGroupReferences": [{"ResourceArn": ARNS[0], "Priority": 20}, {"ResourceArn": ARNS[1], "Priority": 10}],
}


def group(*rules: tuple[int, str, dict[str, Any]]) -> dict[str, Any]:
    listed = [{"Priority": priority, "RuleDefinition": {"Actions": [action], "MatchAttributes": match}} for priority, action, match in rules]
    return {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": listed}}}


def written(first: dict[str, Any], second: dict[str, Any] | None = None) -> list[NftRule]:
    """The rules between the fixed ones at the beginning and the defaults at the end."""
    chain, metrics = stateless_chain(compile_stateless(POLICY, dict(zip(ARNS, (first, second or group()), strict=True))), POLICY)
    assert metrics == ()
    return list(chain.rules[3:-3])


def conditions(**match: Any) -> list[tuple[Match, ...]]:
    return [rule.matches for rule in written(group((1, "aws:drop", match)))]


def test_groups_and_rules_by_priority() -> None:
    rules = written(group((2, "aws:drop", {}), (1, "aws:pass", {})), group((5, "aws:forward_to_sfe", {})))
    assert [(rule.comment, rule.verdict) for rule in rules] == [
        ("second #5", "meta mark set 0x80000000 ; accept"), ("first #1", "accept"), ("first #2", "drop"),
    ]  # fmt: skip


def test_the_chain_begins_before_defragmentation_and_ends_with_the_defaults() -> None:
    chain, _ = stateless_chain((), POLICY)
    assert (chain.hook, chain.priority) == ("prerouting", -450)
    assert [rule.verdict for rule in chain.rules] == ["accept", "drop", "drop", "drop", "drop", "meta mark set 0x80000000 ; accept"]


def test_attributes_are_conditions_and_their_elements_alternatives() -> None:
    ports = [{"FromPort": 80, "ToPort": 80}, {"FromPort": 8000, "ToPort": 8080}]
    sources = [{"AddressDefinition": "10.0.0.0/16"}, {"AddressDefinition": "10.9.0.1/32"}]
    assert conditions(Sources=sources, DestinationPorts=ports, Protocols=[6, 17]) == [
        (Match("ip saddr", ("10.0.0.0/16", "10.9.0.1/32")), Match("meta l4proto", ("6", "17")), Match("th dport", ("80", "8000-8080")))
    ]


def test_versions_of_ip_are_kept_apart() -> None:
    both = [{"AddressDefinition": "10.0.0.0/8"}, {"AddressDefinition": "2001:db8::/32"}]
    assert conditions(Sources=both) == [(Match("ip saddr", ("10.0.0.0/8",)),), (Match("ip6 saddr", ("2001:db8::/32",)),)]
    assert conditions(Sources=both, Destinations=both[1:]) == [(Match("ip6 saddr", ("2001:db8::/32",)), Match("ip6 daddr", ("2001:db8::/32",)))]
    assert conditions(Sources=both[:1], Destinations=both[1:]) == []


def test_ports_concern_tcp_and_udp_and_flags_tcp() -> None:
    port, flag = [{"FromPort": 1, "ToPort": 1}], [{"Flags": ["SYN"], "Masks": ["SYN", "ECE"]}, {"Flags": []}]
    assert conditions(SourcePorts=port) == [(Match("meta l4proto", ("6", "17")), Match("th sport", ("1",)))]
    assert conditions(SourcePorts=port, Protocols=[1, 6]) == [(Match("meta l4proto", ("1",)),), (Match("meta l4proto", ("6",)), Match("th sport", ("1",)))]
    everything = "fin|syn|rst|psh|ack|urg|ecn|cwr"
    assert conditions(Protocols=[6, 17], TCPFlags=flag) == [
        (Match("meta l4proto", ("6",)), Match("tcp flags & (syn|ecn)", ("syn",))),
        (Match("meta l4proto", ("6",)), Match(f"tcp flags & ({everything})", ("0x0",))),
        (Match("meta l4proto", ("17",)),),
    ]
    syn = (Match("meta l4proto", ("6",)), Match("tcp flags & (syn|ecn)", ("syn",)))
    assert conditions(TCPFlags=flag[:1]) == [syn], "without protocols only TCP, which alone has flags"
    assert conditions(TCPFlags=flag[:1], Protocols=[6]) == [syn]
    assert conditions(TCPFlags=flag[:1], Protocols=[17]) == [(Match("meta l4proto", ("17",)),)]
    tcp, udp = ((Match("meta l4proto", (number,)), Match("th sport", ("1",))) for number in ("6", "17"))
    assert conditions(TCPFlags=flag[:1], SourcePorts=port) == [(*tcp, syn[1])]
    assert conditions(TCPFlags=flag[:1], SourcePorts=port, Protocols=[1, 6, 17]) == [(Match("meta l4proto", ("1",)),), (*tcp, syn[1]), udp]


@pytest.mark.parametrize("place", ["rule", "default"])
def test_custom_actions_count_and_decide_nothing(place: str) -> None:
    customs = [{"ActionName": "Count", "ActionDefinition": {"PublishMetricAction": {"Dimensions": [{"Value": "my metric"}]}}}]
    actions = ["aws:drop", "Count"]
    policy = {**POLICY, "StatelessCustomActions": customs, "StatelessRuleGroupReferences": []}
    groups = {}
    if place == "default":
        policy["StatelessDefaultActions"] = actions
    else:
        rule = {"Priority": 1, "RuleDefinition": {"Actions": actions, "MatchAttributes": {"Protocols": [6]}}}
        groups[ARNS[0]] = {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": [rule], "CustomActions": customs}}}
        policy["StatelessRuleGroupReferences"] = [{"ResourceArn": ARNS[0], "Priority": 1}]
    chain, (metric,) = stateless_chain(compile_stateless(policy, groups), policy)
    assert metric.dimension == "my metric"
    counted = [index for index, rule in enumerate(chain.rules) if rule.counter]
    assert [(chain.rules[index].verdict, chain.rules[index].counter) for index in counted] == [("continue", metric.counter)]
    following = chain.rules[counted[0] + 1]
    assert (following.verdict, following.matches) == ("drop", chain.rules[counted[0]].matches)
