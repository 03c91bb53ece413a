"""Asynchronous invocations: events on disk until they are done, so that none that was acknowledged is lost ("Asynchronous invocation").

Each is tried up to three times, a minute and two minutes apart; one that was throttled is tried again for up to six hours. An event may be handled more
than once. What fails in the end is dropped, as Lambda does without a destination.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from latticewall.dataplane.functions.pool import Invocation, Pool, Refused

log = logging.getLogger(__name__)
RETRY_SECONDS = (60.0, 120.0)
THROTTLED_SECONDS = 5.0
LONGEST_SECONDS = 6 * 3600
AT_ONCE = 32
MOST = 10_000
"""Events that wait; further ones are throttled."""


class Spool:
    """folder: one file per event."""

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        folder.mkdir(mode=0o700, exist_ok=True)

    def start(self) -> None:
        """Go on with what an earlier process had not finished."""
        for file in sorted(self._folder.glob("*.json")):
            self._run(file)
        for file in self._folder.glob("*.new"):
            file.unlink()

    def add(self, wanted: Invocation) -> None:
        """Keep it; when this returns, it will be invoked. Raises Refused when too many wait, OSError."""
        if len(self._tasks) >= MOST:
            raise Refused("TooManyRequestsException", "Rate Exceeded.", "CallerRateLimitExceeded")
        document = {
            "function": wanted.function, "qualifier": wanted.qualifier, "arn": wanted.arn, "request_id": wanted.request_id,
            "event": base64.b64encode(wanted.event).decode(), "client_context": wanted.client_context, "at": time.time(),
        }  # fmt: skip
        draft = self._folder / f"{wanted.request_id}.new"
        with draft.open("w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        kept = draft.with_suffix(".json")
        draft.replace(kept)
        self._run(kept)

    def _run(self, file: Path) -> None:
        task = asyncio.get_running_loop().create_task(self._work(file))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, file: Path) -> None:
        try:
            document: dict[str, Any] = json.loads(file.read_text())
            left = float(document.pop("at")) + LONGEST_SECONDS - time.time()
            wanted = Invocation(**{**document, "event": base64.b64decode(document["event"])})
        except (OSError, ValueError, KeyError, TypeError):
            log.exception("%s is no event", file)
            return
        attempts = 0
        until = time.monotonic() + min(left, LONGEST_SECONDS)  # the clock may be set meanwhile
        while time.monotonic() < until:
            try:
                async with self._turns:
                    outcome = await self._pool.invoke(wanted)
            except Refused as refused:
                if refused.code != "TooManyRequestsException":
                    break
                await asyncio.sleep(THROTTLED_SECONDS)
                continue
            attempts += 1
            if not outcome.error or attempts > len(RETRY_SECONDS):
                break
            await asyncio.sleep(RETRY_SECONDS[attempts - 1])
        file.unlink(missing_ok=True)
