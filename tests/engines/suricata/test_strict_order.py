"""Strict order on the real engine: for each construction, rules whose order matters."""

from __future__ import annotations

import pytest
from firewall_lab import DEV, DEV_SERVER, PRODUCTION, SHARED, FirewallLab, until
from policies import domains, five_tuple, strict_policy, strings, tuples

pytestmark = [pytest.mark.engines, pytest.mark.netns]

GET = "GET /{} HTTP/1.1\r\nHost: {}\r\n\r\n"
CARD = "say number 4111 1111 1111 1111 found"
NO_CARDS = strings(
    r'drop tcp $HOME_NET 27017 -> any any (msg:"card number leaves MongoDB"; flow:established,to_client; content:"4"; '
    r'pcre:"/(?<![0-9])4[0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?![0-9])/";)'
)
EAST_WEST = tuples(
    five_tuple("DROP", "IP", "10.1.0.0/16", "10.2.0.0/16", "ANY", 1, direction="ANY"),
    five_tuple("PASS", "TCP", "10.1.0.0/16", "10.3.0.0/16", "[5044,6379,27017]", 2),
    five_tuple("PASS", "TCP", "10.2.0.0/16", "10.3.0.0/16", "[5044,6379,27017]", 3),
)
DEFAULT = ("blocked", "aws:alert_established action")


@pytest.fixture
def walkthrough(lab: FirewallLab) -> FirewallLab:
    lab.apply(*strict_policy(NO_CARDS, EAST_WEST, domains("ALLOWLIST", ".example.com")))
    return lab


def test_passes_of_flows_work_and_are_not_logged(walkthrough: FirewallLab) -> None:
    for source in (PRODUCTION, DEV):
        for port in (5044, 6379, 27017):
            assert walkthrough.exchange(source, SHARED, port, "hello") == "ok"
    assert walkthrough.alerts() == []


def test_a_payload_drop_above_a_pass_wins_on_any_later_packet(walkthrough: FirewallLab) -> None:
    conversation = walkthrough.open(PRODUCTION, SHARED, 27017)
    assert [conversation.ask("hello"), conversation.ask("say 12")] == ["ok", "12"]
    assert conversation.ask(CARD) == "timeout"
    assert conversation.ask("hello") == "timeout", "the connection stays stopped"
    assert walkthrough.alerts() == [("blocked", "card number leaves MongoDB")]


def test_production_to_dev_is_denied_from_the_first_packet(walkthrough: FirewallLab) -> None:
    assert walkthrough.exchange(PRODUCTION, DEV_SERVER, 80, GET.format("", "www.example.com")) == "connect timeout"
    assert not walkthrough.ping(PRODUCTION, DEV_SERVER)
    assert set(walkthrough.alerts()) == {("blocked", "DROP 1")}


def test_what_no_rule_passes_is_blocked_and_logged_once(walkthrough: FirewallLab) -> None:
    conversation = walkthrough.open(PRODUCTION, SHARED, 9999)
    assert conversation.result == "open", "drop_established lets the handshake through"
    assert conversation.ask("hello", within=1.5) == "timeout"
    assert walkthrough.alerts() == [DEFAULT]
    (event,) = walkthrough.logged()
    assert event["verdict"]["action"] == "drop"


def test_a_domain_list_passes_by_name_and_nothing_else(walkthrough: FirewallLab) -> None:
    assert "hello" in walkthrough.exchange(PRODUCTION, SHARED, 80, GET.format("", "www.example.com"))
    assert walkthrough.alerts() == [], "the packet that is passed by its name is not logged as unmatched"
    assert walkthrough.exchange(PRODUCTION, SHARED, 80, GET.format("", "www.example.org")) == "timeout"
    assert walkthrough.alerts() == [DEFAULT]


def test_a_request_in_two_segments_passes_after_one_retransmission(walkthrough: FirewallLab) -> None:
    conversation = walkthrough.open(PRODUCTION, SHARED, 80)
    assert "hello" in conversation.ask("GET / HTTP/1.1\r\nHo", "st: www.example.com\r\n\r\n", within=5)


def test_udp_and_icmp_need_a_pass(walkthrough: FirewallLab) -> None:
    assert walkthrough.exchange(PRODUCTION, SHARED, 5000, "hello", kind="udp") == "timeout"
    assert not walkthrough.ping(PRODUCTION, SHARED)
    assert walkthrough.alerts() == [DEFAULT, DEFAULT]


