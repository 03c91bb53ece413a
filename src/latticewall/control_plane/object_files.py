"""The bytes of S3's objects: a folder per bucket in the state folder, a file per object under a name of our own making. Keys never become paths."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from latticewall.base.faults import Unavailable
from latticewall.base.ports import Random
from latticewall.base.reasons import reason
from latticewall.base.streamed import Streamed
from latticewall.store import Store

PIECE = 1 << 20
_NAME = re.compile(r"[0-9a-f]{32}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class ObjectFiles:
    """What is written is on the disk before its name is given out."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._folder = folder
        self._random = random

    def write(self, bucket: str, pieces: Iterable[bytes]) -> tuple[str, int, str]:
        """(file, size in bytes, hexadecimal MD5) of a new file with these bytes. Raises Unavailable when the disk does not take them."""
        name, size, digest = self._random.token_bytes(16).hex(), 0, hashlib.md5(usedforsecurity=False)
        place = self._path(bucket, name)
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with place.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                    digest.update(piece)
                    size += len(piece)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(place.parent)
        except OSError as error:
            with suppress(OSError):
                place.unlink()
            raise Unavailable(f"the object was not stored: {reason(error)}") from error
        return name, size, digest.hexdigest()

    def read(self, bucket: str, file: str, start: int, size: int) -> Streamed:
        """Part of a file. It stays readable when the file is removed meanwhile. Raises Unavailable when it cannot be read."""
        try:
            source = self._path(bucket, file).open("rb")
        except OSError as error:
            raise Unavailable(f"the object cannot be read: {reason(error)}") from error

        def pieces() -> Iterator[bytes]:
            with source:
                source.seek(start)
                left = size
                while left > 0 and (piece := source.read(min(PIECE, left))):
                    left -= len(piece)
                    yield piece

        return Streamed(size, pieces)

    def remove(self, bucket: str, file: str) -> None:
        self._path(bucket, file).unlink(missing_ok=True)

    def sweep(self, known: Collection[tuple[str, str]]) -> None:
        """At the start: remove the files of uploads that a crash ended before they were stored."""
        for folder in self._folder.iterdir() if self._folder.exists() else ():
            for file in folder.iterdir():
                if (folder.name, file.name) not in known:
                    file.unlink(missing_ok=True)

    def _path(self, bucket: str, file: str) -> Path:
        assert _BUCKET.fullmatch(bucket) and _NAME.fullmatch(file), "names of files are ours, never a client's"  # noqa: PT018
        return self._folder / bucket / file


def remove_discarded(store: Store, files: ObjectFiles) -> None:
    """Remove what no object needs any more: first the file, then the note of it, so that a crash between leaves only a note."""
    with store.read() as snapshot:
        discarded = snapshot.objects.discarded()
    for bucket, file in discarded:
        files.remove(bucket, file)
    if discarded:
        with store.write("latticewall", "discarded files") as tx:
            for bucket, file in discarded:
                tx.objects.removed(bucket, file)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
