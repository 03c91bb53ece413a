"""Connections of clients that take their time, on a clock of our own."""

from __future__ import annotations

import asyncio
import heapq
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from latticewall.faces import bounded_http
from latticewall.faces.bounded_http import BODY_RATE, BODY_SECONDS, HEAD_SECONDS, LINGER_SECONDS, LOOK_SECONDS, SEND_SECONDS, BoundedHttp
from latticewall.faces.quick_http import QuickHttp
from latticewall.faces.serving import IDLE_SECONDS, server_config

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\n\r\n"


class Time:
    """An event loop of which only the clock goes on, when told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tasks: list[Coroutine[Any, Any, None]] = []
        self._due: list[tuple[float, int, asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[..., None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + seconds, callback, (), cast(asyncio.AbstractEventLoop, self))
        heapq.heappush(self._due, (self.now + seconds, id(handle), handle))
        return handle

    def create_task(self, task: Coroutine[Any, Any, None], **_: object) -> Any:
        self.tasks.append(task)
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def go(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, handle = heapq.heappop(self._due)
            if not handle.cancelled():
                handle._run()
        self.now = end

    def answer(self) -> None:
        """Let the app answer what waits."""
        while self.tasks:
            with suppress(StopIteration):
                self.tasks.pop(0).send(None)


class Wire:
    """A transport. open: not closed by the server."""

    def __init__(self, source: str = "") -> None:
        self.sent = b""
        self.unsent = 0
        self.half = False
        self.open = True
        self.ended = False
        self.protocol: BoundedHttp | None = None
        self._source = source

    def get_extra_info(self, name: str) -> Any:
        return (self._source, 4566) if name == "peername" and self._source else None

    def write(self, data: bytes) -> None:
        assert not self.half
        self.sent += data

    def write_eof(self) -> None:
        self.half = True

    def close(self) -> None:
        self.open = False
        if not self.unsent:
            self.abort()

    def abort(self) -> None:
        self.open = False
        if not self.ended:
            self.ended = True
            assert self.protocol is not None
            self.protocol.connection_lost(None)

    def is_closing(self) -> bool:
        return not self.open

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Side:
    """A server. kind: of its connections."""

    def __init__(self, kind: type[BoundedHttp] = BoundedHttp) -> None:
        self.time = Time()
        self._kind = kind
        self._config = server_config(app, http=kind)
        self._state = ServerState()

    def connect(self, source: str = "") -> tuple[Wire, BoundedHttp]:
        wire = Wire(source)
        wire.protocol = self._kind(self._config, self._state, {}, cast(asyncio.AbstractEventLoop, self.time))
        wire.protocol.connection_made(cast(asyncio.Transport, wire))
        return wire, wire.protocol


@pytest.fixture(params=[BoundedHttp, QuickHttp])
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    monkeypatch.setattr(QuickHttp, "_may_be_quick", lambda _: False)
    made = Side(request.param)
    yield made
    for task in made.time.tasks:
        task.close()


def drip(side: Side, wire: Wire, pieces: Sequence[bytes], seconds: float = 1.0) -> float:
    """Say one piece after the other while the connection is open; how long it was."""
    begun = side.time.now
    for piece in pieces:
        if not wire.open:
            break
        assert wire.protocol is not None
        wire.protocol.data_received(piece)
        side.time.go(seconds)
    return side.time.now - begun


@pytest.mark.parametrize(
    ("said", "pieces", "bound", "status"),
    [
        (b"", [], HEAD_SECONDS, b""),
        (b"", [b"\r\n"] * 100, HEAD_SECONDS, b""),
        (b"GET /", [b"x"] * 100, HEAD_SECONDS, b" 408 "),
        (b"GET / HTTP/1.1\r\n", [b"a: b\r\n"] * 100, HEAD_SECONDS, b" 408 "),
        (PUT, [b"x"] * 100, BODY_SECONDS, b" 408 "),
        (PUT.replace(b"content-length: 60000000", b"transfer-encoding: chunked"), [b"1\r\nx\r\n"] * 100, BODY_SECONDS, b" 408 "),
        (REQUEST, [b"\r\n"] * 200, IDLE_SECONDS, b" 200 "),
        (REQUEST + b"GET /", [b"x"] * 100, HEAD_SECONDS, b" 408 "),
    ],
    ids=["nothing", "line-ends", "line", "head", "body", "chunks", "idle", "second-head"],
)
def test_a_byte_now_and_then_extends_no_bound(side: Side, said: bytes, pieces: list[bytes], bound: float, status: bytes) -> None:
    wire, protocol = side.connect()
    protocol.data_received(said)
    if said.startswith(REQUEST):
        side.time.answer()
    lasted = drip(side, wire, pieces or [b""] * 100)
    assert wire.ended
    assert wire.sent[-80:].count(status.strip()) == 1 if status else not wire.sent
    assert bound - 1 <= lasted <= bound + LOOK_SECONDS + 1


def test_who_goes_on_is_heard_to_the_end(side: Side) -> None:
    wire, protocol = side.connect()
    protocol.data_received(PUT.replace(b"60000000", str(BODY_RATE * 300).encode()))
    assert drip(side, wire, [b"x" * BODY_RATE] * 300) == 300
    side.time.answer()
    assert b" 200 " in wire.sent
    assert wire.open


def test_what_takes_us_long_is_not_counted(side: Side) -> None:
    wire, protocol = side.connect()
    protocol.data_received(REQUEST)
    side.time.go(900)
    protocol.data_received(PUT + b"x")
    side.time.go(900)
    assert wire.open
    side.time.answer()
    side.time.go(BODY_SECONDS - 1)
    assert wire.open
    side.time.go(LOOK_SECONDS + 1)
    assert wire.ended


@pytest.mark.parametrize("taken", [0, 1000, 100_000])
@pytest.mark.parametrize("closing", [False, True])
def test_an_answer_that_is_not_taken_ends(side: Side, taken: int, *, closing: bool) -> None:
    wire, protocol = side.connect()
    protocol.data_received(REQUEST)
    wire.unsent = 5_000_000
    protocol.pause_writing()
    if closing:
        wire.close()
    for _ in range(30):
        wire.unsent -= taken
        side.time.go(10)
    assert wire.ended == (taken < 100_000)


def test_a_stream_that_is_taken_piece_by_piece_goes_on(side: Side) -> None:
    wire, protocol = side.connect()
    protocol.data_received(REQUEST)
    wire.unsent = 1_000_000
    for _ in range(30):
        protocol.pause_writing()
        side.time.go(SEND_SECONDS - 2 * LOOK_SECONDS)
        protocol.resume_writing()
    assert wire.open


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET / HTTP/1.1\r\n"] + [b"a: " + b"b" * 1000 + b"\r\n"] * 100,
        [b"GET / HTTP/1.1\r\na: "] + [b"b" * 1000] * 100,
        [b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n0\r\n"] + [b"a: " + b"b" * 1000 + b"\r\n"] * 100,
        [b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"] + [b"1;" + b"b" * 1000 + b"\r\nx\r\n"] * 100,
    ],
    ids=["headers", "header", "trailers", "extensions"],
)
def test_a_head_without_end_is_cut_off(side: Side, pieces: list[bytes]) -> None:
    wire, protocol = side.connect()
    for piece in pieces:
        if wire.open:
            protocol.data_received(piece)
    assert wire.ended


# -- answers before the end of a request --------------------------------------------------------------------------------------------------


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0"), (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})


def refused(side: Side) -> Wire:
    """A connection on which a request has had its answer before it was heard."""
    wire, protocol = side.connect()
    protocol.app = refusing
    protocol.data_received(PUT)
    side.time.answer()
    assert (wire.sent.count(b" 413 "), wire.half, wire.open) == (1, True, True)
    return wire


def test_whoever_is_refused_while_he_sends_is_heard_a_little_longer(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "LINGER_BYTES", 10 * len(PUT))
    slow, silent, endless = (refused(side) for _ in range(3))
    assert 1 < drip(side, endless, [PUT] * 20, 0.1) < 1.2
    assert endless.ended
    assert endless.sent.count(b"HTTP/1.1") == 1, "what is heard then is no request"
    lasted = drip(side, slow, [b"x"] * 100)
    assert LINGER_SECONDS - 1 <= lasted <= LINGER_SECONDS + LOOK_SECONDS + 1
    assert slow.ended
    assert silent.ended
    assert b" 408 " not in slow.sent + silent.sent


def test_a_stop_waits_for_nobody_who_was_refused(side: Side) -> None:
    wire = refused(side)
    assert wire.protocol is not None
    wire.protocol.shutdown()
    assert wire.ended


# -- places ------------------------------------------------------------------------------------------------------------------------------


def test_the_one_that_waits_longest_makes_room(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHttp, "TOTAL", 4)
    monkeypatch.setattr(QuickHttp, "TOTAL", 4)
    said = {"body": PUT, "answered": REQUEST, "nothing": b"", "head": b"GET"}
    wires = {}
    for name, data in said.items():
        wires[name], protocol = side.connect()
        protocol.data_received(data)
        side.time.go(1)
    gone = []
    for name in ("first", "second", "third"):
        wires[name], protocol = side.connect()
        protocol.data_received(REQUEST)
        gone.append([each for each, wire in wires.items() if wire.ended])
    assert gone == [["nothing"], ["nothing", "head"], ["body", "nothing", "head"]]
    assert side.connect()[0].ended, "all are being answered"
    side.time.tasks.pop(0).close()  # of the body
    side.time.answer()
    assert not side.connect()[0].ended


def test_a_source_takes_places_only_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHttp, "TOTAL", 5)
    monkeypatch.setattr(BoundedHttp, "PER_SOURCE", 3)
    side, wires = Side(), []
    for number in (1, 2, 2, 2, 2, 3, 4):
        wires.append(side.connect(f"10.0.0.{number}")[0])
        side.time.go(1)
    assert [wire.ended for wire in wires] == [False, True, False, False, False, False, True]
    wires[0].abort()
    assert not side.connect("10.0.0.4")[0].ended


# -- with sockets ------------------------------------------------------------------------------------------------------------------------


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(server_config(app, http=BoundedHttp, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[:2]
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def heard(connection: socket.socket) -> bytes:
    """What comes before the end of the connection, or with the first whole answer."""
    found = b""
    with suppress(ConnectionError):
        while not found.endswith(b"ok") and (part := connection.recv(4096)):
            found += part
    return found


def test_half_open_connections_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(BoundedHttp, "PER_SOURCE", 8)
    with served() as address:
        half = [socket.create_connection(address, 10) for _ in range(40)]
        for connection in half:
            with suppress(ConnectionError):
                connection.sendall(REQUEST[:-2])
        with socket.create_connection(address, 10) as connection:
            connection.sendall(REQUEST)
            assert heard(connection).endswith(b"ok")
        ends = [heard(connection) for connection in half]
        assert ends.count(b"") >= 32, "closed to make room"
        assert all(end == b"" or b" 408 " in end for end in ends)
        for connection in half:
            connection.close()
