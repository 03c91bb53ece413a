"""The stateful default actions of strict order on the real engine."""

from __future__ import annotations

import ssl

import pytest
from firewall_lab import PRODUCTION, SHARED, FirewallLab
from policies import domains, strict_policy, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

GET = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"
ALLOWED = domains("ALLOWLIST", ".example.com")
PASS_REDIS = strings('pass tcp any any -> any 6379 (msg:"redis";)')


def client_hello(name: str, padding: int = 0) -> str:
    """The first flight of a TLS client, as text. padding: bytes of protocol names that make it longer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols([f"protocol-{number:0200}" for number in range(padding // 200)] or ["http/1.1"])
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read().decode("latin-1")


def test_without_default_action_unmatched_traffic_passes(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(PASS_REDIS, defaults=()))
    assert lab.exchange(PRODUCTION, SHARED, 9999, "hello") == "ok"
    assert lab.ping(PRODUCTION, SHARED)
    assert lab.alerts() == []


def test_drop_strict_blocks_the_handshake(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(PASS_REDIS, defaults=("aws:drop_strict", "aws:alert_strict")))
    assert lab.exchange(PRODUCTION, SHARED, 6379, "hello") == "ok", "answers too"
    assert lab.open(PRODUCTION, SHARED, 9999).result == "timeout"
    assert lab.exchange(PRODUCTION, SHARED, 5000, "hello", kind="udp") == "timeout"
    assert not lab.ping(PRODUCTION, SHARED)
    assert lab.alerts() == [("blocked", "aws:alert_strict action")] * 3


def test_drop_strict_needs_a_pass_for_the_handshake_below_names(lab: FirewallLab) -> None:
    handshake = 'pass tcp any any <> any 80 (msg:"handshake"; flow:not_established;)'
    lab.apply(*strict_policy(ALLOWED, defaults=("aws:drop_strict",)))
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.com")) == "connect timeout"
    lab.apply(*strict_policy(ALLOWED, strings(handshake), defaults=("aws:drop_strict",)))
    assert "hello" in lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.com"))
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.org")) == "timeout"
    assert lab.alerts() == [], "a drop action alone is silent"


def test_alert_actions_alone_only_log(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(PASS_REDIS, defaults=("aws:alert_established",)))
    assert lab.exchange(PRODUCTION, SHARED, 9999, "hello") == "ok"
    assert lab.exchange(PRODUCTION, SHARED, 6379, "hello") == "ok"
    assert lab.alerts() == [("allowed", "aws:alert_established action")]
    (event,) = lab.logged()
    assert (event["alert"]["severity"], event["alert"]["rev"], event["alert"]["category"]) == (3, 0, "")


@pytest.mark.parametrize("scope", ["established_app_layer", "established_app_layer_to_server"])
def test_application_layer_defaults_wait_for_the_name(lab: FirewallLab, scope: str) -> None:
    lab.apply(*strict_policy(ALLOWED, PASS_REDIS, defaults=(f"aws:drop_{scope}", f"aws:alert_{scope}")))
    hello = client_hello("www.example.com")
    answer = lab.open(PRODUCTION, SHARED, 443).ask(hello[:60], hello[60:])
    assert answer in ("ok", "okok"), "a hello in two segments, which the server may read as one or as two"
    assert "hello" in lab.open(PRODUCTION, SHARED, 80).ask("GET / HTTP/1.1\r\nHo", "st: www.example.com\r\n\r\n")
    assert lab.exchange(PRODUCTION, SHARED, 6379, "PING") == "ok"
    assert lab.alerts() == [], "nothing was blocked for a moment"
    assert lab.exchange(PRODUCTION, SHARED, 443, client_hello("www.example.org")) == "timeout"
    assert lab.exchange(PRODUCTION, SHARED, 80, GET.format("www.example.org")) == "timeout"
    assert lab.alerts() == [("blocked", f"aws:alert_{scope} action")] * 2


def test_a_long_client_hello_passes_by_name(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(ALLOWED))
    assert lab.open(PRODUCTION, SHARED, 443).ask(client_hello("www.example.com", padding=2000), within=5) == "ok"


def test_an_encrypted_connection_goes_on_after_its_name_was_passed(lab: FirewallLab) -> None:
    lab.apply(*strict_policy(ALLOWED))
    conversation = lab.open(PRODUCTION, SHARED, 443)
    assert conversation.ask(client_hello("www.example.com")) == "ok"
    assert [conversation.ask(f"\x17\x03\x03\x00\x03{number:03}") for number in range(5)] == ["ok"] * 5
    assert lab.alerts() == []
