"""What functions print, as lines for CloudWatch Logs: one JSON object per line in a file that the control plane follows.

A line that is longer than an event may be is cut there ("CloudWatch Logs quotas": 256 KB).
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

LONGEST_EVENT = 256 * 1024 - 26
LARGEST_FILE = 16 * 1024 * 1024
"""Bytes; then another file begins. While the one before it is still being read, nothing more is written: a function that prints without end fills no disk."""
TAIL = 4096
"""Bytes of an invocation's log that Invoke answers with LogType Tail."""


def before(path: Path) -> Path:
    """The file that was full; whoever has read it to its end removes it."""
    return path.with_name(path.name + ".1")


class LogFile:
    """path: appended to, in whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()

    def write(self, function_arn: str, group: str, stream: str, text: str) -> None:
        """One event, now."""
        if os.fstat(self._file).st_size > LARGEST_FILE and not self._turn_over():
            return
        event = {"function": function_arn, "group": group, "stream": stream, "at": int(time.time() * 1000), "line": text[:LONGEST_EVENT]}
        os.write(self._file, json.dumps(event).encode() + b"\n")

    def _turn_over(self) -> bool:
        if before(self._path).exists():
            return False
        self._path.replace(before(self._path))
        os.close(self._file)
        self._file = self._open()
        return True

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


class Tail:
    """The last bytes of what was said."""

    def __init__(self) -> None:
        self._held = bytearray()

    def add(self, text: str) -> None:
        self._held += text.encode("utf-8", "replace") + b"\n"
        del self._held[:-TAIL]

    def __bytes__(self) -> bytes:
        return bytes(self._held)
