"""The configuration server: delta ADS (aggregated discovery) on a unix socket, in threads of the control plane's process.

Follows Envoy's "xDS REST and gRPC protocol". Nothing is sent before the first `publish`: a control plane that has just started must not make
Envoy forget what it carries.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import grpc
from envoy.service.discovery.v3 import discovery_pb2

from latticewall.base.memo import Memo
from latticewall.compile.render.envoy import TYPE_URLS, Document, EnvoySnapshot, destinations_of, routes_of, version
from latticewall.compile.render.envoy_https import certificates_of
from latticewall.dataplane.envoy.delta import DeltaStream, Published, Refusal, Request, Resource, Response
from latticewall.dataplane.envoy.protobufs import pack
from latticewall.dataplane.envoy.stream_socket import StreamSocket

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
STREAM_THREADS = 8
_KINDS = {type_url: kind for kind, type_url in TYPE_URLS.items()}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a publication went. settled: Envoy has answered for everything within the time; refusals: what it would not take."""

    settled: bool
    connected: bool
    refusals: tuple[Refusal, ...] = ()


def publishable(snapshot: EnvoySnapshot, memo: Memo | None = None, secrets: Mapping[str, Resource] | None = None) -> Published:
    """The snapshot as messages. Raises Malformed when a document is not what its kind says. memo: with it, a document that was packed before is not again.
    secrets: its certificates, with their keys."""
    memo = memo or Memo()
    checked = memo.mapped(_is_checked, snapshot.clusters)
    return Published(
        clusters=memo.mapped(_cluster, snapshot.clusters), endpoints=memo.mapped(_endpoints, snapshot.endpoints, checked),
        destinations=memo.mapped(_destination, snapshot.destinations), listeners=memo.mapped(_listener, snapshot.listeners),
        scopes=memo.mapped(_scope, snapshot.scopes), routes=memo.mapped(_route_configuration, snapshot.routes), secrets=secrets or {},
    )  # fmt: skip


def _is_checked(cluster: Document) -> bool:
    return "health_checks" in cluster


def _cluster(document: Document) -> Resource:
    needs = (document["name"],) if document["type"] == "EDS" else ()
    return Resource(version(document), pack(TYPE_URLS["clusters"], document), needs)


def _endpoints(document: Document, checked: bool | None) -> Resource:
    """Opened without targets where they have health checks."""
    opening = Resource("opening", pack(TYPE_URLS["endpoints"], {"cluster_name": document["cluster_name"]})) if checked else None
    return Resource(version(document), pack(TYPE_URLS["endpoints"], document), opening=opening)


def _listener(document: Document) -> Resource:
    return Resource(version(document), pack(TYPE_URLS["listeners"], document), (*routes_of(document), *destinations_of(document), *certificates_of(document)))


def _destination(document: Document) -> Resource:
    return Resource(version(document), pack(TYPE_URLS["destinations"], document))


def _scope(document: Document) -> Resource:
    return Resource(version(document), pack(TYPE_URLS["scopes"], document), (document["route_configuration_name"],))


def _route_configuration(document: Document) -> Resource:
    return Resource(version(document), pack(TYPE_URLS["routes"], document))


