"""What answers on port 53 of one VPC, over UDP and TCP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from latticewall.dataplane.names.answer import MAX_QUERY_BYTES, answer
from latticewall.dataplane.names.connections import Bounds
from latticewall.dataplane.names.rate import RateBound
from latticewall.dataplane.names.zones import ZoneSet

QUERIES_PER_SECOND = 1024
"""Per source address, as AWS bounds a network interface ("DNS quotas"); what exceeds it is not answered."""
TCP_BOUNDS = Bounds(total=256, per_source=32, seconds=10)

_log = logging.getLogger(__name__)


class ResolverState:
    """What all sockets of one VPC's resolver share. zones: replaced on reload."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.zones = ZoneSet(())
        self._rate = RateBound(QUERIES_PER_SECOND, clock)

    def answer(self, wire: bytes, source: str, *, udp: bool) -> bytes | None:
        """None also when something unforeseen goes wrong with this one query: it must not end the process that answers for everybody."""
        if not self._rate.allows(source):
            return None
        try:
            return answer(wire, self.zones, udp=udp)
        except Exception:  # noqa: BLE001 - the outermost boundary of a stranger's datagram
            _log.exception("query from %s could not be answered: %s", source, wire[:64].hex())
            return None

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: str) -> bool:
        """One length-prefixed message on a TCP connection."""
        length = int.from_bytes(await reader.readexactly(2), "big")
        if length > MAX_QUERY_BYTES:
            return False
        reply = self.answer(await reader.readexactly(length), source, udp=False)
        if reply is None:
            return False
        writer.write(len(reply).to_bytes(2, "big") + reply)
        return True


class UdpResolver(asyncio.DatagramProtocol):
    """Datagrams of one socket."""

    def __init__(self, state: ResolverState) -> None:
        self._state = state
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # the event loop's own class does not always derive from it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._state.answer(data, addr[0], udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)
