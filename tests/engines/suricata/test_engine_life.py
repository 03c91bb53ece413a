"""What happens to traffic while the engine is exchanged, killed, or sees only the middle of a connection; and the flow log."""

from __future__ import annotations

import signal

import pytest
from firewall_lab import PRODUCTION, SHARED, FirewallLab
from policies import domains, strict_policy, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

GET = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"
ALLOWED = domains("ALLOWLIST", ".example.com")
PASS_REDIS = strings('pass tcp any any -> any 6379 (msg:"redis";)')
OTHERS = strings(
    'pass tcp any any -> any 1 (msg:"one";)',
    'drop tcp any any -> any 2 (msg:"two"; flow:established,to_server;)',
    'pass tcp any any -> any 3 (msg:"three"; flow:established,to_server;)',
    'drop tcp any any -> any 4 (msg:"four"; content:"4";)',
)


def test_a_passed_connection_survives_new_rules(lab: FirewallLab) -> None:
    """Passed by its first request; its later ones match nothing. The new list has more passes, at other places."""
    lab.apply(*strict_policy(ALLOWED))
    conversation = lab.open(PRODUCTION, SHARED, 80)
    assert "hello" in conversation.ask(GET.format("www.example.com"))
    lab.reload(*strict_policy(OTHERS, ALLOWED))
    assert "hello" in conversation.ask(GET.format("www.example.org"))
    lab.reload(*strict_policy(PASS_REDIS))
    assert "hello" in conversation.ask(GET.format("www.example.org"))
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.com")) == "timeout", "new connections follow the new rules"


def test_a_blocked_connection_stays_blocked_under_new_rules(lab: FirewallLab) -> None:
    deny = strings('pass tcp any any -> any 1 (msg:"one";)', 'drop tcp any any -> any 9999 (msg:"deny"; flow:to_server; content:"secret";)')
    lab.apply(*strict_policy(deny, defaults=()))
    conversation = lab.open(PRODUCTION, SHARED, 9999)
    assert conversation.ask("say secret") == "timeout"
    lab.reload(*strict_policy(OTHERS, defaults=()))
    assert conversation.ask("say again", within=2) == "timeout", "a retransmission is not inspected again, so it must not pass"
    assert lab.exchange(PRODUCTION, SHARED, 9999, "say secret") == "secret"


def test_new_rules_hold_for_new_connections(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(PASS_REDIS))
    assert lab.exchange(PRODUCTION, SHARED, 8080, "x") == "timeout"
    lab.reload(*strict_policy(PASS_REDIS, strings('pass tcp any any -> any 8080 (msg:"more";)')))
    assert lab.exchange(PRODUCTION, SHARED, 8080, "x") == "ok"


def test_without_engine_nothing_passes(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(defaults=()))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    lab.stop_engine()
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "connect timeout"
    lab.start_engine()
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"


@pytest.mark.parametrize(("policy", "expected"), [("DROP", "timeout"), ("REJECT", "reset"), ("CONTINUE", "ok")])
def test_connections_whose_start_was_not_seen(lab: FirewallLab, policy: str, expected: str) -> None:
    options = {"RuleOrder": "STRICT_ORDER", "StreamExceptionPolicy": policy}
    lab.apply(*strict_policy(PASS_REDIS, StatefulEngineOptions=options))
    conversation = lab.open(PRODUCTION, SHARED, 6379)
    assert conversation.ask("PING") == "ok"
    lab.stop_engine()
    lab.start_engine()
    assert conversation.ask("PING") == expected
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"


def test_the_flow_log_has_both_directions_of_every_flow(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(PASS_REDIS))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    lab.stop_engine(signal.SIGTERM)
    opened = [event for event in lab.logged("FLOW") if event["tcp"].get("syn")]  # connections of earlier tests may still repeat themselves
    flows = {(event["src_ip"], event["dest_ip"]): event for event in opened}
    assert set(flows) == {(PRODUCTION, SHARED), (SHARED, PRODUCTION)}
    there = flows[PRODUCTION, SHARED]
    assert (there["event_type"], there["dest_port"], there["proto"]) == ("netflow", 6379, "TCP")
    assert there["netflow"]["pkts"] >= 3
    assert there["tcp"]["syn"] is True
    assert "in_iface" not in there
