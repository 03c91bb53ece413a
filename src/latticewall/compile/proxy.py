"""The service network as Envoy's configuration will say it ("Listeners for your VPC Lattice service", "Target groups in VPC Lattice")."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from latticewall.base.ids import namespace
from latticewall.compile import addresses
from latticewall.compile.entrances import Entrance, entrances, host_names, listeners_at
from latticewall.compile.functions import SOCKET
from latticewall.compile.health_checks import status_ranges
from latticewall.compile.https import Https
from latticewall.compile.index import Index
from latticewall.compile.load_balancers import compile_balancers
from latticewall.compile.resource_doors import ResourceDoor, resource_doors
from latticewall.compile.resources import Leaf, Resources
from latticewall.compile.service_network import ServiceNetworkGates, capture_port
from latticewall.compile.tls_passthrough import compile_tls
from latticewall.plan.node import Problem
from latticewall.plan.proxy import (
    Cluster,
    Endpoint,
    HeaderMatch,
    HealthCheck,
    HttpListener,
    HttpRoute,
    ProxyPlan,
    RouteMatch,
    TcpListener,
    VirtualHost,
)
from latticewall.world.types import LatticeRule, Listener, Service, ServiceNetwork, TargetGroup


def compile_proxy(index: Index, gates: ServiceNetworkGates) -> tuple[ProxyPlan, list[Problem]]:
    """Listening sockets in client VPCs, clusters in target VPCs."""
    tls, problems = compile_tls(index, gates)
    groups = {key: group for group in index.world.target_groups for key in (group.id, group.arn)}
    https = Https(index, gates, tls)
    http = [listener for entrance in entrances(index, gates) for listener in _http_listeners(index, gates, entrance, groups, https)]
    problems += https.problems
    tcp: list[TcpListener] = []
    resources = Resources(index, gates)
    problems += resources.problems()
    for door in resource_doors(index, gates):
        leaf = resources.leaf(door.configuration.id)
        if leaf is not None:
            tcp.append(_tcp_listener(door, leaf))
    used = {cluster for listener in http for host in listener.virtual_hosts for route in host.routes for cluster, _ in route.clusters}
    used |= {cluster for listener in tls for service in listener.services for cluster, _ in service.clusters}
    clusters = [_cluster(group) for group in index.world.target_groups if group.id in used]
    sockets, balanced = compile_balancers(index)
    plan = ProxyPlan(
        http_listeners=tuple(sorted(http, key=lambda listener: listener.name)),
        tcp_listeners=tuple(sorted(tcp, key=lambda listener: listener.name)),
        clusters=tuple(sorted([*clusters, *balanced], key=lambda cluster: cluster.name)),
        tls_listeners=tuple(sorted(tls, key=lambda listener: listener.name)),
        certificates=https.certificates(http),
        balancer_sockets=tuple(sorted(sockets, key=lambda socket: socket.name)),
    )
    return plan, problems


def _http_listeners(
    index: Index, gates: ServiceNetworkGates, entrance: Entrance, groups: dict[str, TargetGroup], https: Https
) -> list[HttpListener]:
    by_socket: dict[tuple[str, int], list[VirtualHost]] = defaultdict(list)
    for association, service, listener in listeners_at(gates, entrance, "HTTP", "HTTPS"):
        names = host_names(index, entrance, association, service)
        by_socket[listener.protocol.lower(), listener.port].append(_virtual_host(entrance.network, service, listener, names, groups))
    return [
        HttpListener(
            name=f"{protocol}-{entrance.key}-{port}", namespace=entrance.namespace, address=entrance.address, port=port, vpc_id=entrance.vpc.id,
            vpc_arn=entrance.vpc.arn, vpc_owner=entrance.vpc.account, virtual_hosts=tuple(found), vpc_endpoint_id=entrance.endpoint_id,
            routes="" if entrance.endpoint_id else f"{protocol}-{entrance.network.id}-{port}",
            server_names=https.server_names(entrance, port) if protocol == "https" else (),
        )
        for (protocol, port), found in sorted(by_socket.items())
    ]  # fmt: skip


def _virtual_host(network: ServiceNetwork, service: Service, listener: Listener, names: tuple[str, ...], groups: dict[str, TargetGroup]) -> VirtualHost:
    return VirtualHost(
        service_arn=service.arn, service_id=service.id, service_network_arn=network.arn, listener_id=listener.id, domains=names,
        routes=tuple(_route(rule, groups, listener.protocol) for rule in listener.rules), authorize="AWS_IAM" in (network.auth_type, service.auth_type),
        idle_timeout=service.idle_timeout,
    )  # fmt: skip


def _route(rule: LatticeRule, groups: dict[str, TargetGroup], protocol: str) -> HttpRoute:
    match = _route_match(rule.match.get("httpMatch") or {})
    if "fixedResponse" in rule.action:
        return HttpRoute(match, rule.id, fixed_status=rule.action["fixedResponse"]["statusCode"])
    forwards = [
        (groups[item["targetGroupIdentifier"]], int(item.get("weight", 100)))
        for item in rule.action["forward"]["targetGroups"]
        if item["targetGroupIdentifier"] in groups
    ]
    return HttpRoute(
        match, rule.id, clusters=tuple((group.id, weight) for group, weight in forwards), target_groups=tuple((group.id, group.arn) for group, _ in forwards),
        versions=tuple(group.protocol_version or "HTTP1" for group, _ in forwards) if protocol == "HTTPS" else (),
    )  # fmt: skip


def _route_match(match: dict[str, Any]) -> RouteMatch:
    path = match.get("pathMatch") or {}
    mode, text = next(iter((path.get("match") or {"any": "/"}).items()))
    headers = []
    for header in match.get("headerMatches") or ():
        header_mode, value = next(iter(header["match"].items()))
        headers.append(HeaderMatch(header["name"].lower(), value, header_mode, bool(header.get("caseSensitive", False))))
    return RouteMatch(text, mode, bool(path.get("caseSensitive", True)), match.get("method", ""), tuple(headers))


def _cluster(group: TargetGroup) -> Cluster:
    if group.type == "LAMBDA":
        return Cluster(name=group.id, namespace="", bind="", endpoints=(), arn=group.arn, socket=SOCKET if group.targets else "")
    endpoints = sorted(Endpoint(str(target.address), target.port) for target in group.targets if target.address is not None)
    return Cluster(
        name=group.id, namespace=namespace("vpc", group.vpc_id), bind=str(addresses.LATTICE_UPSTREAM), endpoints=tuple(endpoints),
        protocol="TCP" if group.protocol == "TCP" else group.protocol_version or "HTTP1", tls=group.protocol == "HTTPS",
        health_check=_health_check(group), arn=group.arn,
    )  # fmt: skip


def _health_check(group: TargetGroup) -> HealthCheck | None:
    check = group.health_check
    if not check.get("enabled"):
        return None
    return HealthCheck(
        path=check.get("path") or "/", interval=check["healthCheckIntervalSeconds"], timeout=check["healthCheckTimeoutSeconds"],
        healthy=check["healthyThresholdCount"], unhealthy=check["unhealthyThresholdCount"], port=check.get("port") or 0,
        codes=status_ranges((check.get("matcher") or {}).get("httpCode", "200")), protocol=check.get("protocol", "HTTP"),
        version=check.get("protocolVersion", "HTTP1"),
    )  # fmt: skip


def _tcp_listener(door: ResourceDoor, leaf: Leaf) -> TcpListener:
    return TcpListener(
        name=f"tcp-{door.key}", namespace=door.namespace, address=str(door.address), ports=leaf.ports, vpc_id=door.vpc.id,
        vpc_arn=door.vpc.arn, resource_configuration_arn=leaf.configuration.arn, association_id=door.association_id,
        service_network_arn=door.network.arn if door.network else "", upstream_namespace=namespace("vpc", leaf.gateway.vpc_id),
        gateway_id=leaf.gateway.id, sources=leaf.sources, targets=leaf.targets, capture_port=capture_port(leaf.configuration),
        vpc_endpoint_id=door.endpoint_id, group_arn=leaf.configuration.group_arn,
    )  # fmt: skip
