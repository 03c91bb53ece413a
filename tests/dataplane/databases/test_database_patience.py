"""How long a server may take to answer: by a clock that nobody sets, and from its last answer on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from latticewall.base.secret import Secret
from latticewall.dataplane.databases import applier as databases
from latticewall.dataplane.databases.programs import Release
from latticewall.dataplane.databases.session import NotReady
from latticewall.dataplane.processes import Processes, Running
from latticewall.plan.databases import DatabasePlan
from latticewall.reconcile.applier import Report

SERVER = DatabasePlan("db-1", "db-1", 15, "db-1.example", 5432, "owner", Secret("SCRAM-SHA-256$1"), "", "")


class Holder(Processes):
    """A holder whose server runs. started_at: as its wall clock said then. killed: pids."""

    pid, restarts, started_at = 7, 0, "2026-01-02T03:04:05.678Z"

    def __init__(self) -> None:
        self.killed: list[int] = []

    def ensure(self, spec: Any) -> Running:
        return Running(spec["name"], "process", self.pid, "running", self.restarts, self.started_at, "")

    def signal(self, _name: str, signal: str) -> bool:
        assert signal == "KILL"
        self.killed.append(self.pid)
        self.pid, self.restarts = self.pid + 1, self.restarts + 1
        return True


class Lab:
    """The applier, its holder, and the time in monotonic seconds. answers: whether the server does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.holder, self.answers = 1000.0, Holder(), False
        lab = self

        class Session:
            def __init__(self, *_: Any) -> None:
                if not lab.answers:
                    raise NotReady("it does not answer")

            def __enter__(self) -> Session:
                return self

            def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
                return None

        monkeypatch.setattr("latticewall.dataplane.databases.applier.time.monotonic", lambda: self.now)
        monkeypatch.setattr(databases, "Session", Session)
        self._folder = folder
        self._applier = databases.DatabasesApplier(self.holder, folder / "state", folder / "run", folder / "logs", lambda _: ("", Secret("")))
        monkeypatch.setattr(self._applier, "_configure", lambda _: False)
        monkeypatch.setattr(self._applier, "_prepare", lambda *_: False)

    def look(self, seconds: float = 0.0) -> Report:
        """After so many seconds."""
        self.now += seconds
        return self._applier._apply(SERVER, {15: Release(15, 14, self._folder)}, None)

    def answer(self, seconds: float = 0.0) -> None:
        """It does, this once."""
        self.answers = True
        assert (self.look(seconds).awaited, self.look().failures) == ((), ())
        self.answers = False


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


def test_a_start_is_not_late_because_the_clock_was_set(lab: Lab) -> None:
    for lab.holder.started_at in ("2026-01-02T03:04:05.678Z", "2126-01-02T03:04:05.678Z"):
        assert lab.look().awaited == ("db-1",)
    assert "does not start" in lab.look(databases.START_SECONDS + 1).failures[0].message
    lab.holder.pid = 8
    assert lab.look().awaited == ("db-1",)
    assert lab.holder.killed == []


def test_crashes_of_long_ago_are_no_failed_starts(lab: Lab) -> None:
    for _ in range(2 * databases.ATTEMPTS):
        lab.answer(databases.FRESH_SECONDS)
        lab.holder.pid, lab.holder.restarts = lab.holder.pid + 1, lab.holder.restarts + 1
        assert lab.look().awaited == ("db-1",)
    lab.holder.pid, lab.holder.restarts = lab.holder.pid + 1, lab.holder.restarts + databases.ATTEMPTS - 1
    assert "does not start" in lab.look().failures[0].message


def test_a_control_plane_that_comes_back_counts_from_then_on(lab: Lab) -> None:
    lab.holder.restarts = 2 * databases.ATTEMPTS
    assert lab.look().awaited == ("db-1",)
    lab.holder.restarts += databases.ATTEMPTS
    assert "does not start" in lab.look().failures[0].message


def test_a_server_that_has_answered_and_hangs_is_started_again(lab: Lab) -> None:
    """One that has not may be busy with what its crash has left."""
    lab.answer()
    assert lab.look(databases.FRESH_SECONDS).awaited == ("db-1",)
    assert lab.look(databases.HUNG_SECONDS - 1).awaited == ("db-1",)
    assert lab.holder.killed == []
    assert lab.look(2).awaited == ("db-1",)
    assert lab.holder.killed == [7]
    assert lab.look(databases.HUNG_SECONDS + 1).awaited == ("db-1",)
    assert lab.holder.killed == [7]
