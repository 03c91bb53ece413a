"""Finding one line of a log that grows, with bounded work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

BLOCK = 1 << 20
MOST_BYTES = 256 << 20
"""Bytes looked at, from the end: some hundred thousand requests."""


def lines_with(path: Path, text: str, most: int = MOST_BYTES) -> Iterator[str]:
    """Complete lines that contain the text, the newest first; none when the file does not exist."""
    wanted = text.encode()
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        stop = max(0, end - most)
        rest, unfinished = b"", True
        while end > stop:
            start = max(stop, end - BLOCK)
            file.seek(start)
            block = file.read(end - start) + rest
            end = start
            if unfinished:
                # what stands behind the last line's end is still being written
                block = block[: block.rfind(b"\n") + 1]
                unfinished = not block
            # a block begins within a line, unless it is the file's first
            first, newline, block_rest = block.partition(b"\n") if start else (b"", b"\n", block)
            rest = first + newline
            for line in reversed(block_rest.split(b"\n")) if newline else ():
                if wanted in line:
                    yield line.decode("utf-8", "replace")


def lines_at(path: Path) -> Iterator[tuple[int, bytes]]:
    """Complete lines and where each begins, from the beginning; none when the file does not exist. A log is put aside long before it has MOST_BYTES."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        offset = 0
        for line in file:
            if not line.endswith(b"\n") or offset > MOST_BYTES:
                return
            yield offset, line
            offset += len(line)
