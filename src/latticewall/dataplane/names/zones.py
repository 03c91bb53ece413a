"""The zones of one VPC, indexed for answering. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
from dns.name import Name
from dns.rdata import Rdata
from dns.rdatatype import RdataType

from latticewall.plan.names import UNWEIGHTED, Record, Zone

WILDCARD = b"*"
_PLAIN = re.compile(r"[a-z0-9*._-]+")
"""A name that no other text stands for."""


@dataclass(frozen=True)
class RecordSet:
    """All records of one name and type. ttl in seconds. weight: of its share among others of the name and type; UNWEIGHTED when it is the only one."""

    ttl: int
    rdatas: tuple[Rdata, ...]
    weight: int = UNWEIGHTED


Node = dict[RdataType, tuple[RecordSet, ...]]
"""By type, one record set or several weighted ones."""


@dataclass
class ZoneIndex:
    """A zone by name. nodes: names with records. inner: names that exist because something lies beneath them, and how many names with records do."""

    origin: Name
    nodes: dict[Name, Node] = field(default_factory=dict)
    inner: dict[Name, int] = field(default_factory=dict)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    """(what, why) of records that are not valid zone-file text; they are not served."""

    @classmethod
    def of(cls, zone: Zone) -> ZoneIndex:
        """Raises dns.exception.DNSException when the origin itself is not a name."""
        index = cls(dns.name.from_text(zone.origin))
        index._fill(zone.records)
        return index

    def changed(self, without: Collection[str], more: Iterable[Record]) -> ZoneIndex:
        """The index of the same zone without some names, and with more records, of names that it has none of then."""
        index = ZoneIndex(self.origin, self.nodes.copy(), self.inner.copy())
        for name in {dns.name.from_text(name) for name in without}:
            if index.nodes.pop(name, None) is not None:
                index._note_inner(name, -1)
        index._fill(more)
        return index

    def _fill(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                self._add(record)
            except (dns.exception.DNSException, ValueError) as error:
                self.rejected.append((f"{record.name} {record.type}", f"{error or type(error).__name__}"))

    def _add(self, record: Record) -> None:
        name = dns.name.from_text(record.name)
        if not name.is_subdomain(self.origin):
            raise ValueError("lies outside its zone")
        type_ = dns.rdatatype.from_text(record.type)
        rdatas = tuple(dns.rdata.from_text(dns.rdataclass.IN, type_, value, dns.name.root, relativize=False) for value in record.values)
        if not rdatas:
            raise ValueError("has no value")
        if name not in self.nodes:
            self.nodes[name] = {}
            self._note_inner(name, 1)
        node, made = self.nodes[name], RecordSet(record.ttl, rdatas, record.weight)
        node[type_] = (made,) if record.weight == UNWEIGHTED else (*node.get(type_, ()), made)

    def _note_inner(self, name: Name, more: int) -> None:
        while name != self.origin:
            name = name.parent()
            self.inner[name] = self.inner.get(name, 0) + more
            if not self.inner[name]:
                del self.inner[name]

    def node(self, name: Name) -> Node | None:
        """What the name holds: its records (none for a name that merely has others beneath it), those of the wildcard that covers it, or
        None when it does not exist (RFC 4592: a wildcard covers only what is beneath its closest existing ancestor)."""
        exact = self.nodes.get(name)
        if exact is not None:
            return exact
        if name in self.inner or name == self.origin:
            return {}
        ancestor = name.parent()
        while ancestor != self.origin and ancestor not in self.inner and ancestor not in self.nodes:
            ancestor = ancestor.parent()
        return self.nodes.get(Name((WILDCARD, *ancestor.labels)))

    def soa(self) -> RecordSet:
        """The zone's SOA record; a zone without one (those the region makes itself) gets one with a short negative lifetime."""
        held = self.nodes.get(self.origin, {}).get(RdataType.SOA)
        return held[0] if held else RecordSet(_NEGATIVE_TTL, (_soa(self.origin),))


_NEGATIVE_TTL = 5
"""Seconds that a client may remember that a name does not exist: short, because a region changes while its clients run."""


def _soa(origin: Name) -> Rdata:
    text = f"ns.latticewall.internal. hostmaster.latticewall.internal. 1 7200 900 1209600 {_NEGATIVE_TTL}"
    return dns.rdata.from_text(dns.rdataclass.IN, RdataType.SOA, text, origin, relativize=False)


class ZoneIndexes:
    """The indexes of all zones, each made once however many VPCs have it. Of one that has changed, only the names that did are read anew: it may be large."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Zone, ZoneIndex]] = {}

    def follow(self, zones: Iterable[Zone]) -> None:
        """Have these and no others; zones are told apart by identity. Those whose origin is no name are left out."""
        before = {zone.origin: (zone, index) for zone, index in self._held.values()}
        found: dict[int, tuple[Zone, ZoneIndex]] = {}
        for zone in zones:
            if id(zone) not in found:
                with suppress(dns.exception.DNSException, ValueError):
                    found[id(zone)] = self._held.get(id(zone)) or (zone, _index(zone, *before.get(zone.origin, (None, None))))
        self._held = found

    def of(self, zone: Zone) -> ZoneIndex:
        """Raises dns.exception.DNSException when the origin itself is not a name."""
        held = self._held.get(id(zone))
        return held[1] if held else ZoneIndex.of(zone)


def _index(zone: Zone, before: Zone | None, index: ZoneIndex | None) -> ZoneIndex:
    """before, index: of a zone of the same origin."""
    if before is None or index is None or index.rejected:
        return ZoneIndex.of(zone)
    had, has = {*map(id, before.records)}, {*map(id, zone.records)}
    gone, come = ({record for record in held if id(record) not in other} for held, other in ((before.records, has), (zone.records, had)))
    names = {record.name for record in gone ^ come}
    if not all(map(_PLAIN.fullmatch, names)):
        return ZoneIndex.of(zone)
    return index.changed(names.intersection(record.name for record in before.records), [record for record in zone.records if record.name in names])


class ZoneSet:
    """All zones of one VPC; the most specific one that encloses a name answers for it."""

    def __init__(self, zones: Iterable[Zone], indexes: ZoneIndexes | None = None) -> None:
        self._zones: dict[Name, ZoneIndex] = {}
        self.rejected: list[tuple[str, str]] = []
        for zone in zones:
            try:
                index = indexes.of(zone) if indexes else ZoneIndex.of(zone)
            except (dns.exception.DNSException, ValueError) as error:
                self.rejected.append((zone.origin, f"{error or type(error).__name__}"))
                continue
            self.rejected += index.rejected
            self._zones.setdefault(index.origin, index)

    def enclosing(self, name: Name) -> ZoneIndex | None:
        """The zone that answers for the name, or None when it lies outside all of them. At most 128 steps (a name has no more labels)."""
        while True:
            zone = self._zones.get(name)
            if zone is not None or name == dns.name.root:
                return zone
            name = name.parent()
