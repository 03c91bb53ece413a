"""Following a log that others append to: whole new lines only, from a remembered position, across rotation and replacement of the file.

A log that has grown large is renamed aside (`log` -> `log.1`) and its writer told to open it anew. The old file is read to its end before the new one is
begun: when the new one is there, the writer has closed the old.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CHUNK = 1 << 20
"""Bytes read at once, so that one busy file cannot hold up the others."""
LARGE = 64 << 20
"""Bytes from which on a log is rotated."""


@dataclass(frozen=True)
class Position:
    """A place in a file that had this inode. number: of the file, counted since the log was first followed."""

    inode: int = 0
    offset: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that a text holds; the beginning for any other text."""
        parts = text.split(":")
        return cls(*map(int, parts)) if len(parts) in (2, 3) and all(part.isdecimal() for part in parts) else cls()


class Line(NamedTuple):
    """A line, and where it began: the same line is at the same place whenever it is read."""

    text: str
    file: int
    offset: int


@dataclass(frozen=True)
class Block:
    """Whole lines that follow one another, as they were read: looking at all at once costs a hundredth of looking at each. file, offset: where they begin."""

    data: bytes = b""
    file: int = 0
    offset: int = 0

    def lines(self, having: Collection[str] | None = None) -> list[Line]:
        """Line by line. having: only those in which one of these texts stands."""
        wanted = [text.encode() for text in having or ()]
        if having is not None and not any(text in self.data for text in wanted):
            return []
        found, offset = [], self.offset
        for raw in self.data.split(b"\n")[:-1]:
            if having is None or any(text in raw for text in wanted):
                found.append(Line(raw.decode("utf-8", "replace"), self.file, offset))
            offset += len(raw) + 1
        return found


def rotated(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def read_block(path: Path, start: Position) -> tuple[Block, Position]:
    """Complete lines from `start` on, and where the next read begins; a missing file has none. A file that is neither the one of `start` nor the one it
    became is read from its beginning."""
    old, here = _inode(rotated(path)), _inode(path)
    if old and start.inode == old:
        block, end = _read(rotated(path), start)
        if block.data or not here:
            return block, end
        start = Position(here, 0, start.number + 1)
    elif here and start.inode != here:
        start = Position(here, 0, start.number + 1)
    return _read(path, start) if here else (Block(), start)


def read_lines(path: Path, start: Position) -> tuple[list[Line], Position]:
    """The lines of `read_block`."""
    block, end = read_block(path, start)
    return block.lines(), end


def numbered(path: Path, followed: Position) -> list[tuple[Path, int]]:
    """The log and the one before it, each with its number."""
    number = followed.number + (followed.inode != _inode(path))
    return [(path, number), (rotated(path), number - 1)]


def _read(path: Path, start: Position) -> tuple[Block, Position]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            at = start.offset if start.offset <= file.tell() else 0
            number = start.number + (at < start.offset)
            file.seek(at)
            data = file.read(CHUNK)
    except FileNotFoundError:
        return Block(), start
    end = data.rfind(b"\n") + 1
    if not end and len(data) == CHUNK:
        return Block(), Position(start.inode, at + CHUNK, number)  # nothing that we read has lines as long as that: it cannot be one
    return Block(data[:end], number, at), Position(start.inode, at + end, number)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def rotate(path: Path, position: Position, reopen: Callable[[], None], large: int = LARGE) -> bool:
    """Put a large log aside when all of the one before it has been read (position: of its follower), and have its writer open it anew; whether that was done
    or tried again. reopen: tells the writer; raises OSError when it cannot be told, which is tried again, for it goes on in the old file."""
    here = _inode(path)
    if here and here == position.inode and path.stat().st_size >= large:
        path.replace(rotated(path))
    elif here or not _inode(rotated(path)):
        return False
    reopen()
    return True
