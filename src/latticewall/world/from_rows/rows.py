"""Live rows by kind, in order of id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from latticewall.base.memo import Memo
from latticewall.base.rows import Row

GONE = ("deleting", "deleted", "failed")


class Rows:
    """The rows of one region (and the global ones) that count: neither being deleted nor failed. memo: what was made of them in the last round."""

    def __init__(self, rows: Iterable[Row] | Mapping[str, tuple[Row, ...]], region: str, memo: Memo | None = None) -> None:
        self.region = region
        self.memo = memo or Memo()
        self._rows = rows if isinstance(rows, Mapping) else _by_kind(rows)
        self._live: dict[str, dict[str, Row]] = {}
        self._by_arn: dict[str, dict[str, Row]] = {}
        self._by_parent: dict[str, dict[str, list[Row]]] = {}

    def of(self, kind: str) -> list[Row]:
        return list(self._of(kind).values())

    def get(self, kind: str, id: str) -> Row | None:  # noqa: A002
        return self._of(kind).get(id)

    def _of(self, kind: str) -> dict[str, Row]:
        if kind not in self._live:
            self._live[kind] = {row.id: row for row in self._rows.get(kind, ()) if row.region in ("", self.region) and row.status not in GONE}
        return self._live[kind]

    def all(self, kind: str) -> tuple[Row, ...]:
        """Those of other regions, and those that do not count, too: the same object until one of them changes."""
        return self._rows.get(kind, ())

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


def _by_kind(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        found[row.kind].append(row)
    return {kind: tuple(rows_of_kind) for kind, rows_of_kind in found.items()}


def networks(values: Iterable[str | None]) -> tuple[IPv4Network | IPv6Network, ...]:
    """CIDRs of both families, IPv4 first."""
    return tuple(sorted((ip_network(value, strict=False) for value in values if value), key=family_first))


def family_first(network: IPv4Network | IPv6Network) -> tuple[int, int, int]:
    """A sort key for networks of both families."""
    return network.version, int(network.network_address), network.prefixlen


def tag_pairs(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


def text(value: Any) -> str:
    return "" if value is None else str(value)
