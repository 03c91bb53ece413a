"""The endpoint as an ASGI application: reads the whole (bounded) body, answers on a worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from latticewall.faces.http import Endpoint
from latticewall.wire.message import HttpRequest, HttpResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BODY_LIMIT = 10 * 1024 * 1024
"""Bytes; the largest documented request (2 MB of firewall rules, percent-encoded) fits."""


class AsgiApp:
    """`uvicorn` calls it once per request."""

    def __init__(self, endpoint: Endpoint, threads: int = 8) -> None:
        self._endpoint = endpoint
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            body = await _body(receive)
        except ConnectionError:
            return  # nobody is there to be answered, and half a request is not performed
        if body is None:
            await _send(send, HttpResponse(413, (("content-type", "text/plain"),), b"request body too large\n"))
            return
        request = HttpRequest(
            method=scope["method"],
            raw_path=scope["raw_path"].decode("latin-1"),
            raw_query=scope["query_string"].decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
            body=body,
        )
        source = scope["client"][0] if scope.get("client") else "127.0.0.1"
        answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._endpoint.answer, request, source)
        await _send(send, answer)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None when it is too large. Raises ConnectionError when the client goes away before the end."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, answer: HttpResponse) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if not any(name.lower() == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
