"""What Envoy tells of health checks of load balancers' targets that did not pass: why the last one of each target failed. In memory alone: after a start it is
known with the next check.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
from envoy.service.accesslog.v3 import als_pb2

from latticewall.compile.render.checker_lua import CODE
from latticewall.dataplane.envoy.stream_socket import StreamSocket

SERVICE = "envoy.service.accesslog.v3.AccessLogService"
STREAM_THREADS = 16
"""Each of Envoy's threads has a stream, and those of an Envoy that has gone end after the next one's have begun."""
MOST_TARGETS = 100_000
TIMEOUT = "timeout"

Place = tuple[str, int]
"""Address and port of a check."""


class FailedChecks:
    """Listens at a unix socket."""

    def __init__(self, socket_path: str) -> None:
        self._socket = StreamSocket(socket_path, STREAM_THREADS, "checks")
        self._lock = threading.Lock()
        self._found: dict[tuple[str, Place], str] = {}

    def start(self) -> None:
        """Raises RuntimeError (from grpc) when the socket cannot be bound."""
        handler = grpc.stream_unary_rpc_method_handler(
            self._serve,
            request_deserializer=als_pb2.StreamAccessLogsMessage.FromString,
            response_serializer=als_pb2.StreamAccessLogsResponse.SerializeToString,
        )
        self._socket.start(SERVICE, {"StreamAccessLogs": handler})

    def stop(self) -> None:
        self._socket.stop()

    def of(self, cluster: str) -> dict[Place, str]:
        """Of the targets of a cluster, by the address and port at which they are checked: the code that came back, TIMEOUT, or "" when no answer did."""
        with self._lock:
            return {place: reason for (name, place), reason in self._found.items() if name == cluster}

    def _serve(self, messages: Iterator[Any], _: Any) -> Any:
        with suppress(grpc.RpcError):  # when Envoy goes
            for message in messages:
                for entry in message.http_logs.log_entry:
                    self._note(entry)
        return als_pb2.StreamAccessLogsResponse()

    def _note(self, entry: Any) -> None:
        about = entry.common_properties
        address, _, port = entry.request.authority.rpartition(":")
        late = about.response_flags.downstream_connection_termination
        key = about.route_name, (address.strip("[]"), int(port) if port.isdecimal() else 0)
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = TIMEOUT if late else entry.response.response_headers.get(CODE, "")
            if len(self._found) > MOST_TARGETS:
                del self._found[next(iter(self._found))]
