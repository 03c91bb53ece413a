"""Names and packets read from a plan: the same answers as the resolver gives, and as nft would."""

from __future__ import annotations

from ipaddress import IPv4Address

import dns.message
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latticewall.analyze.gate import Unclear
from latticewall.analyze.names import look_up
from latticewall.analyze.packets import Packet, Ruling, walk
from latticewall.dataplane.names.answer import respond
from latticewall.dataplane.names.zones import ZoneSet
from latticewall.plan.names import Record, Resolver, Zone
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset

LABELS = st.sampled_from(("a", "b", "*", "c"))
NAMES = st.lists(LABELS.filter(lambda label: label != "*"), min_size=1, max_size=4).map(lambda labels: ".".join(labels) + ".")


@st.composite
def zones(draw: st.DrawFn) -> tuple[Zone, ...]:
    """Zones that enclose each other, with addresses, aliases and wildcards in them."""
    origins = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    found = []
    for origin in origins:
        records: dict[str, Record] = {}
        for _ in range(draw(st.integers(0, 5))):
            below = draw(st.lists(LABELS, max_size=2))
            labels = [label for at, label in enumerate(below) if label != "*" or at == 0]
            name = ".".join((*labels, origin))
            address = Record(name, "A", 60, (f"10.0.0.{draw(st.integers(1, 9))}",))
            records[name] = draw(st.one_of(st.just(address), NAMES.map(lambda target, name=name: Record(name, "CNAME", 60, (target,)))))  # type: ignore[misc]
        found.append(Zone(origin, tuple(sorted(records.values()))))
    return tuple(found)


@settings(max_examples=400)
@given(zones(), NAMES)
def test_a_name_is_looked_up_as_the_resolver_answers(held: tuple[Zone, ...], name: str) -> None:
    response = respond(dns.message.make_query(name, "A"), ZoneSet(held))
    answered = {item.address for found in response.answer if found.rdtype == dns.rdatatype.A for item in found}
    assert set(look_up(Resolver("vpc-1", "vpc-1", (), held), name).addresses) == answered


def ruleset(*chains: Chain) -> Ruleset:
    return Ruleset(chains)


def rule(verdict: str, *matches: Match, comment: str = "") -> NftRule:
    return NftRule(matches, verdict, comment)


PACKET = Packet(IPv4Address("10.0.0.7"), IPv4Address("169.254.171.32"), 80, "e1")


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match("ip saddr", ("10.0.0.0/24",)), True),
        (Match("ip saddr", ("10.0.0.8", "10.0.0.7")), True),
        (Match("ip saddr", ("10.0.0.0/24",), negate=True), False),
        (Match("ip saddr", ("10.0.0.1-10.0.0.6",)), False),
        (Match("ip saddr", ("10.0.0.1-10.0.0.7",)), True),
        (Match("ip daddr", ("169.254.171.0/24",)), True),
        (Match("tcp dport", ("80",)), True),
        (Match("tcp dport", ("81-90",)), False),
        (Match("tcp dport", ("79-81",)), True),
        (Match("udp dport", ("80",)), False),
        (Match("icmp type", ("8",)), False),
        (Match("meta l4proto", ("tcp",)), True),
        (Match("meta l4proto", ("udp",)), False),
        (Match("iifname", ("e1",)), True),
        (Match("iifname", ("e2",)), False),
        (Match("ct state", ("established", "related")), False),
        (Match("ct state", ("new",)), True),
        (Match("meta nfproto", ("ipv4",)), True),
        (Match("meta nfproto", ("ipv6",)), False),
        (Match("ip6 daddr", ("::/0",)), False),
        (Match("icmpv6 type", ("135",)), False),
        (Match("oifname", ("e1",)), False),
    ],
)
def test_conditions(match: Match, holds: bool) -> None:
    assert walk(ruleset(Chain("c", (rule("accept", match),))), "c", PACKET).verdict == ("accept" if holds else "return")


def test_chains_jump_return_and_end() -> None:
    inner = Chain("inner", (rule("return", Match("tcp dport", ("80",)), comment="sgr-1"), rule("drop", comment="end")))
    found = ruleset(
        inner,
        Chain("jumps", (rule("jump inner"), rule("accept", comment="after"))),
        Chain("goes", (rule("goto inner"), rule("drop"))),
        Chain("marks", (rule("meta mark set 0x10 ; accept"),)),
        Chain("base", hook="input", policy="drop"),
    )
    assert walk(found, "inner", PACKET) == Ruling("return", inner.rules[0])
    assert walk(found, "inner", Packet(PACKET.source, PACKET.destination, 81)) == Ruling("drop", inner.rules[1])
    after = walk(found, "jumps", PACKET)
    assert (after.verdict, after.rule and after.rule.comment) == ("accept", "after")
    assert walk(found, "goes", PACKET).verdict == "return"
    assert walk(found, "marks", PACKET).verdict == "accept"
    assert walk(found, "base", PACKET) == Ruling("drop")


@pytest.mark.parametrize("chain", [Chain("c", (rule("accept", Match("meta mark", ("1",))),)), Chain("c", (rule("queue"),)), Chain("c", (rule("jump c"),))])
def test_what_cannot_be_followed_is_said(chain: Chain) -> None:
    with pytest.raises(Unclear):
        walk(ruleset(chain), "c", PACKET)
    with pytest.raises(Unclear):
        walk(ruleset(), "c", PACKET)
