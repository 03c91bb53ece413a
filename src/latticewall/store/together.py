"""Several transactions in one of SQLite's: they share its commit, the sync, and the pages of indexes that all of them change."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from latticewall.base.faults import Unavailable
from latticewall.store.remembered import Moves, Remembered
from latticewall.store.transaction import Transaction


class Together:
    """For one thread, which has the right to write. trouble: says in a fault what the disk did not do."""

    def __init__(
        self, db: sqlite3.Connection, now: Callable[[], str], remembered: Remembered, revision: int, trouble: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._db = db
        self._now = now
        self._remembered = remembered
        self._began = revision
        self._trouble = trouble
        self.revision = revision
        """Of the last transaction that has changed something."""
        self.kinds: set[str] = set()
        """Of rows put or deleted."""
        self.moves: Moves = Counter()

    @contextmanager
    def write(self, caller: str = "", request_id: str = "") -> Iterator[Transaction]:
        """One of them: undone when the block raises, without the others. It sees what those before it have written."""
        with self._trouble():
            if not self._db.in_transaction:
                raise Unavailable("the change was not stored: one before it has met a full disk")
            self._db.execute("SAVEPOINT own")
            try:
                with self.only(caller, request_id) as transaction:
                    yield transaction
            except BaseException:
                if self._db.in_transaction:  # a full disk ends all of it by itself
                    self._db.execute("ROLLBACK TO own")
                    self._db.execute("RELEASE own")
                raise
            self._db.execute("RELEASE own")

    @contextmanager
    def only(self, caller: str, request_id: str) -> Iterator[Transaction]:
        """As `write`, of one that is not undone without the others, because there are none."""
        found = Transaction(self._db, self._now(), caller, request_id, self._remembered, self._began, reads=False, last=self.revision)
        found.follow(self.kinds, self.moves)
        yield found
        if found.changed:
            self.revision, self.kinds, self.moves = found.new_revision, {*found.changed_kinds}, found.moves