PAIRS = {
    "deny before allow, by name": (
        'drop http any any -> any any (msg:"deny"; http.host; content:"bad.example.com";)',
        'pass http any any -> any any (msg:"allow"; http.host; dotprefix; content:".example.com"; endswith;)',
        "bad.example.com",
    ),
    "header pass against a drop by name": (
        "pass tcp any any -> any 80 (msg:\"allow\";)",
        'drop http any any -> any any (msg:"deny"; http.host; content:"bad.example.com";)',
        "bad.example.com",
    ),
    "packet pass against a drop by name": (
        'pass tcp any any -> any 80 (msg:"allow"; flow:to_server;)',
        'drop http any any -> any any (msg:"deny"; http.host; content:"bad.example.com";)',
        "bad.example.com",
    ),
    "pass by name against a drop of the packet": (
        'pass http any any -> any any (msg:"allow"; http.host; content:"bad.example.com";)',
        'drop tcp any any -> any 80 (msg:"deny"; flow:established,to_server; content:"GET";)',
        "bad.example.com",
    ),
    "pass by name against a header reject": (
        'pass http any any -> any any (msg:"allow"; http.host; content:"bad.example.com";)',
        'reject tcp any any -> any 80 (msg:"deny"; flow:established,to_server;)',
        "bad.example.com",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("position", ["first", "after a pass of something else"])
def test_of_two_rules_that_match_the_first_decides(lab: FirewallLab, name: str, position: str) -> None:
    *rules, host = PAIRS[name]
    before = [] if position == "first" else ["pass tcp any any -> any 6379 (msg:\"other\";)"]
    for listed in (rules, rules[::-1]):
        lab.apply(*strict_policy(strings(*before, *listed), defaults=()))
        answer = lab.exchange(PRODUCTION, SHARED, 80, GET.format("", host))
        if listed[0].startswith("pass"):
            assert "hello" in answer, listed
            assert lab.alerts() == [], listed
        else:
            assert answer in ("timeout", "reset"), listed
            until(lab.alerts, "log")
            assert set(lab.alerts()) == {("blocked", "deny")}, listed


def test_deny_list_allow_list_and_default_drop(lab: FirewallLab) -> None:
    lab.apply(
        *strict_policy(
            domains("DENYLIST", "bad.example.com"),
            domains("ALLOWLIST", ".example.com"),
            strings("pass tcp any any -> any 6379 (flow:established,to_server;)"),
        )
    )
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("", "bad.example.com")) == "timeout"
    assert "hello" in lab.exchange(PRODUCTION, SHARED, 80, GET.format("", "good.example.com"))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert lab.exchange(PRODUCTION, SHARED, 8080, "hello") == "timeout"
    assert lab.alerts() == [("blocked", "matching HTTP denylisted FQDNs"), DEFAULT]


def test_alternating_passes_and_drops(lab: FirewallLab) -> None:
    """Each pair of neighbours overlaps: the list cannot be sorted by action."""
    lab.apply(
        *strict_policy(
            strings(
                'pass http any any -> any any (msg:"1"; http.uri; content:"/a";)',
                'drop http any any -> any any (msg:"2"; http.uri; content:"/ab"; startswith;)',
                'drop http any any -> any any (msg:"2b"; http.uri; content:"/b"; startswith;)',
                'pass http any any -> any any (msg:"3"; http.uri; content:"/c";)',
                'drop http any any -> any any (msg:"4"; http.host; content:"x";)',
                "pass tcp any any -> any 80 (flow:to_server;)",
            )
        )
    )
    expected = {"a": "hello", "abc": "hello", "b": "timeout", "c": "hello", "d": "timeout"}
    for path, answer in expected.items():
        assert answer in lab.exchange(PRODUCTION, SHARED, 80, GET.format(path, "x")), path
    assert lab.alerts() == [("blocked", "2b"), ("blocked", "4")]
    assert "hello" in lab.exchange(PRODUCTION, SHARED, 80, GET.format("d", "y"))


def test_alerts_log_only_what_is_not_passed_above(lab: FirewallLab) -> None:
    lab.apply(
        *strict_policy(
            strings(
                'alert tcp any any -> any 6379 (msg:"before"; flow:established,to_server; content:"x";)',
                'pass tcp any any -> any 6379 (msg:"allow"; flow:to_server;)',
                'alert tcp any any -> any [6379,8080] (msg:"after"; flow:established,to_server; content:"x";)',
                'drop tcp any any -> any 8080 (msg:"deny"; flow:established,to_server;)',
                'alert tcp any any -> any 8080 (msg:"after the drop"; flow:established,to_server; content:"x";)',
            )
        )
    )
    conversation = lab.open(PRODUCTION, SHARED, 6379)
    assert [conversation.ask("x"), conversation.ask("x")] == ["ok", "ok"]
    assert set(lab.alerts()) == {("allowed", "before")}
    assert lab.exchange(PRODUCTION, SHARED, 8080, "x") == "timeout"
    assert set(lab.alerts()) == {("allowed", "before"), ("allowed", "after"), ("blocked", "deny"), ("allowed", "after the drop")}


def test_reject_after_a_pass_resets(lab: FirewallLab) -> None:
    rules = (
        'pass tcp any any -> any 6379 (msg:"allow";)',
        'reject tcp any any -> any 8080 (msg:"no";)',
        'reject http any any -> any any (msg:"no http";)',
    )
    lab.apply(*strict_policy(strings(*rules), defaults=()))
    assert lab.exchange(PRODUCTION, SHARED, 8080, "x") == "connect refused"
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("", "x")) == "reset"
    assert lab.alerts() == [("blocked", "no"), ("blocked", "no http")]


