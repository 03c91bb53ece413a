"""The store on SQLite: one writer at a time, readers on snapshots, a revision assigned inside the writing transaction."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from latticewall.base.faults import Unavailable
from latticewall.base.reasons import reason
from latticewall.store.disk import Disk
from latticewall.store.remembered import Remembered
from latticewall.store.schema import MIGRATIONS
from latticewall.store.snapshot import Snapshot, read_revision
from latticewall.store.together import Together
from latticewall.store.transaction import Transaction

log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 30
"""How long another process may hold the state."""
_READERS_MILLISECONDS = 500
"""How long readers are waited for by a writer that must have the log empty, while all others wait for him."""

_NOT_STORED = "the change was not stored"
_ONLY_READS = {"connection": (), "questions": ("query_only = ON",)}
_DISK_TROUBLE = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
)  # fmt: skip


class MustWrite(Exception):
    """A question was about to change the state. Nothing has happened; it may be asked in a transaction."""


class Moved(Exception):
    """The state has changed since a question began, in what it has yet to read. Nothing has happened; it may be asked again."""


class View:
    """A revision, and a connection that begins to hold it when it is first asked something. For one thread."""

    def __init__(self, db: sqlite3.Connection, remembered: Remembered, disk: Disk, *, certain: bool) -> None:
        self._db = db
        self._disk = disk
        self._begun = certain
        if certain:
            db.execute("BEGIN")
        try:
            self.revision = read_revision(db)
        except BaseException:
            self.end()
            raise
        self.is_on_disk = not disk.is_behind
        """Whether all that has been seen is."""
        remembered.see(self.revision)
        self.connection = cast(sqlite3.Connection, self)
        """As snapshots ask it."""
        self.snapshot = Snapshot(self.connection, remembered, self.revision)

    def execute(self, query: str, values: Any = ()) -> sqlite3.Cursor:
        """As SQLite's own. Raises MustWrite and Moved."""
        return self._asked(lambda: self._db.execute(query, values))

    def executemany(self, query: str, values: Iterable[Any]) -> sqlite3.Cursor:
        """As SQLite's own. Raises MustWrite and Moved."""
        return self._asked(lambda: self._db.executemany(query, values))

    def _asked(self, ask: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        if not self._begun:
            self._db.execute("BEGIN")
            if read_revision(self._db) != self.revision:
                self.end()
                raise Moved
            self._begun = True
            self.is_on_disk = self.is_on_disk and not self._disk.is_behind  # log events and metrics have no revision
        try:
            return ask()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
                raise MustWrite from None
            raise

    def end(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


class Store:
    """One region's state in one file. `now` gives ISO 8601 text."""

    def __init__(self, path: Path | str, now: Callable[[], str]) -> None:
        self._path = str(path)
        self._now = now
        self._write_lock = threading.Lock()
        self._disk = Disk(self._path)
        self._remembered = Remembered()
        self._changed = threading.Condition()
        self._latest = -1
        """The last revision that this process has written."""
        self._woken = 0
        self._local = threading.local()
        with self._write_lock:
            self._migrate(self._connection())

    def _connection(self, purpose: str = "connection") -> sqlite3.Connection:
        """This thread's connection: SQLite connections are not shared between threads. purpose: "questions" for one that cannot write."""
        connection: sqlite3.Connection | None = getattr(self._local, purpose, None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=_PATIENCE_SECONDS)
            try:
                for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "temp_store = MEMORY", *_ONLY_READS[purpose]):
                    connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error:
                connection.close()
                raise
            setattr(self._local, purpose, connection)
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
            log.error("%s: %s (state file %s)", what, error, self._path)
            raise Unavailable(f"{what}: {error}") from error

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """A consistent view; changes committed meanwhile are not seen. Raises Unavailable when the file cannot be read."""
        if (view := self._view) is not None:
            yield view.snapshot
            return
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

    @property
    def _view(self) -> View | None:
        """The one that this thread has open."""
        return getattr(self._local, "view", None)

    @contextmanager
    def view(self, *, certain: bool = False) -> Iterator[View]:
        """One revision for all that this thread reads meanwhile, by `read` and `question`. Most of it is remembered: SQLite is asked what is not, if its
        state is still that revision. certain: it is held, so that Moved is never raised. Raises Unavailable when the file cannot be read."""
        if (view := self._view) is not None:
            yield view
            return
        with self._trouble("the state cannot be read"):
            view = View(self._connection("questions"), self._remembered, self._disk, certain=certain)
            self._local.view = view
            try:
                yield view
            finally:
                self._local.view = None
                view.end()

    @contextmanager
    def question(self, caller: str = "", request_id: str = "", *, certain: bool = False) -> Iterator[Transaction]:
        """A transaction that reads, while others write. Afterwards everything it saw is on the disk. Raises MustWrite when it would change something or
        the disk needs to be healed by a writer, and Moved, unless `certain`, when it cannot read on."""
        if self._disk.failed:
            raise MustWrite
        with self.view(certain=certain) as view:
            yield Transaction(view.connection, self._now(), caller, request_id, self._remembered, view.revision, reads=True)
        if not view.is_on_disk:
            self._wait(seen=True)

    def _wait(self, *, seen: bool = False) -> None:
        try:
            self._disk.wait(seen=seen)
        except OSError as error:
            raise Unavailable(f"the change is not on the disk: {reason(error)}") from error

    @contextmanager
    def write(self, caller: str = "", request_id: str = "") -> Iterator[Transaction]:
        """One transaction: committed when the block ends, undone when it raises. Afterwards everything it wrote, and everything it saw, is on the disk.

        Raises Unavailable when the disk does not take it: full, read-only, broken.
        """
        with self.together() as together, together.only(caller, request_id) as transaction:
            yield transaction

    @contextmanager
    def together(self) -> Iterator[Together]:
        """Several transactions, one after the other, each with a revision of its own if it changes something. What is seen by others, reaches the disk or is
        undone with the block is all of them. Raises as `write`; then none has happened."""
        with self._write_lock, self._trouble(_NOT_STORED):
            db = self._connection()
            if self._disk.failed:
                self._empty_log(db)
            written = db.total_changes
            try:
                db.execute("BEGIN IMMEDIATE")
                before = read_revision(db)
                self._remembered.see(before)
                together = Together(db, self._now, self._remembered, before, lambda: self._trouble(_NOT_STORED))
                yield together
                if not db.in_transaction:
                    raise Unavailable(f"{_NOT_STORED}: the transaction was undone")
                self._disk.committing()
                db.execute("COMMIT")
            except BaseException:
                self._disk.committed(changed=False)
                if db.in_transaction:  # a full disk ends the transaction by itself
                    db.execute("ROLLBACK")
                raise
            self._disk.committed(changed=db.total_changes != written)
            if together.revision > before:
                self._remembered.change(together.kinds, before, together.revision, together.moves)
        if together.revision > before:
            with self._changed:
                self._latest = together.revision
                self._changed.notify_all()
        self._wait()

    def _empty_log(self, db: sqlite3.Connection) -> None:
        """Move all of the log into the database, after a sync that failed. Raises Unavailable while somebody reads from it."""
        db.execute(f"PRAGMA busy_timeout = {_READERS_MILLISECONDS}")
        try:
            (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")
        if busy:
            raise Unavailable("the disk has failed, and what is in the log cannot be written elsewhere yet")
        self._disk.whole()

    @property
    def revision(self) -> int:
        with self.read() as snapshot:
            return snapshot.revision

    def wait_beyond(self, revision: int, timeout: float) -> int:
        """Block until there is a revision above the given one, `wake` is called, or `timeout` seconds have passed; returns the current revision."""
        if (now := self.revision) > revision or timeout <= 0:
            return now
        with self._changed:
            woken = self._woken
            self._changed.wait_for(lambda: self._latest > revision or self._woken != woken, timeout)
        return self.revision

    def wake(self) -> None:
        """End all waiting for a revision."""
        with self._changed:
            self._woken += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Close this thread's connections."""
        for purpose in _ONLY_READS:
            connection: sqlite3.Connection | None = getattr(self._local, purpose, None)
            if connection is not None:
                connection.close()
                setattr(self._local, purpose, None)
