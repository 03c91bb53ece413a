"""IP packets out of and into tunnels: what of them is let on, and another address in them. Pure.

Regular traffic is TCP, of UDP there is only DNS ("Access network segments through AWS PrivateLink"). Back to the client go TCP, DNS's answers and the ICMP
errors about either, so that path MTU discovery works. Fragments have no ports, so none are let in.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from latticewall.dataplane.tunnels.geneve import IPV4, IPV6, Malformed

Address = IPv4Address | IPv6Address
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
DNS = 53
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_MORE, _OFFSET, _DONT = 0x2000, 0x1FFF, 0x4000
_CHECKSUM_AT = {TCP: 16, UDP: 6, ICMPV6: 2}
"""Where in what follows the IP header the checksum is that covers the addresses."""
_ERRORS = (3, 11)
_ERRORS_IPV6 = (1, 2, 3)
"""ICMP types that are about a packet: unreachable (with "too big"), time exceeded."""


class Packet:
    """An IP packet whose lengths are right. raw: exactly its bytes. offset: of what follows the header. fragment: where in the whole it begins, in bytes."""

    __slots__ = ("destination", "fragment", "keep_whole", "more", "offset", "protocol", "raw", "source", "version")

    def __init__(self, protocol: int, data: bytes) -> None:
        """protocol: the Ethernet type. Raises Malformed."""
        self.version = 4 if protocol == IPV4 else 6
        if protocol == IPV4:
            self._read_ipv4(data)
        elif protocol == IPV6:
            self._read_ipv6(data)
        else:
            raise Malformed("not an IP packet")

    def _read_ipv4(self, data: bytes) -> None:
        if len(data) < _IPV4.size:
            raise Malformed("shorter than an IPv4 header")
        first, _, length, _, flags, _, self.protocol, _, source, destination = _IPV4.unpack_from(data)
        if first != 0x45:
            raise Malformed("not IPv4" if first >> 4 != 4 else "an IPv4 header with options")
        if not _IPV4.size <= length <= len(data):
            raise Malformed("an IPv4 length that is not the packet's")
        if _sum(data[: _IPV4.size]) != 0xFFFF:
            raise Malformed("a wrong IPv4 header checksum")
        self.raw, self.offset = data[:length], _IPV4.size
        self.fragment, self.more, self.keep_whole = 8 * (flags & _OFFSET), bool(flags & _MORE), bool(flags & _DONT)
        self.source, self.destination = source, destination

    def _read_ipv6(self, data: bytes) -> None:
        if len(data) < _IPV6.size:
            raise Malformed("shorter than an IPv6 header")
        first, length, self.protocol, _, self.source, self.destination = _IPV6.unpack_from(data)
        if first >> 28 != 6:
            raise Malformed("not IPv6")
        if _IPV6.size + length > len(data):
            raise Malformed("an IPv6 length that is not the packet's")
        self.raw, self.offset = data[: _IPV6.size + length], _IPV6.size
        self.fragment, self.more, self.keep_whole = 0, False, True  # a fragment header is another protocol

    @property
    def payload(self) -> bytes:
        return self.raw[self.offset :]


def check_from_client(packet: Packet) -> None:
    """Whether a client may send this through a tunnel, wherever to. Raises Malformed."""
    if packet.fragment or packet.more:
        raise Malformed("a fragment")
    if not _can_be_answered(packet.source):
        raise Malformed("a source that is no host's")
    payload = packet.payload
    if packet.protocol == TCP:
        if len(payload) < 20 or not 20 <= 4 * (payload[12] >> 4) <= len(payload):
            raise Malformed("a TCP header that is not whole")
    elif packet.protocol == UDP:
        if len(payload) < 8 or int.from_bytes(payload[4:6], "big") != len(payload):
            raise Malformed("a UDP length that is not the packet's")
        if int.from_bytes(payload[2:4], "big") != DNS:
            raise Malformed("UDP that is not DNS")
    else:
        raise Malformed("neither TCP nor UDP")


def _can_be_answered(source: bytes) -> bool:
    """Whether an address is one host's, and not a host's for itself."""
    if len(source) == 4:
        return 0 < source[0] < 224 and source[0] != 127
    return source[0] != 0xFF and source[:15] != bytes(15)


def with_source(packet: Packet, address: Address) -> bytes:
    """The packet as from another address of its family."""
    return _readdressed(packet, packet.source, address.packed, 12 if packet.version == 4 else 8)


def with_destination(packet: Packet, address: Address) -> bytes:
    """The packet as to another address of its family. What an ICMP error is about is then from that address."""
    found = _readdressed(packet, packet.destination, address.packed, 16 if packet.version == 4 else 24)
    is_error = packet.protocol in (ICMP, ICMPV6) and not packet.fragment and len(packet.payload) > 8
    if is_error and packet.payload[0] in (_ERRORS if packet.protocol == ICMP else _ERRORS_IPV6):
        return _about(found, packet, address)
    return found


def goes_back(packet: Packet) -> bool:
    """Whether this is for a client: TCP, UDP, or an ICMP error."""
    if packet.protocol in (TCP, UDP):
        return True
    errors = {(4, ICMP): _ERRORS, (6, ICMPV6): _ERRORS_IPV6}.get((packet.version, packet.protocol), ())
    return bool(packet.payload) and packet.payload[0] in errors


def too_big(packet: Packet, mtu: int, reporter: IPv4Address) -> bytes:
    """The ICMP error that tells a packet's sender how large packets may be: as from `reporter`, of IPv6 as from where the packet was to go."""
    if packet.version == 6:
        body = struct.pack("!BBHI", 2, 0, 0, mtu) + packet.raw[: 1280 - _IPV6.size - 8]
        covered = packet.destination + packet.source + struct.pack("!II", len(body), ICMPV6) + body
        body = body[:2] + _complement(_sum(covered)) + body[4:]
        return _IPV6.pack(6 << 28, len(body), ICMPV6, 64, packet.destination, packet.source) + body
    about = packet.raw[: _IPV4.size + 8]
    body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + about
    body = body[:2] + _complement(_sum(body)) + body[4:]
    header = _IPV4.pack(0x45, 0, _IPV4.size + len(body), 0, 0, 64, ICMP, 0, reporter.packed, packet.source)
    return header[:10] + _complement(_sum(header)) + header[12:] + body


