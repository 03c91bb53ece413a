"""S3's objects and the parts of unfinished uploads: what is in a bucket, and in which file the bytes are. No revision comes of them.

A file that no object needs any more is first noted as discarded, in the transaction that replaced it, and removed after that is committed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

COLUMNS = "bucket, key, size, etag, modified, file, document"


@dataclass(frozen=True)
class StoredObject:
    """size: in bytes. etag: without quotation marks. modified: ISO 8601. file: name of the file in the bucket's folder. document: members of HeadObject,
    and `_tags`."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: str
    file: str
    document: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredPart:
    """One part of an upload."""

    upload: str
    number: int
    size: int
    etag: str
    modified: str
    file: str


class Objects:
    """The tables `object`, `upload_part` and `discarded_file`, through one connection; changes are part of its transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, bucket: str, key: str) -> StoredObject | None:
        query = f"SELECT {COLUMNS} FROM object WHERE bucket = ? AND key = ?"  # noqa: S608 - constant columns
        found = self._db.execute(query, (bucket, key)).fetchone()
        return _object(found) if found else None

    def keys_from(self, bucket: str, prefix: str, after: str) -> Iterator[StoredObject]:
        """Objects whose keys begin with the prefix and come after another text, in the order of their UTF-8."""
        query = f"SELECT {COLUMNS} FROM object WHERE bucket = ? AND key >= ? AND key > ? ORDER BY key"  # noqa: S608 - constant columns
        for values in self._db.execute(query, (bucket, prefix, after)):
            found = _object(values)
            if not found.key.startswith(prefix):
                return
            yield found

    def is_empty(self, bucket: str) -> bool:
        return self._db.execute("SELECT 1 FROM object WHERE bucket = ? LIMIT 1", (bucket,)).fetchone() is None

    def put(self, one: StoredObject) -> None:
        """Insert or replace; the file of a replaced object is discarded."""
        before = self.get(one.bucket, one.key)
        if before and before.file != one.file:
            self.discard(one.bucket, before.file)
        values = (one.bucket, one.key, one.size, one.etag, one.modified, one.file, json.dumps(one.document))
        self._db.execute(f"INSERT OR REPLACE INTO object ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - constant columns

    def delete(self, bucket: str, key: str) -> bool:
        """Whether there was one."""
        before = self.get(bucket, key)
        if before is None:
            return False
        self.discard(bucket, before.file)
        self._db.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket, key))
        return True

    # -- uploads --------------------------------------------------------------------------------------------------------------------------

    def parts(self, upload: str) -> list[StoredPart]:
        query = "SELECT upload, number, size, etag, modified, file FROM upload_part WHERE upload = ? ORDER BY number"
        return [StoredPart(*values) for values in self._db.execute(query, (upload,))]

    def put_part(self, bucket: str, part: StoredPart) -> None:
        for before in self.parts(part.upload):
            if before.number == part.number:
                self.discard(bucket, before.file)
        values = (part.upload, part.number, part.size, part.etag, part.modified, part.file)
        self._db.execute("INSERT OR REPLACE INTO upload_part VALUES (?, ?, ?, ?, ?, ?)", values)

    def forget_parts(self, bucket: str, upload: str) -> None:
        for part in self.parts(upload):
            self.discard(bucket, part.file)
        self._db.execute("DELETE FROM upload_part WHERE upload = ?", (upload,))

    def clear(self) -> None:
        """No bucket has anything any more."""
        for bucket, file in self.files():
            self.discard(bucket, file)
        self._db.execute("DELETE FROM object")
        self._db.execute("DELETE FROM upload_part")

    # -- files ----------------------------------------------------------------------------------------------------------------------------

    def discard(self, bucket: str, file: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO discarded_file VALUES (?, ?)", (bucket, file))

    def discarded(self) -> list[tuple[str, str]]:
        """(bucket, file) of what is to be removed."""
        return list(self._db.execute("SELECT bucket, file FROM discarded_file"))

    def removed(self, bucket: str, file: str) -> None:
        """The file is gone."""
        self._db.execute("DELETE FROM discarded_file WHERE bucket = ? AND file = ?", (bucket, file))

    def files(self) -> set[tuple[str, str]]:
        """(bucket, file) of all objects and parts; an upload is a row whose parent is its bucket."""
        objects = set(self._db.execute("SELECT bucket, file FROM object"))
        parts = self._db.execute("SELECT resource.parent, upload_part.file FROM upload_part JOIN resource ON resource.id = upload_part.upload")
        return objects | set(parts)


def _object(values: tuple[Any, ...]) -> StoredObject:
    bucket, key, size, etag, modified, file, document = values
    return StoredObject(bucket, key, size, etag, modified, file, json.loads(document))
