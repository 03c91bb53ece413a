"""The store on SQLite: one writer at a time, readers on snapshots, a revision assigned inside the writing transaction."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from latticewall.base.faults import Unavailable
from latticewall.base.rows import Edge, Row
from latticewall.store.disk import Disk
from latticewall.store.metrics import Metrics
from latticewall.store.objects import Objects
from latticewall.store.pending import Pending
from latticewall.store.schema import MIGRATIONS

COLUMNS = "kind, account, region, id, arn, name, parent, status, reason, revision, created_at, updated_at, document, tags"
ROW_MEMBERS = tuple(COLUMNS.split(", "))
EDGE_COLUMNS = "source_kind, source_id, role, target_kind, target_id, on_delete"

A_DAY_AGO = "strftime('%Y-%m-%dT%H:%M:%fZ', ?, '-1 day')"
"""Reckoned from a time of the store's."""
_PATIENCE_SECONDS = 30
"""How long another process may hold the state."""
_READERS_MILLISECONDS = 500
"""How long readers are waited for by a writer that must have the log empty, while all others wait for him."""

_DISK_TROUBLE = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
)  # fmt: skip


def read_row(values: Sequence[Any]) -> Row:
    *members, document, tags = values
    return Row.stored(members, document, tags)


def dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _clause(kind: str, where: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    conditions = {key: value for key, value in {"kind": kind, **where}.items() if value}
    if unknown := set(conditions) - {"kind", "account", "region", "parent", "name", "status", "id"}:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}")
    return " AND ".join(f"{key} = ?" for key in conditions) or "1", tuple(conditions.values())


class Snapshot:
    """A consistent view of everything at one revision."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.objects = Objects(connection)
        self.pending = Pending(connection)
        self.metrics = Metrics(connection)

    @property
    def revision(self) -> int:
        (value,) = self._db.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
        return int(value)

    def get(self, kind: str, id: str, account: str = "", region: str = "") -> Row | None:  # noqa: A002
        """The row of that kind and id, if any; account and region narrow the search for kinds whose ids are names."""
        found = self.rows(kind, id=id, account=account, region=region) if id else []
        return found[0] if found else None

    def by_arn(self, arn: str) -> Row | None:
        if not arn:
            return None  # many kinds have no ARN: the empty one names none of them
        found = self._db.execute(f"SELECT {COLUMNS} FROM resource WHERE arn = ? LIMIT 1", (arn,)).fetchone()  # noqa: S608 - constant columns
        return read_row(found) if found else None

    def rows(self, kind: str = "", **where: str) -> list[Row]:
        """Rows in order of creation. where: account, region, parent, name, status, id; empty values do not restrict."""
        clause, values = _clause(kind, where)
        query = f"SELECT {COLUMNS} FROM resource WHERE {clause} ORDER BY created_at, id"  # noqa: S608 - names checked
        return [read_row(found) for found in self._db.execute(query, values)]

    def page(self, kind: str, start: int, count: int, without: str, **where: str) -> list[Row]:
        """Some of `rows` that are not in the status `without`: at most `count`, from a position on."""
        clause, values = _clause(kind, where)
        query = f"SELECT {COLUMNS} FROM resource WHERE {clause} AND status != ? ORDER BY created_at, id LIMIT ? OFFSET ?"  # noqa: S608 - names checked
        return [read_row(found) for found in self._db.execute(query, (*values, without, count, start))]

    def count(self, kind: str, without: str, **where: str) -> int:
        """How many of `rows` are not in the status `without`."""
        clause, values = _clause(kind, where)
        (found,) = self._db.execute(f"SELECT COUNT(*) FROM resource WHERE {clause} AND status != ?", (*values, without)).fetchone()  # noqa: S608 - as above
        return int(found)

    def any_in(self, statuses: Collection[str]) -> bool:
        """Whether a row of any kind is in one of these statuses."""
        marks = ", ".join("?" for _ in statuses)
        query = f"SELECT 1 FROM resource WHERE status IN ({marks}) LIMIT 1"  # noqa: S608 - question marks only
        return self._db.execute(query, tuple(statuses)).fetchone() is not None

    def others(self, kind: str, account: str, region: str) -> list[Row]:
        """Rows of other accounts; there being none costs nothing, however many there are of this one."""
        one = f"SELECT {COLUMNS} FROM resource WHERE kind = ? AND region = ? AND account"  # noqa: S608 - constant columns
        query = f"{one} < ? UNION ALL {one} > ? ORDER BY created_at, id"
        return [read_row(found) for found in self._db.execute(query, (kind, region, account) * 2)]

    def rows_without(self, *services: str) -> list[Row]:
        """All rows but those of these services' kinds."""
        unwanted = [f"{service}:%" for service in services]
        clause = " AND ".join("kind NOT LIKE ?" for _ in unwanted) or "1"
        query = f"SELECT {COLUMNS} FROM resource WHERE {clause} ORDER BY created_at, id"  # noqa: S608 - constant text
        return [read_row(values) for values in self._db.execute(query, unwanted)]

    def edges_to(self, kind: str, id: str) -> list[Edge]:  # noqa: A002
        query = f"SELECT {EDGE_COLUMNS} FROM edge WHERE target_kind = ? AND target_id = ? ORDER BY 1, 2, 3"  # noqa: S608 - constant columns
        return [Edge(*values) for values in self._db.execute(query, (kind, id))]

    def referring(self, kind: str, id: str, source_kind: str, without: str) -> list[Row]:  # noqa: A002
        """Rows of a kind that refer to a resource and are not in the status `without`."""
        columns = ", ".join(f"resource.{name}" for name in ROW_MEMBERS)
        query = f"""SELECT {columns} FROM edge JOIN resource ON resource.kind = edge.source_kind AND resource.id = edge.source_id
                    WHERE edge.target_kind = ? AND edge.target_id = ? AND edge.source_kind = ? AND resource.status != ?
                    ORDER BY edge.source_kind, edge.source_id, edge.role"""  # noqa: S608 - constant columns
        return [read_row(values) for values in self._db.execute(query, (kind, id, source_kind, without))]

    def edges_from(self, kind: str, id: str) -> list[Edge]:  # noqa: A002
        query = f"SELECT {EDGE_COLUMNS} FROM edge WHERE source_kind = ? AND source_id = ? ORDER BY 1, 2, 3"  # noqa: S608 - constant columns
        return [Edge(*values) for values in self._db.execute(query, (kind, id))]

    def count_referring(self, kind: str, id: str, source_kind: str) -> int:  # noqa: A002
        """References of a kind of resources to a resource; they end with what refers."""
        query = "SELECT COUNT(*) FROM edge WHERE target_kind = ? AND target_id = ? AND source_kind = ?"
        (found,) = self._db.execute(query, (kind, id, source_kind)).fetchone()
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


