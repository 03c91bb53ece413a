"""One query in, one answer out: bytes to bytes, without sockets.

The resolver of a VPC is recursive for its clients and has nothing to recurse to: there is no way out of the region. A name outside all zones
gets NXDOMAIN (with Extended DNS Error 20, "not authoritative", and a sentence that says so). REFUSED would be the purer answer, but stub resolvers take
it as a failure of the server: glibc and musl retry, wait and report "temporary failure in name resolution", where NXDOMAIN ends at once
with "name or service not known".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import randbelow

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType

from latticewall.dataplane.names.zones import Node, RecordSet, ZoneIndex, ZoneSet

Below = Callable[[int], int]
"""A number from 0 to below the one given."""
HEADER_BYTES = 12
MAX_QUERY_BYTES = 4096
"""Longer messages are no queries of a resolver's client."""
PLAIN_UDP_BYTES = 512
EDNS_UDP_BYTES = 1232
"""Largest datagram sent (DNS flag day 2020); longer answers go over TCP."""
MAX_ALIASES = 9
"""CNAME records followed for one query."""

_OUTSIDE = dns.edns.EDEOption(dns.edns.EDECode.NOT_AUTHORITATIVE, "no zone of this VPC holds the name, and there is no way out of the region")
_META_TYPES = frozenset({RdataType.AXFR, RdataType.IXFR, RdataType.MAILA, RdataType.MAILB, RdataType.TKEY, RdataType.TSIG, RdataType.OPT})


def answer(wire: bytes, zones: ZoneSet, *, udp: bool, below: Below = randbelow) -> bytes | None:
    """The response to a query, or None when it deserves none (no query at all). Never raises on hostile bytes. below: chance, for what is weighted."""
    if not HEADER_BYTES <= len(wire) <= MAX_QUERY_BYTES or wire[2] & 0x80:
        return None
    if (wire[2] >> 3) & 0xF != dns.opcode.QUERY:
        return _bare(wire, dns.rcode.NOTIMP)
    counts = [int.from_bytes(wire[at : at + 2], "big") for at in (4, 6, 8, 10)]
    if counts[0] != 1 or counts[1] or counts[2] or counts[3] > 1:
        return _bare(wire, dns.rcode.FORMERR)
    try:
        query = dns.message.from_wire(wire, ignore_trailing=True)
        response = respond(query, zones, below)
        limit = min(max(query.payload, PLAIN_UDP_BYTES), EDNS_UDP_BYTES) if udp else 65535
        return response.to_wire(max_size=limit, prefer_truncation=True)
    except (dns.exception.DNSException, ValueError, IndexError, OverflowError):
        return _bare(wire, dns.rcode.FORMERR)


def respond(query: dns.message.Message, zones: ZoneSet, below: Below = randbelow) -> dns.message.Message:
    """The response message for a well-formed query with one question."""
    response = dns.message.make_response(query, recursion_available=True, our_payload=EDNS_UDP_BYTES)
    if query.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
        return response
    question = query.question[0]
    if question.rdclass != dns.rdataclass.IN or question.rdtype in _META_TYPES:
        response.set_rcode(dns.rcode.REFUSED)
        return response
    _resolve(response, question.name, question.rdtype, zones, below)
    return response


def _resolve(response: dns.message.Message, name: Name, wanted: RdataType, zones: ZoneSet, below: Below) -> None:
    """Fill in answer, authority and code, following CNAME records inside the VPC's zones. The code is that of the last name (RFC 6604)."""
    seen: set[Name] = set()
    while name not in seen and len(seen) <= MAX_ALIASES:
        seen.add(name)
        zone = zones.enclosing(name)
        if zone is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            if response.edns >= 0:
                response.use_edns(0, 0, EDNS_UDP_BYTES, options=[_OUTSIDE])
            return
        node = zone.node(name)
        if node is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
            _append(response.authority, zone.origin, RdataType.SOA, _negative(zone))
            return
        found = _select(zone, name, node, wanted, below)
        if found is None:
            _append(response.authority, zone.origin, RdataType.SOA, _negative(zone))
            return
        type_, records = found
        _append(response.answer, name, type_, records)
        if type_ == wanted or type_ != RdataType.CNAME or wanted == RdataType.ANY:
            return
        name = records.rdatas[0].target  # type: ignore[attr-defined] # of a CNAME, by its type
    response.set_rcode(dns.rcode.SERVFAIL)
    response.answer.clear()


def _select(zone: ZoneIndex, name: Name, node: Node, wanted: RdataType, below: Below) -> tuple[RdataType, RecordSet] | None:
    """The record set that answers: of the type asked for, else the name's CNAME; for ANY one of those there are (RFC 8482)."""
    if wanted == RdataType.SOA and name == zone.origin:
        return RdataType.SOA, zone.soa()
    if wanted == RdataType.ANY:
        return next(((type_, _chosen(node[type_], below)) for type_ in sorted(node)), None)
    for type_ in (wanted, RdataType.CNAME):
        if type_ in node:
            return type_, _chosen(node[type_], below)
    return None


def _chosen(found: Sequence[RecordSet], below: Below) -> RecordSet:
    """One of several by weight ("Weighted routing"): without weight none, unless none of them has any."""
    if len(found) == 1:
        return found[0]
    weights = [record_set.weight for record_set in found]
    weights = weights if any(weights) else [1] * len(found)
    left = below(sum(weights))
    for record_set, weight in zip(found, weights, strict=True):
        left -= weight
        if left < 0:
            return record_set
    return found[-1]


def _negative(zone: ZoneIndex) -> RecordSet:
    """The zone's SOA with the lifetime of a negative answer (RFC 2308: the lesser of its own and its minimum)."""
    soa = zone.soa()
    return RecordSet(min(soa.ttl, soa.rdatas[0].minimum), soa.rdatas)  # type: ignore[attr-defined] # of a SOA, by its type


def _append(section: list[dns.rrset.RRset], name: Name, type_: RdataType, records: RecordSet) -> None:
    rrset = dns.rrset.RRset(name, dns.rdataclass.IN, type_)
    for rdata in records.rdatas:
        rrset.add(rdata, records.ttl)
    section.append(rrset)


def _bare(wire: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A header-only refusal of something that could not be read further."""
    flags = dns.flags.QR | dns.flags.RA | (wire[2] << 8 & (0x7800 | dns.flags.RD)) | rcode
    return wire[:2] + int(flags).to_bytes(2, "big") + bytes(8)
