"""The logging service of the walkthrough: keeps what is posted, gives it back.

    POST /        stores the body (JSON, or any text) and answers 201 with its number
    GET  /        everything kept: {"count": n, "received": total, "entries": [{"number", "time", "from", "body"}]}
    GET  /health  200, for target group health checks
    GET  /echo    the request as it arrived: {"method", "path", "from", "headers"}; shows the x-amzn-lattice-* headers

Bounds: a body of at most 1 MiB (413 beyond it), the newest 1000 entries of at most 16 MiB together. In memory only.
Standard library only, so that it runs wherever Python 3.9 does. It looks no name up: it must start without a resolver.
"""

from __future__ import annotations

import argparse
import json
import socketserver
import threading
from collections import deque
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY_BYTES = 1 << 20
MAX_ENTRIES = 1000
MAX_KEPT_BYTES = 16 << 20
IDLE_SECONDS = 300


class Refused(Exception):
    """A request that is answered with an error status; the connection is closed after it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Journal:
    """The newest entries, bounded in number and in bytes; safe for threads."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._entries: deque[tuple[int, dict[str, Any]]] = deque()
        self._bytes = 0
        self._received = 0
        self._lock = threading.Lock()

    def add(self, raw: bytes, sender: str) -> int:
        """Keep one body; returns its number, counted from 1."""
        text = raw.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = text
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")  # noqa: UP017 (Python 3.9 runs this)
        with self._lock:
            self._received += 1
            self._entries.append((len(raw), {"number": self._received, "time": now, "from": sender, "body": body}))
            self._bytes += len(raw)
            while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
                self._bytes -= self._entries.popleft()[0]
            return self._received

    def content(self) -> dict[str, Any]:
        with self._lock:
            entries = [entry for _, entry in self._entries]
            return {"count": len(entries), "received": self._received, "entries": entries}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.journal = Journal()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks for the full name of the host, which hangs where no resolver answers.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1  # head and body leave in one segment
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(200, self.server.journal.content())
        elif path == "/health":
            self._answer(200, {"status": "ok"})
        elif path == "/echo":
            headers: dict[str, str] = {}
            for name, value in self.headers.items():
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            self._answer(200, {"method": self.command, "path": self.path, "from": self.client_address[0], "headers": headers})
        else:
            self._answer(404, {"error": f"nothing at {path}"})

    def do_POST(self) -> None:
        try:
            body = self._body()
        except Refused as refusal:
            self.close_connection = True
            self._answer(refusal.status, {"error": str(refusal)})
            return
        path = self.path.partition("?")[0]
        if path != "/":
            self._answer(404, {"error": f"nothing at {path}"})
            return
        self._answer(201, {"stored": self.server.journal.add(body, self.client_address[0])})

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunked_body()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            raise Refused(400, "content-length is not a number")
        if len(length) > 10 or int(length) > MAX_BODY_BYTES:
            raise Refused(413, f"the body may have at most {MAX_BODY_BYTES} bytes")
        return self._exactly(int(length))

    def _chunked_body(self) -> bytes:
        body = bytearray()
        while True:
            head = self.rfile.readline(1024).split(b";")[0].strip()
            try:
                size = int(head, 16)
            except ValueError:
                raise Refused(400, "a chunk without a size") from None
            if size < 0 or len(body) + size > MAX_BODY_BYTES:
                raise Refused(413, f"the body may have at most {MAX_BODY_BYTES} bytes")
            if size == 0:
                break
            body += self._exactly(size)
            self.rfile.readline(1024)
        while self.rfile.readline(65536).strip():
            pass  # trailers
        return bytes(body)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) != size:
            raise Refused(400, "the body ended early")
        return data

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        payload = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(payload)


def main() -> None:
    parser = argparse.ArgumentParser(description="keeps what is posted, gives it back")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=int, default=5044, help="port to listen on; 0 picks a free one")
    arguments = parser.parse_args()
    with Server((arguments.host, arguments.port)) as server:
        print(f"logging service on {server.server_name}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
