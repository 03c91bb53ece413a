"""What has been read before, so that a question which nothing has changed the answer to is not put to SQLite again.

An answer is kept as SQLite gave it (texts and numbers, which nobody can change), under the revision it was read at, and stays good until a row of its kind
changes. Another process that writes to the state is noticed by the revision: what was read before it is then not used any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Found = list[tuple[Any, ...]]
ANY = ""
"""The kind of what depends on rows of all kinds."""
MOST = 16384
"""Rows kept, and answers without any: some 20 MB. What is asked again after all are dropped comes back by itself."""
LONGEST = 128
"""Rows of an answer that is kept."""


class Remembered:
    """May be asked by any thread. The one writer tells it of changes, after his commit; who reads at a revision that it has not been told of finds nothing."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, tuple[Any, ...]], tuple[int, Found]] = {}
        self._rows = 0
        self._changed: dict[str, int] = {}
        self._newest = self._floor = -1
        self.cursors: dict[str, str] = {}
        """Those that are read by every call (`Transaction.steady_cursor`): they have no revision."""

    def see(self, revision: int) -> None:
        """Somebody reads at this revision. If this process has not written it, nothing is known of what it changed."""
        if revision > self._newest:
            self._newest = self._floor = revision

    def change(self, kinds: Iterable[str], revision: int) -> None:
        """Rows of these kinds were changed in a revision that is committed now."""
        self.see(revision - 1)
        for kind in (*kinds, ANY):
            self._changed[kind] = revision
        self._newest = max(self._newest, revision)

    def find(self, kind: str, question: tuple[str, tuple[Any, ...]], revision: int) -> Found | None:
        """The answer as of a revision, None when it is not known. kind: whose rows it depends on."""
        read, found = self._answers.get(question, (-1, None))
        return found if self._floor <= read <= revision and self._changed.get(kind, -1) <= read else None

    def keep(self, question: tuple[str, tuple[Any, ...]], revision: int, found: Found) -> None:
        """found: what is so at that revision."""
        if len(found) > LONGEST:
            return
        self._rows += len(found) + 1
        if self._rows > MOST:
            self._answers, self._rows = {}, 0
        self._answers[question] = revision, found
