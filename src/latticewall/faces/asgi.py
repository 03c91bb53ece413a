"""The endpoint as an ASGI application: reads the whole (bounded) body, answers on a worker thread. What is short takes a shorter way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from latticewall.app import is_question
from latticewall.faces.changes import Changes
from latticewall.faces.http import Change, Endpoint
from latticewall.wire.message import HttpRequest, HttpResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BODY_LIMIT = 10 * 1024 * 1024
"""Bytes; the largest documented request (2 MB of firewall rules, percent-encoded) fits."""
UPLOAD_LIMIT = 72 * 1024 * 1024
"""Bytes of an object or part that is uploaded at once, and of a function's zip in base64; larger objects come in parts."""
BODIES_LIMIT = 8 * UPLOAD_LIMIT
"""Bytes of all bodies together that are in memory until they are answered, without the first SMALL of each: nobody has to have signed for them yet."""
SMALL = 64 * 1024
UPLOADS = (b"/s3/aws4_request", b"/lambda/aws4_request", b"%2Fs3%2Faws4_request")
"""How requests that may be that large are signed."""
FUNCTIONS, INVOCATIONS = "/2015-03-31/functions", "/invocations"
INVOKING = 200
"""Threads that wait for functions: as many as run at once, so that a function which calls the region never waits for one that waits for it."""


class _Refused(Exception):
    """status, reason: of the answer to a request whose body is not read to its end, and after which the connection ends."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.answer = HttpResponse(status, (("content-type", "text/plain"), ("connection", "close")), f"{reason}\n".encode())


class Bodies:
    """The bodies in memory of one endpoint. For one thread."""

    def __init__(self, limit: int = BODIES_LIMIT) -> None:
        self._left = limit

    @asynccontextmanager
    async def read(self, receive: Receive, limit: int, size_to_be: int) -> AsyncIterator[bytes]:
        """A whole body, for as long as the context lasts. size_to_be: as announced, 0 when it is not. Raises _Refused when it, or all together, is too large,
        ConnectionError when the client goes away before its end."""
        if size_to_be > limit:
            raise _Refused(413, "request body too large")
        parts: list[bytes] = []
        size = taken = 0
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionError("the client went away")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise _Refused(413, "request body too large")
                wanted = max(size - SMALL, 0) - taken
                if wanted > self._left:
                    raise _Refused(503, "too many large requests at once; try again")
                self._left, taken = self._left - wanted, taken + wanted
                more = bool(message.get("more_body"))
            yield b"".join(parts)
        finally:
            self._left += taken


class AsgiApp:
    """`uvicorn` calls it once per request."""

    def __init__(self, endpoint: Endpoint, threads: int = 8) -> None:
        self._endpoint = endpoint
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._changes = Changes(endpoint)
        self._bodies = Bodies()
        self._invocations = ThreadPoolExecutor(INVOKING, thread_name_prefix="invoke")

    def short(self, request: HttpRequest, source: str, later: Callable[[HttpResponse], None]) -> HttpResponse | bool:
        """The answer to a question that can be given without waiting (`Endpoint.at_once`); True for a change that takes little time, to which there will be an
        answer `later`; False for all else, which nothing has been done about. On the loop's thread."""
        known = self._endpoint.known(request)
        if known is None:
            return False
        if is_question(known.operation):
            return self._endpoint.at_once(request, source, known) or False

        def told(answer: HttpResponse | None) -> None:
            if answer is not None:
                later(answer)
            else:
                loop = asyncio.get_running_loop()
                answering = loop.run_in_executor(self._pool, self._endpoint.answer, request, source)
                answering.add_done_callback(lambda done: later(done.result()))

        change = self._endpoint.admitted(request, source, known)
        if not isinstance(change, Change):
            return change or False
        self._changes.add(change, told)
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            async with self._bodies.read(receive, _limit(scope), _announced(scope)) as body:
                await self._answer(scope, body, send)
        except _Refused as refused:
            await _send(send, refused.answer)
        except ConnectionError:
            return  # nobody is there to be answered, and half a request is not performed

    async def _answer(self, scope: Scope, body: bytes, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        request = HttpRequest(
            method=scope["method"],
            raw_path=path,
            raw_query=scope["query_string"].decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
            body=body,
        )
        source = scope["client"][0] if scope.get("client") else "127.0.0.1"
        loop = asyncio.get_running_loop()
        pool = self._invocations if path.startswith(FUNCTIONS) and path.endswith(INVOCATIONS) else self._pool
        answer = await loop.run_in_executor(pool, self._endpoint.answer, request, source)
        if answer.stream is None or request.method == "HEAD":
            await _send(send, answer)
            return
        await _begin(send, answer, answer.stream.size)
        pieces = answer.stream.pieces()
        while piece := await loop.run_in_executor(self._pool, next, pieces, b""):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _limit(scope: Scope) -> int:
    """How many bytes of body are read, by what the request says it is signed for."""
    signed = (scope["query_string"], *(value for name, value in scope["headers"] if name == b"authorization"))
    return UPLOAD_LIMIT if any(mark in text for text in signed for mark in UPLOADS) else BODY_LIMIT


def _announced(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


async def _send(send: Send, answer: HttpResponse) -> None:
    await _begin(send, answer, len(answer.body))
    await send({"type": "http.response.body", "body": answer.body})


async def _begin(send: Send, answer: HttpResponse, size: int) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if not any(name.lower() == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
