"""The endpoint's connections of strangers, on a real socket."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from latticewall.control_plane import bounded_http
from latticewall.control_plane.bounded_http import BoundedHttp, Open

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Served:
    """The server on a thread of its own."""

    def __init__(self) -> None:
        self.known = Open()
        self._server = uvicorn.Server(uvicorn.Config(answer, http="httptools", ws="none", lifespan="off", log_level="critical", timeout_keep_alive=75))
        self._server.config.load()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        running = asyncio.ensure_future(self._server.serve(sockets=[]))
        made = await asyncio.get_running_loop().create_server(lambda: BoundedHttp(self._server, self.known), sock=self._listener)
        self._ready.set()
        await running
        made.close()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.address, 5)
        connection.settimeout(5)
        return connection

    def ask(self, connection: socket.socket) -> bytes:
        """What comes back for one request, b"" when the connection is closed."""
        try:
            connection.sendall(REQUEST)
        except ConnectionError:
            return b""
        return heard(connection)


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as found:
        yield found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def heard(connection: socket.socket) -> bytes:
    """A whole answer, or what came before the end of the connection."""
    found = b""
    try:
        while not found.endswith(b"ok") and (part := connection.recv(4096)):
            found += part
    except ConnectionError:
        return b""
    return found


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_connections_over_the_bound_are_closed_and_places_become_free(served: Served) -> None:
    held = [served.connect() for _ in range(bounded_http.PER_SOURCE)]
    assert all(served.ask(connection).endswith(b"ok") for connection in held)
    with served.connect() as over:
        assert served.ask(over) == b""
    held.pop().close()
    until(lambda: served.known.by_source.total() == len(held))
    with served.connect() as next_one:
        assert served.ask(next_one).endswith(b"ok")
    for connection in held:
        connection.close()
    until(lambda: not served.known.by_source)


def test_all_sources_together_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "TOTAL", 3)
    known = Open()
    assert [known.admit(source) for source in ("a", "b", "b", "c", "")] == [True, True, True, False, False]
    known.leave("b")
    assert known.admit("c")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost:", REQUEST])
def test_silent_connections_are_closed(served: Served, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(bounded_http, "SILENCE_SECONDS", 0.1)
    with served.connect() as connection:
        connection.sendall(said)
        if said == REQUEST:
            assert heard(connection).endswith(b"ok")
        assert closed(connection)


def test_a_head_without_end_is_cut_off(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            connection.sendall((b"a: " + b"b" * 1000 + b"\r\n") * 100_000)
    with served.connect() as connection:
        assert served.ask(connection).endswith(b"ok")
