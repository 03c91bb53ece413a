"""nftables as values: what decides about a packet, with the AWS resource that says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Match:
    """One condition. key: an nft expression of a closed list (`ip saddr`, `tcp dport`, `iifname`, `ct state`, `meta mark`, ...).

    values: alternatives; prefixes, ranges "a-b" and names as nft writes them. negate: none of them.
    """

    key: str
    values: tuple[str, ...]
    negate: bool = False


@dataclass(frozen=True)
class NftRule:
    """Conditions that must all hold, then a verdict: "accept", "drop", "return", "jump CHAIN", "goto CHAIN",
    "meta mark set 0x10", or several statements joined by " ; ". comment: the AWS id of what decided ("sgr-1", "acl-1 #100").
    counter: the name of a named counter of the table, "" for none.
    """

    matches: tuple[Match, ...]
    verdict: str
    comment: str = ""
    counter: str = ""


@dataclass(frozen=True)
class Chain:
    """A chain; a base chain has hook, priority and policy, others have hook ""."""

    name: str
    rules: tuple[NftRule, ...] = ()
    hook: str = ""
    type: str = "filter"
    priority: int = 0
    policy: str = "accept"


@dataclass(frozen=True)
class Ruleset:
    """All of ours in one namespace: table `inet latticewall`, replaced in one transaction."""

    chains: tuple[Chain, ...] = ()
    counters: tuple[str, ...] = ()
