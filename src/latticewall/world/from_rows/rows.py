"""Live rows by kind, in order of id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from latticewall.base.rows import Row

GONE = ("deleting", "deleted", "failed")


class Rows:
    """The rows of one region (and the global ones) that count: neither being deleted nor failed."""

    def __init__(self, rows: Iterable[Row], region: str) -> None:
        self.region = region
        self._by_kind: dict[str, dict[str, Row]] = defaultdict(dict)
        for row in sorted(rows, key=lambda row: (row.kind, row.id)):
            if row.region in ("", region) and row.status not in GONE:
                self._by_kind[row.kind][row.id] = row
        self._by_arn = {(row.kind, row.arn): row for rows_of_kind in self._by_kind.values() for row in rows_of_kind.values()}

    def of(self, kind: str) -> list[Row]:
        return list(self._by_kind[kind].values())

    def get(self, kind: str, id: str) -> Row | None:  # noqa: A002
        return self._by_kind[kind].get(id)

    def by_arn(self, kind: str, arn: str) -> Row | None:
        return self._by_arn.get((kind, arn))

    def children(self, kind: str, parent: str) -> list[Row]:
        return [row for row in self.of(kind) if row.parent == parent]


def networks(values: Iterable[str | None]) -> tuple[IPv4Network, ...]:
    """IPv4 CIDRs, others left out."""
    return tuple(sorted(IPv4Network(value, strict=False) for value in values if value and ":" not in value))


def tag_pairs(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


def text(value: Any) -> str:
    return "" if value is None else str(value)
