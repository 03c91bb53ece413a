"""Stream connections of strangers, bounded in number and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[bool]]
"""One request and its response on a connection from the given address; False ends the connection."""


@dataclass(frozen=True)
class Bounds:
    """total, per_source: connections open at once; further ones are closed at once. seconds: for one exchange, waiting for it included, and for the rest of the
    last answer."""

    total: int
    per_source: int
    seconds: float


class Connections:
    """The connections of one listening socket."""

    def __init__(self, exchange: Exchange, bounds: Bounds) -> None:
        self._exchange = exchange
        self._bounds = bounds
        self._open: dict[asyncio.StreamWriter, str] = {}

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        source = peer[0] if peer else ""
        if not source or len(self._open) >= self._bounds.total or list(self._open.values()).count(source) >= self._bounds.per_source:
            writer.close()
            return
        self._open[writer] = source
        try:
            proceed = True
            while proceed:
                async with asyncio.timeout(self._bounds.seconds):
                    proceed = await self._exchange(reader, writer, source)
                    await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            writer.transport.abort()  # the client went away, stalled, or sent something without end
        finally:
            await self._end(writer)

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        """What is not sent yet has its time; the place is taken until then."""
        try:
            writer.close()
            async with asyncio.timeout(self._bounds.seconds):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            del self._open[writer]

    def close(self) -> None:
        """End those that are open."""
        for writer in list(self._open):
            writer.close()
