"""Stateless rule groups -> rules in order -> an nft chain ("Working with stateless rule groups in AWS Network Firewall").

The chain hangs before defragmentation, so that fragments are seen as such: those of UDP take the rules and the fragment default, all others are dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from latticewall.base.inet import parse_network
from latticewall.compile.firewall import marks
from latticewall.plan.firewall import CustomMetric
from latticewall.plan.nft import Chain, Match, NftRule

FORWARD, PASS, DROP = "aws:forward_to_sfe", "aws:pass", "aws:drop"
STANDARD_ACTIONS = (PASS, DROP, FORWARD)
TCP, UDP = 6, 17
_FLAG_NAMES = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_NFT_FLAGS = {"ECE": "ecn"}
_FRAGMENT = Match("ip frag-off & 0x3fff", ("0",), negate=True)
_FRAGMENT_6 = Match("exthdr frag", ("exists",))
_BEFORE_DEFRAGMENTATION = -450


@dataclass(frozen=True)
class TcpFlags:
    """A packet matches if the flags in `masks` that are set are exactly `flags`; no masks means all flags."""

    flags: tuple[str, ...]
    masks: tuple[str, ...]


@dataclass(frozen=True)
class StatelessRule:
    """One rule: empty attributes match everything. action: standard action. metrics: CustomAction dimension values to count."""

    group_arn: str
    priority: int
    protocols: tuple[int, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    source_ports: tuple[tuple[int, int], ...]
    destination_ports: tuple[tuple[int, int], ...]
    tcp_flags: tuple[TcpFlags, ...]
    action: str
    metrics: tuple[str, ...] = ()


def compile_stateless(policy: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> tuple[StatelessRule, ...]:
    """The rules of all groups in the order they are asked: by priority of the group in the policy, then of the rule in the group."""
    references = sorted(policy.get("StatelessRuleGroupReferences", ()), key=lambda item: int(item["Priority"]))
    found: list[StatelessRule] = []
    for reference in references:
        arn = reference["ResourceArn"]
        source = groups[arn].get("RulesSource", {}).get("StatelessRulesAndCustomActions", {})
        customs = _custom_actions(source.get("CustomActions", ()))
        ordered = sorted(source.get("StatelessRules", ()), key=lambda item: int(item["Priority"]))
        found += [_rule(arn, rule, customs) for rule in ordered]
    return tuple(found)


def stateless_chain(rules: Sequence[StatelessRule], policy: Mapping[str, Any]) -> tuple[Chain, tuple[CustomMetric, ...]]:
    """The chain that decides what reaches the engine, and its counters for custom actions."""
    customs = _custom_actions(policy.get("StatelessCustomActions", ()))
    default, default_metrics = _split(policy["StatelessDefaultActions"], customs)
    fragment, fragment_metrics = _split(policy["StatelessFragmentDefaultActions"], customs)
    values = sorted({*default_metrics, *fragment_metrics, *(value for rule in rules for value in rule.metrics)})
    counters = {value: f"custom_{number}" for number, value in enumerate(values, 1)}
    not_udp = Match("meta l4proto", ("udp",), negate=True)
    written = [
        NftRule((Match("fib daddr type", ("local", "multicast")),), "accept", "the endpoint itself"),
        NftRule((_FRAGMENT, not_udp), "drop", "fragments other than UDP"),
        NftRule((_FRAGMENT_6, not_udp), "drop", "fragments other than UDP"),
    ]
    for rule in rules:
        label = f"{rule.group_arn.rpartition('/')[2]} #{rule.priority}"
        for matches in _matches(rule):
            written += _decide(matches, rule.action, rule.metrics, counters, label)
    for fragments in (_FRAGMENT, _FRAGMENT_6):
        written += _decide((fragments,), fragment, fragment_metrics, counters, "fragment default")
    written += _decide((), default, default_metrics, counters, "stateless default")
    chain = Chain("stateless", tuple(written), hook="prerouting", priority=_BEFORE_DEFRAGMENTATION)
    return chain, tuple(CustomMetric(counters[value], value) for value in values)


def stateless_actions_problem(actions: Sequence[str], customs: Collection[str], context: str) -> str:
    """Why these actions are not valid, "" if they are: exactly one standard action, and only custom actions that are defined."""
    standard = [action for action in actions if action in STANDARD_ACTIONS]
    if len(standard) != 1:
        return f"exactly one of {', '.join(STANDARD_ACTIONS)} must be provided, parameter: [{', '.join(actions)}], context: {context}"
    unknown = [action for action in actions if action not in STANDARD_ACTIONS and action not in customs]
    return f"custom action is not defined, parameter: [{unknown[0]}], context: {context}" if unknown else ""


def _rule(arn: str, document: Mapping[str, Any], customs: Mapping[str, str]) -> StatelessRule:
    definition = document["RuleDefinition"]
    match = definition.get("MatchAttributes", {})
    action, metrics = _split(definition["Actions"], customs)
    return StatelessRule(
        arn,
        int(document["Priority"]),
        tuple(match.get("Protocols", ())),
        tuple(item["AddressDefinition"] for item in match.get("Sources", ())),
        tuple(item["AddressDefinition"] for item in match.get("Destinations", ())),
        tuple((item["FromPort"], item["ToPort"]) for item in match.get("SourcePorts", ())),
        tuple((item["FromPort"], item["ToPort"]) for item in match.get("DestinationPorts", ())),
        tuple(TcpFlags(tuple(item.get("Flags", ())), tuple(item.get("Masks", ()))) for item in match.get("TCPFlags", ())),
        action,
        metrics,
    )


def _custom_actions(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {item["ActionName"]: item["ActionDefinition"]["PublishMetricAction"]["Dimensions"][0]["Value"] for item in documents}


def _split(actions: Sequence[str], customs: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The one standard action, and the metrics of the custom ones."""
    standard = next(action for action in actions if action in STANDARD_ACTIONS)
    return standard, tuple(customs[action] for action in actions if action not in STANDARD_ACTIONS)


