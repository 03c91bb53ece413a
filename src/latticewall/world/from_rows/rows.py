"""Live rows by kind, in order of id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property, partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import attrgetter
from typing import Any, TypeVar, cast

from latticewall.base.memo import Memo
from latticewall.base.rows import Row

T = TypeVar("T")
GONE = ("deleting", "deleted", "failed", "unaccepted", "rejected")


class Rows:
    """The rows of one region (and the global ones) that count: neither being deleted nor failed, nor waiting for another account's consent.

    memo: what was made of them in the last round.
    """

    def __init__(self, rows: Iterable[Row] | Mapping[str, tuple[Row, ...]], region: str, memo: Memo | None = None) -> None:
        self.region = region
        self.memo = memo or Memo()
        self._read = _reader(rows if isinstance(rows, Mapping) else _by_kind(rows))

    def follow(self, build: Callable[..., T], *arguments: Any) -> T:
        """`build(rows, *arguments)`: the answer of the last round as long as the kinds of rows that were looked at for it, and the arguments, are as they were.
        The items of the answer stay the same objects as long as they are equal."""
        answer = self.memo.follow(_of_rows(build), self._read, self.region, self.memo, *arguments)
        return cast("T", self.memo.steady_items(build, _id_of, cast("tuple[Any, ...]", answer)))

    def of(self, kind: str) -> tuple[Row, ...]:
        return self._live(kind).rows

    def get(self, kind: str, id: str) -> Row | None:  # noqa: A002
        return self._live(kind).by_id.get(id)

    def all(self, kind: str) -> tuple[Row, ...]:
        """Those of other regions, and those that do not count, too: the same object until one of them changes."""
        found: tuple[Row, ...] = self._read(kind)
        return found

    def by_arn(self, kind: str, arn: str) -> Row | None:
        return self._live(kind).by_arn.get(arn)

    def children(self, kind: str, parent: str) -> tuple[Row, ...]:
        return self._live(kind).by_parent.get(parent, ())

    def children_of(self, parents: str, kind: str) -> tuple[tuple[Row, ...], ...]:
        """Of each row of the kind `parents` its children of the other kind."""
        return self.memo.values_of(("children", parents, kind), self._live(parents).ids, self._live(kind).by_parent, ())

    def ids(self, kind: str) -> tuple[str, ...]:
        return self._live(kind).ids

    def _live(self, kind: str) -> _Live:
        return self.memo.named(("live", kind), partial(_Live, self.memo, kind), self.all(kind), self.region)


class _Live:
    """A kind's rows that count."""

    def __init__(self, memo: Memo, kind: str, rows: tuple[Row, ...], region: str) -> None:
        self._memo = memo
        self._kind = kind
        live = memo.filtered(kind, rows, memo.map(_counts, rows, given=(region,), of=kind))
        self.ids = memo.map(_ID, live, of=kind)
        self.by_id = memo.index(("id", kind), self.ids, live)
        self.rows = live
        if len(self.by_id) < len(live):  # names that several accounts have
            self.by_id = {row.id: row for row in live}
            self.rows, self.ids = tuple(self.by_id.values()), tuple(self.by_id)

    @cached_property
    def by_arn(self) -> Mapping[str, Row]:
        return self._memo.index(("arn", self._kind), self._memo.map(_ARN, self.rows, of=self._kind), self.rows)

    @cached_property
    def by_parent(self) -> Mapping[str, tuple[Row, ...]]:
        return self._memo.grouped(("parent", self._kind), self._memo.map(_PARENT, self.rows, of=self._kind), self.rows)


_ID, _ARN, _PARENT = attrgetter("id"), attrgetter("arn"), attrgetter("parent")


def _counts(row: Row, region: str) -> bool:
    return row.region in ("", region) and row.status not in GONE


def _id_of(item: Any) -> str:
    """Firewalls have an ARN only."""
    return str(getattr(item, "id", None) or item.arn)


def _reader(rows: Mapping[str, tuple[Row, ...]]) -> Callable[[str], tuple[Row, ...]]:
    return lambda kind: rows.get(kind, ())


@cache
def _of_rows(build: Callable[..., T]) -> Callable[..., T]:
    def of_rows(read: Callable[[str], tuple[Row, ...]], region: str, memo: Memo, *arguments: Any) -> T:
        rows = Rows({}, region, memo)
        rows._read = read
        return build(rows, *arguments)

    return of_rows


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
