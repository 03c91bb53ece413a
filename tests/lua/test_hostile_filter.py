"""A short piece of what `make fuzz` does for long: the searches run, find nothing, and would find something."""

from __future__ import annotations

import pytest
from filter_plans import ALLOW_ALL
from fuzz import filter as lua_filter
from fuzz import live

from latticewall.policy.document import Form


def test_hostile_requests_to_the_filter() -> None:
    tally = lua_filter.run(8000, seed=20260102)
    assert tally.findings == []
    assert tally.requests == 8000
    assert tally.forgeries > 500
    assert tally.compared > 100
    assert tally.answers["passed, signed"] > 5


@pytest.mark.netns
@pytest.mark.engines
def test_hostile_connections_to_envoy() -> None:
    if reason := live.missing():
        pytest.skip(reason)
    tally = live.run(4, seed=7)
    assert tally.findings == []
    assert tally.honest > 20
    assert tally.arrived > tally.honest


@pytest.mark.netns
@pytest.mark.engines
def test_an_open_service_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := live.missing():
        pytest.skip(reason)
    monkeypatch.setattr(live, "_ONLY_SIGNED", ALLOW_ALL[Form.AUTH])
    tally = live.run(4, seed=7)
    assert any("is not signed" in finding for finding in tally.findings)
