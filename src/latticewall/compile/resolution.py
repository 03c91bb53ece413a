"""What a name resolves to, by zones as they are planned: the answer that a resolver with these zones gives, without asking one.

The data plane's resolver (`dataplane.names`) answers queries from the same zones; a test holds the two together. Names outside all zones do not exist:
there is no way out of the region.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from latticewall.compile.hosted_zones import absolute
from latticewall.plan.names import Record, Zone

MAX_ALIASES = 9
"""CNAME records followed, as the resolver does."""


class Zones:
    """Zones by name. Of two with the same origin the first counts."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._zones: dict[str, dict[str, dict[str, Record]]] = {}
        for zone in zones:
            if zone.origin not in self._zones:
                self._zones[zone.origin] = _nodes(zone)

    def addresses(self, name: str, type_: str = "A") -> tuple[str, ...]:
        """The values of the name's record of that type, CNAME records followed; () when there is none. In the records' own order."""
        name = absolute(name)
        for _ in range(MAX_ALIASES + 1):
            node = self._node(name)
            if type_ in node:
                return node[type_].values
            if "CNAME" not in node:
                break
            name = absolute(node["CNAME"].values[0])  # of weighted ones the first
        return ()

    def _node(self, name: str) -> dict[str, Record]:
        """What the most specific zone that encloses the name holds for it: its own records, else those of the wildcard that covers it (RFC 4592)."""
        origin = name
        while origin not in self._zones:
            if not origin:
                return {}
            origin = origin.partition(".")[2]
        nodes, closest = self._zones[origin], name
        if closest in nodes:
            return nodes[closest]
        while closest not in nodes:
            closest = closest.partition(".")[2]
        return nodes.get(f"*.{closest}", {})


def _nodes(zone: Zone) -> dict[str, dict[str, Record]]:
    """Records by name and type; names that exist only because something lies beneath them have none."""
    nodes: dict[str, dict[str, Record]] = {zone.origin: {}}
    for record in zone.records:
        node = nodes.setdefault(record.name, {})
        node[record.type] = _joined(node[record.type], record) if record.type in node else record
        above = record.name
        while above.endswith("." + zone.origin):
            above = above.partition(".")[2]
            nodes.setdefault(above, {})
    return nodes


def _joined(one: Record, other: Record) -> Record:
    """Weighted record sets of one name and type: whatever a query may be answered, but what has no weight beside something that has."""
    if not one.weight or not other.weight:
        return one if one.weight else other if other.weight else replace(one, values=(*one.values, *other.values))
    return replace(one, values=tuple(dict.fromkeys((*one.values, *other.values))), weight=one.weight + other.weight)
