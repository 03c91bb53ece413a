"""What has been read before, so that a question which nothing has changed the answer to is not put to SQLite again.

An answer is kept as SQLite gave it (texts and numbers, which nobody can change), under the revision it was read at, and stays good until a row of its kind
changes. Another process that writes to the state is noticed by the revision: what was read before it is then not used any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from latticewall.base.rows import Values

Found = Sequence[tuple[Any, ...]]
ANY = ""
"""The kind of what depends on rows of all kinds."""
MOST = 16384
"""Rows kept, and answers without any: some 20 MB, and as much again where all have been written. What is asked again after all
are dropped comes back by itself."""
LONGEST = 128
"""Rows of an answer that is kept."""
Moves = Counter[tuple[str, str, str, str]]
"""How many rows more there are, by kind, account, region and status."""


class Tally(NamedTuple):
    """What is counted: rows of a kind, of an account in a region, but for those in one status."""

    kind: str
    account: str
    region: str
    without: str

    def moved(self, moves: Moves) -> int:
        """How many more there are after these moves."""
        return sum(count for (*place, status), count in moves.items() if (*place,) == self[:3] and status != self.without)


class Remembered:
    """May be asked by any thread. The one writer tells it of changes, after his commit; who reads at a revision that it has not been told of finds nothing."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, tuple[Any, ...]], tuple[int, Found]] = {}
        self._rows = 0
        self._tallies: dict[str, dict[Tally, tuple[int, int]]] = {}
        """By kind: they change with its rows, instead of being counted anew."""
        self._changed: dict[str, int] = {}
        self._newest = self._floor = -1
        self.cursors: dict[str, str] = {}
        """Those that are read by every call (`Transaction.steady_cursor`): they have no revision."""

    def see(self, revision: int) -> None:
        """Somebody reads at this revision. If this process has not written it, nothing is known of what it changed."""
        if revision > self._newest:
            self._newest = self._floor = revision

    def change(self, kinds: Iterable[str], before: int, revision: int, moves: Moves) -> None:
        """Rows of these kinds were changed after the revision `before`, in one or several up to `revision` that are committed now."""
        self.see(before)
        for kind in kinds:
            known = [(tally, self.tally(tally, before)) for tally in list(self._tallies.get(kind, ()))]
            self._tallies[kind] = {tally: (revision, count + tally.moved(moves)) for tally, count in known if count is not None}
        for kind in (*kinds, ANY):
            self._changed[kind] = revision
        self._newest = max(self._newest, revision)

    def tally(self, tally: Tally, revision: int) -> int | None:
        """How many there are as of a revision, None when it is not known."""
        read, count = self._tallies.get(tally.kind, {}).get(tally, (-1, 0))
        return count if self._floor <= read <= revision and self._changed.get(tally.kind, -1) <= read else None

    def keep_tally(self, tally: Tally, revision: int, count: int) -> None:
        """count: what is so at that revision."""
        self._tallies.setdefault(tally.kind, {})[tally] = revision, count

    def find(self, kind: str, question: tuple[str, tuple[Any, ...]], revision: int) -> Found | None:
        """The answer as of a revision, None when it is not known. kind: whose rows it depends on."""
        read, found = self._answers.get(question, (-1, None))
        return found if self._floor <= read <= revision and self._changed.get(kind, -1) <= read else None

    def keep(self, question: tuple[str, tuple[Any, ...]], revision: int, found: Found) -> Found:
        """found: what is so at that revision. The same is returned, and by `find`, as far as it is kept."""
        if len(found) > LONGEST:
            return found
        found = [Values(values) for values in found]
        self._rows += len(found) + 1
        if self._rows > MOST:
            self._answers, self._rows = {}, 0
        self._answers[question] = revision, found
        return found
