"""The stateful default actions of strict order as conditions ("Strict evaluation order", "Default actions").

A default action is not one rule: which packets are "established" differs by protocol, and the application-layer variants wait until a
protocol has been recognised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from latticewall.compile.firewall.rules import PACKET_PROTOCOLS, Rule, parse_rule

OTHER_PROTOCOLS = "ip_proto:!6; ip_proto:!17; ip_proto:!1; ip_proto:!58;"
"""What is neither TCP nor UDP nor ICMP: the engine keeps no flow for most of it, so that no state can be asked."""

_EVERY_PACKET = tuple(f"{protocol} any any -> any any (flow:stateless;)" for protocol in ("tcp", "udp", "icmp"))
_BOTH_WAYS = _EVERY_PACKET[1:]
_ESTABLISHED = ("tcp any any -> any any (flow:established,to_server;)", *_BOTH_WAYS)
_RECOGNISED = (
    "tls any any -> any any (ssl_state:client_hello; flow:established,to_server;)",
    'http any any -> any any (http.header_names; content:"|0d 0a|"; startswith; flow:established,to_server;)',
)
_DATAGRAM_ONLY = frozenset({"tftp", "ntp", "dhcp", "quic", "ikev2", "ike", "snmp", "bittorrent-dht"})

_SCOPES = ("strict", "established", "established_app_layer", "established_app_layer_to_server")
ACTIONS = tuple(f"aws:{verb}_{scope}" for verb in ("drop", "alert") for scope in _SCOPES)


@dataclass(frozen=True)
class Default:
    """The default actions of one kind: conditions are rules without verdict; message is what is logged, "" for nothing."""

    conditions: tuple[Rule, ...]
    drops: bool
    message: str


def default_actions(names: Collection[str], protocols: Iterable[str]) -> tuple[Default, ...]:
    """The default actions of a policy, already checked. protocols: those its rules name, which application-layer defaults wait for.

    A drop action alone is silent; its alert twin makes the log's line.
    """
    found = []
    mentioned = frozenset(protocols)
    for scope in _SCOPES:
        drop, alert = f"aws:drop_{scope}", f"aws:alert_{scope}"
        if drop in names or alert in names:
            conditions = tuple(parse_rule(f"alert {text}") for text in _conditions(scope, mentioned))
            found.append(Default(conditions, drop in names, f"{alert} action" if alert in names else ""))
    return tuple(found)


def check_defaults(names: Iterable[str]) -> str:
    """Why this combination is not allowed, "" if it is: one drop at most, established and application-layer never together."""
    chosen = list(names)
    unknown = [name for name in chosen if name not in ACTIONS]
    if unknown:
        return f"stateful default action is invalid, parameter: [{unknown[0]}]"
    if sum(name.startswith("aws:drop") for name in chosen) > 1:
        return f"only one drop action can be provided, parameter: [{', '.join(chosen)}]"
    plain = any(name.endswith("_established") for name in chosen)
    if plain and any("app_layer" in name for name in chosen):
        return f"established and application layer default actions cannot be combined, parameter: [{', '.join(chosen)}]"
    return ""


def _conditions(scope: str, protocols: Iterable[str]) -> tuple[str, ...]:
    if scope == "strict":
        return _EVERY_PACKET
    if scope == "established":
        return _ESTABLISHED
    others = sorted(set(protocols) - PACKET_PROTOCOLS - _DATAGRAM_ONLY - {"tls", "http"})
    waits = " ".join(f"app-layer-protocol:!{protocol};" for protocol in ("tls", "http", *others))
    named = tuple(f"{protocol} any any -> any any (flow:established,to_server;)" for protocol in others)
    unknown = [f"tcp any any -> any any (flow:established,to_server; {waits})"]
    if scope == "established_app_layer":
        unknown.append(f"tcp any any -> any any (flow:established,to_client; {waits})")
    return (*_RECOGNISED, *named, *unknown, *_BOTH_WAYS)
