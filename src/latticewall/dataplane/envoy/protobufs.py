"""The one door to Envoy's protobufs: documents in proto3 JSON form -> messages.

The imports below are what makes the types known to protobuf's pool, so that "@type" can be resolved; a document with an unknown
member or type is refused here and never reaches Envoy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.access_loggers.grpc.v3 import als_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2 as header_mutation_filter_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.set_filter_state.v3 import set_filter_state_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.http.stateful_session.header.v3 import header_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import any_pb2, json_format

KNOWN_FILES = (
    cluster_pb2,
    extension_pb2,
    endpoint_pb2,
    listener_pb2,
    route_pb2,
    scoped_route_pb2,
    file_pb2,
    cel_pb2,
    als_pb2,
    fault_pb2,
    header_mutation_filter_pb2,
    lua_pb2,
    router_pb2,
    stateful_session_pb2,
    header_pb2,
    original_dst_pb2,
    tls_inspector_pb2,
    http_connection_manager_pb2,
    set_filter_state_pb2,
    tcp_proxy_pb2,
    header_mutation_pb2,
    raw_buffer_pb2,
    tls_pb2,
    http_protocol_options_pb2,
)


class Malformed(ValueError):
    """A document that is not of the type it claims."""


def pack(type_url: str, document: Mapping[str, Any]) -> Any:
    """The document as a google.protobuf.Any of that type. Raises Malformed."""
    try:
        return json_format.ParseDict({"@type": type_url, **document}, any_pb2.Any())
    except json_format.ParseError as error:
        raise Malformed(str(error)) from error
