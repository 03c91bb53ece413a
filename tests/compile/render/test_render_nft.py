"""Rulesets as nft scripts: readable, accepted by nft, and closed to everything that is not a condition or a verdict."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.compile.render.nft import UnsafeText, queue_rule, remove_nft, render_nft, render_queue
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset

GOLDEN = Path(__file__).with_name("nft_golden.nft")
DOOR = ("ealpha", "ebeta")

EVERYTHING = Ruleset(
    chains=(
        Chain("prerouting", (NftRule((Match("iifname", ("ealpha",)), Match("ip saddr", ("10.0.0.10",), negate=True)), "drop", "eni-1 check"),),
              hook="prerouting",
              priority=-300),
        Chain("stateless", (
            NftRule((Match("fib daddr type", ("local", "multicast")),), "accept", "the endpoint itself"),
            NftRule((Match("ip frag-off & 0x3fff", ("0",), negate=True), Match("meta l4proto", ("udp",), negate=True)), "drop"),
            NftRule((Match("exthdr frag", ("exists",)),), "drop"),
            NftRule(
                (Match("meta l4proto", ("6", "17")), Match("th sport", ("1024-65535",)), Match("th dport", ("443", "8000-8100"))),
                "continue", counter="custom_1",
            ),
            NftRule((Match("tcp flags & (syn|ack)", ("syn",)),), "meta mark set 0x80000000 ; accept"),
            NftRule((Match("tcp flags & (fin|rst)", ("0x0",)),), "accept"),
        ), hook="prerouting", priority=-450),
        Chain("forward", (
            NftRule((Match("iifname", DOOR),), "jump acl_out", "subnet-1 acl-1"),
            NftRule((Match("ct state", ("established", "related")),), "accept", "replies"),
            NftRule((Match("oifname", ("ealpha",)),), "jump in_1"),
            NftRule((Match("tcp flags", ("syn",)),), "tcp option maxseg size set rt mtu"),
            NftRule((Match("meta mark & 0x40000000", ("0x40000000",)), Match("meta l4proto", ("tcp",))), "reject with tcp reset"),
            NftRule((Match("ct mark", ("0",), negate=True),), "meta mark set ct mark ; accept"),
            NftRule((Match("jhash ip saddr . ip daddr mod 2", ("0",)),), "ct mark set 1 ; meta mark set ct mark ; accept", "hash -> eu-west-1a"),
        ), hook="forward", policy="drop"),
        Chain("acl_out", (
            NftRule((Match("ip daddr", ("10.1.0.0/16",)), Match("icmp type", ("8",)), Match("icmp code", ("0",))), "return", "acl-1 #100"),
            NftRule((), "drop"),
        )),
        Chain("postrouting", (
            NftRule((Match("oifname", ("ralpha",)),), "snat ip to numgen random mod 2 map { 0 : 10.0.0.4, 1 : 10.0.0.9 }"),
            NftRule((Match("oifname", ("ralpha",)),), "snat ip6 to numgen random mod 1 map { 0 : 2001:db8::4 }"),
        ), hook="postrouting", type="nat", priority=100),
        Chain("in_1", (NftRule((Match("ip saddr", ("10.2.0.0/24", "10.3.0.7")), Match("tcp dport", ("5044",))), "return", "sgr-1"), NftRule((), "drop"))),
    ),
    counters=("custom_1", "unused"),
)  # fmt: skip


def only(*matches: Match, verdict: str = "accept", comment: str = "") -> str:
    """The text of one rule."""
    script = render_nft(Ruleset((Chain("c", (NftRule(matches, verdict, comment),)),)))
    return script.splitlines()[4].strip()


def test_everything_is_the_golden_script() -> None:
    text = render_nft(EVERYTHING, {"custom_1": (3, 180), "gone": (9, 9)})
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.netns
def test_nft_accepts_the_golden_script_and_lists_all_of_its_rules() -> None:
    load_and_list = f"nft -f {GOLDEN} && nft -f {GOLDEN} && nft list table inet latticewall"
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", load_and_list], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rules = sum(len(chain.rules) for chain in EVERYTHING.chains)
    verdicts = ("accept", "drop", "return", "continue", "jump", "reset", "mtu", "snat")
    assert sum(any(word in line for word in verdicts) for line in done.stdout.splitlines() if "policy" not in line) == rules
    assert "packets 3 bytes 180" in done.stdout


def test_one_transaction_replaces_the_table() -> None:
    assert render_nft(Ruleset()) == "add table inet latticewall\ndelete table inet latticewall\ntable inet latticewall {\n}\n"
    assert remove_nft() == "add table inet latticewall\ndelete table inet latticewall\n"


def test_overlaps_that_nft_would_refuse_are_merged() -> None:
    assert only(Match("ip saddr", ("10.1.0.0/16", "10.0.0.0/8", "10.0.0.1"))) == "ip saddr 10.0.0.0/8 accept"
    assert only(Match("ip saddr", ("10.0.0.0/25", "10.0.0.128/25"))) == "ip saddr 10.0.0.0/24 accept"
    assert only(Match("ip saddr", ("10.0.0.1-10.0.0.9", "10.0.0.5-10.0.0.12"))) == "ip saddr 10.0.0.1-10.0.0.12 accept"
    assert only(Match("tcp dport", ("80", "80-90", "91", "100"))) == "tcp dport { 80-91, 100 } accept"
    assert only(Match("ip6 daddr", ("2001:db8::/32",), negate=True)) == "ip6 daddr != 2001:db8::/32 accept"


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(20, 32)), min_size=1, max_size=6))
def test_merging_neither_adds_nor_loses_an_address(parts: list[tuple[int, int]]) -> None:
    networks = [ip_network((0x0A000000 + number * 16, length), strict=False) for number, length in parts]
    text = only(Match("ip saddr", tuple(str(network) for network in networks))).removeprefix("ip saddr ").removesuffix(" accept")
    covered: set[int] = set()
    for item in text.strip("{} ").split(", "):
        first, _, last = item.partition("-")
        span = ip_network(first) if not last else None
        numbers = range(int(span[0]), int(span[-1]) + 1) if span else range(int(IPv4Address(first)), int(IPv4Address(last)) + 1)
        assert covered.isdisjoint(numbers)
        covered.update(numbers)
    assert covered == {address for network in networks for address in range(int(network[0]), int(network[-1]) + 1)}


def test_comments_are_cleaned_never_refused() -> None:
    assert only(comment='a "quoted"\n\\ ümlaut; drop') == 'accept comment "a ?quoted??? ?mlaut; drop"'
    assert len(only(comment="x" * 500)) < 140


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ip saddr", "10.0.0.0/8 accept"), ("ip saddr", "10.0.0.1/8"), ("ip saddr", "2001:db8::1"), ("ip saddr", "@set"), ("ip saddr", "10.0.0.9-10.0.0.1"),
        ("ip6 saddr", "10.0.0.1"), ("tcp dport", "80;"), ("tcp dport", "90-80"), ("tcp dport", "65536"), ("tcp dport", "http"), ("tcp dport", "-1"),
        ("iifname", 'lo" accept'), ("iifname", "averyveryverylongname"), ("iifname", "e*"), ("iifname", "@"), ("meta l4proto", "tcp udp"),
        ("meta mark", "1 or 1"),
        ("ct state", "new }"), ("icmp type", "256"), ("tcp flags", "syn,ack"), ("tcp flags & (syn)", "syn)"),
    ],
)  # fmt: skip
def test_values_outside_the_grammar_are_refused(key: str, value: str) -> None:
    with pytest.raises(UnsafeText, match=key.split()[0]):
        only(Match(key, (value,)))


@pytest.mark.parametrize(
    "key", ["", "ip saddr ; drop", "meta skuid", "tcp flags & (syn", "meta mark & 0x1 accept", "jhash ip saddr . ip daddr mod 0", "include"]
)
def test_keys_outside_the_list_are_refused(key: str) -> None:
    with pytest.raises(UnsafeText, match="unknown condition"):
        only(Match(key, ("1",)))


@pytest.mark.parametrize(
    "verdict",
    [
        "",
        "accept drop",
        "accept;drop",
        "accept ; ",
        "jump a-b",
        "jump",
        "queue num 0 bypass",
        'log prefix "x"',
        "meta mark set 1 accept",
        "dnat to 10.0.0.1",
        "snat ip to 10.0.0.1",
        "snat ip to numgen random mod 1 map { 0 : 10.0.0.1 } accept",
        "snat ip to numgen random mod 1 map { 0 : fd00::1 }",
        "snat ip6 to numgen random mod 1 map { }",
        "Accept",
    ],
)
def test_verdicts_outside_the_list_are_refused(verdict: str) -> None:
    with pytest.raises(UnsafeText, match="unknown statement"):
        only(verdict=verdict)


@pytest.mark.parametrize(
    "chain",
    [
        Chain("a b"),
        Chain("x", hook="ingress"),
        Chain("x", hook="forward", policy="accept; }"),
        Chain("x", hook="forward", type="filter hook"),
        Chain("1x"),
        Chain(""),
    ],
)
def test_chains_outside_the_grammar_are_refused(chain: Chain) -> None:
    with pytest.raises(UnsafeText):
        render_nft(Ruleset((chain,)))


def test_counters_and_empty_conditions_are_checked() -> None:
    with pytest.raises(UnsafeText, match="counter"):
        render_nft(Ruleset(counters=("a;b",)))
    with pytest.raises(UnsafeText, match="counter"):
        render_nft(Ruleset((Chain("c", (NftRule((), "accept", counter='x" drop'),)),)))
    with pytest.raises(UnsafeText, match="without values"):
        only(Match("ip saddr", ()))


@given(
    st.sampled_from(["ip saddr", "tcp dport", "iifname", "meta mark", "ct state", "tcp flags", "meta l4proto", "icmp type"]),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_no_text_escapes_its_place(key: str, value: str, comment: str) -> None:
    """Whatever the words: refused, or the script still has exactly one rule and nothing after it."""
    rule = NftRule((Match(key, (value,)),), "accept", comment)
    try:
        lines = render_nft(Ruleset((Chain("c", (rule,)),))).split("\n")
    except UnsafeText:
        return
    assert len(lines) == 8
    plain = render_nft(Ruleset((Chain("c", (replace(rule, comment=""),)),))).split("\n")[4]
    assert lines[4].startswith(plain)
    assert not set(";{}#$@\\\n\r").intersection(plain)


def test_the_queue_has_no_bypass() -> None:
    assert queue_rule(3, 0x10) == "-A FORWARD -m mark --mark 0x10/0x10 -j NFQUEUE --queue-num 3"
    assert render_queue(0, 0x80000000).splitlines()[2] == queue_rule(0, 0x80000000)
    for number, mark in ((-1, 1), (65536, 1), (0, 0), (0, 2**32)):
        with pytest.raises(UnsafeText):
            render_queue(number, mark)
