"""Following a log file that others append to: whole new lines only, from a remembered position, across replacement of the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20
"""Bytes read at once, so that one busy file cannot hold up the others."""


@dataclass(frozen=True)
class Position:
    """A place in a file that had this inode."""

    inode: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        inode, _, offset = text.partition(":")
        return cls(int(inode), int(offset)) if inode.isdigit() and offset.isdigit() else cls()


def read_lines(path: Path, start: Position) -> tuple[list[str], Position]:
    """Complete lines from `start` on, and where the next read begins; a missing file has none. A new or shortened file is read from its beginning."""
    try:
        with path.open("rb") as file:
            inode = path.stat().st_ino
            size = path.stat().st_size
            offset = start.offset if inode == start.inode and start.offset <= size else 0
            file.seek(offset)
            data = file.read(CHUNK)
    except FileNotFoundError:
        return [], start
    end = data.rfind(b"\n") + 1
    return [line.decode("utf-8", "replace") for line in data[:end].splitlines()], Position(inode, offset + end)
