"""Clusters and their endpoints: where Envoy sends requests, and from which namespace.

Upstream sockets are opened inside the target's VPC namespace and bound to the service network's own address there, as targets see it on AWS
("HTTP targets in VPC Lattice", "Control traffic in VPC Lattice using security groups").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latticewall.plan.proxy import Cluster, HealthCheck

Document = dict[str, Any]

HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
POLICIES = {"round_robin": "ROUND_ROBIN", "least_outstanding_requests": "LEAST_REQUEST", "weighted_random": "RANDOM"}
SLOW_START = {"ROUND_ROBIN": "round_robin_lb_config", "LEAST_REQUEST": "least_request_lb_config"}
METADATA_NAMESPACE = "latticewall"
LOOPBACK, LOOPBACK_IPV6 = "127.0.0.1", "::1"
CHECKER_PORT = 8600
"""Where the checker of a load balancer listens, inside its namespace."""
CHECK = "x-latticewall-check"
"""The header that tells a checker for which cluster a check is."""
CHECKER_PASSES = 200
EMPTY_MESSAGE = "00" * 5
"""Of gRPC, in hexadecimal digits."""
UNBOUNDED = 1_000_000
"""VPC Lattice queues nothing and refuses nothing below its published 10,000 requests/s: Envoy's default limits of 1,024 must not bite."""


def any_of(type_name: str, **fields: Any) -> Document:
    """A google.protobuf.Any in proto3 JSON form."""
    return {"@type": f"type.googleapis.com/{type_name}", **fields}


def seconds(count: float) -> str:
    """A google.protobuf.Duration in proto3 JSON form."""
    return f"{count:g}s"


def cluster(plan: Cluster, namespace_path: Callable[[str], str]) -> Document:
    """A target group's cluster. Its endpoints come by EDS, so that registering a target closes no connection to another."""
    document: Document = {
        "name": plan.name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}, "service_name": plan.name},
        **_algorithm(plan),
        # fail open ("Health checks for your VPC Lattice target groups"): panic only when (almost) nobody is healthy, then use all; what is found healthy or
        # not is used or not from then on, and not after a second in which Envoy gathers such changes
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}, "update_merge_window": "0s"},
        # a target that drains gets no new request although it is healthy; what it has begun it may end
        "ignore_health_on_host_removal": True,
        **({"typed_extension_protocol_options": {HTTP_PROTOCOL_OPTIONS: _protocol_options(plan)}} if plan.protocol != "TCP" else {}),
        **(connection_options(plan.connect_timeout, plan.bind, namespace_path(plan.namespace)) if plan.namespace else _local_options(plan)),
        "metadata": {"filter_metadata": {METADATA_NAMESPACE: {"targetGroupArn": plan.arn, "namespace": plan.namespace}}},
    }
    if plan.tls:
        document["transport_socket"] = unverified_tls(plan.protocol)
    if plan.health_check is not None:
        # makes Envoy tell those that have not been checked yet from those that have failed; while there are no others they are used all the same
        document["common_lb_config"]["ignore_new_hosts_until_first_hc"] = True
        document["health_checks"] = [_by_checker(plan.name, plan.health_check) if plan.health_check.by_checker else _health_check(plan.health_check)]
        if (plan.health_check.protocol == "HTTPS", plan.health_check.version) != (plan.tls, "HTTP1" if plan.protocol in ("HTTP1", "TCP") else "HTTP2"):
            document |= _health_check_transport(plan.health_check)
    return document


def _algorithm(plan: Cluster) -> Document:
    policy = POLICIES[plan.algorithm]
    if not plan.slow_start or policy not in SLOW_START:
        return {"lb_policy": policy}
    return {"lb_policy": policy, SLOW_START[policy]: {"slow_start_config": {"slow_start_window": seconds(plan.slow_start)}}}


def connection_options(connect_timeout: int, bind: str, namespace: str) -> Document:
    """What HTTP and TCP clusters have in common: how and where connections are opened."""
    return {
        **_limits(connect_timeout),
        "upstream_bind_config": {"source_address": {"address": bind, "port_value": 0, "network_namespace_filepath": namespace}},
    }


def _local_options(plan: Cluster) -> Document:
    """For a unix socket, which is in no namespace and is bound to nothing."""
    return _limits(plan.connect_timeout)


