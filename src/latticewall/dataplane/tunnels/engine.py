"""One zone of a tunnel: packets of clients into the gateway's namespace, answers back to them."""

from __future__ import annotations

import errno
import socket
import time
from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from selectors import EVENT_READ, BaseSelector

from latticewall.base.segments import GENEVE_PORT, NAMESERVER
from latticewall.dataplane.tunnels import packets
from latticewall.dataplane.tunnels.clients import Client, Clients, NoRoom
from latticewall.dataplane.tunnels.geneve import IPV4, IPV6, Malformed, decapsulate, encapsulate
from latticewall.dataplane.tunnels.links import geneve_socket, packet_socket, prepare
from latticewall.dataplane.tunnels.packets import Packet
from latticewall.plan.tunnels import TunnelZone

LARGEST = 65535
BURST = 64
"""Packets taken from one socket before the others have their turn."""
GONE = (errno.ENETDOWN, errno.ENODEV, errno.ENXIO)
"""Of a link: its other end, or its namespace, is not there any more."""
_ETHERNET = 14
_OUTGOING = 4
"""PACKET_OUTGOING: what was sent by the socket itself."""


class Zone:
    """Opens everything at once. far: the gateway's namespace. folder: for what stands for whom. mtu: of the packets inside. Raises OSError."""

    def __init__(self, plan: TunnelZone, far: Path, folder: Path, mtu: int) -> None:
        self._mtu = mtu
        far_address = prepare(far, plan.far_device)
        self._link = packet_socket(plan.device)
        self._head = far_address + self._link.getsockname()[4]
        self._sockets = {address: geneve_socket(address, GENEVE_PORT) for address in plan.addresses}
        self._clients = {IPV4: Clients(IPv4Network(plan.block), folder / f"{plan.far_device}.clients", time.monotonic)}
        if plan.block_ipv6:
            self._clients[IPV6] = Clients(IPv6Network(plan.block_ipv6), folder / f"{plan.far_device}.clients6", time.monotonic)
        self.refused: Counter[str] = Counter()
        """Why packets were dropped, and how many; of few reasons."""

    def join(self, selector: BaseSelector) -> None:
        selector.register(self._link, EVENT_READ, self._take_answers)
        for opened in self._sockets.values():
            selector.register(opened, EVENT_READ, lambda opened=opened: self._take_datagrams(opened))

    def _take_datagrams(self, opened: socket.socket) -> None:
        for _ in range(BURST):
            try:
                datagram, sender = opened.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about an answer: that client is not there
                continue
            self._in(opened, datagram, str(sender[0]))

    def _in(self, opened: socket.socket, datagram: bytes, sender: str) -> None:
        """A client's packet goes on as from the address that it stands for. Raises OSError when the link is gone."""
        try:
            protocol, data = decapsulate(datagram)
            packet = Packet(protocol, data)
            packets.check_from_client(packet)
            clients = self._clients.get(protocol)
            if clients is None:
                raise Malformed("IPv6 through a gateway that has none")
            if len(packet.raw) > self._mtu:
                if packet.keep_whole:
                    self._send(opened, encapsulate(protocol, packets.too_big(packet, self._mtu, NAMESERVER)), sender)
                raise Malformed("larger than the tunnel")
            address = clients.address_of(Client(sender, packet.source))
        except (Malformed, NoRoom) as refusal:
            self.refused[str(refusal)] += 1
            return
        frame = self._head + protocol.to_bytes(2, "big") + packets.with_source(packet, address)
        try:
            self._link.send(frame)
        except OSError as error:
            if error.errno in GONE:
                raise
            self.refused["the link is full"] += 1

    def _take_answers(self) -> None:
        """Raises OSError when the link is gone."""
        for _ in range(BURST):
            try:
                frame, (_, _, kind, *_) = self._link.recvfrom(LARGEST)
            except BlockingIOError:
                return
            if kind != _OUTGOING:
                self._out(frame)

    def _out(self, frame: bytes) -> None:
        """An answer goes back to whom its destination stands for."""
        protocol = int.from_bytes(frame[12:_ETHERNET], "big")
        clients = self._clients.get(protocol)
        if clients is None:
            return
        try:
            packet = Packet(protocol, frame[_ETHERNET:])
        except Malformed as refusal:
            self.refused[f"an answer: {refusal}"] += 1
            return
        client = clients.client_at(packet.destination)
        if client is None or not packets.goes_back(packet):
            self.refused["an answer to nobody"] += 1
            return
        opened = self._socket_for(client)
        if opened is not None:
            self._send(opened, encapsulate(protocol, packets.with_destination(packet, ip_address(client.inner))), client.outer)

    def _socket_for(self, client: Client) -> socket.socket | None:
        """The socket of the client's family: an answer comes from where the question went."""
        return next((opened for address, opened in self._sockets.items() if (":" in address) == (":" in client.outer)), None)

    def _send(self, opened: socket.socket, datagram: bytes, client: str) -> None:
        try:
            opened.sendto(datagram, (client, GENEVE_PORT))
        except OSError as error:  # no room, no way there, or an ICMP error about an earlier answer
            self.refused[f"not sent: {error.strerror}"] += 1
