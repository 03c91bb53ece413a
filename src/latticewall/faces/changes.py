"""Short changes, performed one after the other by one thread: those that wait share a transaction, and so a commit and a sync.

A thread for each would gain nothing, as there is one writer at a time, and cost a turn of the interpreter's lock for each.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from latticewall.faces.http import Change, Endpoint
from latticewall.wire.message import HttpResponse

MOST = 64
"""Changes that are taken at a time."""
Later = Callable[[HttpResponse | None], None]


class _Waiting(NamedTuple):
    change: Change
    loop: asyncio.AbstractEventLoop
    later: Later


class Changes:
    """Performs what is added, in that order."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, change: Change, later: Later) -> None:
        """Perform it soon. later: called with the answer, on the event loop of the calling thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
            self._thread.start()
        self._queue.put(_Waiting(change, asyncio.get_running_loop(), later))

    def _run(self) -> None:
        while True:
            self._perform(self._queue.get())

    def _perform(self, first: _Waiting) -> None:
        """It, and all that come while it has not ended."""
        taken: list[_Waiting] = []
        coming = [first]

        def waiting() -> list[Change]:
            with suppress(Empty):
                while len(coming) < MOST:
                    coming.append(self._queue.get_nowait())
            taken.extend(coming)
            found = [one.change for one in coming]
            coming.clear()
            return found

        answers = self._endpoint.together(waiting)
        for loop in {one.loop for one in taken}:
            of_loop = [(one.later, answer) for one, answer in zip(taken, answers, strict=True) if one.loop is loop]
            with suppress(RuntimeError):  # it is closed: nobody is there to be answered
                loop.call_soon_threadsafe(_tell, of_loop)


def _tell(answers: Sequence[tuple[Later, HttpResponse | None]]) -> None:
    for later, answer in answers:
        later(answer)
