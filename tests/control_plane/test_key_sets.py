"""Key sets are read from this machine, within bounds."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from latticewall.base.faults import Pending, Unavailable
from latticewall.control_plane import key_sets
from latticewall.control_plane.key_sets import FRESH_SECONDS, MAX_BYTES, KeySets


class Clock:
    """Monotonic seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers every connection with these bytes and counts them."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        self.asked: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65_536))
                connection.sendall(self.answer)

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def url(self, path: str = "/keys?a=b", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.stop()


def read(location: str, sets: KeySets | None = None) -> bytes:
    """As a call reads it, which is made once more when a server has been asked."""
    sets = sets or KeySets()
    try:
        return sets.read(location)
    except Pending as pending:
        pending.fulfil()
        return sets.read(location)


def refused(location: str, words: str, sets: KeySets | None = None) -> None:
    with pytest.raises(Unavailable, match=words):
        read(location, sets)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"{}")
    assert KeySets().read(str(path)) == KeySets().read(f"file://{path}") == b"{}"
    path.write_bytes(b"{ }")
    assert KeySets().read(str(path)) == b"{ }", "a changed file counts at once"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    refused(str(path), "larger than")
    os.mkfifo(tmp_path / "pipe")
    refused(str(tmp_path / "pipe"), "not a regular file")
    refused(str(tmp_path), "directory|regular")
    refused(str(tmp_path / "none"), "No such file")
    refused("keys.json", "not an absolute path")
    refused("/keys\0", "not valid")
    for location in ("", "ftp://127.0.0.1/"):
        refused(location, "not an absolute path")


def test_servers_on_loopback(server: Server) -> None:
    assert read(server.url()) == b"{}"
    assert server.asked[0].startswith(b"GET /keys?a=b HTTP/1.1\r\n")
    assert read(server.url(host="localhost")) == b"{}"


def test_a_socket_that_was_opened_elsewhere(server: Server) -> None:
    """As the control plane asks the host: it lives in a network of its own."""
    with socket.socket() as host:
        sets = KeySets(host.fileno())
        assert read(server.url("/first"), sets) == b"{}"
        refused("http://127.0.0.1:1/", "Connection refused", sets)
        assert read(server.url("/second"), sets) == b"{}"
        refused("http://[::1]:1/", "cannot be read", sets)
    assert [asked.split()[1] for asked in server.asked] == [b"/first", b"/second"]


def test_an_answer_is_used_again_for_a_while(server: Server) -> None:
    clock = Clock()
    sets = KeySets(clock=clock)
    assert [read(server.url(), sets) for _ in range(3)] == [b"{}"] * 3
    assert len(server.asked) == 1
    clock.now += FRESH_SECONDS
    server.answer = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"
    for _ in range(3):
        refused(server.url(), "status 500", sets)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("status 302", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"),
        ("status 404", b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n"),
        ("more than", b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BYTES + 1)),
        ("cannot be read", b"nothing\r\n\r\n"),
        ("cannot be read", b""),
        ("cannot be read", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"),
    ],
)
def test_answers_that_do_not_do(server: Server, words: str, answer: bytes) -> None:
    server.answer = answer
    refused(server.url(), words)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["nothing", "head", "body"])
def test_a_server_that_takes_too_long(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """However often it says a little more."""
    monkeypatch.setattr(key_sets, "MAX_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = listener.accept()[0]
            with connection, suppress(ConnectionError):
                connection.sendall(said)
                for _ in range(200):
                    connection.sendall(b" ")
                    sleep(0.05)

        thread = Thread(target=serve)
        thread.start()
        begun = monotonic()
        refused(f"http://127.0.0.1:{listener.getsockname()[1]}/", "not answered within 0.3 s")
        assert monotonic() - begun < 5
        thread.join()


def test_whoever_waited_finds_the_answer(server: Server) -> None:
    sets = KeySets()
    waiting = []
    for _ in range(3):
        with pytest.raises(Pending) as pending:
            sets.read(server.url())
        waiting.append(pending.value)
    for one in waiting:
        one.fulfil()
    assert sets.read(server.url()) == b"{}"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/keys", "http://example.com/keys", "https://127.0.0.1/keys", "http://127.0.0.1.example.com/", "http:///keys",
        "http://0.0.0.0/", "http://[::ffff:192.0.2.1]/", "http://127.0.0.1:0x50/", "http://[::1",
    ],
)  # fmt: skip
def test_other_places_are_not_asked(location: str) -> None:
    refused(location, "cannot be read")
