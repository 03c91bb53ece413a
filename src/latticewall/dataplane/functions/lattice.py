"""Where Envoy brings the requests for target groups of type LAMBDA: HTTP over a unix socket, as an ASGI application.

The failures are ours, for AWS documents only that they are 5XX: 413 for a request of more than 6 MB, 502 for a function that fails or answers what is
no response, 503 when no function is there, it may not be invoked for the group, or there are too many invocations.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from latticewall.dataplane.functions.config import Config
from latticewall.dataplane.functions.lattice_events import BODILESS, LARGEST, TARGET, BadAnswer, Request, Response, event_v1, event_v2, members, response_of
from latticewall.dataplane.functions.pool import Invocation, Pool, Refused

log = logging.getLogger(__name__)
LARGEST_EVENT = 6 * 1024 * 1024
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TOO_LARGE = Response(413, (("content-type", "text/plain"),), b"Payload Too Large")
_BAD_GATEWAY = Response(502, (("content-type", "text/plain"),), b"Bad Gateway")
_UNAVAILABLE = Response(503, (("content-type", "text/plain"),), b"Service Unavailable")


class Lattice:
    """config: the newest one, whenever a request comes."""

    def __init__(self, pool: Pool, config: Callable[[], Config]) -> None:
        self._pool = pool
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            await _send(send, _TOO_LARGE, close=True)
            return
        path = scope["raw_path"].decode("latin-1") + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
        headers = tuple(pair for pair in headers if pair[0] not in ("connection", "transfer-encoding"))
        await _send(send, await self._answer(Request(scope["method"], path, headers, body)))

    async def _answer(self, request: Request) -> Response:
        group = members(request.header(TARGET)).get("TargetGroupArn", "")
        target = next((target for target in self._config().plan.targets if target.target_group_arn == group), None)
        if target is None or not target.permitted:
            return _UNAVAILABLE
        document = event_v1(request) if target.event == "V1" else event_v2(request, group.split(":")[3], time.time_ns() // 1000)
        event = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(event) > LARGEST_EVENT:
            return _TOO_LARGE
        arn = f"{target.function_arn}:{target.qualifier}" if target.qualifier else target.function_arn
        try:
            outcome = await self._pool.invoke(Invocation(target.function_arn, target.qualifier, arn, _request_id(), event))
        except Refused as refused:
            log.warning("%s: %s", arn, refused)
            return _UNAVAILABLE
        if outcome.error:
            return _BAD_GATEWAY
        try:
            return response_of(outcome.payload)
        except BadAnswer as bad:
            log.warning("%s: what it answered is no response: %s", arn, bad)
            return _BAD_GATEWAY


def _request_id() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def _body(receive: Receive) -> bytes | None:
    """None when it is larger than allowed: no more than that is ever held."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, answer: Response, *, close: bool = False) -> None:
    headers = [(name.encode("latin-1", "replace"), value.encode("utf-8", "replace")) for name, value in answer.headers]
    if answer.status not in BODILESS:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
