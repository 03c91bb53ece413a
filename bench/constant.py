"""The region's HTTP server with nothing behind it: one constant answer to everything, unchecked. `python -m bench.constant DESCRIPTOR`, a listening socket."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from latticewall.faces.asgi import Receive, Scope, Send
from latticewall.faces.quick_http import QuickHttp
from latticewall.faces.serving import server_config
from latticewall.wire.message import HttpRequest, HttpResponse

ANSWER = HttpResponse(200, (("x-amzn-RequestId", "0" * 36), ("Content-Type", "application/json")), b"{}" + b" " * 400)
"""About as long as a service."""


class Constant:
    def short(self, _request: HttpRequest, _source: str, _later: Callable[[HttpResponse], None]) -> HttpResponse:
        return ANSWER

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def constant() -> Iterator[tuple[str, int]]:
    """HOST:PORT of one that runs, and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place, descriptor = f"127.0.0.1:{listening.getsockname()[1]}", listening.fileno()
        process = subprocess.Popen([sys.executable, "-m", __name__, str(descriptor)], pass_fds=[descriptor])
        try:
            yield place, process.pid
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    server = uvicorn.Server(server_config(Constant(), http=QuickHttp))
    asyncio.run(server.serve(sockets=[socket.socket(fileno=int(sys.argv[1]))]))
