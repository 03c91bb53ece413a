"""What a planned ruleset does with one packet: chains walked rule by rule, as nft would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from latticewall.analyze.gate import Unclear
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset

Address = IPv4Address | IPv6Address
MOST_JUMPS = 16
"""As the kernel's own limit on nested chains."""


@dataclass(frozen=True)
class Packet:
    """The first packet of a TCP connection. device: it comes in by; what it goes out by is taken to be another subnet's."""

    source: Address
    destination: Address
    port: int
    device: str = ""


@dataclass(frozen=True)
class Ruling:
    """verdict: accept, drop or return (the chain's end). rule: the one that said so, None at a chain's end."""

    verdict: str
    rule: NftRule | None = None


def walk(ruleset: Ruleset, name: str, packet: Packet, depth: int = 0) -> Ruling:
    """The verdict of a chain. Raises Unclear for a condition or statement that a first packet's verdict cannot be told from."""
    chain = next((found for found in ruleset.chains if found.name == name), None)
    if chain is None or depth > MOST_JUMPS:
        raise Unclear(f"the ruleset has no chain {name}")
    for rule in chain.rules:
        if all(_holds(match, packet) for match in rule.matches):
            ruling = _carried_out(ruleset, rule, packet, depth)
            if ruling is not None:
                return ruling
    return _end(chain)


def _end(chain: Chain) -> Ruling:
    return Ruling(chain.policy if chain.hook else "return")


def _carried_out(ruleset: Ruleset, rule: NftRule, packet: Packet, depth: int) -> Ruling | None:
    """None: go on with the next rule."""
    statement = rule.verdict.rpartition(" ; ")[2]
    if statement in ("accept", "drop", "return"):
        return Ruling(statement, rule)
    word, _, target = statement.partition(" ")
    if word not in ("jump", "goto"):
        raise Unclear(f"the rule `{rule.verdict}` is not one that an explanation can follow")
    ruling = walk(ruleset, target, packet, depth + 1)
    if ruling.verdict != "return":
        return ruling
    return None if word == "jump" else Ruling("return", rule)


def _holds(match: Match, packet: Packet) -> bool:
    test = _TESTS.get(match.key)
    if test is None:
        raise Unclear(f"the condition `{match.key}` is not one that an explanation can follow")
    if match.key.split(" ")[0] == {4: "ip6", 6: "ip"}[packet.source.version]:
        return False  # a condition on the other family's header, negated or not
    return any(test(value, packet) for value in match.values) is not match.negate


def _within(value: str, address: Address) -> bool:
    first, dash, last = value.partition("-")
    if dash:
        return int(ip_address(first)) <= int(address) <= int(ip_address(last))
    return address in ip_network(value, strict=False)


def _port_within(value: str, port: int) -> bool:
    first, _, last = value.partition("-")
    return int(first) <= port <= int(last or first)


_TESTS: dict[str, Callable[[str, Packet], bool]] = {
    "iifname": lambda value, packet: packet.device == value,
    "oifname": lambda *_: False,
    "ip saddr": lambda value, packet: _within(value, packet.source),
    "ip daddr": lambda value, packet: _within(value, packet.destination),
    "ip6 saddr": lambda value, packet: _within(value, packet.source),
    "ip6 daddr": lambda value, packet: _within(value, packet.destination),
    "meta nfproto": lambda value, packet: value == f"ipv{packet.source.version}",
    "tcp dport": lambda value, packet: _port_within(value, packet.port),
    "meta l4proto": lambda value, _: value in ("tcp", "6"),
    "ct state": lambda value, _: value == "new",
    # of other protocols than the packet's
    "udp dport": lambda *_: False,
    "icmp type": lambda *_: False,
    "icmp code": lambda *_: False,
    "icmpv6 type": lambda *_: False,
    "icmpv6 code": lambda *_: False,
}
