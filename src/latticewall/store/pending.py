"""Records on their way to a destination that takes them in batches: kept here from the moment they are accepted until their batch is delivered.

A batch is settled before it is delivered: its records carry its name, and after a crash the same records go under the same name again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_NOTE = "destination "
"""How the names of destinations' descriptions begin among the cursors."""


class Waiting(NamedTuple):
    """What waits for a destination outside any batch. size: in bytes. oldest: epoch milliseconds at which the first of it came."""

    destination: str
    records: int
    size: int
    oldest: int


class Pending:
    """The table `pending_record` through one connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def describe(self, destination: str, document: Mapping[str, Any]) -> None:
        """Keep what delivering to it takes, so that what was accepted is delivered even when the destination's resource is gone."""
        values = (_NOTE + destination, json.dumps(document, sort_keys=True))
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", values)

    def description(self, destination: str) -> dict[str, Any]:
        found = self._db.execute("SELECT position FROM cursor WHERE name = ?", (_NOTE + destination,)).fetchone()
        return dict(json.loads(found[0])) if found else {}

    def add(self, destination: str, at: int, records: Sequence[bytes]) -> None:
        """at: epoch milliseconds."""
        self._db.executemany("INSERT INTO pending_record (destination, at, data) VALUES (?, ?, ?)", [(destination, at, record) for record in records])

    def waiting(self) -> list[Waiting]:
        query = "SELECT destination, COUNT(*), SUM(LENGTH(data)), MIN(at) FROM pending_record WHERE batch = '' GROUP BY destination"
        return [Waiting(*values) for values in self._db.execute(query)]

    def batches(self) -> list[tuple[str, str]]:
        """(destination, batch) of all that are settled and not delivered."""
        return list(self._db.execute("SELECT DISTINCT destination, batch FROM pending_record WHERE batch != '' ORDER BY batch"))

    def settle(self, destination: str, batch: str, most_bytes: int) -> None:
        """Name the batch of the destination's oldest records, as many as fit, at least one."""
        size, last = 0, 0
        query = "SELECT sequence, LENGTH(data) FROM pending_record WHERE destination = ? AND batch = '' ORDER BY sequence"
        for sequence, length in self._db.execute(query, (destination,)):
            if last and size + length > most_bytes:
                break
            size, last = size + length, sequence
        self._db.execute("UPDATE pending_record SET batch = ? WHERE destination = ? AND batch = '' AND sequence <= ?", (batch, destination, last))

    def records(self, batch: str) -> list[tuple[int, bytes]]:
        """(epoch milliseconds, record) of a batch, in the order in which they came."""
        return list(self._db.execute("SELECT at, data FROM pending_record WHERE batch = ? ORDER BY sequence", (batch,)))

    def delivered(self, batch: str) -> None:
        """The batch has arrived, or is given up."""
        self._db.execute("DELETE FROM pending_record WHERE batch = ?", (batch,))

    def clear(self) -> None:
        """Nothing waits any more."""
        self._db.execute("DELETE FROM pending_record")
