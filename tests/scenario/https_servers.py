"""Targets of the HTTPS tests, one process inside an instance: HTTP/1.1 at 8080, the same behind TLS at 8443, gRPC at 9090. `python FILE CERTIFICATE KEY`."""

from __future__ import annotations

import json
import ssl
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc


class Echo(BaseHTTPRequestHandler):
    """Answers with the request's headers; /slow takes its time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1.5)
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - as the base class names them

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        pass


class Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without the look-up of the host's name, which hangs in a namespace without a resolver."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", self.server_address[1]


class Parking(grpc.GenericRpcHandler):
    """/api.parking/GetRates answers, /api.parking/Watch streams, everything else of it is NOT_FOUND."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if not details.method.startswith("/api.parking/"):
            return None
        if details.method == "/api.parking/Watch":
            return grpc.unary_stream_rpc_method_handler(self.watch)
        return grpc.unary_unary_rpc_method_handler(self.rates if details.method == "/api.parking/GetRates" else self.unknown)

    def rates(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        return json.dumps({"asked": request.decode(), "metadata": metadata}).encode()

    def watch(self, request: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield str(number).encode()

    def unknown(self, _: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such rate")
        return b""


def serve_parking() -> grpc.Server:
    """The gRPC server, started."""
    parking = grpc.server(ThreadPoolExecutor(4))
    parking.add_generic_rpc_handlers((Parking(),))
    parking.add_insecure_port("0.0.0.0:9090")
    parking.start()
    return parking


def main() -> None:
    certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure = Server(("", 8443), Echo)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    parking = serve_parking()
    for server in (Server(("", 8080), Echo), secure):
        Thread(target=server.serve_forever, daemon=True).start()
    parking.wait_for_termination()


if __name__ == "__main__":
    main()
