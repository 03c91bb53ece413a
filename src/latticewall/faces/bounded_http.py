"""uvicorn's HTTP connections, bounded in number and in the time a client may take: to say the head of a request and its body, to take the answer, to ask again.

A bound counts from where the waiting began, so that a byte now and then extends nothing. What takes its time on our side is not counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 20.0
"""From the connection to the first byte of a request, and from there until its head is complete."""
BODY_SECONDS = 20.0
"""From the end of the head until the body is complete, and more for a longer one: at BODY_RATE bytes a second."""
BODY_RATE = 16384
HEAD_BYTES = 65536
"""Of a head; and of what is not body in a body that comes in chunks, more for a longer one."""
FRAMING = 8
"""Bytes around each byte of a body: as many as the smallest chunks need."""
SEND_SECONDS = 60.0
"""A client that takes less than SEND_BYTES of a waiting answer in this time does not get the rest."""
SEND_BYTES = 65536
LINGER_SECONDS, LINGER_BYTES = 5.0, 64 << 20
"""How long, and how much of, a request is heard and thrown away whose answer was given before its end and closes the connection: a client that is still
sending would lose the answer if nobody listened."""
LOOK_SECONDS = 5.0
"""How often each connection is looked at; by as much a bound may be exceeded."""


class Phase(Enum):
    """What a connection waits for. END: that the client has seen that nothing more is heard."""

    REQUEST = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    END = auto()


REQUEST, HEAD, BODY, ANSWER, END = Phase
"""Looked up several times a request, and faster as names of the module."""


class _Wire(asyncio.Transport):
    """A connection's transport as uvicorn has it. closing: called instead of closing it."""

    def __init__(self, transport: asyncio.Transport, closing: Callable[[], None]) -> None:
        super().__init__()
        self.write = transport.write  # type: ignore[method-assign]
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading  # type: ignore[method-assign]
        self.is_closing, self.close = transport.is_closing, closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]


class BoundedHttp(HttpToolsProtocol):
    """One connection. One more than there may be of its source has the one of that source which has waited longest closed, and is refused where all are being
    answered: a source can only take places from itself. Connections over unix sockets have no source, and share the total. place: what tells networks apart in
    which the same addresses are used."""

    TOTAL: ClassVar[int] = 512
    """Connections of one server open at once."""
    PER_SOURCE: ClassVar[int] = 32

    def __init__(self, *arguments: Any, place: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._source = place
        self._now = self.loop.time()
        """When the last bytes were read: all that is read at once is read at the same time."""
        self._phase, self._since = REQUEST, self._now
        self._patience = HEAD_SECONDS
        """How long it may wait for its next request."""
        self._begun = 0
        """How many requests began in this read."""
        self._read, self._body = 0, 0
        """Bytes of a head without those read when it began; or all of what followed a head, and those of its body."""
        self._unsent: tuple[float, int] | None = None
        """When how many bytes waited to be sent."""
        self._look: asyncio.TimerHandle | None = None

    # -- a place -------------------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._source += f" {peer[0]}"
        if not self._find_place():
            self.transport = transport
            transport.abort()
            return
        self._wire = transport
        super().connection_made(_Wire(transport, self._close))
        self._look_in(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _find_place(self) -> bool:
        own = [other for other in self.connections if isinstance(other, BoundedHttp) and other._source == self._source]
        if len(self.connections) < self.TOTAL and (not self._source or len(own) < self.PER_SOURCE):
            return True
        waiting = [other for other in own if other._phase is not ANSWER]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda other: (other._phase is not END, other._phase is BODY, other._since))
        self.connections.discard(oldest)
        oldest._wire.abort()
        return True

    # -- reading -------------------------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._phase is END:
            self._read += len(data)
            if self._read > LINGER_BYTES:
                self._wire.abort()
            return
        self._begun, self._now = 0, self.loop.time()
        super().data_received(data)
        if self._begun or self._phase not in (HEAD, BODY):
            return
        self._read += len(data)
        if self._read > HEAD_BYTES + FRAMING * self._body:
            self._wire.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._since, self._read, self._body = HEAD, self._now, 0, 0
        self._begun += 1

    def on_headers_complete(self) -> None:
        self._phase, self._since, self._read = BODY, self._now, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase, self._since = REQUEST if self.cycle.response_complete else ANSWER, self._now  # it may have been answered before all was heard
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()
        self._answered()

    def _answered(self) -> None:
        """An answer is on its way. What is half read already has had to wait for it."""
        self._since, self._patience = self.loop.time(), self.timeout_keep_alive
        if self._phase is ANSWER and (self.cycle is None or self.cycle.response_complete):
            self._phase = REQUEST

    def _close(self) -> None:
        """Close the connection; when the answer was given before all was heard, once the client has had time to take it."""
        if self._phase is BODY and self.cycle is not None and self.cycle.response_complete and not self._wire.is_closing():
            self._phase, self._since, self._read = END, self.loop.time(), 0
            self._wire.write_eof()
            self.flow.resume_reading()
        else:
            self._wire.close()

    def _is_answering(self) -> bool:
        """Whether the last request whose head is known has its answer to come."""
        return self.cycle is not None and not self.cycle.response_complete

    def resume_writing(self) -> None:
        self._unsent = None
        super().resume_writing()

    # -- bounds --------------------------------------------------------------------------------------------------------------------------

    def _look_in(self, seconds: float) -> None:
        self._look = self.loop.call_later(min(seconds, LOOK_SECONDS), self._see)

    def _see(self) -> None:
        """Close what has waited too long; see to the others again."""
        if self._wire.is_closing() or self.flow.write_paused:
            self._see_sending()
            return
        self._unsent = None
        now = self.loop.time()
        left = self._until() - now
        if left > 0:
            self._look_in(left)
        elif self._phase is not REQUEST and self._is_ours():
            self._since = now
            self._look_in(LOOK_SECONDS)
        else:
            self._end_waiting()

    def _until(self) -> float:
        match self._phase:
            case Phase.REQUEST:
                return self._since + self._patience
            case Phase.HEAD:
                return self._since + HEAD_SECONDS
            case Phase.BODY:
                return self._since + BODY_SECONDS + self._body / BODY_RATE
            case Phase.END:
                return self._since + LINGER_SECONDS
            case Phase.ANSWER:
                return self._since

    def _is_ours(self) -> bool:
        """Whether the client waits for us, and not we for him."""
        if self._phase is ANSWER or self.flow.read_paused or self.pipeline:
            return True
        return self._phase is HEAD and self._is_answering()

    def _end_waiting(self) -> None:
        if self._phase in (HEAD, BODY):
            self._wire.write(STATUS_LINE[408] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self._wire.close()
        self._look_in(LOOK_SECONDS)  # until all is sent

    def _see_sending(self) -> None:
        now, left = self.loop.time(), self._wire.get_write_buffer_size()
        if self._unsent is None or left <= self._unsent[1] - SEND_BYTES:
            self._unsent = (now, left)
        elif now - self._unsent[0] >= SEND_SECONDS:
            self._wire.abort()
            return
        self._look_in(LOOK_SECONDS)
