"""The configuration server's connection, as Envoy holds it."""

from __future__ import annotations

import socket
from pathlib import Path

from latticewall.dataplane.envoy.server import XdsServer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000 04 00 00000000")
PING = bytes.fromhex("000008 06 00 00000000")
ACKNOWLEDGED = bytes.fromhex("000008 06 01 00000000")


def test_pings_never_end_the_connection(tmp_path: Path) -> None:
    """gRPC's servers end connections that ping without sending anything else (`Too many pings`), which is what Envoy does while nothing changes."""
    server = XdsServer(str(tmp_path / "xds.sock"))
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(tmp_path / "xds.sock"))
            connection.sendall(PREFACE + SETTINGS)
            heard = b""
            for number in range(10):
                payload = number.to_bytes(8, "big")
                connection.sendall(PING + payload)
                while ACKNOWLEDGED + payload not in heard:
                    part = connection.recv(4096)
                    assert part, f"ping {number} ended the connection: {heard!r}"
                    heard += part
            assert b"too_many_pings" not in heard
    finally:
        server.stop()
