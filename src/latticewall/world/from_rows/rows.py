"""Live rows by kind, in order of id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from latticewall.base.memo import Memo
from latticewall.base.rows import Row

GONE = ("deleting", "deleted", "failed")


class Rows:
    """The rows of one region (and the global ones) that count: neither being deleted nor failed. memo: what was made of them in the last round."""

    def __init__(self, rows: Iterable[Row], region: str, memo: Memo | None = None) -> None:
        self.region = region
        self.memo = memo or Memo()
        self._by_kind: dict[str, dict[str, Row]] = defaultdict(dict)
        self._by_arn: dict[str, dict[str, Row]] = {}
        self._by_parent: dict[str, dict[str, list[Row]]] = {}
        for row in sorted(rows, key=lambda row: (row.kind, row.id)):
            if row.region in ("", region) and row.status not in GONE:
                self._by_kind[row.kind][row.id] = row

    def of(self, kind: str) -> list[Row]:
        return list(self._by_kind[kind].values())

    def get(self, kind: str, id: str) -> Row | None:  # noqa: A002
        return self._by_kind[kind].get(id)

    def by_arn(self, kind: str, arn: str) -> Row | None:
        if kind not in self._by_arn:
            self._by_arn[kind] = {row.arn: row for row in self.of(kind)}
        return self._by_arn[kind].get(arn)

    def children(self, kind: str, parent: str) -> list[Row]:
        if kind not in self._by_parent:
            found = self._by_parent[kind] = defaultdict(list)
            for row in self.of(kind):
                found[row.parent].append(row)
        return self._by_parent[kind].get(parent, [])


def networks(values: Iterable[str | None]) -> tuple[IPv4Network, ...]:
    """IPv4 CIDRs, others left out."""
    return tuple(sorted(IPv4Network(value, strict=False) for value in values if value and ":" not in value))


def tag_pairs(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


def text(value: Any) -> str:
    return "" if value is None else str(value)
