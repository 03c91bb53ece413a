"""The service network as Envoy's configuration will say it ("Listeners for your VPC Lattice service", "Target groups in VPC Lattice")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from latticewall.base.ids import namespace
from latticewall.base.lattice_headers import is_ours_to_say
from latticewall.base.memo import Memo
from latticewall.compile import addresses
from latticewall.compile.entrances import Entrance, endpoint_name, entrances, host_names
from latticewall.compile.functions import SOCKET
from latticewall.compile.health_checks import status_ranges
from latticewall.compile.https import HttpsPlan, compile_https
from latticewall.compile.index import Index
from latticewall.compile.load_balancers import balancer_certificates, compile_balancers
from latticewall.compile.resource_doors import ResourceDoor, resource_doors
from latticewall.compile.resources import Leaf, Resources
from latticewall.compile.service_network import ServiceNetworkGates, capture_port
from latticewall.compile.tls_passthrough import compile_tls
from latticewall.compile.units import Units
from latticewall.plan.https import Certificate
from latticewall.plan.load_balancers import BalancerSocket
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
from latticewall.plan.tls_passthrough import TlsListener
from latticewall.world.types import LatticeRule, Listener, Service, ServiceAssociation, ServiceNetwork, TargetGroup


def compile_proxy(units: Units) -> tuple[ProxyPlan, list[Problem]]:
    """Listening sockets in client VPCs, clusters in target VPCs."""
    memo, groups = units.memo, units.follow(_target_groups)
    tls, tls_problems = memo.kept(compile_tls, units.follow(compile_tls))
    tcp, tcp_problems = units.follow(_tcp_listeners)
    https = memo.kept(HttpsPlan, units.follow(compile_https, tls))
    joined = memo.map(_Joined, *units.follow(_memberships))
    http = memo.once(_http_listeners, memo, units.follow(_region), units.follow(_entrances), joined, groups, https)
    used = memo.once(_used, http, tls)
    sockets, balanced, shown = units.follow(_balancers)
    clusters = [cluster for group, cluster in zip(groups, memo.map(_cluster, groups), strict=True) if group.id in used]
    plan = ProxyPlan(
        http_listeners=http,
        tcp_listeners=tcp,
        clusters=memo.steady(_cluster, {0: tuple(sorted([*clusters, *balanced], key=lambda cluster: cluster.name))})[0],
        tls_listeners=tls,
        certificates=tuple(sorted([*https.certificates, *shown])),
        balancer_sockets=sockets,
    )
    return plan, [*tls_problems, *https.problems, *tcp_problems]


def _region(index: Index, _: ServiceNetworkGates) -> str:
    return index.world.region


def _target_groups(index: Index, _: ServiceNetworkGates) -> tuple[TargetGroup, ...]:
    return index.world.target_groups


def _balancers(index: Index, _: ServiceNetworkGates) -> tuple[tuple[BalancerSocket, ...], tuple[Cluster, ...], tuple[Certificate, ...]]:
    sockets, clusters = compile_balancers(index)
    return tuple(sorted(sockets, key=lambda socket: socket.name)), tuple(clusters), tuple(balancer_certificates(index))


def _entrances(index: Index, gates: ServiceNetworkGates) -> tuple[Entrance, ...]:
    return tuple(entrances(index, gates))


@dataclass(frozen=True)
class _Joined:
    """A listener of a service in a service network."""

    network: ServiceNetwork
    association: ServiceAssociation
    service: Service
    listener: Listener


_Columns = tuple[tuple[ServiceNetwork, ...], tuple[ServiceAssociation, ...], tuple[Service, ...], tuple[Listener, ...]]


def _memberships(_: Index, gates: ServiceNetworkGates) -> _Columns:
    """The HTTP and HTTPS listeners of all service networks, as columns."""
    found = [
        (gates.networks[network], *item) for network, by_protocol in gates.listeners_of.items() if network in gates.networks
        for protocol in ("HTTP", "HTTPS") for item in by_protocol.get(protocol, ())
    ]  # fmt: skip
    networks, associations, services, listeners = zip(*found, strict=True) if found else ((), (), (), ())
    return networks, associations, services, listeners


def _used(http: tuple[HttpListener, ...], tls: tuple[TlsListener, ...]) -> frozenset[str]:
    """Names of the clusters that somebody sends to."""
    hosts = {id(listener.virtual_hosts): listener.virtual_hosts for listener in http}
    found = {cluster for own in hosts.values() for host in own for route in host.routes for cluster, _ in route.clusters}
    return frozenset(found | {cluster for listener in tls for service in listener.services for cluster, _ in service.clusters})


def _http_listeners(
    memo: Memo, region: str, ways: tuple[Entrance, ...], joined: tuple[_Joined, ...], groups: tuple[TargetGroup, ...], https: HttpsPlan
) -> tuple[HttpListener, ...]:
    """One for each entrance and port. What is there is the same at all associations of a service network, and made once; an endpoint adds names, the same for
    both families."""
    hosts = _virtual_hosts(memo, joined, groups)
    by_place: dict[tuple[str, str, int], list[tuple[_Joined, VirtualHost]]] = defaultdict(list)
    for item, host in zip(joined, hosts, strict=True):
        by_place[item.network.id, item.listener.protocol.lower(), item.listener.port].append((item, host))
    shared = memo.steady(_http_listeners, {place: tuple(host for _, host in found) for place, found in by_place.items()})
    sockets: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for network, protocol, port in sorted(shared):
        sockets[network].append((protocol, port))
    found = {}
    named: dict[tuple[str, str, int], tuple[VirtualHost, ...]] = {}
    for way in ways:
        for protocol, port in sockets.get(way.network.id, ()):
            place, here = (way.network.id, protocol, port), (way.endpoint_id, protocol, port)
            if way.endpoint_id and here not in named:
                named[here] = _named_there(region, way, by_place[place])
            found[way.key, protocol, port] = HttpListener(
                name=f"{protocol}-{way.key}-{port}", namespace=way.namespace, address=way.address, port=port, vpc_id=way.vpc.id, vpc_arn=way.vpc.arn,
                vpc_owner=way.vpc.account, vpc_endpoint_id=way.endpoint_id,
                virtual_hosts=named[here] if way.endpoint_id else shared[place],
                routes=f"{protocol}-{way.endpoint_id or way.network.id}-{port}",
                server_names=https.server_names[way.key, port] if protocol == "https" else (),
            )  # fmt: skip
    return tuple(sorted(memo.steady(HttpListener, found).values(), key=lambda listener: listener.name))


def _named_there(region: str, way: Entrance, found: list[tuple[_Joined, VirtualHost]]) -> tuple[VirtualHost, ...]:
    return tuple(replace(host, domains=(*host.domains, endpoint_name(region, way, item.association))) for item, host in found)


def _virtual_hosts(memo: Memo, joined: tuple[_Joined, ...], groups: tuple[TargetGroup, ...]) -> tuple[VirtualHost, ...]:
    known = memo.once(_by_name, groups)
    named = memo.map(_named_groups, [item.listener for item in joined])
    keys = [(item.network.id, item.listener.id) for item in joined]
    meant = memo.steady(_meant, dict(zip(keys, memo.map(_meant, named, [known] * len(named)), strict=True)))
    hosts = memo.map(_virtual_host, joined, meant.values())
    return tuple(memo.steady(_virtual_host, dict(zip(keys, hosts, strict=True))).values())


def _by_name(groups: tuple[TargetGroup, ...]) -> dict[str, TargetGroup]:
    """Target groups as rules may name them."""
    return {key: group for group in groups for key in (group.id, group.arn)}


def _meant(names: tuple[str, ...], known: Mapping[str, TargetGroup]) -> tuple[TargetGroup, ...]:
    return tuple(known[name] for name in names if name in known)


def _named_groups(listener: Listener) -> tuple[str, ...]:
    """The target groups that its rules forward to, as they name them."""
    forwards = (rule.action.get("forward") or {} for rule in listener.rules)
    return tuple(dict.fromkeys(item["targetGroupIdentifier"] for forward in forwards for item in forward.get("targetGroups") or ()))


def _virtual_host(joined: _Joined, groups: tuple[TargetGroup, ...]) -> VirtualHost:
    network, service, listener, by_name = joined.network, joined.service, joined.listener, _by_name(groups)
    return VirtualHost(
        service_arn=service.arn, service_id=service.id, service_network_arn=network.arn, listener_id=listener.id, domains=host_names(service),
        routes=tuple(_route(rule, by_name, listener.protocol) for rule in listener.rules if _can_match(rule)),
        authorize="AWS_IAM" in (network.auth_type, service.auth_type), idle_timeout=service.idle_timeout,
    )  # fmt: skip


def _can_match(rule: LatticeRule) -> bool:
    """A rule is about what the client sent. Headers that are taken from it never match, although by then the listener has set its own in their place."""
    return not any(is_ours_to_say(header["name"]) for header in (rule.match.get("httpMatch") or {}).get("headerMatches") or ())


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
    source = addresses.embedded(addresses.LATTICE_UPSTREAM) if group.is_ipv6 else addresses.LATTICE_UPSTREAM
    return Cluster(
        name=group.id, namespace=namespace("vpc", group.vpc_id), bind=str(source), endpoints=tuple(endpoints),
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


def _tcp_listeners(index: Index, gates: ServiceNetworkGates) -> tuple[tuple[TcpListener, ...], tuple[Problem, ...]]:
    resources = Resources(index, gates)
    doors = ((door, resources.leaf(door.configuration.id)) for door in resource_doors(index, gates))
    listeners = sorted((_tcp_listener(door, leaf) for door, leaf in doors if leaf is not None), key=lambda listener: listener.name)
    return tuple(listeners), tuple(resources.problems())


def _tcp_listener(door: ResourceDoor, leaf: Leaf) -> TcpListener:
    return TcpListener(
        name=f"tcp-{door.key}", namespace=door.namespace, address=str(door.address), ports=leaf.ports, vpc_id=door.vpc.id,
        vpc_arn=door.vpc.arn, resource_configuration_arn=leaf.configuration.arn, association_id=door.association_id,
        service_network_arn=door.network.arn if door.network else "", upstream_namespace=namespace("rgw", leaf.gateway.id),
        gateway_id=leaf.gateway.id, sources=leaf.sources, targets=leaf.targets, capture_port=capture_port(leaf.configuration),
        vpc_endpoint_id=door.endpoint_id, group_arn=leaf.configuration.group_arn,
    )  # fmt: skip
