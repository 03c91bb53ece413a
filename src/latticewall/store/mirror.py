"""All rows in memory, for a reader that looks at everything again and again: what the change log does not name is not read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latticewall.base.rows import Row
from latticewall.store.snapshot import Snapshot


class Mirror:
    """Of all rows but those of some services' kinds. Rows, and the tuple of a kind's rows, are the same objects until they change: whoever gets one must
    not change it. For one thread."""

    def __init__(self, *without: str) -> None:
        self._without = without
        self._revision = -1
        self._rows: dict[str, dict[str, list[Row]]] = {}
        self._kinds: dict[str, tuple[Row, ...]] = {}

    def follow(self, snapshot: Snapshot) -> Mapping[str, tuple[Row, ...]]:
        """Kind -> its rows by id, in a snapshot that is as new as the last one, or newer."""
        revision = snapshot.revision
        if self._revision < 0:
            for row in snapshot.rows_without(*self._without):
                self._rows.setdefault(row.kind, {}).setdefault(row.id, []).append(row)
            self._arrange(self._rows)
        elif revision != self._revision:
            changed = {key for key in snapshot.changed_since(self._revision) if key[0].partition(":")[0] not in self._without}
            for kind, id_ in changed:
                self._rows.setdefault(kind, {})[id_] = snapshot.rows(kind, id=id_)
            self._arrange({kind for kind, _ in changed})
        self._revision = revision
        return self._kinds

    def _arrange(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            kept = self._rows[kind] = {id_: rows for id_, rows in sorted(self._rows[kind].items()) if rows}
            self._kinds[kind] = tuple(row for rows in kept.values() for row in rows)
