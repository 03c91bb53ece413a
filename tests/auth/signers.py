"""Requests as real clients sign them, captured the way a server sees them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading

import pytest

from latticewall.auth.canonical import Head

ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def capture_curl(*arguments: str, path: str = "/") -> Head:
    """The head that curl sends to a one-request server on loopback."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        url = f"http://127.0.0.1:{server.getsockname()[1]}{path}"
        thread = threading.Thread(target=_serve_one, args=(server, received))
        thread.start()
        result = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "15", *arguments, url], capture_output=True, text=True)
        thread.join(20)
    if result.returncode == 2 and "aws-sigv4" in result.stderr:
        pytest.skip("this curl has no --aws-sigv4")
    assert result.returncode == 0, result.stderr
    return parse_head(received[0])


def _serve_one(server: socket.socket, received: list[bytes]) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(20)
        data = b""
        while b"\r\n\r\n" not in data:
            block = connection.recv(65536)
            if not block:
                return
            data += block
        received.append(data)
        connection.sendall(ANSWER)


def parse_head(data: bytes) -> Head:
    """The head of an HTTP/1.1 request, one character per byte."""
    lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    pairs = (line.partition(":") for line in lines[1:])
    return Head(method, target, tuple((name, value.strip()) for name, _, value in pairs))
