"""Events that wait: none is dropped because the clock was set."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from latticewall.dataplane.functions import spool as spools
from latticewall.dataplane.functions.environment import Outcome
from latticewall.dataplane.functions.pool import Invocation, Pool, Refused

WANTED = Invocation("arn:aws:lambda:eu-north-7:111122223333:function:f", "", "f", "request-1", b"{}")


class Throttled:
    """A pool that refuses until it is asked for the last time. steps: what the wall clock is set by before each answer, in seconds."""

    def __init__(self, now: list[float], *steps: float) -> None:
        self.now, self.steps, self.asked = now, list(steps), 0

    async def invoke(self, _wanted: Invocation) -> Outcome:
        self.asked += 1
        if not self.steps:
            return Outcome(b"{}")
        self.now[0] += self.steps.pop(0)
        raise Refused("TooManyRequestsException", "Rate Exceeded.")


def run(folder: Path, pool: Throttled, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is added, and everything that comes of it."""
    monkeypatch.setattr("latticewall.dataplane.functions.spool.time.time", lambda: pool.now[0])
    monkeypatch.setattr(spools, "THROTTLED_SECONDS", 0.0)

    async def added() -> None:
        spool = spools.Spool(folder, cast("Pool", pool))
        spool.add(WANTED)
        await asyncio.gather(*spool._tasks)

    asyncio.run(added())


@pytest.mark.parametrize("step", [7 * 3600.0, -7 * 3600.0])
def test_a_throttled_event_is_tried_again_when_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    pool = Throttled([1_000_000.0], step, 0.0)
    run(tmp_path / "spool", pool, monkeypatch)
    assert pool.asked == 3
    assert not list((tmp_path / "spool").iterdir())


def test_events_of_an_earlier_process_have_the_time_they_have_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most all of it, however far in the future they came."""
    moment = [0.0]
    monkeypatch.setattr("latticewall.dataplane.functions.spool.time.monotonic", lambda: moment[0])
    tried: dict[float, int] = {}
    for at in (-spools.LONGEST_SECONDS - 1.0, 0.0, 10.0 * spools.LONGEST_SECONDS):
        pool, folder = Throttled([1_000_000.0], *[0.0] * 9), tmp_path / str(at)
        monkeypatch.setattr("latticewall.dataplane.functions.spool.time.time", lambda pool=pool: pool.now[0])
        folder.mkdir()
        document = {"function": WANTED.function, "qualifier": "", "arn": "f", "request_id": "request-1", "event": "", "client_context": None}
        (folder / "request-1.json").write_text(json.dumps({**document, "at": pool.now[0] + at}))

        async def passing(seconds: float) -> None:
            moment[0] += spools.LONGEST_SECONDS / 2 if seconds else 0

        async def started(folder: Path = folder, pool: Throttled = pool) -> None:
            spool = spools.Spool(folder, cast("Pool", pool))
            spool.start()
            await asyncio.gather(*spool._tasks)

        monkeypatch.setattr("latticewall.dataplane.functions.spool.asyncio.sleep", passing)
        asyncio.run(started())
        tried[at] = pool.asked
    assert list(tried.values()) == [0, 2, 2]
