"""The checkers of load balancers.

Envoy's health checks do not look at gRPC's statuses, and do not tell which code came back. So they ask a listener of Envoy's own on the loopback of the load
balancer's namespace: it asks the target, from the node's address and over a connection for each check, and answers 200 for a target that passes and 503 for
another. What did not pass is told to the control plane, with the code that came back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latticewall.compile.render.checker_lua import CODE, OWN_ANSWER, SCRIPT
from latticewall.compile.render.envoy_clusters import (
    CHECK,
    CHECKER_PORT,
    HTTP_PROTOCOL_OPTIONS,
    LOOPBACK,
    LOOPBACK_IPV6,
    METADATA_NAMESPACE,
    any_of,
    seconds,
    set_header,
    unverified_tls,
)
from latticewall.plan.health_checkers import CheckSource, HealthChecker, TargetCheck

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

CHECK_LOG = "latticewall-checks"
"""The cluster of those who want to know what failed (in Envoy's bootstrap), and the name of their log."""
LONGEST_CHECK = 120
"""Seconds. The health check has its own limit, at which it goes away."""
_EXTENSIONS = "envoy.extensions.filters"
_LUA = "envoy.extensions.filters.http.lua.v3"
_FAILED: Document = {"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 201, "runtime_key": "latticewall.never-set"}}}}
_TOO_LATE: Document = {"response_flag_filter": {"flags": ["DC"]}}


def listener(plan: HealthChecker, paths: EnvoyPaths) -> Document:
    document = any_of(
        f"{_EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="checker",
        rds={"config_source": {"ads": {}, "resource_api_version": "V3"}, "route_config_name": plan.name},
        http_filters=[
            {"name": _LUA, "typed_config": any_of(f"{_LUA}.Lua", default_source_code={"inline_string": SCRIPT}, clear_route_cache=False)},
            {"name": "router", "typed_config": any_of(f"{_EXTENSIONS}.http.router.v3.Router", suppress_envoy_headers=True)},
        ],
        local_reply_config={"mappers": [{"filter": {"not_health_check_filter": {}}, "headers_to_add": [set_header(OWN_ANSWER, "yes")]}]},
        access_log=[{"name": "failed", "filter": {"or_filter": {"filters": [_FAILED, _TOO_LATE]}}, "typed_config": _told()}],
        generate_request_id=False,
        skip_xff_append=True,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
    )  # fmt: skip
    families = [LOOPBACK, *([LOOPBACK_IPV6] if plan.dual_stack else [])]
    first, *others = [
        {"address": {"socket_address": {"address": address, "port_value": CHECKER_PORT, "network_namespace_filepath": paths.namespace(plan.namespace)}}}
        for address in families
    ]
    more = {"additional_addresses": others} if others else {}
    return {"name": plan.name, **first, **more, "filter_chains": [{"filters": [{"name": "http", "typed_config": document}]}]}


def _told() -> Document:
    common = {
        "log_name": CHECK_LOG, "transport_api_version": "V3", "buffer_flush_interval": "0.1s", "grpc_service": {"envoy_grpc": {"cluster_name": CHECK_LOG}},
    }  # fmt: skip
    return any_of("envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig", common_config=common, additional_response_headers_to_log=[CODE])


def route_configuration(plan: HealthChecker) -> Document:
    """A route for each cluster, which has its name."""
    return {
        "name": plan.name,
        "virtual_hosts": [{"name": "any", "domains": ["*"], "routes": [_route(check) for check in plan.checks]}],
        "request_headers_to_remove": [CHECK, "x-forwarded-proto"],
    }


def _route(check: TargetCheck) -> Document:
    codes = ",".join(f"{first}-{last}" for first, last in check.codes)
    context = any_of(f"{_LUA}.LuaPerRoute", filter_context={"protocol": "grpc" if check.grpc else "http", "codes": codes})
    return {
        "name": check.cluster,
        "match": {"prefix": "", "headers": [{"name": CHECK, "string_match": {"exact": check.cluster}}]},
        "route": {"cluster": check.source, "timeout": "0s"},
        "typed_per_filter_config": {_LUA: context},
    }


def clusters(plan: HealthChecker, paths: EnvoyPaths) -> tuple[Document, ...]:
    return tuple(_cluster(plan, source, paths) for source in plan.sources)


def _cluster(plan: HealthChecker, source: CheckSource, paths: EnvoyPaths) -> Document:
    """To whatever target a check is for, each on its own connection."""
    protocol: Document = {"http2_protocol_options": {}} if source.http2 else {"http_protocol_options": {}}
    options = any_of(HTTP_PROTOCOL_OPTIONS, common_http_protocol_options={"max_requests_per_connection": 1}, explicit_http_config=protocol)
    found = {
        "name": source.name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"metadata_key": {"key": METADATA_NAMESPACE, "path": [{"key": "target"}]}},
        "connect_timeout": seconds(LONGEST_CHECK),
        "upstream_bind_config": {
            "source_address": {"address": source.bind, "port_value": 0, "network_namespace_filepath": paths.namespace(plan.namespace)}
        },
        "typed_extension_protocol_options": {HTTP_PROTOCOL_OPTIONS: options},
    }  # fmt: skip
    return {**found, "transport_socket": unverified_tls("HTTP2" if source.http2 else "HTTP1")} if source.tls else found
