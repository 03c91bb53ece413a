"""How much memory the processes of an environment use; one that uses more than it was given is ended, as Lambda does."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

INTERVAL_SECONDS, IDLE_SECONDS = 0.05, 1.0
"""Between two looks at an environment that works, and at one that waits for its next event."""
_PAGE = resource.getpagesize()


class MemoryWatch:
    """pid: of the sandbox, whose descendants count. limit: bytes. kill: called once when they have more than that."""

    def __init__(self, pid: int, limit: int, kill: Callable[[], None]) -> None:
        self._pid = pid
        self._limit = limit
        self._kill = kill
        self.highest = 0
        self.exceeded = False
        self._busy = asyncio.Event()
        self._busy.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def reset(self) -> None:
        """Begin a new invocation's maximum with what is used now."""
        self.highest = used_by(self._pid)
        self._busy.set()

    def rest(self) -> None:
        """The invocation is over: look less often."""
        self._busy.clear()

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            self.highest = max(self.highest, used_by(self._pid))
            if self.highest > self._limit:
                self.exceeded = True
                self._kill()
                return
            if self._busy.is_set():
                await asyncio.sleep(INTERVAL_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._busy.wait()


def used_by(pid: int) -> int:
    """Resident bytes of all descendants of a process; what several of them share counts for each."""
    used, waiting = 0, _children(pid)
    while waiting:
        child = waiting.pop()
        try:
            used += int(Path(f"/proc/{child}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
        waiting += _children(child)
    return used


def _children(pid: int) -> list[int]:
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    except OSError:
        pass
    return found
