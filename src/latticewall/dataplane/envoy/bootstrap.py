"""What Envoy starts with: where its configuration comes from. Everything else arrives over xDS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latticewall.compile.render.envoy_checkers import CHECK_LOG
from latticewall.compile.render.envoy_clusters import any_of
from latticewall.compile.render.envoy_http import SCOPED_ROUTES

XDS_CLUSTER = "latticewall-xds"
COUNTED = ("upstream_cx_total", "upstream_cx_connect_timeout", "ssl.handshake", "ssl.connection_error", "total_listeners_draining")
"""What Envoy counts of a cluster and of itself: what is read (`dataplane.envoy.admin`, the names in `telemetry.lattice_metrics`). It would count some hundred
things more of each cluster, and whoever asks for a few waits until it has looked through all, as configuration does meanwhile. Nothing that Envoy decides by
what it counts (the ejection of outliers) is configured here."""
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any_of(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}},
    )
}


@dataclass(frozen=True)
class Sockets:
    """Unix sockets as Envoy sees them: of the control plane, which configures it and hears of checks, and its own administration."""

    xds: str = "/run/latticewall/xds.sock"
    checks: str = "/run/latticewall/checks.sock"
    admin: str = "/run/latticewall/envoy/admin.sock"


def bootstrap(node_id: str, sockets: Sockets) -> dict[str, Any]:
    """The bootstrap document. A lost control plane is sought again twice a second; meanwhile Envoy goes on with what it has."""
    reconnect = {"base_interval": "0.1s", "max_interval": "0.5s"}
    ads = {"ads": {}, "resource_api_version": "V3"}
    return {
        "node": {"id": node_id, "cluster": "latticewall"},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"suffix": f".{name}"} for name in COUNTED]}}},
        "admin": {"address": {"pipe": {"path": sockets.admin, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER, "retry_policy": {"retry_back_off": reconnect}}}],
            },
            "lds_config": ads,
            "cds_config": ads,
        },
        "static_resources": {"clusters": [_local_grpc(XDS_CLUSTER, sockets.xds), _local_grpc(CHECK_LOG, sockets.checks)], "listeners": [_subscriber()]},
    }


def _subscriber() -> dict[str, Any]:
    """A listener without a socket: it subscribes to scopes like those of services. Without it, once the last of them has gone and one comes again, Envoy
    would wait for scopes for which it does not ask a second time on the same stream."""
    manager = any_of(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="scopes",
        scoped_routes=SCOPED_ROUTES,
        http_filters=[{"name": "router", "typed_config": any_of("envoy.extensions.filters.http.router.v3.Router")}],
    )
    return {
        "name": "scopes",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "bind_to_port": False,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _local_grpc(name: str, path: str) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": path}}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": _HTTP2,
        "circuit_breakers": {"thresholds": [{"max_requests": 100_000, "max_pending_requests": 100_000}]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
