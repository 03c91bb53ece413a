"""The configuration server's connection, as Envoy holds it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from latticewall.compile.render.envoy import TYPE_URLS, EnvoySnapshot
from latticewall.dataplane.envoy.server import SERVICE, XdsServer

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


class Client:
    """An Envoy that asks for everything, and answers when it is told to."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.requests: SimpleQueue[Any] = SimpleQueue()
        serialise, parse = discovery_pb2.DeltaDiscoveryRequest.SerializeToString, discovery_pb2.DeltaDiscoveryResponse.FromString
        self.responses = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources", serialise, parse)(iter(self.requests.get, None), timeout=10)
        for kind in ("clusters", "scopes", "listeners"):
            self.requests.put(discovery_pb2.DeltaDiscoveryRequest(type_url=TYPE_URLS[kind]))

    def acknowledge(self, count: int) -> None:
        for _ in range(count):
            response = next(self.responses)
            self.requests.put(discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))


@contextmanager
def connected(socket_path: Path) -> Iterator[Client]:
    with grpc.insecure_channel(f"unix:{socket_path}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        client = Client(channel)
        try:
            yield client
        finally:
            client.requests.put(None)


def test_an_envoy_that_has_just_connected_has_acknowledged_nothing(tmp_path: Path) -> None:
    server = XdsServer(str(tmp_path / "xds.sock"))
    server.start()
    try:
        server.publish(EnvoySnapshot())
        assert not server.caught_up(), "no Envoy"
        with connected(tmp_path / "xds.sock") as client:
            client.acknowledge(2)
            assert next(client.responses).type_url == TYPE_URLS["listeners"]
            assert not server.caught_up(), "what it was sent last is not acknowledged"
        with connected(tmp_path / "xds.sock") as client:
            client.acknowledge(3)
            assert server.wait_settled(5).settled
            server.publish(EnvoySnapshot(clusters={"tg-1": {"name": "tg-1", "type": "STATIC"}}))
            assert next(client.responses).resources
            assert server.caught_up(), "it has all that was applied before"
        with connected(tmp_path / "xds.sock") as client:
            assert next(client.responses).resources
            assert not server.caught_up(), "another one, which has just started"
    finally:
        server.stop()