def _limits(connect_timeout: int) -> Document:
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), UNBOUNDED)
    return {"connect_timeout": seconds(connect_timeout), "circuit_breakers": {"thresholds": [limits]}}


def _protocol_options(plan: Cluster) -> Document:
    protocol: Document = {"http_protocol_options": {"enable_trailers": True}} if plan.protocol == "HTTP1" else {"http2_protocol_options": {}}
    return any_of(
        HTTP_PROTOCOL_OPTIONS,
        common_http_protocol_options={"idle_timeout": seconds(plan.idle_timeout)},
        explicit_http_config=protocol,
    )


def unverified_tls(protocol: str) -> Document:
    """TLS to the target without verifying its certificate ("Target groups in VPC Lattice": self-signed certificates are accepted)."""
    alpn = ["http/1.1"] if protocol == "HTTP1" else ["h2"]
    context = {"common_tls_context": {"alpn_protocols": alpn}}
    return {"name": "tls", "typed_config": any_of("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", **context)}


def _health_check_transport(check: HealthCheck) -> Document:
    """A check protocol other than the traffic's gets its own transport socket, chosen by the check's own match criteria."""
    socket = (
        unverified_tls(check.version)
        if check.protocol == "HTTPS"
        else {"name": "raw", "typed_config": any_of("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")}
    )
    return {"transport_socket_matches": [{"name": "health-check", "match": {"healthCheck": True}, "transport_socket": socket}]}


def _health_check(check: HealthCheck) -> Document:
    """Each check on its own connection; the same interval whether the target has traffic or not."""
    interval = seconds(check.interval)
    return {
        "timeout": seconds(check.timeout),
        "interval": interval,
        "no_traffic_interval": interval,
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": check.healthy,
        "unhealthy_threshold": check.unhealthy,
        "reuse_connection": False,
        "http_health_check": {
            "path": check.path,
            "codec_client_type": check.version,
            **({"request_headers_to_add": [_agent(check.user_agent)], "request_headers_to_remove": ["user-agent"]} if check.user_agent else {}),
            "expected_statuses": [{"start": first, "end": last + 1} for first, last in check.codes],
            # any other answer counts towards the threshold, as silence does; without this, one would be enough
            "retriable_statuses": [{"start": 100, "end": 600}],
        },
        "transport_socket_match_criteria": {"healthCheck": True},
    }


def _by_checker(cluster: str, check: HealthCheck) -> Document:
    """Of a load balancer's targets: what the checker says."""
    document = _health_check(check)
    given = [_agent(check.user_agent), set_header(CHECK, cluster)]
    call: Document = {"method": "POST", "send": {"text": EMPTY_MESSAGE}} if check.grpc else {}
    if check.grpc:
        given += [set_header("content-type", "application/grpc"), set_header("te", "trailers")]
    document["http_health_check"] |= {
        "codec_client_type": "HTTP1", "request_headers_to_add": given, **call,
        "expected_statuses": [{"start": CHECKER_PASSES, "end": CHECKER_PASSES + 1}],
    }  # fmt: skip
    return document


def set_header(name: str, value: str) -> Document:
    """Whatever was there before."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _agent(name: str) -> Document:
    return set_header("user-agent", name)


def endpoints(plan: Cluster, run: str) -> Document:
    """The cluster's targets. A health check on another port than the traffic's is a property of each endpoint. run: where its socket is."""
    if plan.socket:
        return {"cluster_name": plan.name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": f"{run}/{plan.socket}"}}}}]}]}
    check_port = plan.health_check.port if plan.health_check else 0
    targets = []
    for endpoint in sorted(plan.endpoints):
        is_ipv6 = ":" in endpoint.address
        host = f"[{endpoint.address}]" if is_ipv6 else endpoint.address
        check: Document = {"hostname": f"{host}:{check_port or endpoint.port}"}
        if plan.health_check and plan.health_check.by_checker:
            check["address"] = {"socket_address": {"address": LOOPBACK_IPV6 if is_ipv6 else LOOPBACK, "port_value": CHECKER_PORT}}
        elif check_port:
            check["port_value"] = check_port
        address = {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}}
        targets.append({"endpoint": {"address": address, "health_check_config": check}})
    return {"cluster_name": plan.name, "endpoints": [{"lb_endpoints": targets}] if targets else []}
