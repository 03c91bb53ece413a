"""A small real HTTP server for targets: answers with what it was asked, as JSON. Usage: echo_server.py PORT [NAME]."""

import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length).decode()
        if self.path.startswith("/slow"):
            time.sleep(0.5)
        if self.path.startswith("/silent"):
            time.sleep(5)
        if self.path.startswith("/close"):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        answer = {
            "name": sys.argv[2] if len(sys.argv) > 2 else "",
            "method": self.command,
            "path": self.path,
            "headers": [[name, value] for name, value in self.headers.items()],
            "client": self.client_address[0],
            "body": body,
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *args):
        pass


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
