"""A short run of the fuzzer: the proxy's Lua, the Python engine and the definition on questions that come close to every edge of a policy."""

from __future__ import annotations

from hostile_values import disagreements
from policy_fuzz import fuzz


def test_a_short_run_finds_no_disagreement() -> None:
    tally = fuzz(4000, seed=20260102)
    assert tally.disagreements == []
    assert tally.evaluations == 4000
    assert min(tally.outcomes.values()) > 100


def test_hostile_values_are_read_alike() -> None:
    assert list(disagreements(150, seed=20260102)) == []