def _readdressed(packet: Packet, old: bytes, new: bytes, at: int) -> bytes:
    found = bytearray(packet.raw)
    found[at : at + len(new)] = new
    if packet.version == 4:
        _adjust(found, 10, old, new)
    _adjust_payload(found, packet.offset, packet.protocol, old, new, begins=not packet.fragment)
    return bytes(found)


def _about(found: bytes, error: Packet, address: Address) -> bytes:
    """What the error is about was sent by the client: with its own address again. found: the error as it goes to the client."""
    whole = bytearray(found)
    start, size = error.offset + 8, _IPV4.size if error.version == 4 else _IPV6.size
    if len(whole) < start + size:
        return found
    at = start + (12 if error.version == 4 else 8)
    old, new = bytes(whole[at : at + len(address.packed)]), address.packed
    whole[at : at + len(new)] = new
    if error.version == 4:
        _adjust(whole, start + 10, old, new)
    inner = whole[start + (9 if error.version == 4 else 6)]
    _adjust_payload(whole, start + size, inner, old, new, begins=True)
    whole[error.offset + 2 : error.offset + 4] = b"\0\0"
    covered = bytes(whole[error.offset :])
    if error.version == 6:
        covered = bytes(whole[8:40]) + struct.pack("!II", len(covered), ICMPV6) + covered
    whole[error.offset + 2 : error.offset + 4] = _complement(_sum(covered))
    return bytes(whole)


def _adjust_payload(packet: bytearray, offset: int, protocol: int, old: bytes, new: bytes, *, begins: bool) -> None:
    """The checksum behind the IP header, where it covers the addresses, is there, and is used."""
    at = offset + _CHECKSUM_AT.get(protocol, len(packet))
    if not begins or at + 2 > len(packet) or (protocol == UDP and packet[at : at + 2] == b"\0\0"):
        return
    _adjust(packet, at, old, new)
    if protocol == UDP and packet[at : at + 2] == b"\0\0":
        packet[at : at + 2] = b"\xff\xff"


def _adjust(packet: bytearray, at: int, old: bytes, new: bytes) -> None:
    """An Internet checksum after some of what it covers has changed (RFC 1624)."""
    before = int.from_bytes(packet[at : at + 2], "big")
    total = (~before & 0xFFFF) + (0xFFFF - _sum(old)) + _sum(new)
    packet[at : at + 2] = _complement(_folded(total))


def _sum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    return _folded(sum(struct.unpack(f"!{len(data) // 2}H", data)))


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _complement(total: int) -> bytes:
    return (~total & 0xFFFF).to_bytes(2, "big")