class Transaction(Snapshot):
    """A snapshot that can be changed; all of it becomes visible at once, under one new revision, or none of it."""

    def __init__(self, connection: sqlite3.Connection, now: str, caller: str, request_id: str) -> None:
        super().__init__(connection)
        self.now = now
        self._caller = caller
        self._request_id = request_id
        self._new_revision: int | None = None

    @property
    def changed(self) -> bool:
        """Whether a resource was changed: only then is there a new revision."""
        return self._new_revision is not None

    @property
    def new_revision(self) -> int:
        """The revision this transaction writes, assigned at its first change."""
        if self._new_revision is None:
            self._new_revision = super().revision + 1
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'revision'", (str(self._new_revision),))
        return self._new_revision

    def put(self, row: Row) -> Row:
        """Insert or replace a row; its revision and times are set here."""
        before = self._db.execute(
            "SELECT document, status FROM resource WHERE kind = ? AND id = ? AND account = ? AND region = ?",
            (row.kind, row.id, row.account, row.region),
        ).fetchone()
        kept = replace(row, revision=self.new_revision, created_at=row.created_at or self.now, updated_at=self.now)
        values = {**asdict(kept), "document": dump(kept.document), "tags": dump(kept.tags)}
        marks = ", ".join(f":{name}" for name in ROW_MEMBERS)
        self._db.execute(f"INSERT OR REPLACE INTO resource ({COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - constant columns
        self._log(row.kind, row.id, f"{before[1]} {before[0]}" if before else None, f"{kept.status} {values['document']}")
        return kept

    def delete(self, row: Row) -> None:
        """Remove a row and the edges that start or end at it."""
        key = (row.kind, row.id, row.account, row.region)
        self._db.execute("DELETE FROM resource WHERE kind = ? AND id = ? AND account = ? AND region = ?", key)
        self._db.execute("DELETE FROM edge WHERE source_kind = ? AND source_id = ?", (row.kind, row.id))
        self._db.execute("DELETE FROM edge WHERE target_kind = ? AND target_id = ?", (row.kind, row.id))
        self._log(row.kind, row.id, f"{row.status} {dump(row.document)}", None)

    def link(self, edge: Edge) -> None:
        values = (edge.source_kind, edge.source_id, edge.role, edge.target_kind, edge.target_id, edge.on_delete)
        self._db.execute(f"INSERT OR REPLACE INTO edge ({EDGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - constant columns

    def unlink(self, source_kind: str, source_id: str, role: str, target_id: str = "") -> None:
        """Remove the edges of one role (to one target, if given)."""
        self._db.execute(
            "DELETE FROM edge WHERE source_kind = ? AND source_id = ? AND role = ? AND (? = '' OR target_id = ?)",
            (source_kind, source_id, role, target_id, target_id),
        )

    def token(self, key: str) -> tuple[str, dict[str, Any]] | None:
        """Digest and answer of the request with this idempotency token, of the last day."""
        found = self._db.execute(f"SELECT digest, response FROM token WHERE key = ? AND at >= {A_DAY_AGO}", (key, self.now)).fetchone()  # noqa: S608
        return (found[0], json.loads(found[1])) if found else None

    def remember(self, key: str, digest: str, response: dict[str, Any]) -> None:
        """Keep the answer to a request with an idempotency token; answers older than a day are dropped."""
        self._db.execute("INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?)", (key, digest, dump(response), self.now))
        self._db.execute(f"DELETE FROM token WHERE at < {A_DAY_AGO}", (self.now,))  # noqa: S608

    def add_log_events(self, group: str, stream: str, events: Sequence[tuple[int, int, str]]) -> None:
        """Add (timestamp ms, ingestion ms, message) to a stream; no revision comes of it."""
        query = "INSERT INTO log_event (log_group, stream, timestamp, ingestion, message) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(query, [(group, stream, *event) for event in events])

    def delete_log_events(self, group: str, stream: str = "") -> None:
        """Forget a group's events (of one stream, if given)."""
        self._db.execute("DELETE FROM log_event WHERE log_group = ? AND (? = '' OR stream = ?)", (group, stream, stream))

    def move_cursor(self, name: str, position: str) -> None:
        """Remember where a follower has got to."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, position))

    def _log(self, kind: str, id: str, before: str | None, after: str | None) -> None:  # noqa: A002
        values = (self.new_revision, kind, id, before, after, self.now, self._caller, self._request_id)
        self._db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


class Store:
    """One region's state in one file. `now` gives ISO 8601 text."""

    def __init__(self, path: Path | str, now: Callable[[], str]) -> None:
        self._path = str(path)
        self._now = now
        self._write_lock = threading.Lock()
        self._disk = Disk(self._path)
        self._changed = threading.Condition()
        self._local = threading.local()
        with self._write_lock:
            self._migrate(self._connection())

    def _connection(self) -> sqlite3.Connection:
        """This thread's connection: SQLite connections are not shared between threads."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=_PATIENCE_SECONDS)
            try:
                for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
                    connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error:
                connection.close()
                raise
            self._local.connection = connection
        return connection

    def _migrate(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ValueError(f"the state `{self._path}` was written by a newer latticewall (schema {version}, this one knows {len(MIGRATIONS)})")
        for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
            db.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;")

    @contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        """Says in an Unavailable what the disk did not do; any other error of SQL is a mistake of ours and stays what it is."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DISK_TROUBLE:
                raise
            raise Unavailable(f"{what}: {error} (state file {self._path})") from error

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A consistent view; changes committed meanwhile are not seen. Raises Unavailable when the file cannot be read."""
        with self._trouble("the state cannot be read"):
            db = self._connection()
            if db.in_transaction:
                yield Snapshot(db)
                return
            db.execute("BEGIN")
            try:
                db.execute("SELECT 1 FROM meta").fetchone()  # the view is that of the first question
                yield Snapshot(db)
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def write(self, caller: str = "", request_id: str = "") -> Iterator[Transaction]:
        """One transaction: committed when the block ends, undone when it raises. Afterwards everything it wrote, and everything it saw, is on the disk.

        Raises Unavailable when the disk does not take it: full, read-only, broken.
        """
        with self._write_lock, self._trouble("the change was not stored"):
            db = self._connection()
            if self._disk.failed:
                self._empty_log(db)
            written = db.total_changes
            try:
                db.execute("BEGIN IMMEDIATE")
                transaction = Transaction(db, self._now(), caller, request_id)
                yield transaction
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk ends the transaction by itself
                    db.execute("ROLLBACK")
                raise
            if db.total_changes != written:
                self._disk.committed()
        if transaction.changed:
            with self._changed:
                self._changed.notify_all()
        try:
            self._disk.wait()
        except OSError as error:
            raise Unavailable(f"the change is not on the disk: {error} (state file {self._path})") from error

    def _empty_log(self, db: sqlite3.Connection) -> None:
        """Move all of the log into the database, after a sync that failed. Raises Unavailable while somebody reads from it."""
        db.execute(f"PRAGMA busy_timeout = {_READERS_MILLISECONDS}")
        try:
            (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")
        if busy:
            raise Unavailable(f"the disk has failed, and what is in the log cannot be written elsewhere yet (state file {self._path})")
        self._disk.whole()

    @property
    def revision(self) -> int:
        with self.read() as snapshot:
            return snapshot.revision

    def wait_beyond(self, revision: int, timeout: float) -> int:
        """Block until there is a revision above the given one, at most `timeout` seconds; returns the current revision."""
        with self._changed:
            self._changed.wait_for(lambda: self.revision > revision, timeout)
        return self.revision

    def close(self) -> None:
        """Close this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
