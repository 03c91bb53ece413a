"""A service whose rules, targets, policy and certificate change while it is asked without a pause: no request fails (bench/continuity.py has 60 s of it)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.continuity import Changing
from bench.region import Region, running

pytestmark = [pytest.mark.netns, pytest.mark.engines, pytest.mark.scenario, pytest.mark.timeout(180)]

CHANGES = 40


@pytest.fixture
def region() -> Iterator[Region]:
    with running() as region:
        yield region


def test_changes_are_made_before_they_break(region: Region) -> None:
    changing = Changing(region)
    changing.build()
    outcome = changing.run(lambda made, _: made < CHANGES)
    assert outcome.failures == []
    assert set(outcome.changes) == set(changing.changes), "each kind of change came"
    assert min(outcome.requests.values()) > 20
    assert region.status()["failures"] == []
