"""How long a server may take to answer is measured by a clock that nobody sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latticewall.base.secret import Secret
from latticewall.dataplane.databases import applier as databases
from latticewall.dataplane.databases.programs import Release
from latticewall.dataplane.processes import Processes, Running
from latticewall.plan.databases import DatabasePlan
from latticewall.reconcile.applier import Report


class Starting(Processes):
    """A holder whose server runs and does not answer. started_at: as its wall clock said then."""

    pid, started_at = 7, "2026-01-02T03:04:05.678Z"

    def ensure(self, spec: Any) -> Running:
        return Running(spec["name"], "process", self.pid, "running", 0, self.started_at, "")

    def signal(self, _name: str, _signal: str) -> bool:
        return True


SERVER = DatabasePlan("db-1", "db-1", 15, "db-1.example", 5432, "owner", Secret("SCRAM-SHA-256$1"), "", "")


def test_a_start_is_not_late_because_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("latticewall.dataplane.databases.applier.time.monotonic", lambda: now[0])
    holder = Starting()
    applier = databases.DatabasesApplier(holder, tmp_path / "state", tmp_path / "run", tmp_path / "logs", lambda _: ("", Secret("")))
    monkeypatch.setattr(applier, "_configure", lambda _: False)

    def look() -> Report:
        return applier._apply(SERVER, {15: Release(15, 14, tmp_path)}, None)

    for holder.started_at in ("2026-01-02T03:04:05.678Z", "2126-01-02T03:04:05.678Z"):
        assert look().awaited == ("db-1",)
    now[0] += databases.START_SECONDS + 1
    assert "does not start" in look().failures[0].message
    holder.pid = 8
    assert look().awaited == ("db-1",)
