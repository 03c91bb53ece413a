"""The stateless engine before the queue, with packets."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from firewall_lab import DEV, GROUP_ARN, PRODUCTION, SHARED, FirewallLab
from policies import strict_policy, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

STATELESS = GROUP_ARN.replace("stateful", "stateless") + "s1"
DENY_ALL = strings('drop ip any any -> any any (msg:"stateful";)')


def rule(priority: int, *actions: str, **match: Any) -> dict[str, Any]:
    return {"Priority": priority, "RuleDefinition": {"Actions": list(actions), "MatchAttributes": match}}


def address(text: str) -> list[dict[str, str]]:
    return [{"AddressDefinition": text}]


def ports(low: int, high: int) -> list[dict[str, int]]:
    return [{"FromPort": low, "ToPort": high}]


def apply(lab: FirewallLab, *rules: dict[str, Any], **members: Any) -> None:
    customs = [{"ActionName": "Count", "ActionDefinition": {"PublishMetricAction": {"Dimensions": [{"Value": "counted"}]}}}]
    group = {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": list(rules), "CustomActions": customs}}}
    policy, groups = strict_policy(DENY_ALL, defaults=(), StatelessRuleGroupReferences=[{"ResourceArn": STATELESS, "Priority": 1}], **members)
    lab.apply(policy, {**groups, STATELESS: group})


def test_the_first_rule_by_priority_decides(lab: FirewallLab) -> None:
    """`pass` both ways keeps traffic from the engine, which would drop it."""
    apply(
        lab,
        rule(30, "aws:drop", Protocols=[6]),
        rule(10, "aws:pass", Protocols=[6], DestinationPorts=ports(6000, 6400)),
        rule(20, "aws:pass", Protocols=[6], SourcePorts=ports(6379, 6379), Sources=address("10.3.0.0/16")),
        StatelessDefaultActions=["aws:pass"],
    )
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert lab.exchange(PRODUCTION, SHARED, 8080, "x") == "connect timeout"
    assert lab.ping(PRODUCTION, SHARED)
    assert lab.alerts() == []


def test_forwarding_reaches_the_stateful_rules(lab: FirewallLab) -> None:
    apply(lab, rule(1, "aws:forward_to_sfe", Sources=address(f"{PRODUCTION}/32")), StatelessDefaultActions=["aws:pass"])
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "connect timeout"
    assert lab.exchange(DEV, SHARED, 6379, "PING") == "ok"
    assert set(lab.alerts()) == {("blocked", "stateful")}


def test_tcp_flags_under_a_mask(lab: FirewallLab) -> None:
    """Connections may be opened by the client only."""
    opening = {"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}
    apply(lab, rule(1, "aws:drop", Protocols=[6], TCPFlags=[opening], Destinations=address("10.3.0.0/16")), StatelessDefaultActions=["aws:pass"])
    assert lab.open(PRODUCTION, SHARED, 6379).result == "timeout"
    answer = {"Flags": ["SYN"], "Masks": ["SYN", "ACK"]}
    apply(lab, rule(1, "aws:drop", Protocols=[6], TCPFlags=[answer], Destinations=address("10.1.0.0/16")), StatelessDefaultActions=["aws:pass"])
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"


def test_custom_actions_are_counted(lab: FirewallLab) -> None:
    apply(lab, rule(1, "aws:pass", "Count", Protocols=[1]), StatelessDefaultActions=["aws:drop"])
    assert lab.engine is not None
    (metric,) = lab.engine.custom_metrics
    assert metric.dimension == "counted"
    assert lab.ping(PRODUCTION, SHARED)
    listed = subprocess.run(lab.inside("firewall", "nft", "-j", "list", "counters"), capture_output=True, check=True).stdout
    counters = {item["counter"]["name"]: item["counter"]["packets"] for item in json.loads(listed)["nftables"] if "counter" in item}
    assert counters == {metric.counter: 2}


@pytest.mark.parametrize(("fragments", "expected"), [("aws:pass", "ok"), ("aws:drop", "timeout")])
def test_udp_fragments_take_their_own_default(lab: FirewallLab, fragments: str, expected: str) -> None:
    apply(lab, rule(1, "aws:drop", Protocols=[6]), StatelessDefaultActions=["aws:pass"], StatelessFragmentDefaultActions=[fragments])
    assert lab.exchange(PRODUCTION, SHARED, 5000, "x" * 4000, kind="udp") == expected
    assert lab.exchange(PRODUCTION, SHARED, 5000, "x", kind="udp") == "ok", "whole datagrams take the default of packets"
