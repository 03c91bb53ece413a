"""GENEVE (RFC 8926) as tunnel endpoints take it: version 0, VNI 0, an IP packet inside, nothing critical that we do not know. Pure."""

from __future__ import annotations

import struct

HEADER = struct.Struct("!BBHI")
IPV4, IPV6 = 0x0800, 0x86DD
"""Protocol types: what is inside is a layer 3 packet."""
_CONTROL, _CRITICAL = 0x80, 0x40
_CRITICAL_OPTION = 0x80


class Malformed(ValueError):
    """A packet that is not let on, and why: in words that say nothing of what was in it, because they are counted."""


def decapsulate(datagram: bytes) -> tuple[int, bytes]:
    """(protocol type, the packet inside). Options are skipped once each has been found to be whole and not critical. Raises Malformed."""
    if len(datagram) < HEADER.size:
        raise Malformed("shorter than a GENEVE header")
    first, flags, protocol, last = HEADER.unpack_from(datagram)
    if first >> 6:
        raise Malformed("a GENEVE version other than 0")
    if last >> 8:
        raise Malformed("a VNI other than 0")
    if flags & _CONTROL:
        raise Malformed("a control packet")
    if protocol not in (IPV4, IPV6):
        raise Malformed("a protocol type that is not that of an IP packet")
    inside = HEADER.size + 4 * (first & 0x3F)
    if len(datagram) < inside:
        raise Malformed("options beyond the end of the packet")
    _check_options(datagram[HEADER.size : inside], expects_critical=bool(flags & _CRITICAL))
    return protocol, datagram[inside:]


def _check_options(options: bytes, *, expects_critical: bool) -> None:
    at = 0
    while at < len(options):
        type_, length = options[at + 2], 4 + 4 * (options[at + 3] & 0x1F)
        if type_ & _CRITICAL_OPTION:
            raise Malformed("a critical option that is not known")
        at += length
    if at != len(options):
        raise Malformed("an option beyond the options")
    if expects_critical:
        raise Malformed("a critical option is announced")


def encapsulate(protocol: int, packet: bytes) -> bytes:
    """The datagram for a packet, without options."""
    return HEADER.pack(0, 0, protocol, 0) + packet
