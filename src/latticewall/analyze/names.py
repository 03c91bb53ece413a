"""What a VPC's resolver answers, out of the plan: the most specific zone decides, CNAME records are followed inside the VPC's zones."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.plan.names import Record, Resolver, Zone

MOST_ALIASES = 9


@dataclass(frozen=True)
class Lookup:
    """addresses: those of the last name, IPv4 first. trail: the names on the way, the asked one first. zone: origin of the last zone asked, "" when none
    holds the name."""

    addresses: tuple[str, ...]
    trail: tuple[str, ...]
    zone: str = ""


def look_up(resolver: Resolver, name: str) -> Lookup:
    """The addresses of a name."""
    wanted = name.lower().rstrip(".") + "."
    trail: list[str] = []
    origin = ""
    while wanted not in trail and len(trail) < MOST_ALIASES:
        trail.append(wanted)
        zone = _enclosing(resolver, wanted)
        if zone is None:
            return Lookup((), tuple(trail))
        origin = zone.origin
        records = {record.type: record for record in _covering(zone, wanted)}
        if found := tuple(address for type_ in ("A", "AAAA") if type_ in records for address in records[type_].values):
            return Lookup(found, tuple(trail), origin)
        if "CNAME" not in records:
            break
        wanted = records["CNAME"].values[0].lower().rstrip(".") + "."
    return Lookup((), tuple(trail), origin)


def _enclosing(resolver: Resolver, name: str) -> Zone | None:
    holding = [zone for zone in resolver.zones if _is_at_or_below(name, zone.origin)]
    return max(holding, key=lambda zone: len(zone.origin), default=None)


def _is_at_or_below(name: str, origin: str) -> bool:
    return name == origin or name.endswith("." + origin)


def _covering(zone: Zone, name: str) -> list[Record]:
    """The name's own records, else those of the wildcard that covers it (RFC 4592: just beneath its closest existing ancestor)."""
    own = [record for record in zone.records if record.name == name]
    if own or any(record.name.endswith("." + name) for record in zone.records):
        return own
    ancestor = name
    while ancestor != zone.origin:
        ancestor = ancestor.partition(".")[2]
        if ancestor == zone.origin or any(_is_at_or_below(record.name, ancestor) for record in zone.records):
            return [record for record in zone.records if record.name == f"*.{ancestor}"]
    return []
