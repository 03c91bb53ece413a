"""The web service of the walkthrough: says which instance answers, and to whom.

    GET /        text: the name of this instance and the address the request came from
    GET /health  200

Standard library only. It looks no name up: it must start without a resolver.
"""

from __future__ import annotations

import argparse
import socketserver
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IDLE_SECONDS = 300


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], name: str) -> None:
        self.instance = name
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
            self._answer(200, f"{self.server.instance} greets {self.client_address[0]}\n")
        elif path == "/health":
            self._answer(200, "ok\n")
        else:
            self._answer(404, f"nothing at {path}\n")

    def _answer(self, status: int, text: str) -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def main() -> None:
    parser = argparse.ArgumentParser(description="says which instance answers")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=int, default=80, help="port to listen on; 0 picks a free one")
    parser.add_argument("--name", default="web", help="the name to answer with")
    arguments = parser.parse_args()
    with Server((arguments.host, arguments.port), arguments.name) as server:
        print(f"web service on {server.server_name}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
