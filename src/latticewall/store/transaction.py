"""Changing the state: one transaction, which is one revision."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from latticewall.base.rows import Edge, Row
from latticewall.store.remembered import Moves, Remembered
from latticewall.store.snapshot import COLUMNS, EDGE_COLUMNS, ROW_MEMBERS, Snapshot

A_DAY_AGO = "strftime('%Y-%m-%dT%H:%M:%fZ', ?, '-1 day')"
"""Reckoned from a time of the store's."""
_MINUTE = len("2026-01-02T03:04")
_SWEPT = "tokens swept"
_INSERT = f"INSERT INTO resource ({COLUMNS}) VALUES ({', '.join(f':{name}' for name in ROW_MEMBERS)})"  # noqa: S608 - constant columns
_KEY = "kind = :kind AND id = :id AND account = :account AND region = :region"
_ALWAYS_NEW = ("reason", "revision", "updated_at", "document", "tags")
_OFTEN_THE_SAME = ("document", "status", "arn", "name", "parent", "created_at")
"""The document, and what indexes are made of."""
dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class Transaction(Snapshot):
    """A snapshot that can be changed; all of it becomes visible at once, under one new revision, or none of it."""

    def __init__(
        self, connection: sqlite3.Connection, now: str, caller: str, request_id: str, remembered: Remembered, revision: int, *, reads: bool, last: int = -1
    ) -> None:
        """revision: the committed one that `connection` began with. reads: it cannot write. last: the revision it holds by now, if others have written."""
        super().__init__(connection, remembered, revision)
        self._last = max(last, revision)
        self._cursors = remembered.cursors
        self._reads = reads
        self.now = now
        self._caller = caller
        self._request_id = request_id
        self._new_revision: int | None = None

    @property
    def only_reads(self) -> bool:
        """Whether it cannot change anything."""
        return self._reads

    @property
    def changed(self) -> bool:
        """Whether a resource was changed: only then is there a new revision."""
        return self._new_revision is not None

    @property
    def changed_kinds(self) -> Collection[str]:
        """Of rows put or deleted."""
        return self._touched

    @property
    def moves(self) -> Moves:
        """How many rows more there are now."""
        return self._moves

    def follow(self, kinds: Collection[str], moves: Moves) -> None:
        """Know what others have changed in the same transaction of SQLite, which is not committed yet."""
        self._touched.update(kinds)
        self._moves.update(moves)

    @property
    def revision(self) -> int:
        """The one this transaction writes, once it has changed something."""
        return self._new_revision if self._new_revision is not None else self._last

    @property
    def new_revision(self) -> int:
        """The revision this transaction writes, assigned at its first change."""
        if self._new_revision is None:
            self._new_revision = self._last + 1
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'revision'", (str(self._new_revision),))
        return self._new_revision

    def put(self, row: Row) -> Row:
        """Insert or replace a row; its revision and times are set here."""
        kept = replace(row, revision=self.new_revision, created_at=row.created_at or self.now, updated_at=self.now)
        values = {**vars(kept), "document": dump(kept.document), "tags": dump(kept.tags)}
        before = self._stored(values)
        if before is None:
            self._db.execute(_INSERT, values)
        else:
            new = [name for name, value in zip(_OFTEN_THE_SAME[1:], before[1:], strict=True) if values[name] != value]
            changes = ", ".join(f"{name} = :{name}" for name in (*_ALWAYS_NEW, *new))
            self._db.execute(f"UPDATE resource SET {changes} WHERE {_KEY}", values)  # noqa: S608 - constant columns
            self._moves[row.kind, row.account, row.region, before[1]] -= 1
        self._moves[row.kind, row.account, row.region, kept.status] += 1
        self._log(row.kind, row.id, f"{before[1]} {before[0]}" if before else None, f"{kept.status} {values['document']}")
        return kept

    def _stored(self, key: Mapping[str, Any]) -> tuple[str, ...] | None:
        """What is kept under a kind, id, account and region."""
        query = f"SELECT {', '.join(_OFTEN_THE_SAME)} FROM resource WHERE {_KEY}"  # noqa: S608 - constant columns
        found: tuple[str, ...] | None = self._db.execute(query, key).fetchone()
        return found

    def delete(self, row: Row) -> None:
        """Remove a row and the edges that start or end at it."""
        key = {"kind": row.kind, "id": row.id, "account": row.account, "region": row.region}
        before = self._stored(key)
        if before is not None:
            self._db.execute(f"DELETE FROM resource WHERE {_KEY}", key)  # noqa: S608 - constant columns
            self._moves[row.kind, row.account, row.region, before[1]] -= 1
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
        """Keep the answer to a request with an idempotency token; once a minute those older than a day are dropped."""
        self._db.execute("INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?)", (key, digest, dump(response), self.now))
        if self._cursors.get(_SWEPT) != self.now[:_MINUTE]:
            self._cursors[_SWEPT] = self.now[:_MINUTE]
            self._db.execute(f"DELETE FROM token WHERE at < {A_DAY_AGO}", (self.now,))  # noqa: S608

    def add_log_events(self, group: str, stream: str, events: Sequence[tuple[int, int, str]]) -> None:
        """Add (timestamp ms, ingestion ms, message) to a stream; no revision comes of it."""
        query = "INSERT INTO log_event (log_group, stream, timestamp, ingestion, message) VALUES (?, ?, ?, ?, ?)"
        self._db.executemany(query, [(group, stream, *event) for event in events])

    def delete_log_events(self, group: str, stream: str = "") -> None:
        """Forget a group's events (of one stream, if given)."""
        self._db.execute("DELETE FROM log_event WHERE log_group = ? AND (? = '' OR stream = ?)", (group, stream, stream))

    def steady_cursor(self, name: str) -> str:
        """`cursor`, for one that moves now and then: whoever only reads may be told of it a moment late, and moves it himself if it still has to be."""
        if not self._reads:
            self._cursors.pop(name, None)
        elif (known := self._cursors.get(name)) is not None:
            return known
        found = self.cursor(name)
        if self._reads:
            self._cursors[name] = found
        return found

    def move_cursor(self, name: str, position: str) -> None:
        """Remember where a follower has got to."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, position))

    def _log(self, kind: str, id: str, before: str | None, after: str | None) -> None:  # noqa: A002
        self._touched.add(kind)
        values = (self.new_revision, kind, id, before, after, self.now, self._caller, self._request_id)
        self._db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
