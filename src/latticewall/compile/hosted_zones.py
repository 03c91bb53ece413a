"""Private hosted zones: Route 53's record sets as zone-file records.

Amazon Route 53 guide: "Supported DNS record types", "DNS domain name format", "Choosing between alias and non-alias records".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latticewall.plan.names import UNWEIGHTED, Record
from latticewall.world.types import HostedZone

ALIAS_DEPTH = 8
"""Aliases to aliases that are followed."""

_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_NAME_IS_LAST = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})
"""Types whose value ends in a domain name, which Route 53 takes as absolute with or without its final dot."""


@dataclass(frozen=True)
class Alias:
    """An alias record: answers with the records of the same type that `target` has. weight: see Record."""

    origin: str
    name: str
    type: str
    target: str
    weight: int = UNWEIGHTED


@dataclass(frozen=True)
class RecordSets:
    """A zone's contents. refused: what is not served, as sentences."""

    records: tuple[Record, ...]
    aliases: tuple[Alias, ...]
    refused: tuple[str, ...]


def absolute(name: str) -> str:
    """Lower case with the final dot; Route 53's octal escapes become characters where they stand for one of a host name or a wildcard."""
    return _unescape(name).lower().rstrip(".") + "."


def record_sets(zone: HostedZone) -> RecordSets:
    """The zone's record sets; several multivalue answers of one name and type become one record with all values."""
    plain: dict[tuple[str, str, str], Record] = {}
    aliases: list[Alias] = []
    refused: list[str] = []
    for document in zone.records:
        name, type_ = absolute(document["Name"]), document["Type"]
        weight = int(document.get("Weight", UNWEIGHTED))
        if "SetIdentifier" in document and weight == UNWEIGHTED and not document.get("MultiValueAnswer"):
            refused.append(f"{name} {type_} ({document['SetIdentifier']}): only simple, weighted and multivalue answer routing are supported")
        elif "AliasTarget" in document:
            aliases.append(Alias(absolute(zone.name), name, type_, absolute(document["AliasTarget"]["DNSName"]), weight))
        else:
            key = (name, type_, document["SetIdentifier"] if weight != UNWEIGHTED else "")
            before = plain.get(key)
            values = (before.values if before else ()) + _values(document)
            plain[key] = Record(name, type_, int(document["TTL"]), tuple(dict.fromkeys(values)), weight)
    return RecordSets(tuple(plain.values()), tuple(aliases), tuple(refused))


def address_records(name: str, ttl: int, values: Iterable[str]) -> list[Record]:
    """One record for each family that the addresses are of."""
    found = tuple(values)
    families = (("A", tuple(value for value in found if ":" not in value)), ("AAAA", tuple(value for value in found if ":" in value)))
    return [Record(name, type_, ttl, of_family) for type_, of_family in families if of_family]


def resolve_aliases(records: Mapping[str, Sequence[Record]], aliases: Sequence[Alias]) -> dict[str, list[Record]]:
    """By origin, what each alias answers within these zones (records by origin). An alias whose target has no such record answers nothing."""
    pending = {(alias.name, alias.type): alias for alias in aliases}
    answers: dict[str, list[Record]] = {}
    for alias in aliases:
        target, depth = alias.target, 0
        while (target, alias.type) in pending and depth < ALIAS_DEPTH:
            target, depth = pending[target, alias.type].target, depth + 1
        for found in records.get(_enclosing(records, target), ()):
            if (found.name, found.type) == (target, alias.type):
                answers.setdefault(alias.origin, []).append(Record(alias.name, alias.type, found.ttl, found.values, alias.weight))
    return answers


def _enclosing(records: Mapping[str, Sequence[Record]], name: str) -> str:
    """The origin of the most specific zone that holds the name, "" for none."""
    while name and name not in records:
        name = name.partition(".")[2]
    return name


def _values(document: dict[str, Any]) -> tuple[str, ...]:
    values = (_unescape(record["Value"].strip()) for record in document.get("ResourceRecords", []))
    if document["Type"] not in _NAME_IS_LAST:
        return tuple(values)
    return tuple(value if value.endswith(".") else f"{value}." for value in values)


def _unescape(text: str) -> str:
    r"""Route 53 writes any character as a backslash and three octal digits; zone files use decimal ones. \052 is *."""
    return _OCTAL.sub(lambda found: _character(int(found[1], 8)), text)


def _character(code: int) -> str:
    character = chr(code)
    return character if (character.isascii() and character.isalnum()) or character in "*-_" else f"\\{code:03d}"
