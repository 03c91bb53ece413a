"""What a tunnel's engine believes of packets, and who is who inside. Whatever arrives, nothing but Malformed comes of it."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.dataplane.tunnels import packets
from latticewall.dataplane.tunnels.clients import IDLE_SECONDS, MOST_OF_ONE, Client, Clients, NoRoom
from latticewall.dataplane.tunnels.geneve import IPV4, IPV6, Malformed, decapsulate, encapsulate
from latticewall.dataplane.tunnels.packets import ICMP, ICMPV6, TCP, UDP, Packet, check_from_client

FIRST, SECOND = ip_address("192.168.77.1"), ip_address("10.0.1.50")
SIX, SEVEN = ip_address("2001:db8::6"), ip_address("2001:db8::7")
PAYLOADS = st.binary(max_size=64)


def checksum(data: bytes) -> int:
    """The Internet checksum, the slow way."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def pseudo(source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, len(payload)) + payload
    return source + destination + struct.pack("!II", len(payload), protocol) + payload


def ip_packet(protocol: int, payload: bytes, source: packets.Address = FIRST, destination: packets.Address = SECOND, flags: int = 0x4000) -> bytes:
    """With right checksums throughout."""
    at = {TCP: 16, UDP: 6, ICMPV6: 2}.get(protocol)
    if at is not None and not flags & 0x1FFF:
        right = checksum(pseudo(source.packed, destination.packed, protocol, payload)) or (0xFFFF if protocol == UDP else 0)
        payload = payload[:at] + right.to_bytes(2, "big") + payload[at + 2 :]
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + source.packed + destination.packed + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, flags, 64, protocol, 0) + source.packed + destination.packed
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def tcp(data: bytes = b"") -> bytes:
    return struct.pack("!HHIIBBHHH", 40001, 443, 1, 2, 0x50, 0x18, 500, 0, 0) + data


def udp(data: bytes = b"", port: int = 53) -> bytes:
    return struct.pack("!HHHH", 40001, port, 8 + len(data), 0) + data


def is_right(packet: bytes) -> bool:
    """Whether all checksums are those of what is there."""
    if packet[0] >> 4 == 6:
        return checksum(pseudo(packet[8:24], packet[24:40], packet[6], packet[40:])) == 0
    payload = packet[20:]
    covered = payload if packet[9] == ICMP else pseudo(packet[12:16], packet[16:20], packet[9], payload)
    return checksum(packet[:20]) == 0 and checksum(covered) == 0


# -- encapsulation -----------------------------------------------------------------------------------------------------------------------------


@given(st.sampled_from([IPV4, IPV6]), PAYLOADS)
def test_what_goes_in_comes_out(protocol: int, data: bytes) -> None:
    assert decapsulate(encapsulate(protocol, data)) == (protocol, data)


