"""Where a call comes from, as policies see it."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pytest
import uvicorn

import latticewall.faces.serving as serving_module
from latticewall.apimodel.catalog import Catalog
from latticewall.auth.sigv4 import Verified
from latticewall.faces.asgi import AsgiApp
from latticewall.faces.authentication import Signer
from latticewall.faces.http import Change, Endpoint, Known
from latticewall.faces.quick_http import QuickHttp
from latticewall.faces.serving import server_config
from latticewall.wire.message import HttpRequest, HttpResponse


class Telling:
    """Answers with the address that the caller is taken to have."""

    def answer(self, request: HttpRequest, source_ip: str) -> HttpResponse:
        return HttpResponse(200, (("content-type", "text/plain"),), source_ip.encode())


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(server_config(AsgiApp(cast(Endpoint, Telling()))))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_nobody_says_where_he_comes_from(port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={name: "for=203.0.113.7" if name == "Forwarded" else "203.0.113.7", "X-Forwarded-Proto": "https"})
    assert connection.getresponse().read() == b"127.0.0.1"
    connection.close()


QUESTION, CHANGE = (Known(Catalog().operation(f"vpc-lattice:{name}"), "vpc-lattice") for name in ("GetService", "CreateService"))


class Quick(Telling):
    """Answers what begins with /quick at once, what begins with /short together with others that wait, all else by a thread."""

    def __init__(self) -> None:
        self.at_once_with: list[HttpRequest] = []
        self.together_with: list[int] = []
        self.begun, self.free = threading.Event(), threading.Event()
        self.free.set()

    def known(self, request: HttpRequest) -> Known | None:
        return QUESTION if request.raw_path.startswith("/quick") else CHANGE if request.raw_path.startswith("/short") else None

    def at_once(self, request: HttpRequest, source_ip: str, known: Known) -> HttpResponse | None:
        self.at_once_with.append(request)
        kind = "a\nb" if "bad" in request.raw_path else "text/plain"
        return HttpResponse(200, (("X-Way", "quick"), ("content-type", kind)), request.body or source_ip.encode())

    def admitted(self, request: HttpRequest, source_ip: str, known: Known) -> Change:
        return Change(request, source_ip, known, Signer(Verified("AKIA", "eu-north-7", "vpc-lattice"), None))

    def together(self, waiting: Callable[[], Sequence[Change]]) -> list[HttpResponse | None]:
        self.begun.set()
        assert self.free.wait(10)
        changes: list[Change] = []
        while more := waiting():
            changes += more
        self.together_with.append(len(changes))
        own = (("content-type", "text/plain"), ("x-way", "short"))
        return [None if "pending" in change.request.raw_path else HttpResponse(200, own, change.request.body) for change in changes]

    def answer(self, request: HttpRequest, source_ip: str) -> HttpResponse:
        return HttpResponse(200, (("content-type", "text/plain"),), request.body or source_ip.encode())


@contextmanager
def serving(app: Quick) -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(server_config(AsgiApp(cast(Endpoint, app)), http=QuickHttp))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def heard(connection: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many answers of fixed length; fewer when the connection ends."""
    stream = connection.makefile("rb")
    found: list[bytes] = []
    while len(found) < count and stream.readline():
        size = 0
        while (line := stream.readline().lower()) not in (b"\r\n", b""):
            size = int(line.partition(b":")[2]) if line.startswith(b"content-length:") else size
        found.append(stream.read(size))
    return found


def test_quick_and_other_requests_share_a_connection_in_order() -> None:
    app = Quick()
    posts = {b"/slow": b"later", b"/quick": b"hello", b"/short": b"short", b"/short-pending": b"other"}
    requests = [b"GET /quick?a=b HTTP/1.1\r\nHost: x\r\n\r\n"]
    requests += [b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n%b" % post for post in posts.items()]
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"".join(requests * 20))
        assert heard(connection, 100) == [b"127.0.0.1", b"later", b"hello", b"short", b"other"] * 20
        for byte in requests[2]:
            connection.sendall(bytes([byte]))
        assert heard(connection, 1) == [b"hello"]
        connection.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert heard(connection, 2) == [b"127.0.0.1"], "and closed"
    first = app.at_once_with[0]
    assert (first.method, first.raw_path, first.raw_query, first.headers, first.body) == ("GET", "/quick", "a=b", (("host", "x"),), b"")


SHORT = b"PUT /short HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def test_changes_that_wait_are_performed_together() -> None:
    app = Quick()
    app.free.clear()
    with serving(app) as port:
        connections = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(6)]
        for connection in connections[:5]:
            connection.sendall(SHORT)
        connections[5].sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard(connections[5], 1), "nobody else is held up"
        app.free.set()
        assert [heard(connection, 1) for connection in connections[:5]] == [[b"hello"]] * 5
        assert sum(app.together_with) == 5
        assert len(app.together_with) <= 2, "the first, or more, and all others"
        for connection in connections:
            connection.close()


def test_a_change_ends_before_the_server_and_whoever_has_gone_is_not_waited_for() -> None:
    app = Quick()
    with serving(app) as port:
        app.free.clear()
        gone, closing, staying = (socket.create_connection(("127.0.0.1", port), 10) for _ in range(3))
        gone.sendall(SHORT)
        gone.close()
        closing.sendall(SHORT.replace(b"Host: x", b"Connection: close"))
        staying.sendall(SHORT)
        staying.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
        threading.Timer(0.3, app.free.set).start()
        assert heard(closing, 2) == [b"hello"], "and closed"
        assert heard(staying, 2) == [b"hello", b"127.0.0.1"], "in order"
        app.free.clear()
        app.begun.clear()
        staying.sendall(SHORT)
        assert app.begun.wait(10)
        threading.Timer(0.3, app.free.set).start()
    assert heard(staying, 2) == [b"hello"], "and closed, as the server has ended"
    closing.close()
    staying.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        b"POST /quick HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000,
        b"HEAD /quick HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /quick-bad HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_out_of_the_ordinary_takes_the_ordinary_way(request_: bytes) -> None:
    with serving(Quick()) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(request_)
        head = b""
        while b"\r\n\r\n" not in head.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"):
            head += connection.recv(4096)
        assert b" 200 OK" in head
        assert b"x-way" not in head


HUGE = b"PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"


def test_a_body_that_is_announced_as_too_large_is_not_asked_for_and_its_sender_hears_so() -> None:
    with serving(Quick()) as port:
        for more, sent in ((b"", 0), (b"Expect: 100-continue\r\n", 0), (b"", 30 << 20)):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(HUGE % max(sent, 1 << 40) + more + b"\r\n")
                connection.sendall(bytes(sent))  # as http.client does: all of it, before it listens
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
                assert answer.startswith(b"HTTP/1.1 413 "), answer
                assert b"connection: close\r\n" in answer
                assert answer.endswith(b"request body too large\n")


def test_what_is_no_http_is_refused_and_half_a_request_holds_up_no_stop() -> None:
    with serving(Quick()) as port:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"\x00GET /quick\r\n\r\n")
            assert b" 400 " in connection.recv(4096)
        idle = socket.create_connection(("127.0.0.1", port), 10)
        idle.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
        assert heard(idle, 1)
    idle.close()


def test_an_idle_connection_is_closed_after_its_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "IDLE_SECONDS", 0.3)
    with serving(Quick()) as port, socket.create_connection(("127.0.0.1", port), 10) as connection:
        for _ in range(4):
            connection.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
            assert heard(connection, 1)
            time.sleep(0.15)
        assert connection.recv(1) == b""
