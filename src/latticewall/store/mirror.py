"""All rows in memory, for a reader that looks at everything again and again: what the change log does not name is not read again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

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
            for kind in self._rows:
                self._arrange(kind)
        elif revision != self._revision:
            changed = {key for key in snapshot.changed_since(self._revision) if key[0].partition(":")[0] not in self._without}
            for kind in {kind for kind, _ in changed}:
                self._change(kind, {id_: snapshot.rows(kind, id=id_) for of, id_ in changed if of == kind})
        self._revision = revision
        return self._kinds

    def _change(self, kind: str, changed: Mapping[str, list[Row]]) -> None:
        kept = self._rows.setdefault(kind, {})
        known = len(kept)
        kept.update(changed)
        is_longer = len(kept) > known
        for id_, rows in changed.items():
            if not rows:
                del kept[id_]
        self._arrange(kind, is_sorted=not is_longer)

    def _arrange(self, kind: str, *, is_sorted: bool = False) -> None:
        kept = self._rows[kind]
        if not is_sorted:
            ids = sorted(kept)
            kept = self._rows[kind] = dict(zip(ids, map(kept.__getitem__, ids), strict=True))
        self._kinds[kind] = tuple(chain.from_iterable(kept.values()))
