"""What is noted of the differences between long tuples and mappings, held against these themselves."""

from __future__ import annotations

from operator import is_

from latticewall.base.differences import noted


def assert_notes_are_true() -> None:
    """A note may say that more differs than does, never less."""
    for before, given, difference in noted():
        if isinstance(before, tuple):
            first, last = difference
            assert max(first, last) <= min(len(before), len(given))
            assert all(map(is_, before[:first], given[:first]))
            assert all(map(is_, before[len(before) - last :], given[len(given) - last :]))
        else:
            assert all(before.get(key) is given.get(key) and (key in before) == (key in given) for key in {*before, *given} - {*difference})
