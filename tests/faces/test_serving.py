"""Where a call comes from, as policies see it."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest
import uvicorn

from latticewall.faces.asgi import AsgiApp
from latticewall.faces.http import Endpoint
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
