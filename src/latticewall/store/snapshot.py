"""Reading the state: one revision of it, as one SQLite connection sees it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from latticewall.base.rows import Edge, Row
from latticewall.store.metrics import Metrics
from latticewall.store.objects import Objects
from latticewall.store.pending import Pending
from latticewall.store.remembered import ANY, Found, Moves, Remembered, Tally

COLUMNS = "kind, account, region, id, arn, name, parent, status, reason, revision, created_at, updated_at, document, tags"
EDGE_COLUMNS = "source_kind, source_id, role, target_kind, target_id, on_delete"
ROW_MEMBERS = tuple(COLUMNS.split(", "))

_BY_ID = {
    (account, region): f"SELECT {COLUMNS} FROM resource WHERE kind = ? AND id = ?{' AND account = ?' * account}{' AND region = ?' * region}"  # noqa: S608
    " ORDER BY created_at, id LIMIT 1"
    for account in (False, True)
    for region in (False, True)
}
"""By whether account and region are known too."""


_TO = "edge INDEXED BY edge_by_target"
"""References to something, few of the many there are: SQLite, which knows no numbers, would go through all references of the same kind of resource."""
_WITHOUT_ROLE = """NOT EXISTS (
    SELECT 1 FROM edge AS other WHERE other.source_kind = edge.source_kind AND other.source_id = edge.source_id AND other.role = ?)"""


def read_revision(db: sqlite3.Connection) -> int:
    ((value,),) = db.execute("SELECT value FROM meta WHERE key = 'revision'")
    return int(value)


_FEW = {"id": "sqlite_autoindex_resource_1", "parent": "resource_by_parent", "name": "resource_by_name"}
"""What few rows of a kind have in common, and the index that finds them: SQLite, which knows no numbers, would go through all rows of an account."""


def _table(kind: str, where: Mapping[str, str]) -> str:
    """The table, and the index by which rows of a kind are found in it."""
    index = next((index for column, index in _FEW.items() if where.get(column)), "")
    return f"resource INDEXED BY {index}" if kind and index else "resource"


def _clause(kind: str, where: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    conditions = {key: value for key, value in {"kind": kind, **where}.items() if value}
    if unknown := set(conditions) - {"kind", "account", "region", "parent", "name", "status", "id"}:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}")
    return " AND ".join(f"{key} = ?" for key in conditions) or "1", tuple(conditions.values())


class Snapshot:
    """A consistent view of everything at one revision."""

    def __init__(self, connection: sqlite3.Connection, remembered: Remembered | None = None, revision: int | None = None) -> None:
        self._db = connection
        self._remembered = remembered
        self._revision = revision
        self._touched: set[str] = set()
        """Kinds of rows that have been changed since `_revision`, by this very transaction."""
        self._moves: Moves = Counter()

    @cached_property
    def objects(self) -> Objects:
        return Objects(self._db)

    @cached_property
    def pending(self) -> Pending:
        return Pending(self._db)

    @cached_property
    def metrics(self) -> Metrics:
        return Metrics(self._db)

    @property
    def revision(self) -> int:
        return read_revision(self._db) if self._revision is None else self._revision

    def _select(self, kind: str, query: str, values: tuple[Any, ...]) -> Found:
        """All that a query finds. kind: whose rows it depends on alone, or ANY."""
        known, revision = self._remembered, self._revision
        if known is None or revision is None or (self._touched and (kind == ANY or kind in self._touched)):
            return self._db.execute(query, values).fetchall()
        question = query, values
        found = known.find(kind, question, revision)
        return known.keep(question, revision, self._db.execute(query, values).fetchall()) if found is None else found

    def get(self, kind: str, id: str, account: str = "", region: str = "") -> Row | None:  # noqa: A002
        """The row of that kind and id, if any; account and region narrow the search for kinds whose ids are names."""
        if not id:
            return None
        found = self._select(kind, _BY_ID[bool(account), bool(region)], (kind, id, *filter(None, (account, region))))
        return Row.stored(found[0]) if found else None

    def by_arn(self, arn: str) -> Row | None:
        if not arn:
            return None  # many kinds have no ARN: the empty one names none of them
        found = self._select(ANY, f"SELECT {COLUMNS} FROM resource WHERE arn = ? LIMIT 1", (arn,))  # noqa: S608 - constant columns
        return Row.stored(found[0]) if found else None

    def rows(self, kind: str = "", **where: str) -> list[Row]:
        """Rows in order of creation. where: account, region, parent, name, status, id; empty values do not restrict."""
        clause, values = _clause(kind, where)
        query = f"SELECT {COLUMNS} FROM {_table(kind, where)} WHERE {clause} ORDER BY created_at, id"  # noqa: S608 - names checked
        return [Row.stored(found) for found in self._select(kind, query, values)]

    def page(self, kind: str, start: int, count: int, without: str, **where: str) -> list[Row]:
        """Some of `rows` that are not in the status `without`: at most `count`, from a position on."""
        return [Row.stored(found) for found in self.page_values(kind, start, count, without, **where)]

    def page_values(self, kind: str, start: int, count: int, without: str, **where: str) -> Found:
        """`page`, as its rows are stored."""
        clause, values = _clause(kind, where)
        query = f"SELECT {COLUMNS} FROM resource WHERE {clause} AND status != ? ORDER BY created_at, id LIMIT ? OFFSET ?"  # noqa: S608 - names checked
        return self._select(kind, query, (*values, without, count, start))

    def count(self, kind: str, without: str, account: str, region: str) -> int:
        """How many rows of a kind are an account's in a region ("" for kinds of all regions), and not in the status `without`."""
        known, revision = self._remembered, self._revision
        tally = Tally(kind, account, region, without)
        before = known.tally(tally, revision) if known is not None and revision is not None else None
        if before is not None:
            return before + tally.moved(self._moves)
        query = "SELECT COUNT(*) FROM resource WHERE kind = ? AND account = ? AND region = ? AND status != ?"
        ((found,),) = self._db.execute(query, tally)
        if known is not None and revision is not None:
            known.keep_tally(tally, revision, found - tally.moved(self._moves))
        return int(found)

    def any_in(self, statuses: Collection[str]) -> bool:
        """Whether a row of any kind is in one of these statuses."""
        marks = ", ".join("?" for _ in statuses)
        query = f"SELECT 1 FROM resource WHERE status IN ({marks}) LIMIT 1"  # noqa: S608 - question marks only
        return bool(self._select(ANY, query, tuple(statuses)))

    def others(self, kind: str, account: str, region: str) -> list[Row]:
        """Rows of other accounts; there being none costs nothing, however many there are of this one."""
        one = f"SELECT {COLUMNS} FROM resource WHERE kind = ? AND region = ? AND account"  # noqa: S608 - constant columns
        query = f"{one} < ? UNION ALL {one} > ? ORDER BY created_at, id"
        return [Row.stored(found) for found in self._select(kind, query, (kind, region, account) * 2)]

    def rows_without(self, *services: str) -> list[Row]:
        """All rows but those of these services' kinds."""
        unwanted = [f"{service}:%" for service in services]
        clause = " AND ".join("kind NOT LIKE ?" for _ in unwanted) or "1"
        query = f"SELECT {COLUMNS} FROM resource WHERE {clause} ORDER BY created_at, id"  # noqa: S608 - constant text
        return [Row.stored(values) for values in self._db.execute(query, unwanted)]

    def edges_to(self, kind: str, id: str) -> list[Edge]:  # noqa: A002
        query = f"SELECT {EDGE_COLUMNS} FROM edge WHERE target_kind = ? AND target_id = ? ORDER BY 1, 2, 3"  # noqa: S608 - constant columns
        return [Edge(*values) for values in self._db.execute(query, (kind, id))]

    def referring(self, kind: str, id: str, source_kind: str, without: str) -> list[Row]:  # noqa: A002
        """Rows of a kind that refer to a resource and are not in the status `without`."""
        columns = ", ".join(f"resource.{name}" for name in ROW_MEMBERS)
        query = f"""SELECT {columns} FROM {_TO} CROSS JOIN resource ON resource.kind = edge.source_kind AND resource.id = edge.source_id
                    WHERE edge.target_kind = ? AND edge.target_id = ? AND edge.source_kind = ? AND resource.status != ?
                    ORDER BY edge.source_kind, edge.source_id, edge.role"""  # noqa: S608 - constant columns
        return [Row.stored(values) for values in self._db.execute(query, (kind, id, source_kind, without))]

    def page_referring(self, kind: str, id: str, source_kind: str, start: int, count: int, without_role: str = "") -> list[Row]:  # noqa: A002
        """Some of the rows of a kind that refer to a resource, in order of creation: at most `count`, from a position on. without_role: not those that refer
        to anything in this role. Of a kind that refers to a resource in one role."""
        columns = ", ".join(f"resource.{name}" for name in ROW_MEMBERS)
        query = f"""SELECT {columns} FROM {_TO} CROSS JOIN resource ON resource.kind = edge.source_kind AND resource.id = edge.source_id
                    WHERE edge.target_kind = ? AND edge.target_id = ? AND edge.source_kind = ? AND {_WITHOUT_ROLE}
                    ORDER BY resource.created_at, resource.id LIMIT ? OFFSET ?"""  # noqa: S608 - constant columns
        return [Row.stored(values) for values in self._db.execute(query, (kind, id, source_kind, without_role, count, start))]

    def edges_from(self, kind: str, id: str) -> list[Edge]:  # noqa: A002
        query = f"SELECT {EDGE_COLUMNS} FROM edge WHERE source_kind = ? AND source_id = ? ORDER BY 1, 2, 3"  # noqa: S608 - constant columns
        return [Edge(*values) for values in self._db.execute(query, (kind, id))]

    def count_referring(self, kind: str, id: str, source_kind: str, without_role: str = "") -> int:  # noqa: A002
        """References of a kind of resources to a resource; they end with what refers. without_role: not of those that refer to anything in this role."""
        query, values = f"SELECT COUNT(*) FROM {_TO} WHERE target_kind = ? AND target_id = ? AND source_kind = ?", [kind, id, source_kind]  # noqa: S608 - constant
        if without_role:
            query, values = f"{query} AND {_WITHOUT_ROLE}", [*values, without_role]
        (found,) = self._db.execute(query, values).fetchone()
        return int(found)

    def changes(self, after: int, limit: int = 1000) -> list[dict[str, Any]]:
        """The change log: what changed after a revision, oldest first."""
        query = "SELECT revision, kind, id, before, after, at, caller, request_id FROM change WHERE revision > ? ORDER BY revision, rowid LIMIT ?"
        names = ("revision", "kind", "id", "before", "after", "at", "caller", "request_id")
        return [dict(zip(names, values, strict=True)) for values in self._db.execute(query, (after, limit))]

    def changed_since(self, after: int) -> set[tuple[str, str]]:
        """Kind and id of everything that was put or deleted after a revision."""
        return set(self._db.execute("SELECT DISTINCT kind, id FROM change WHERE revision > ?", (after,)))

    def cursor(self, name: str) -> str:
        """Where a follower of a file or feed had got to."""
        found = self._db.execute("SELECT position FROM cursor WHERE name = ?", (name,)).fetchone()
        return found[0] if found else ""

    def log_events(self, group: str, stream: str = "", start: int = 0, end: int | None = None, after: int = 0, limit: int = 10000) -> list[dict[str, Any]]:
        """Log events of a group in order of timestamp. start/end in ms (end exclusive); after: only sequence numbers above it."""
        query = """SELECT sequence, stream, timestamp, ingestion, message FROM log_event
                   WHERE log_group = ? AND (? = '' OR stream = ?) AND timestamp >= ? AND (? IS NULL OR timestamp < ?) AND sequence > ?
                   ORDER BY timestamp, sequence LIMIT ?"""
        names = ("sequence", "stream", "timestamp", "ingestion", "message")
        found = self._db.execute(query, (group, stream, stream, start, end, end, after, limit))
        return [dict(zip(names, values, strict=True)) for values in found]

    def log_extent(self, group: str, stream: str = "") -> dict[str, int]:
        """Of a group's (one stream's) events: count, bytes of UTF-8, first and last timestamp, last ingestion (ms; 0 without events)."""
        query = """SELECT COUNT(*), COALESCE(SUM(LENGTH(CAST(message AS BLOB))), 0), COALESCE(MIN(timestamp), 0), COALESCE(MAX(timestamp), 0),
                   COALESCE(MAX(ingestion), 0) FROM log_event WHERE log_group = ? AND (? = '' OR stream = ?)"""
        return dict(zip(("count", "bytes", "first", "last", "ingestion"), self._db.execute(query, (group, stream, stream)).fetchone(), strict=True))
