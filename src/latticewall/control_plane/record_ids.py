"""The id of each access-log record: the same for the same line of Envoy's log, whenever it is read; no other line of any region has it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from latticewall.app import App
from latticewall.telemetry.followed_file import Position, numbered
from latticewall.telemetry.recent import lines_at

ACCESS_CURSOR, CURSOR = "access", "record ids"
"""Where the follower of the access log is, and the seed of the ids."""


class RecordIds:
    """Of one region."""

    def __init__(self, app: App) -> None:
        with app.store.read() as snapshot:
            seed = snapshot.cursor(CURSOR)
        if not seed:
            seed = app.random.token_bytes(16).hex()
            with app.store.write("latticewall", CURSOR) as tx:
                tx.move_cursor(CURSOR, seed)
        self._seed = seed

    def of(self, file: int, offset: int) -> str:
        """file: its number, counted since the log was first followed. offset: where the line begins."""
        return hashlib.blake2b(f"{self._seed} {file} {offset}".encode(), digest_size=16).hexdigest()

    def find(self, wanted: str, log: Path, followed: Position) -> str | None:
        """The line with that id, in the log or the one before it. followed: up to where the log was taken over, which says the numbers of the files."""
        return next((line for path, number in numbered(log, followed) for line in self._in(wanted, path, number)), None)

    def _in(self, wanted: str, path: Path, number: int) -> Iterator[str]:
        for offset, line in lines_at(path):
            if self.of(number, offset) == wanted:
                yield line.decode("utf-8", "replace")
