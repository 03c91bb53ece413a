"""A gRPC server at a unix socket, for the streams that Envoy opens to the control plane."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

_ANY_PINGS = (("grpc.http2.max_ping_strikes", 0),)
"""Envoy pings every 30 seconds to see whether its stream lives; gRPC takes more than three of those without data for an attack and ends the connection."""


class StreamSocket:
    """path: of the socket. streams: how many there may be at a time; each has a thread. name: of the threads."""

    def __init__(self, path: str, streams: int, name: str) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(max_workers=streams, thread_name_prefix=name)
        self._server: Any = None

    def start(self, service: str, methods: Mapping[str, Any]) -> None:
        """methods: gRPC's handlers by name. Raises RuntimeError (from grpc) when the socket cannot be bound."""
        server = grpc.server(self._threads, options=_ANY_PINGS)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        server.add_insecure_port(f"unix:{self._path}")
        server.start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(grace=0.5).wait()
        self._threads.shutdown(wait=False)
