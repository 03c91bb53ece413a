"""The open sockets of one VPC's namespace."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Protocol

from latticewall.dataplane.names import sockets
from latticewall.dataplane.names.connections import Connections
from latticewall.dataplane.names.imds import HTTP_BOUNDS, MetadataState
from latticewall.dataplane.names.request import MAX_HEAD_BYTES
from latticewall.dataplane.names.resolver import TCP_BOUNDS, ResolverState, UdpResolver

DNS_PORT = 53
HTTP_PORT = 80


class _Closable(Protocol):
    def close(self) -> None: ...


class Place:
    """Sockets in one namespace and what answers on them. Address = (IPv4 or IPv6 address, port)."""

    def __init__(self, namespace: Path) -> None:
        self.resolver = ResolverState(time.monotonic)
        self.metadata = MetadataState(time.monotonic)
        self._namespace = namespace
        self._inode = 0
        self._open: dict[tuple[str, int], list[_Closable]] = {}

    async def ensure(self, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Have exactly these addresses open; returns why some could not be opened. Sockets that stay are not disturbed."""
        if self.moved():
            self._inode = self._current_inode()
            self.close()
        for address in set(self._open) - wanted:
            self._close_one(address)
        failures = {}
        for address in sorted(wanted - set(self._open)):
            try:
                self._open[address] = await self._listen(*address)
            except OSError as error:
                failures[address] = f"{error.strerror or error} ({self._namespace.name})"
        return failures

    def moved(self) -> bool:
        """Whether the namespace is gone, or another one stands in its place: what was opened then leads nowhere."""
        return self._current_inode() != self._inode

    def close(self) -> None:
        for address in list(self._open):
            self._close_one(address)

    def _close_one(self, address: tuple[str, int]) -> None:
        for opened in self._open.pop(address):
            opened.close()

    def _current_inode(self) -> int:
        try:
            return self._namespace.stat().st_ino
        except OSError:
            return 0

    async def _listen(self, address: str, port: int) -> list[_Closable]:
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM) if port == DNS_PORT else (socket.SOCK_STREAM,)
        opened = sockets.inside(self._namespace, lambda: sockets.bind_all(kinds, address, port))
        exchange, bounds = (self.metadata.exchange, HTTP_BOUNDS) if port == HTTP_PORT else (self.resolver.exchange, TCP_BOUNDS)
        connections = Connections(exchange, bounds)
        held: list[_Closable] = [await asyncio.start_server(connections.serve, sock=opened[0], limit=MAX_HEAD_BYTES), connections]
        for datagrams in opened[1:]:
            loop = asyncio.get_running_loop()
            held.append((await loop.create_datagram_endpoint(lambda: UdpResolver(self.resolver), sock=datagrams))[0])
        return held
