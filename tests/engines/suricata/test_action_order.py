"""Default action order is the engine's own: pass, drop, reject, alert, whatever the order in which rules are written."""

from __future__ import annotations

import pytest
from firewall_lab import GROUP_ARN, PRODUCTION, SHARED, FirewallLab
from policies import action_policy, domains, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

GET = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


def test_a_pass_wins_over_a_drop_written_before_it(lab: FirewallLab) -> None:
    rules = ("drop tcp any any -> any [6379,8080] (msg:\"deny\"; priority:7;)", 'pass tcp any any -> any 6379 (msg:"allow";)')
    lab.apply(*action_policy(strings(*rules, strict=False)))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert lab.exchange(PRODUCTION, SHARED, 8080, "PING") == "connect timeout"
    assert lab.exchange(PRODUCTION, SHARED, 9999, "PING") == "ok", "unmatched traffic passes"
    (event,) = lab.logged()
    assert event["alert"] == {
        "action": "blocked", "signature_id": 1, "rev": 0, "signature": "deny", "category": "", "severity": 7,
    }  # fmt: skip
    assert event["verdict"]["action"] == "drop"


def test_an_allow_list_denies_other_names(lab: FirewallLab) -> None:
    lab.apply(*action_policy(domains("ALLOWLIST", "www.example.com", strict=False)))
    assert "hello" in lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.com"))
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("sub.www.example.com")) == "timeout"
    assert lab.exchange(PRODUCTION, SHARED, 9999, "hello") == "ok"
    assert lab.alerts() == [("blocked", "not matching any HTTP allowlisted FQDNs")]


def test_groups_may_use_the_same_sids(lab: FirewallLab) -> None:
    groups = [strings(f'alert tcp any any -> any 6379 (msg:"{name}"; flow:established,to_server; sid:1;)', strict=False) for name in "ab"]
    lab.apply(*action_policy(*groups))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert {(event["alert"]["signature"], event["alert"]["signature_id"]) for event in lab.logged()} == {("a", 1), ("b", 1)}


def test_drop_to_alert_turns_drops_of_a_group_into_alerts(lab: FirewallLab) -> None:
    policy, groups = action_policy(strings('drop tcp any any -> any 6379 (msg:"deny";)', strict=False))
    reference = {"ResourceArn": f"{GROUP_ARN}g1", "Override": {"Action": "DROP_TO_ALERT"}}
    lab.apply({**policy, "StatefulRuleGroupReferences": [reference]}, groups)
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert set(lab.alerts()) == {("allowed", "deny")}


def test_a_reject_resets(lab: FirewallLab) -> None:
    lab.apply(*action_policy(strings('reject tcp any any -> any 6379 (msg:"no";)', strict=False)))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "connect refused"
    (event,) = lab.logged()
    assert (event["alert"]["action"], event["verdict"]["reject"]) == ("blocked", ["tcp-reset"])
