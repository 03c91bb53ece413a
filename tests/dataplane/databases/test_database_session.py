"""What a server may answer, and what it may not make of the region."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latticewall.dataplane.databases.session import LARGEST, NotReady, Refused, Session, identifier, literal

READY = b"Z" + struct.pack("!I", 5) + b"I"
WELCOME = b"R" + struct.pack("!II", 8, 0) + READY


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    fields = (struct.pack("!i", -1) if one is None else struct.pack("!i", len(one)) + one for one in values)
    return message(b"D", struct.pack("!H", len(values)) + b"".join(fields))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A server that answers whatever it is sent with the next of these."""
    listeners = []

    def serving(*answers: bytes) -> Path:
        path = tmp_path / f"s{len(listeners)}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(1)
        listeners.append(listener)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                for one in answers:
                    connection.recv(65536)
                    connection.sendall(one)
                connection.recv(65536)

        threading.Thread(target=answer, daemon=True).start()
        return path

    yield serving
    for listener in listeners:
        listener.close()


def test_rows_are_read(serve: Callable[..., Path]) -> None:
    with Session(serve(WELCOME, row(b"a", None) + row(b"", "é".encode()) + READY), "me") as session:
        assert session.query("select") == [("a", None), ("", "é")]


def test_a_refusal_has_the_server_s_words_and_is_not_the_end(serve: Callable[..., Path]) -> None:
    error = message(b"E", b"SERROR\0C42601\0Msyntax error\0\0")
    with Session(serve(WELCOME, error + READY, READY), "me") as session:
        with pytest.raises(Refused, match="syntax error"):
            session.query("selekt")
        assert session.query("select") == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (message(b"E", b"SFATAL\0Mthe database system is starting up\0\0"), "starting up"),
        (b"R" + struct.pack("!II", 8, 10), "asks for a password"),
        (b"D" + struct.pack("!I", LARGEST + 1), "a message of"),
        (b"D" + struct.pack("!I", 0), "a message of 0 bytes"),
        (b"", "timed out"),
    ],
    ids=["starting", "password", "large", "small", "silent"],
)
def test_a_server_that_is_not_ready(serve: Callable[..., Path], answer: bytes, words: str) -> None:
    with pytest.raises(NotReady, match=words):
        Session(serve(answer), "me", seconds=0.3)


def test_a_server_that_answers_nonsense_later(serve: Callable[..., Path]) -> None:
    with Session(serve(WELCOME, message(b"D", b"\0\1\0\0")), "me") as session, pytest.raises(NotReady):
        session.query("select")


def test_only_a_socket_is_connected_to(serve: Callable[..., Path], tmp_path: Path) -> None:
    other = serve(WELCOME)
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(other)
    file.touch()
    for path in (link, file, tmp_path / "none"):
        with pytest.raises(NotReady):
            Session(path, "me", seconds=0.3)
    os.link(other, tmp_path / "same")
    with Session(tmp_path / "same", "me"):
        pass


def test_quoting() -> None:
    assert (literal("it's"), identifier('a"b')) == ("'it''s'", '"a""b"')
    for quote in (literal, identifier):
        with pytest.raises(ValueError, match="NUL"):
            quote("a\0b")
