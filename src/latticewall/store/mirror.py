"""All rows in memory, for a reader that looks at everything again and again: what the change log does not name is not read again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from operator import attrgetter

from latticewall.base.differences import Ends, note_ends
from latticewall.base.rows import Row
from latticewall.store.snapshot import Snapshot


class Mirror:
    """Of all rows but those of some services' kinds. Rows, and the tuple of a kind's rows, are the same objects until they change: whoever gets one must
    not change it. For one thread."""

    def __init__(self, *without: str) -> None:
        self._without = without
        self._revision = -1
        self._places: dict[str, _Places] = {}
        self._kinds: dict[str, tuple[Row, ...]] = {}

    def follow(self, snapshot: Snapshot) -> Mapping[str, tuple[Row, ...]]:
        """Kind -> its rows by id, in a snapshot that is as new as the last one, or newer."""
        revision = snapshot.revision
        if self._revision < 0:
            for row in sorted(snapshot.rows_without(*self._without), key=attrgetter("id")):
                self._places.setdefault(row.kind, _Places()).append(row)
            self._kinds = {kind: tuple(places.rows) for kind, places in self._places.items()}
        elif revision != self._revision:
            changed: dict[str, list[str]] = {}
            for kind, id_ in snapshot.changed_since(self._revision):
                if kind.partition(":")[0] not in self._without:
                    changed.setdefault(kind, []).append(id_)
            for kind, ids in changed.items():
                places = self._places.setdefault(kind, _Places())
                ends = [places.replace(id_, snapshot.rows(kind, id=id_)) for id_ in ids]
                before, now = self._kinds.get(kind, ()), tuple(places.rows)
                note_ends(before, now, *map(min, zip(*ends, strict=True)))
                self._kinds[kind] = now
        self._revision = revision
        return self._kinds


class _Places:
    """A kind's rows in order of id; several accounts may have one id. ids: of the rows, in the same order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.rows: list[Row] = []

    def append(self, row: Row) -> None:
        self.ids.append(row.id)
        self.rows.append(row)

    def replace(self, id_: str, rows: list[Row]) -> Ends:
        """Have these rows, all of this id, in place of those of the id that there are. How many stay as they are before and behind them."""
        place = slice(bisect_left(self.ids, id_), bisect_right(self.ids, id_))
        self.ids[place] = [id_] * len(rows)
        behind = len(self.rows) - place.stop
        self.rows[place] = rows
        return place.start, behind
