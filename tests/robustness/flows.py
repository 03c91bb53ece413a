"""Traffic that must not stop: a connection from inside an instance that counts up, and says so, for as long as the other side answers."""

from __future__ import annotations

import subprocess
import tempfile
from types import TracebackType

from bench.architecture import ADDRESSES, BULK_PORT, HTTP_PORT, TARGET_PORT, Architecture
from bench.region import Region, until

SERVER = f"""#!/usr/bin/env python3
import http.server, socketserver, threading
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"yes")
    def address_string(self):
        return self.client_address[0]
socketserver.ThreadingTCPServer.allow_reuse_address = True
echo = socketserver.ThreadingTCPServer(("0.0.0.0", {BULK_PORT}), Echo)
threading.Thread(target=echo.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", {TARGET_PORT}), Answer).serve_forever()
"""
_TCP = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
connection.settimeout(10)
stream = connection.makefile("rwb")
for number in range(10**9):
    stream.write(b"%d\\n" % number + b"x" * 8191 + b"\\n")
    stream.flush()
    assert stream.readline() == b"%d\\n" % number and len(stream.readline()) == 8192
    print(number, flush=True)
    time.sleep(0.005)
"""
_HTTP = """
import http.client, sys, time
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
connection.connect()
mine = connection.sock.getsockname()
for number in range(10**9):
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() == b"yes", answer.status
    assert connection.sock is not None and connection.sock.getsockname() == mine, "connected anew"
    print(number, flush=True)
    time.sleep(0.005)
"""


class Flow:
    """One connection. script: counts on standard output; it ends, with its complaint, when the connection breaks or stalls for ten seconds."""

    def __init__(self, region: Region, instance: str, script: str, host: str, port: int) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the flow
        self._process = subprocess.Popen(
            region.inside(instance, "python3", "-c", script, host, str(port)), stdout=self._output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        self.place = f"{host}:{port}"

    def count(self) -> int:
        """How far it has come; AssertionError when it has broken off."""
        self._output.seek(0)
        text = self._output.read()
        assert self._process.poll() is None, f"the connection to {self.place} broke off: {text[-300:]}"
        return text.count("\n")

    def moves(self) -> bool:
        """It goes on from where it is now."""
        now = self.count()
        return until(lambda: self.count() > now + 5, 10)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()


class Flows:
    """One of each kind: HTTP through the service network, TCP through its resource path, TCP through the firewall."""

    def __init__(self, region: Region, built: Architecture) -> None:
        client = built.instances["client"]
        self._flows = [
            Flow(region, client, _HTTP, built.api, HTTP_PORT),
            Flow(region, client, _TCP, built.bulk, BULK_PORT),
            Flow(region, client, _TCP, ADDRESSES["server"], BULK_PORT),
        ]
        self.still_move()

    def still_move(self) -> None:
        """All of them go on, on the same connections."""
        for flow in self._flows:
            flow.moves()

    def __enter__(self) -> Flows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for flow in self._flows:
            flow.end()


def reaches(region: Region, instance: str, host: str, port: int, seconds: float = 1.0) -> bool:
    """Whether a new connection from the instance gets an answer from an echo server."""
    script = "import socket,sys;c=socket.create_connection((sys.argv[1],int(sys.argv[2])),float(sys.argv[3]));c.sendall(b'a\\n');sys.exit(c.recv(9)!=b'a\\n')"
    return region.run(instance, "python3", "-c", script, host, str(port), str(seconds)).returncode == 0


def http_status(region: Region, instance: str, built: Architecture, seconds: float = 2.0) -> int:
    """The status that a plain request to the service gets; 0 when there is no answer."""
    words = ("curl", "-s", "-o", "/dev/null", "-m", str(seconds), "-w", "%{http_code}", f"http://{built.api}/")
    return int(region.run(instance, *words).stdout or 0)


def wait_for_servers(region: Region, built: Architecture) -> None:
    """Until the whole of it answers, on all three ways."""
    client = built.instances["client"]
    until(lambda: reaches(region, client, ADDRESSES["server"], BULK_PORT), 20)
    until(lambda: reaches(region, client, built.bulk, BULK_PORT), 20)
    until(lambda: http_status(region, client, built) == 200, 20)
