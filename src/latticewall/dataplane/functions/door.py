"""Where the control plane asks for invocations: one request per connection over a unix socket, a line of JSON each way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latticewall.base.reasons import reason
from latticewall.dataplane.functions.pool import Invocation, Pool, Refused
from latticewall.dataplane.functions.spool import Spool

log = logging.getLogger(__name__)
LONGEST_LINE = 16 * 1024 * 1024


class NoAnswer(Exception):
    """The process is not there, or went away in the middle."""


class Door:
    """serve: until cancelled."""

    def __init__(self, path: Path, pool: Pool, spool: Spool) -> None:
        self._path = path
        self._pool = pool
        self._spool = spool

    async def open(self) -> asyncio.Server:
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)
        os.chmod(self._path, 0o600)
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(json.loads(await reader.readline()))
        except Refused as refused:
            answer = {"refused": refused.code, "message": str(refused), "reason": refused.reason}
        except Exception:
            log.exception("an invocation went wrong")
            answer = {"refused": "ServiceException", "message": "An internal error has occurred", "reason": ""}
        with contextlib.suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = Invocation(
            asked["function"], asked["qualifier"], asked["arn"], asked["request_id"], base64.b64decode(asked["event"]), asked.get("client_context")
        )
        if asked["asynchronous"]:
            self._spool.add(wanted)
            return {}
        outcome = await self._pool.invoke(wanted)
        return {
            "payload": base64.b64encode(outcome.payload).decode(), "error": outcome.error, "tail": base64.b64encode(outcome.tail).decode(),
            "version": outcome.version,
        }  # fmt: skip


def ask(path: Path, wanted: Invocation, *, asynchronous: bool, seconds: float) -> dict[str, Any]:
    """The control plane's side; blocks. Raises NoAnswer."""
    request = {
        "function": wanted.function, "qualifier": wanted.qualifier, "arn": wanted.arn, "request_id": wanted.request_id,
        "event": base64.b64encode(wanted.event).decode(), "client_context": wanted.client_context, "asynchronous": asynchronous,
    }  # fmt: skip
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline() or b"null")
    except (OSError, ValueError) as error:
        raise NoAnswer(f"the functions process does not answer: {reason(error)}") from None
    if answer is None:
        raise NoAnswer("the functions process went away")
    return answer
