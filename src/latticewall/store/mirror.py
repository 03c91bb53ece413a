"""All rows in memory, for a reader that looks at everything again and again: what the change log does not name is not read again."""

from __future__ import annotations

from collections.abc import Collection

from latticewall.base.rows import Row
from latticewall.store.sqlite import Snapshot

_Key = tuple[str, str]


class Mirror:
    """Of all rows but those of some services' kinds. Rows are the same objects until they change: whoever gets one must not change it. For one thread."""

    def __init__(self, *without: str) -> None:
        self._without = without
        self._revision = -1
        self._rows: dict[_Key, list[Row]] = {}
        self._sorted: tuple[Row, ...] | None = None

    def follow(self, snapshot: Snapshot) -> tuple[Row, ...]:
        """The rows of a snapshot that is as new as the last one, or newer, by kind and id."""
        revision = snapshot.revision
        if self._revision < 0:
            for row in snapshot.rows_without(*self._without):
                self._rows.setdefault((row.kind, row.id), []).append(row)
        elif revision != self._revision:
            self._read(snapshot, snapshot.changed_since(self._revision))
        if self._sorted is None or revision != self._revision:
            self._sorted = tuple(row for key in sorted(self._rows) for row in self._rows[key])
        self._revision = revision
        return self._sorted

    def _read(self, snapshot: Snapshot, changed: Collection[_Key]) -> None:
        for kind, id_ in changed:
            if kind.partition(":")[0] in self._without:
                continue
            if found := snapshot.rows(kind, id=id_):
                self._rows[kind, id_] = found
            else:
                self._rows.pop((kind, id_), None)