class XdsServer:
    """Serves the latest published snapshot to every Envoy that connects; the last one to connect is the one that counts."""

    def __init__(self, socket_path: str) -> None:
        self._changed = threading.Condition()
        self._snapshot: EnvoySnapshot | None = None
        self._published: Published | None = None
        self._caught_up = False
        """Whether the connected Envoy has been seen to have everything, since it connected."""
        self._packed = Memo()
        self._current: DeltaStream | None = None
        self._acknowledged = 0
        self._stopping = False
        self._socket = StreamSocket(socket_path, STREAM_THREADS, "xds")

    def start(self) -> None:
        """Listen on the socket. Raises RuntimeError (from grpc) when it cannot be bound."""
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )
        self._socket.start(SERVICE, {"DeltaAggregatedResources": handler})

    def stop(self) -> None:
        """Close every stream; Envoy goes on with what it has."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._socket.stop()

    def publish(self, snapshot: EnvoySnapshot, secrets: Mapping[str, Resource] | None = None) -> None:
        """Make it the snapshot every Envoy must have, with its certificates; what was refused before is offered again. Raises Malformed."""
        known = self._published if snapshot is self._snapshot else None
        published = replace(known, secrets=secrets or {}) if known is not None else publishable(snapshot, self._packed, secrets)
        with self._changed:
            self._is_settled()
            self._snapshot, self._published = snapshot, published
            if self._current is not None:
                self._current.retry_refused()
            self._changed.notify_all()

    def wait_settled(self, timeout: float) -> Outcome:
        """Wait until the connected Envoy has taken or refused everything published, at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                stream, settled = self._current, self._is_settled()
                remaining = deadline - time.monotonic()
                if settled or remaining <= 0:
                    return Outcome(settled, stream is not None, stream.refusals() if stream else ())
                self._changed.wait(remaining)

    def _is_settled(self) -> bool:
        settled = self._current is not None and self._published is not None and self._current.settled(self._published)
        self._caught_up = self._caught_up or settled
        return settled

    def caught_up(self) -> bool:
        """Whether an Envoy is connected that has taken or refused everything of some publication since it connected: what was applied then, it has."""
        with self._changed:
            return self._is_settled() or self._caught_up

    def acknowledged(self) -> int:
        """How often a resource has become another one for Envoy, or has gone, since this server was started."""
        with self._changed:
            return self._acknowledged + (self._current.acknowledged if self._current else 0)

    def observed(self) -> dict[str, dict[str, str]]:
        """What the connected Envoy has acknowledged: kind -> name -> version; empty when none is connected."""
        with self._changed:
            return {kind: self._current.known(kind) for kind in TYPE_URLS} if self._current else {}

    def _serve(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        """One stream: a thread reads, this one writes."""
        stream = DeltaStream()
        with self._changed:
            self._leave_current()
            self._current = stream
            self._changed.notify_all()
        context.add_callback(lambda: self._leave(stream))
        threading.Thread(target=self._read, args=(stream, requests), daemon=True, name="xds-read").start()
        while True:
            with self._changed:
                response = self._next(stream)
                while response is None:
                    if self._stopping or not context.is_active():
                        return
                    self._changed.wait()
                    response = self._next(stream)
            yield _message(response)

    def _next(self, stream: DeltaStream) -> Response | None:
        return stream.next(self._published) if self._published is not None else None

    def _read(self, stream: DeltaStream, requests: Iterator[Any]) -> None:
        try:
            for message in requests:
                request = _request(message)
                if request is None:
                    continue
                if request.error:
                    log.warning("envoy refuses %s: %s", request.kind, request.error)
                with self._changed:
                    stream.receive(request)
                    self._changed.notify_all()
        except grpc.RpcError as error:
            log.info("envoy's configuration stream ended: %s", error)

    def _leave(self, stream: DeltaStream) -> None:
        with self._changed:
            if self._current is stream:
                self._leave_current()
            self._changed.notify_all()

    def _leave_current(self) -> None:
        self._acknowledged += self._current.acknowledged if self._current else 0
        self._current, self._caught_up = None, False


def _request(message: Any) -> Request | None:
    """A protobuf request as a value; None for a type that is not served."""
    kind = _KINDS.get(message.type_url)
    if kind is None:
        log.warning("envoy asks for resources of the type %s, which is not served", message.type_url)
        return None
    return Request(
        kind=kind,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial_versions=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else "",
    )


def _message(response: Response) -> Any:
    return discovery_pb2.DeltaDiscoveryResponse(
        type_url=TYPE_URLS[response.kind],
        nonce=response.nonce,
        resources=[discovery_pb2.Resource(name=name, version=item.version, resource=item.message) for name, item in response.resources.items()],
        removed_resources=response.removed,
    )
