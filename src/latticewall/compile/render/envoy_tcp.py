"""TCP resources: listening sockets in the client's VPC, connections from one of the resource gateway's addresses to the same port at the resource.

A few ports have a listener each. Many ports (a resource configuration without port ranges has all of them) share one listener that the
namespace's ruleset hands their packets to; which port was meant is the connection's own local port.

What may change while connections last is in no listener and no cluster. Where a resource is is its `destination`: the configuration of a small filter,
delivered by itself, which a connection meets when it is accepted and never again. A gateway's addresses are a cluster each, shared by all of its
resources; a connection takes one of them by chance. Neither knows ports.

Pages followed: "Resource configurations for VPC resources", "Resource gateways in VPC Lattice". Idle connections end after 350 s; there is no maximum life.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from latticewall.compile.render.envoy_clusters import any_of, connection_options, seconds
from latticewall.compile.render.envoy_http import socket_address
from latticewall.compile.render.envoy_log import tcp_access_log
from latticewall.plan.node import Problem
from latticewall.plan.proxy import NOWHERE, TcpDecision, TcpListener

if TYPE_CHECKING:
    from latticewall.compile.render.envoy_paths import EnvoyPaths

Document = dict[str, Any]

MAX_PORTS = 64
CONNECT_TIMEOUT = 5
_DESTINATION = "envoy.extensions.filters.network.set_filter_state.v3.Config"


@dataclass(frozen=True)
class RenderedTcp:
    """One resource in one VPC. clusters: of its gateway; destination: of its resource configuration; both are the same in all places."""

    listeners: tuple[Document, ...]
    clusters: tuple[Document, ...]
    destination: Document
    problems: tuple[Problem, ...] = ()


def rendered(plan: TcpListener, paths: EnvoyPaths) -> RenderedTcp:
    """No listener, and a problem, when it cannot be carried."""
    elsewhere = (_clusters(plan, paths), _destination(plan))
    if plan.capture_port:
        return RenderedTcp((_listener(plan, plan.name, plan.capture_port, paths),), *elsewhere)
    count = sum(last - first + 1 for first, last in plan.ports)
    if count > MAX_PORTS:
        kind = "vpc-lattice:ServiceNetworkResourceAssociation" if plan.association_id else "ec2:VpcEndpoint"
        message = f"{plan.resource_configuration_arn} has {count} ports; at most {MAX_PORTS} can be carried: narrow its port ranges"
        return RenderedTcp((), *elsewhere, (Problem(kind, plan.association_id or plan.vpc_endpoint_id, message),))
    ports = sorted({port for first, last in plan.ports for port in range(first, last + 1)})
    return RenderedTcp(tuple(_listener(plan, f"{plan.name}:{port}", port, paths) for port in ports), *elsewhere)


def _listener(plan: TcpListener, name: str, port: int, paths: EnvoyPaths) -> Document:
    """With `capture_port`, connections keep the address and port they were made to: a transparent socket."""
    document: Document = {
        "name": name,
        "address": socket_address(plan.address, port, paths.namespace(plan.namespace)),
        **_chains(plan, port, paths),
    }
    if plan.capture_port:
        original = any_of("envoy.extensions.filters.listener.original_dst.v3.OriginalDst")
        document |= {"transparent": True, "listener_filters": [{"name": "original-destination", "typed_config": original}]}
    return document


def _chains(plan: TcpListener, port: int, paths: EnvoyPaths) -> Document:
    """One for all connections; in audit mode one for each decision, which its log lines tell."""
    if not plan.audited:
        return {"filter_chains": [_chain(plan, None, paths)]}
    *known, others = [item for item in plan.audited if plan.capture_port or item.port in (0, port)]
    chains = []
    for item in known:
        match: Document = {"source_prefix_ranges": [{"address_prefix": address, "prefix_len": ip_address(address).max_prefixlen} for address in item.addresses]}
        if plan.capture_port and item.port:
            match["destination_port"] = item.port
        chains.append({"filter_chain_match": match, **_chain(plan, item, paths)})
    return {"filter_chains": chains, "default_filter_chain": _chain(plan, others, paths)}


def _chain(plan: TcpListener, decision: TcpDecision | None, paths: EnvoyPaths) -> Document:
    return {"filters": [_discovered_destination(plan), _proxy(plan, decision, paths)]}


def _discovered_destination(plan: TcpListener) -> Document:
    source = {"ads": {}, "resource_api_version": "V3"}
    return {"name": plan.resource_configuration_arn, "config_discovery": {"config_source": source, "type_urls": [f"type.googleapis.com/{_DESTINATION}"]}}


def _proxy(plan: TcpListener, decision: TcpDecision | None, paths: EnvoyPaths) -> Document:
    config = any_of(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="resource",
        weighted_clusters={"clusters": [{"name": source_cluster(plan, source), "weight": 1} for source in plan.sources]},
        idle_timeout=seconds(plan.idle_timeout),
        access_log=[tcp_access_log(plan, decision, paths.access_log)],
        access_log_options={"flush_access_log_on_connected": True},
    )
    return {"name": "tcp", "typed_config": config}


# -- where connections go --------------------------------------------------------------------------------------------------------------------


def _destination(plan: TcpListener) -> Document:
    """Where connections to a resource configuration go, in all VPCs and on all ports. Without it they would go to the address they were made to, inside
    the resource's VPC: so there is one also while the resource has no address."""
    text = f"{_each_in_turn(plan.targets or (NOWHERE,))}:%DOWNSTREAM_LOCAL_PORT%"
    value = {"object_key": "envoy.network.transport_socket.original_dst_address", "format_string": {"text_format_source": {"inline_string": text}}}
    return {"name": plan.resource_configuration_arn, "typed_config": any_of(_DESTINATION, on_new_connection=[value])}


def _each_in_turn(targets: tuple[str, ...]) -> str:
    """One of the addresses. Envoy numbers connections, and one that is carried takes two numbers."""
    written = [f"[{target}]" if ip_address(target).version == 6 else str(ip_address(target)) for target in targets]
    if len(written) == 1:
        return written[0]
    choices = ",".join(f"'{target}'" for target in written)
    return f"%CEL([{choices}][int(connection.id / 2u % {len(written)}u)])%"


# -- where connections come from -------------------------------------------------------------------------------------------------------------


def source_cluster(plan: TcpListener, source: str) -> str:
    return f"{plan.gateway_id}/{source}"


def _clusters(plan: TcpListener, paths: EnvoyPaths) -> tuple[Document, ...]:
    """One for each address of the resource gateway: connections leave from it to wherever their destination is."""
    return tuple(
        {
            "name": source_cluster(plan, source),
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            **connection_options(CONNECT_TIMEOUT, source, paths.namespace(plan.upstream_namespace)),
        }
        for source in plan.sources
    )
