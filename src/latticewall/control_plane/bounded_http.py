"""uvicorn's HTTP connections for strangers: bounded in number, in silence, and in what may be said before a request is complete."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PER_SOURCE = 32
TOTAL = 512
"""Connections open at once; further ones are closed at once."""
SILENCE_SECONDS = 30.0
"""A connection without a request in progress is closed between one and two of these after its last one began."""
HEAD_BYTES = 65536


@dataclass
class Open:
    """The connections of one endpoint, by source address."""

    by_source: Counter[str] = field(default_factory=Counter)

    def admit(self, source: str) -> bool:
        """Count one more, if there may be one more."""
        if not source or self.by_source.total() >= TOTAL or self.by_source[source] >= PER_SOURCE:
            return False
        self.by_source[source] += 1
        return True

    def leave(self, source: str) -> None:
        self.by_source[source] -= 1
        if not self.by_source[source]:
            del self.by_source[source]


class BoundedHttp(HttpToolsProtocol):
    """One connection. known: those that are open, this one included once it is admitted."""

    def __init__(self, server: uvicorn.Server, known: Open) -> None:
        super().__init__(server.config, server.server_state, server.lifespan.state)
        self._known = known
        self._source = ""
        self._seen: Any = None
        self._unheard = 0
        self._check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        source = str(peer[0]) if peer else ""
        if not self._known.admit(source):
            transport.abort()
            return
        self._source = source
        super().connection_made(transport)
        self._check = self.loop.call_later(SILENCE_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._source:
            return
        self._known.leave(self._source)
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        waiting = self.cycle is before and (before is None or before.response_complete)
        self._unheard = self._unheard + len(data) if waiting else 0
        if self._unheard > HEAD_BYTES:
            self.transport.abort()

    def _close_if_silent(self) -> None:
        if self.cycle is self._seen and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
            return
        self._seen = self.cycle
        self._check = self.loop.call_later(SILENCE_SECONDS, self._close_if_silent)
