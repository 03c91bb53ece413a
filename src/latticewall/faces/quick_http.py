"""uvicorn's HTTP connections, on which questions that need no waiting are answered right where they were read: without task, queue and second thread. Changes
that take little time are answered without task, too, when they have been performed with others that wait.

All other requests take uvicorn's way, as do those of connections on which something is going on already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from latticewall.faces.bounded_http import ANSWER, BODY, BoundedHttp
from latticewall.wire.message import HttpRequest, HttpResponse

QUICK_BODY = 16384
"""Bytes; larger requests mean work."""
IN_A_ROW = 8
"""Requests out of one read, sent without waiting for answers, that are answered right there; then it is the others' turn."""


METHODS = (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE")


class Answering(Protocol):
    """An ASGI application that can answer at once, too, or later without a task: `AsgiApp.short`."""

    def short(self, request: HttpRequest, source: str, later: Callable[[HttpResponse], None]) -> HttpResponse | bool: ...


class _Turn:
    """A request that is answered later, as uvicorn sees it: its RequestResponseCycle, without all that a task needs."""

    response_complete = False
    disconnected = False

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.message_event = self

    def set(self) -> None:
        """Nobody waits for the rest of a message: it is there."""


class QuickHttp(BoundedHttp):
    """One connection; `config.app` is Answering. Callers share this machine's addresses, so there is no bound per source."""

    TOTAL = PER_SOURCE = 1024

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held: bytearray | None = None
        """Body of the request that is being read, while it may be answered at once."""

    # -- reading --------------------------------------------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        if self._may_be_quick():
            self._held = bytearray()
            self._phase, self._since, self._read = BODY, self._now, 0
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body
            self._body += len(body)

    def on_message_complete(self) -> None:
        if self._held is not None:
            self._phase = ANSWER
            if self._answer_at_once(bytes(self._held)):
                return
            self._begin()
        super().on_message_complete()

    def shutdown(self) -> None:
        self._begin()  # what is half read is still answered
        super().shutdown()

    def _begin(self) -> None:
        """Let uvicorn go on with what has been read."""
        held, self._held = self._held, None
        if held is not None:
            super().on_headers_complete()
            if held:
                super().on_body(bytes(held))

    def _may_be_quick(self) -> bool:
        """Whether nothing comes before this request, and it is short."""
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        if self.flow.write_paused or self.expect_100_continue or self._begun > IN_A_ROW or self.limit_concurrency is not None:
            return False
        sizes = [value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")]
        return self.parser.get_method() in METHODS and all(value.isdigit() and int(value) <= QUICK_BODY for value in sizes)

    # -- answering ------------------------------------------------------------------------------------------------------------------------

    def _answer_at_once(self, body: bytes) -> bool:
        """Whether there was an answer, which then is sent."""
        url = httptools.parse_url(self.url)
        headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers])
        request = HttpRequest(self.parser.get_method().decode(), url.path.decode("latin-1"), (url.query or b"").decode("latin-1"), headers, body)
        turn = _Turn(keep_alive=self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive())
        app = cast(Answering, self.app)
        answer = app.short(request, self.client[0] if self.client else "127.0.0.1", lambda answer: self._answer_later(turn, answer))
        if answer is True:
            self._held, self.cycle = None, cast(RequestResponseCycle, turn)
            return True
        text = _text(answer, self.server_state.default_headers, keep_alive=turn.keep_alive) if answer is not False else b""
        if not text:
            return False
        self._held = None
        self._end(text, turn)
        return True

    def _answer_later(self, turn: _Turn, answer: HttpResponse) -> None:
        if turn.disconnected or self.transport.is_closing():
            return
        turn.response_complete = True
        text = _text(answer, self.server_state.default_headers, keep_alive=turn.keep_alive)
        turn.keep_alive &= bool(text)
        self._end(text or STATUS_LINE[500] + b"content-length: 0\r\nconnection: close\r\n\r\n", turn)

    def _end(self, text: bytes, turn: _Turn) -> None:
        """Send an answer, and go on."""
        self.transport.write(text)
        if not turn.keep_alive:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._answered()


def _text(answer: HttpResponse, server_headers: Sequence[tuple[bytes, bytes]], *, keep_alive: bool) -> bytes:
    """An answer as it is sent; nothing when it is one that only uvicorn sends."""
    if answer.stream is not None or answer.header("content-length"):
        return b""
    own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if any(HEADER_RE.search(name) or HEADER_VALUE_RE.search(value) for name, value in own):
        return b""
    own.append((b"content-length", b"%d" % len(answer.body)))
    if not keep_alive:
        own.append((b"connection", b"close"))
    lines = [b"%b: %b\r\n" % header for header in (*server_headers, *own)]
    return b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", answer.body))