@given(st.binary(max_size=300))
def test_any_datagram_is_taken_or_malformed(datagram: bytes) -> None:
    try:
        protocol, data = decapsulate(datagram)
        check_from_client(Packet(protocol, data))
    except Malformed:
        return
    assert datagram[0] >> 6 == 0
    assert datagram[4:7] == b"\0\0\0"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("00000800000000", "shorter"),
        ("4000080000000000", "version other than 0"),
        ("0000080000000100", "VNI other than 0"),
        ("0080080000000000", "control"),
        ("0000655800000000", "not that of an IP packet"),
        ("0040080000000000", "critical option is announced"),
        ("0100080000000000", "options beyond the end"),
        ("0100080000000000" + "01020001", "an option beyond the options"),
        ("0100080000000000" + "01028000", "a critical option that is not known"),
    ],
)
def test_headers_that_are_not_ours(header: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        decapsulate(bytes.fromhex(header))


def test_options_that_are_not_critical_are_skipped_and_reserved_bits_ignored() -> None:
    assert decapsulate(bytes.fromhex("033f0800000000ff" + "0102030100000000" + "01020300") + b"inside") == (IPV4, b"inside")


# -- packets -----------------------------------------------------------------------------------------------------------------------------------


@given(st.sampled_from([IPV4, IPV6]), st.binary(max_size=120))
def test_any_packet_is_read_or_malformed(protocol: int, data: bytes) -> None:
    try:
        packet = Packet(protocol, data)
    except Malformed:
        return
    assert data.startswith(packet.raw)


@given(st.data())
def test_any_damage_is_passed_on_as_it_is_or_malformed(data: st.DataObject) -> None:
    """Where a few bytes of a good packet are others."""
    whole = bytearray(data.draw(st.sampled_from([ip_packet(TCP, tcp(b"abc")), ip_packet(UDP, udp(b"abc")), ip_packet(TCP, tcp(), SIX, SEVEN)])))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        packet = Packet(IPV4 if whole[0] >> 4 == 4 else IPV6, bytes(whole))
        check_from_client(packet)
    except Malformed:
        return
    address: packets.Address = IPv4Address("100.64.0.9") if packet.version == 4 else IPv6Address("fd00::9")
    changed = packets.with_source(packet, address)
    assert len(changed) == len(packet.raw)
    assert is_right(changed) == is_right(packet.raw)


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (ip_packet(TCP, tcp(), flags=0x2000), "a fragment"),
        (ip_packet(TCP, tcp(), flags=0x0007), "a fragment"),
        (ip_packet(TCP, tcp()[:19]), "not whole"),
        (ip_packet(TCP, tcp()[:12] + b"\xf0" + tcp()[13:]), "not whole"),
        (ip_packet(UDP, udp(port=123)), "not DNS"),
        (ip_packet(UDP, udp(b"abc") + b"more"), "UDP length"),
        (ip_packet(ICMP, b"\x08\0\0\0\0\0\0\0"), "neither TCP nor UDP"),
        (ip_packet(47, b"gre"), "neither TCP nor UDP"),
        (ip_packet(TCP, tcp(), ip_address("127.0.0.1")), "no host's"),
        (ip_packet(TCP, tcp(), ip_address("0.0.0.0")), "no host's"),
        (ip_packet(TCP, tcp(), ip_address("224.0.0.1")), "no host's"),
        (b"\x46" + ip_packet(TCP, tcp())[1:], "with options"),
        (b"\x65" + ip_packet(TCP, tcp())[1:], "not IPv4"),
        (ip_packet(TCP, tcp())[:-1], "not the packet's"),
        (ip_packet(TCP, tcp())[:10] + b"\0\0" + ip_packet(TCP, tcp())[12:], "header checksum"),
        (ip_packet(TCP, tcp())[:19], "shorter"),
    ],
)
def test_what_clients_may_not_send(packet: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        check_from_client(Packet(IPV4, packet))


def test_what_is_behind_a_packet_is_not_of_it() -> None:
    whole = ip_packet(TCP, tcp(b"abc"))
    assert Packet(IPV4, whole + b"padding").raw == whole


@given(st.sampled_from([TCP, UDP]), PAYLOADS, st.booleans())
def test_another_address_keeps_checksums_right(protocol: int, data: bytes, is_ipv6: bool) -> None:
    ends: tuple[packets.Address, packets.Address] = (SIX, SEVEN) if is_ipv6 else (FIRST, SECOND)
    whole = ip_packet(protocol, tcp(data) if protocol == TCP else udp(data), *ends)
    other: packets.Address = IPv6Address("fd00:6c77:66::5") if is_ipv6 else IPv4Address("100.64.3.255")
    packet = Packet(IPV6 if is_ipv6 else IPV4, whole)
    gone = packets.with_source(packet, other)
    assert is_right(gone)
    assert Packet(IPV6 if is_ipv6 else IPV4, gone).source == other.packed
    back = packets.with_destination(packet, other)
    assert is_right(back)
    assert Packet(IPV6 if is_ipv6 else IPV4, back).destination == other.packed


def test_udp_without_checksum_stays_without() -> None:
    whole = bytearray(ip_packet(UDP, udp(b"abc")))
    whole[26:28] = b"\0\0"
    assert packets.with_source(Packet(IPV4, bytes(whole)), ip_address("100.64.0.1"))[26:28] == b"\0\0"


def test_later_fragments_of_answers_have_no_checksum_of_their_own() -> None:
    whole = ip_packet(TCP, b"x" * 40, flags=0x0010)
    changed = packets.with_destination(Packet(IPV4, whole), ip_address("192.168.77.9"))
    assert changed[20:] == whole[20:]
    assert checksum(changed[:20]) == 0


@pytest.mark.parametrize("size", [28, 60])
def test_errors_are_about_what_the_client_sent(size: int) -> None:
    """The router's error is about a packet from the address that the client stands for; the client gets one about its own."""
    stood_for, sent = IPv4Address("100.64.0.1"), ip_packet(TCP, tcp(b"a" * 20), FIRST)
    about = packets.with_source(Packet(IPV4, sent), stood_for)[:size]
    body = struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + about
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    error = Packet(IPV4, ip_packet(ICMP, body, SECOND, stood_for))
    assert packets.goes_back(error)
    given_back = packets.with_destination(error, FIRST)
    assert is_right(given_back)
    assert given_back[28:] == sent[:size]


def test_what_is_too_big_is_said_to_be() -> None:
    whole = ip_packet(TCP, tcp(b"a" * 200))
    said = packets.too_big(Packet(IPV4, whole), 1400, SECOND)
    assert is_right(said)
    assert (said[16:20], said[20:22], said[26:28], said[28:]) == (FIRST.packed, b"\x03\x04", (1400).to_bytes(2, "big"), whole[:28])


def test_ipv6_packets_that_are_too_big_are_said_to_be() -> None:
    whole = ip_packet(TCP, tcp(b"a" * 2000), SIX, SEVEN)
    said = packets.too_big(Packet(IPV6, whole), 1400, FIRST)
    assert is_right(said)
    assert (len(said), said[8:40], said[40:42], said[44:48], said[48:]) == (1280, SEVEN.packed + SIX.packed, b"\x02\0", (1400).to_bytes(4, "big"), whole[:1232])


def test_ipv6_errors_are_about_what_the_client_sent() -> None:
    stood_for, sent = IPv6Address("fd00:6c77:66::1"), ip_packet(TCP, tcp(b"a" * 20), SIX, SEVEN)
    about = packets.with_source(Packet(IPV6, sent), stood_for)
    error = Packet(IPV6, ip_packet(ICMPV6, struct.pack("!BBHI", 1, 1, 0, 0) + about, SEVEN, stood_for))
    given_back = packets.with_destination(error, SIX)
    assert is_right(given_back)
    assert given_back[48:] == sent


def test_no_echo_and_no_other_protocol_goes_back() -> None:
    for packet in (ip_packet(ICMP, b"\x08\0\0\0"), ip_packet(ICMP, b""), ip_packet(47, b"gre"), ip_packet(socket.IPPROTO_SCTP, b"x" * 12)):
        assert not packets.goes_back(Packet(IPV4, packet))


# -- who is who --------------------------------------------------------------------------------------------------------------------------------


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def clients(folder: Path, watch: Watch, block: str = "100.64.0.0/22") -> Clients:
    return Clients(IPv4Network(block), folder / "clients", watch)


def client(outer: str, inner: str = "192.168.77.1") -> Client:
    return Client(outer, ip_address(inner).packed)


def test_everybody_is_somebody_else_and_stays_so(tmp_path: Path) -> None:
    watch = Watch()
    known = clients(tmp_path, watch)
    everybody = [client("10.0.1.11"), client("10.0.1.12"), client("10.0.1.11", "192.168.77.2")]
    addresses = [known.address_of(one) for one in everybody]
    assert len(set(addresses)) == 3
    again = clients(tmp_path, watch)
    assert [again.client_at(address.packed) for address in addresses] == everybody
    assert [again.address_of(one) for one in reversed(everybody)] == list(reversed(addresses))
    assert again.address_of(client("10.0.1.13")) not in addresses
    assert again.client_at(IPv4Address("100.64.3.1").packed) is None


def test_an_address_stands_for_another_only_after_a_long_silence(tmp_path: Path) -> None:
    watch = Watch()
    known = clients(tmp_path, watch, "100.64.0.0/30")
    first, second = known.address_of(client("10.0.1.1")), known.address_of(client("10.0.1.2"))
    watch.now = IDLE_SECONDS - 1
    assert known.client_at(second.packed) == client("10.0.1.2")
    with pytest.raises(NoRoom):
        known.address_of(client("10.0.1.3"))
    watch.now = IDLE_SECONDS
    assert known.address_of(client("10.0.1.3")) == first
    assert known.client_at(first.packed) == client("10.0.1.3")
    with pytest.raises(NoRoom):
        known.address_of(client("10.0.1.1"))
    assert clients(tmp_path, watch, "100.64.0.0/30").client_at(first.packed) == client("10.0.1.3")


def test_no_client_takes_all_addresses(tmp_path: Path) -> None:
    known = clients(tmp_path, Watch())
    for number in range(MOST_OF_ONE):
        known.address_of(client("10.0.1.1", f"192.168.77.{number + 1}"))
    with pytest.raises(NoRoom):
        known.address_of(client("10.0.1.1", "192.168.78.1"))
    known.address_of(client("10.0.1.2"))


@pytest.mark.parametrize("left", ["", "nonsense\n", "100.64.0.1 10.0.1.1 192.168.77.1", "10.9.9.9 10.0.1.1 192.168.77.1\n", "100.64.0.1 10.0.1.1 x\n"])
def test_a_file_that_is_no_good_says_nothing(tmp_path: Path, left: str) -> None:
    (tmp_path / "clients").write_text(left)
    known = clients(tmp_path, Watch())
    assert known.client_at(IPv4Address("100.64.0.1").packed) is None
