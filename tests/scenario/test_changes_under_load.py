"""A service whose rules, targets, policy and certificate change while it is asked without a pause: no request fails (bench/continuity.py has 60 s of it)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.continuity import Changing
from bench.region import Region

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.scenario, pytest.mark.timeout(180)]

CHANGES = 40


@pytest.fixture
def region() -> Iterator[Region]:
    folder = Path(tempfile.mkdtemp(prefix="lw-load-"))
    found = Region(folder / "state")
    try:
        found.up()
        yield found
    finally:
        found.down("--purge")
        shutil.rmtree(folder, ignore_errors=True)


def test_changes_are_made_before_they_break(region: Region) -> None:
    changing = Changing(region)
    changing.build()
    outcome = changing.run(lambda made, _: made < CHANGES)
    assert outcome.failures == []
    assert set(outcome.changes) == set(changing.changes), "each kind of change came"
    assert min(outcome.requests.values()) > 20
    assert region.status()["failures"] == []