def test_a_late_payload_drop_is_for_good(lab: FirewallLab) -> None:
    """The engine does not inspect a retransmission again: the block must not depend on it."""
    lab.apply(
        *strict_policy(
            strings('pass tcp any any -> any 6379 (msg:"other";)', 'drop tcp any any -> any 8080 (msg:"deny"; flow:established,to_server; content:"secret";)'),
            defaults=(),
        )
    )
    conversation = lab.open(PRODUCTION, SHARED, 8080)
    assert conversation.ask("hello") == "ok"
    assert conversation.ask("secret", within=2.5) == "timeout", "several retransmissions"
    assert conversation.ask("hello") == "timeout"
    assert lab.alerts() == [("blocked", "deny")]


def test_a_rule_that_matched_in_part_before_does_not_undo_a_pass(lab: FirewallLab) -> None:
    """The engine keeps what it has seen of a request, and then no longer asks whether a pass above has let the flow through."""
    lab.apply(
        *strict_policy(
            strings(
                'pass http any any -> any any (msg:"allow"; http.host; content:"ok";)',
                'drop http any any -> any any (msg:"deny"; http.uri; content:"/x"; http.request_body; content:"bad";)',
            )
        )
    )
    conversation = lab.open(PRODUCTION, SHARED, 80)
    assert "hello" in conversation.ask("POST /x HTTP/1.1\r\nContent-Length: 8\r\n", "Host: ok\r\n\r\n", within=5)
    assert conversation.ask("a bad ab", within=2) == "ok"
    assert "hello" in conversation.ask("GET / HTTP/1.1\r\nHost: other\r\n\r\n", within=2)
    assert ("blocked", "deny") not in lab.alerts()
    denied = lab.open(PRODUCTION, SHARED, 80)
    assert denied.ask("POST /x HTTP/1.1\r\nHost: no\r\nContent-Length: 8\r\n\r\n") == "timeout"


def test_a_pass_with_the_alert_keyword_is_logged_once(lab: FirewallLab) -> None:
    lab.apply(
        *strict_policy(
            strings(
                'pass tcp any any -> any 6379 (msg:"header"; alert;)',
                'pass http any any -> any 80 (msg:"content"; alert; http.host; content:"ok";)',
                'pass tcp any any -> any 8080 (msg:"packet"; alert; flow:established,to_server; content:"x"; classtype:trojan-activity;)',
            )
        )
    )
    assert [lab.exchange(PRODUCTION, SHARED, 6379, "PING"), lab.exchange(PRODUCTION, SHARED, 8080, "x")] == ["ok", "ok"]
    assert "hello" in lab.exchange(PRODUCTION, SHARED, 80, GET.format("", "ok"))
    assert sorted(lab.alerts()) == [("allowed", "content"), ("allowed", "header"), ("allowed", "packet")]
    severities = {event["alert"]["signature"]: event["alert"]["severity"] for event in lab.logged()}
    assert severities == {"header": 3, "content": 3, "packet": 1}
