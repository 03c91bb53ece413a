"""Frames that an instance with raw sockets may try: under others' addresses, by ways that nobody should go, and in their own name.

Each carries its name behind `MARK`, by which whoever sees it knows it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MARK = b"spoofed:"
PORT = 9999
IPV4, IPV6, VLAN = 0x0800, 0x86DD, 0x8100
UDP, IPIP, SIT, ROUTING, ICMP6 = 17, 4, 41, 43, 58
SEND = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
for line in sys.stdin:
    ethernet_type, packet = line.split()
    raw.send(bytes.fromhex(sys.argv[1].replace(":", "")) + raw.getsockname()[4] + bytes.fromhex(ethernet_type + packet))
"""
"""argv: the router's MAC address. stdin: type and packet of each frame, hexadecimal."""
WATCH = f"""
import re, socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("eth0", 3))
print("ready", flush=True)
while True:
    packet, (_, _, kind, *_) = raw.recvfrom(65535)
    found = re.search(rb"{MARK.decode()}([ -~]+)", packet)
    if kind != socket.PACKET_OUTGOING and found:
        print(found[1].decode(), flush=True)
"""
"""Prints the names of what arrives."""


@dataclass(frozen=True)
class Place:
    ipv4: str
    ipv6: str


def frames(own: Place, victim: Place, target: Place, router: Place) -> Iterator[tuple[str, int, bytes]]:
    """(name, type, packet) to the target; those whose name begins with `own` must arrive, and no other. The last one is of these."""
    nobody = ("0.0.0.0", "127.0.0.1", "169.254.169.254", "169.254.171.2", "224.0.0.1", "255.255.255.255", "192.0.2.7", router.ipv4, victim.ipv4)
    for source in nobody:
        yield _udp4(f"from {source}", source, target.ipv4)
    loose = bytes((131, 7, 4)) + socket.inet_aton(target.ipv4) + b"\0"
    yield "by a loose source route", IPV4, _ipv4(own.ipv4, router.ipv4, UDP, _udp("by a loose source route"), loose)
    yield "from the victim, tagged", VLAN, struct.pack("!HH", 5, IPV4) + _udp4("from the victim, tagged", victim.ipv4, target.ipv4)[2]
    yield "from the victim, inside a packet", IPV4, _ipv4(own.ipv4, router.ipv4, IPIP, _udp4("from the victim, inside a packet", victim.ipv4, target.ipv4)[2])
    yield "a fragment from the victim", IPV4, _ipv4(victim.ipv4, target.ipv4, UDP, MARK + b"a fragment from the victim", fragment=1)
    for source in ("::", "::1", "fe80::1", "ff02::1", f"::ffff:{victim.ipv4}", router.ipv6, victim.ipv6, "2001:db8:ffff::7"):
        yield _udp6(f"from {source}", source, target.ipv6)
    six_in_four = _ipv4(own.ipv4, router.ipv4, SIT, _udp6("six in four", victim.ipv6, target.ipv6)[2])
    yield "six in four", IPV4, six_in_four
    around = struct.pack("!BBBBI", UDP, 2, 0, 1, 0) + socket.inet_pton(socket.AF_INET6, target.ipv6) + _udp("by a routing header")
    yield "by a routing header", IPV6, _ipv6(own.ipv6, router.ipv6, ROUTING, around)
    yield _udp6("own, IPv6", own.ipv6, target.ipv6)
    yield _udp4("own", own.ipv4, target.ipv4)


def _udp4(name: str, source: str, target: str) -> tuple[str, int, bytes]:
    return name, IPV4, _ipv4(source, target, UDP, _udp(name))


def _udp6(name: str, source: str, target: str) -> tuple[str, int, bytes]:
    body = _udp(name)
    pseudo = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + struct.pack("!II", len(body), UDP)
    return name, IPV6, _ipv6(source, target, UDP, body[:6] + struct.pack("!H", _checksum(pseudo + body) or 0xFFFF) + body[8:])


def _udp(name: str) -> bytes:
    body = MARK + name.encode()
    return struct.pack("!HHHH", 7000, PORT, 8 + len(body), 0) + body


def _ipv4(source: str, target: str, protocol: int, body: bytes, options: bytes = b"", fragment: int = 0) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(body), 7, fragment, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target) + options
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + body


def _ipv6(source: str, target: str, following: int, body: bytes) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    return struct.pack("!IHBB", 6 << 28, len(body), following, 64) + addresses + body


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
