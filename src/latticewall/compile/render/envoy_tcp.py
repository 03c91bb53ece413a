"""TCP resources: listening sockets in the client's VPC, connections from the resource gateway's address to the same port at the resource.

A few ports have a listener and a cluster each. Many ports (a resource configuration without port ranges has all of them) share one listener that the
namespace's ruleset hands their packets to; which port was meant is the connection's own local port.

Pages followed: "Resource configurations for VPC resources", "Resource gateways in VPC Lattice". Idle connections end after 350 s; there is no maximum life.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Any

from latticewall.compile.render.envoy_clusters import any_of, connection_options, seconds
from latticewall.compile.render.envoy_http import socket_address
from latticewall.compile.render.envoy_log import tcp_access_log
from latticewall.plan.node import Problem
from latticewall.plan.proxy import TcpListener

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

MAX_PORTS = 64
CONNECT_TIMEOUT = 5


@dataclass
class RenderedTcp:
    listeners: list[Document] = field(default_factory=list)
    clusters: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def listeners_and_clusters(plan: TcpListener, paths: EnvoyPaths) -> RenderedTcp:
    """The listeners and clusters of one resource in one VPC; nothing, and a problem, when it cannot be carried."""
    problem = _problem(plan)
    if problem:
        kind = "vpc-lattice:ServiceNetworkResourceAssociation" if plan.association_id else "ec2:VpcEndpoint"
        return RenderedTcp(problems=[Problem(kind, plan.association_id or plan.vpc_endpoint_id, problem)])
    if plan.capture_port:
        return RenderedTcp([_capturing_listener(plan, paths)], [_capturing_cluster(plan, paths)])
    rendered = RenderedTcp()
    for port in sorted({port for first, last in plan.ports for port in range(first, last + 1)}):
        name = f"{plan.name}:{port}"
        rendered.listeners.append(_listener(plan, name, port, paths))
        rendered.clusters.append(_cluster(plan, name, port, paths))
    return rendered


def _problem(plan: TcpListener) -> str:
    count = sum(last - first + 1 for first, last in plan.ports)
    if count > MAX_PORTS and not plan.capture_port:
        return f"{plan.resource_configuration_arn} has {count} ports; at most {MAX_PORTS} can be carried: narrow its port ranges"
    try:
        IPv4Address(plan.target)
    except AddressValueError:
        return f"{plan.resource_configuration_arn} is at {plan.target}, which has no IPv4 address in the resource's VPC"
    return ""


def _listener(plan: TcpListener, name: str, port: int, paths: EnvoyPaths) -> Document:
    return {
        "name": name,
        "address": socket_address(plan.address, port, paths.namespace(plan.namespace)),
        "filter_chains": [{"filters": [_proxy(plan, name, paths)]}],
    }


def _proxy(plan: TcpListener, cluster: str, paths: EnvoyPaths) -> Document:
    config = any_of(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="resource",
        cluster=cluster,
        idle_timeout=seconds(plan.idle_timeout),
        access_log=[tcp_access_log(plan, paths.access_log)],
        access_log_options={"flush_access_log_on_connected": True},
    )
    return {"name": "tcp", "typed_config": config}


def _cluster(plan: TcpListener, name: str, port: int, paths: EnvoyPaths) -> Document:
    endpoint = {"address": {"socket_address": {"address": plan.target, "port_value": port}}}
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        **connection_options(CONNECT_TIMEOUT, plan.bind, paths.namespace(plan.upstream_namespace)),
    }


def _capturing_listener(plan: TcpListener, paths: EnvoyPaths) -> Document:
    """Connections keep the address and port they were made to: a transparent socket."""
    target = {"text_format_source": {"inline_string": f"{plan.target}:%DOWNSTREAM_LOCAL_PORT%"}}
    values = [{"object_key": "envoy.network.transport_socket.original_dst_address", "format_string": target}]
    original = any_of("envoy.extensions.filters.listener.original_dst.v3.OriginalDst")
    destination = any_of("envoy.extensions.filters.network.set_filter_state.v3.Config", on_new_connection=values)
    return {
        "name": plan.name,
        "address": socket_address(plan.address, plan.capture_port, paths.namespace(plan.namespace)),
        "transparent": True,
        "listener_filters": [{"name": "original-destination", "typed_config": original}],
        "filter_chains": [{"filters": [{"name": "destination", "typed_config": destination}, _proxy(plan, plan.name, paths)]}],
    }


def _capturing_cluster(plan: TcpListener, paths: EnvoyPaths) -> Document:
    return {
        "name": plan.name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        **connection_options(CONNECT_TIMEOUT, plan.bind, paths.namespace(plan.upstream_namespace)),
    }
