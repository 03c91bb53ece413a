"""uvicorn's HTTP connections, on which questions that need no waiting are answered right where they were read: without task, queue and second thread.

All other requests take uvicorn's way, as do those of connections on which something is going on already.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from latticewall.wire.message import HttpRequest, HttpResponse

QUICK_BODY = 16384
"""Bytes; larger requests mean work."""
IN_A_ROW = 8
"""Requests out of one read, sent without waiting for answers, that are answered right there; then it is the others' turn."""


class Answering(Protocol):
    """An ASGI application that can answer at once, too."""

    def at_once(self, request: HttpRequest, source: str) -> HttpResponse | None: ...


class QuickHttp(HttpToolsProtocol):
    """One connection; `config.app` is Answering."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held: bytearray | None = None
        """Body of the request that is being read, while it may be answered at once."""
        self._in_a_row = 0
        self._idle_since: float | None = None

    # -- reading --------------------------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._in_a_row = 0
        super().data_received(data)

    def on_headers_complete(self) -> None:
        if self._may_be_quick():
            self._held = bytearray()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        if self._held is None:
            super().on_message_complete()
        elif not self._answer_at_once(bytes(self._held)):
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
        if self.flow.write_paused or self.expect_100_continue or self._in_a_row >= IN_A_ROW or self.limit_concurrency is not None:
            return False
        sizes = [value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")]
        return self.parser.get_method() in (b"GET", b"POST") and all(value.isdigit() and int(value) <= QUICK_BODY for value in sizes)

    # -- answering ------------------------------------------------------------------------------------------------------------------------

    def _answer_at_once(self, body: bytes) -> bool:
        """Whether there was an answer, which then is sent."""
        url = httptools.parse_url(self.url)
        headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers])
        request = HttpRequest(self.parser.get_method().decode(), url.path.decode("latin-1"), (url.query or b"").decode("latin-1"), headers, body)
        answer = cast(Answering, self.app).at_once(request, self.client[0] if self.client else "127.0.0.1")
        if answer is None or answer.stream is not None or answer.header("content-length"):
            return False
        keep_alive = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if any(HEADER_RE.search(name) or HEADER_VALUE_RE.search(value) for name, value in own):
            return False
        own.append((b"content-length", b"%d" % len(answer.body)))
        if not keep_alive:
            own.append((b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *own)]
        self._held = None
        self._in_a_row += 1
        self.server_state.total_requests += 1
        self.transport.write(b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", answer.body)))
        if keep_alive:
            self._wait_for_next()
        else:
            self.transport.close()
        return True

    # -- idle connections: one timer for each, rather than one for each answer --------------------------------------------------------------

    def _wait_for_next(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def on_response_complete(self) -> None:
        before, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        if before is not None:
            before.cancel()
        super().on_response_complete()
        self._idle_since = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next answer begins a new wait
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        super().connection_lost(exc)
