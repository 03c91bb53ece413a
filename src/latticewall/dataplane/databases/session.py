"""A conversation with a PostgreSQL server over its unix socket, as its superuser: start-up and simple queries ("Frontend/Backend Protocol", version 3.0).

Only what the region itself has to say to a server. What the server answers is not trusted: it is bounded in time and size. Nor is the folder of its
socket, where it could put a link to another server's.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from latticewall.base.reasons import reason

PROTOCOL = 196608
LARGEST = 1 << 20
"""Bytes of one message."""


class NotReady(Exception):
    """The server is not there, or does not take connections yet; the message is its own where it has one."""


class Refused(Exception):
    """The server refuses a statement, in its own words."""


class Session:
    """`with Session(folder of the socket, user) as session: session.query(...)`. seconds: for everything together."""

    def __init__(self, path: Path, user: str, database: str = "postgres", seconds: float = 5.0) -> None:
        self._deadline = time.monotonic() + seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._received = b""
        try:
            self._bound()
            self._connect(path)
            words = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database))
            body = struct.pack("!I", PROTOCOL) + words + b"\0"
            self._socket.sendall(struct.pack("!I", len(body) + 4) + body)
            for _ in self._answers():
                pass
        except Refused as refusal:
            self._socket.close()
            raise NotReady(str(refusal)) from None
        except (OSError, ValueError) as error:
            self._socket.close()
            raise NotReady(f"it does not answer: {reason(error)}") from None

    def _connect(self, path: Path) -> None:
        """To the very socket that is there, never to where a link leads."""
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not stat.S_ISSOCK(os.fstat(file).st_mode):
                raise ConnectionError(f"{path.name} is not a socket")
            self._socket.connect(f"/proc/self/fd/{file}")
        finally:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def query(self, statement: str) -> list[tuple[str | None, ...]]:
        """The rows that a statement answers. Raises Refused and NotReady."""
        body = statement.encode() + b"\0"
        try:
            self._bound()
            self._socket.sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)
            return [_row(content) for kind, content in self._answers() if kind == b"D"]
        except (OSError, ValueError, struct.error) as error:
            raise NotReady(f"it does not answer: {reason(error)}") from None

    def _answers(self) -> Iterator[tuple[bytes, bytes]]:
        """All messages until the server is ready for a query. Raises Refused when one of them was an error."""
        refusal = ""
        while True:
            kind, content = self._message()
            if kind == b"E":
                refusal = _words(content)
                if content.startswith((b"SFATAL", b"SPANIC")):  # the server ends the conversation
                    raise Refused(refusal)
            elif kind == b"R" and struct.unpack("!I", content[:4])[0] != 0:
                raise ValueError("it asks for a password")
            elif kind == b"Z":
                if refusal:
                    raise Refused(refusal)
                return
            yield kind, content

    def _message(self) -> tuple[bytes, bytes]:
        kind = self._take(1)
        length: int = struct.unpack("!I", self._take(4))[0]
        if not 4 <= length <= LARGEST:
            raise ValueError(f"a message of {length} bytes")
        return kind, self._take(length - 4)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._bound()
            block = self._socket.recv(65536)
            if not block:
                raise ConnectionError("it closed the connection")
            self._received += block
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _bound(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)


def _row(content: bytes) -> tuple[str | None, ...]:
    (count,), place = struct.unpack("!H", content[:2]), 2
    values: list[str | None] = []
    for _ in range(count):
        (length,), place = struct.unpack("!i", content[place : place + 4]), place + 4
        values.append(None if length < 0 else content[place : place + length].decode())
        place += max(length, 0)
    return tuple(values)


def _words(content: bytes) -> str:
    """The message of an error."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in content.split(b"\0") if field}
    return fields.get(b"M", "an error without words")


def literal(text: str) -> str:
    """A text as SQL has it. A backslash is only itself: `standard_conforming_strings` is on."""
    if "\0" in text:
        raise ValueError("a text with a NUL")
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    if "\0" in name:
        raise ValueError("a name with a NUL")
    return '"' + name.replace('"', '""') + '"'