def _decide(
    matches: tuple[Match, ...], action: str, metrics: Sequence[str], counters: Mapping[str, str], label: str
) -> Iterator[NftRule]:
    for value in metrics:
        yield NftRule(matches, "continue", label, counters[value])
    verdict = {PASS: "accept", DROP: "drop", FORWARD: f"meta mark set {marks.QUEUE:#x} ; accept"}[action]
    yield NftRule(matches, verdict, label)


def _matches(rule: StatelessRule) -> Iterator[tuple[Match, ...]]:
    """The conditions of a rule: its attributes are and-ed; alternatives that nft cannot put into one condition give several."""
    for addresses, transport in product(tuple(_addresses(rule)), tuple(_transports(rule))):
        yield (*addresses, *transport)


def _addresses(rule: StatelessRule) -> Iterator[tuple[Match, ...]]:
    """Address conditions: one alternative per IP version that both sides can have."""
    if not rule.sources and not rule.destinations:
        yield ()
        return
    for version, key in ((4, "ip"), (6, "ip6")):
        sources = _of_version(rule.sources, version)
        destinations = _of_version(rule.destinations, version)
        if (rule.sources and not sources) or (rule.destinations and not destinations):
            continue
        found = [Match(f"{key} saddr", sources)] if sources else []
        found += [Match(f"{key} daddr", destinations)] if destinations else []
        yield tuple(found)


def _of_version(addresses: Sequence[str], version: int) -> tuple[str, ...]:
    networks = [parse_network(address) for address in addresses]
    return tuple(dict.fromkeys(str(network) for network in networks if network.version == version))


def _transports(rule: StatelessRule) -> Iterator[tuple[Match, ...]]:
    """Protocol, port and flag conditions: ports concern TCP and UDP only, flags TCP only."""
    protocols = rule.protocols
    ported = tuple(number for number in protocols or (TCP, UDP) if number in (TCP, UDP))
    others = tuple(number for number in protocols if number not in (TCP, UDP))
    has_ports = bool(rule.source_ports or rule.destination_ports)
    if not has_ports and not rule.tcp_flags:
        yield (_protocols(protocols),) if protocols else ()
        return
    if others:
        yield (_protocols(others),)
    if rule.tcp_flags:
        if TCP in ported:
            for flags in rule.tcp_flags:
                yield (_protocols((TCP,)), *_ports(rule), _flags(flags))
        ported = tuple(number for number in ported if number != TCP and protocols)
    if ported:
        yield (_protocols(ported), *_ports(rule))


def _protocols(numbers: Sequence[int]) -> Match:
    return Match("meta l4proto", tuple(str(number) for number in numbers))


def _ports(rule: StatelessRule) -> tuple[Match, ...]:
    sides = (("th sport", rule.source_ports), ("th dport", rule.destination_ports))
    return tuple(Match(key, tuple(_range(*ports) for ports in ranges)) for key, ranges in sides if ranges)


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _flags(item: TcpFlags) -> Match:
    masks = item.masks or _FLAG_NAMES
    listed = "|".join(_nft_flag(name) for name in masks)
    values = "|".join(_nft_flag(name) for name in item.flags) if item.flags else "0x0"
    return Match(f"tcp flags & ({listed})", (values,))


def _nft_flag(name: str) -> str:
    return _NFT_FLAGS.get(name, name.lower())
