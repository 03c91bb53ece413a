"""The service network as Envoy's configuration will say it ("Listeners for your VPC Lattice service", "Target groups in VPC Lattice")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

from latticewall.base.ids import namespace
from latticewall.base.lattice_headers import is_ours_to_say
from latticewall.base.memo import Memo
from latticewall.compile import addresses
from latticewall.compile.connect import audited
from latticewall.compile.entrances import Entrance, endpoint_name, entrances, host_names
from latticewall.compile.functions import SOCKET
from latticewall.compile.health_checks import status_ranges
from latticewall.compile.https import HttpsPlan, compile_https
from latticewall.compile.index import Index
from latticewall.compile.load_balancers import balancer_certificates, compile_balancers
from latticewall.compile.resource_doors import ResourceDoor, resource_doors
from latticewall.compile.resources import Leaf, Resources
from latticewall.compile.service_network import JoinedListener, ServiceNetworkGates, capture_port
from latticewall.compile.tls_passthrough import compile_tls
from latticewall.compile.units import Units
from latticewall.plan.health_checkers import HealthChecker
from latticewall.plan.https import Certificate, ServerNames
from latticewall.plan.load_balancers import BalancerSocket
from latticewall.plan.node import Problem
from latticewall.plan.proxy import (
    Cluster,
    Endpoint,
    HeaderMatch,
    HealthCheck,
    HttpListener,
    HttpRoute,
    HttpServices,
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
    members = units.follow(_memberships)
    parts = memo.parts(_Joined, [(network.id, protocol) for network, protocol, _ in members]).values()
    found = [part.map(_in_network, listeners, given=(network,)) for part, (network, _, listeners) in zip(parts, members, strict=True)]
    joined = memo.joined(_Joined, *found)
    hosts = memo.once(_virtual_hosts, memo, joined, groups)
    ways = memo.steady_items(Entrance, attrgetter("key"), units.follow(_entrances))
    names = memo.steady(ServerNames, https.server_names)
    places = memo.map(_place_of, joined)
    sockets, balanced, checkers, shown = units.follow(_balancers)
    plan = ProxyPlan(
        http_listeners=memo.steady_items(HttpListener, attrgetter("name"), memo.once(_http_listeners, ways, _longest_silence(memo, places, hosts), names)),
        http_services=memo.once(_services, memo, units.follow(_region), ways, places, joined, hosts),
        tcp_listeners=tcp,
        clusters=memo.once(_clusters, memo, groups, hosts, ways, tls, balanced),
        tls_listeners=tls,
        certificates=tuple(sorted([*https.certificates, *shown])),
        balancer_sockets=sockets,
        health_checkers=checkers,
    )
    return plan, [*tls_problems, *https.problems, *tcp_problems]


def _region(index: Index, _: ServiceNetworkGates) -> str:
    return index.world.region


def _target_groups(index: Index, _: ServiceNetworkGates) -> tuple[TargetGroup, ...]:
    return index.world.target_groups


_Balancers = tuple[tuple[BalancerSocket, ...], tuple[Cluster, ...], tuple[HealthChecker, ...], tuple[Certificate, ...]]


def _balancers(index: Index, _: ServiceNetworkGates) -> _Balancers:
    sockets, clusters, checkers = compile_balancers(index)
    named = attrgetter("name")
    return tuple(sorted(sockets, key=named)), tuple(clusters), tuple(sorted(checkers, key=named)), tuple(balancer_certificates(index))


def _entrances(index: Index, gates: ServiceNetworkGates) -> tuple[Entrance, ...]:
    return tuple(entrances(index, gates))


@dataclass(frozen=True)
class _Joined:
    """A listener of a service in a service network."""

    network: ServiceNetwork
    joined: JoinedListener

    @property
    def association(self) -> ServiceAssociation:
        return self.joined[0]

    @property
    def service(self) -> Service:
        return self.joined[1]

    @property
    def listener(self) -> Listener:
        return self.joined[2]

    @property
    def place(self) -> _Place:
        return self.network.id, self.listener.protocol.lower(), self.listener.port

    @property
    def key(self) -> tuple[str, str]:
        return self.network.id, self.listener.id


_Place = tuple[str, str, int]
"""Service network, scheme and port."""


def _in_network(joined: JoinedListener, network: ServiceNetwork) -> _Joined:
    return _Joined(network, joined)


def _memberships(_: Index, gates: ServiceNetworkGates) -> tuple[tuple[ServiceNetwork, str, tuple[JoinedListener, ...]], ...]:
    """The listeners of each service network for HTTP, and those for HTTPS."""
    return tuple(
        (gates.networks[network], protocol, by_protocol[protocol]) for network, by_protocol in sorted(gates.listeners_of.items()) if network in gates.networks
        for protocol in ("HTTP", "HTTPS") if protocol in by_protocol
    )  # fmt: skip


def _clusters(
    memo: Memo, groups: tuple[TargetGroup, ...], hosts: tuple[VirtualHost, ...], ways: tuple[Entrance, ...], tls: tuple[TlsListener, ...],
    balanced: tuple[Cluster, ...],
) -> tuple[Cluster, ...]:  # fmt: skip
    """Those that somebody sends to. A service network that nobody can enter sends nothing."""
    entered = memo.kept(_sends_to, {way.network.arn for way in ways})
    passed_on = memo.kept(TlsListener, tuple(cluster for listener in tls for service in listener.services for cluster, _ in service.clusters))
    wanted = memo.joined(_sends_to, memo.flat(_sends_to, memo.map(_sends_to, hosts, given=(entered,))), passed_on)
    times = memo.values_of(_sends_to, memo.map(_id_of, groups), memo.counts(_sends_to, wanted), 0)
    found = memo.filtered(_clusters, memo.map(_cluster, groups), memo.map(bool, times))
    return memo.ordered(_clusters, _name_of, memo.joined(_clusters, found, balanced)) if balanced else found


def _sends_to(host: VirtualHost, entered: Set[str]) -> tuple[str, ...]:
    return tuple(cluster for route in host.routes for cluster, _ in route.clusters) if host.service_network_arn in entered else ()


def _services(
    memo: Memo, region: str, ways: tuple[Entrance, ...], places: tuple[_Place, ...], joined: tuple[_Joined, ...], hosts: tuple[VirtualHost, ...]
) -> tuple[HttpServices, ...]:
    """What is there is the same at all associations of a service network; an endpoint adds names, the same for both families. places: of each host."""
    hosts_at, joined_at = memo.grouped(_virtual_host, places, hosts), memo.grouped(_Joined, places, joined)
    found = []
    for (endpoint_id, place), part in memo.parts(HttpServices, _led_to(ways, hosts_at)).items():
        way = next(way for way in ways if way.endpoint_id == endpoint_id) if endpoint_id else None
        here = part.map(_named, joined_at[place], hosts_at[place], given=(way, region)) if way else hosts_at[place]
        _, scheme, port = place
        found.append(part.kept(HttpServices, HttpServices(_services_name(endpoint_id, place), port, scheme, here)))
    return tuple(sorted(found, key=attrgetter("name")))


def _led_to(ways: tuple[Entrance, ...], places: Iterable[_Place]) -> list[tuple[str, _Place]]:
    """Where clients come in: at a network's associations ("") or at an endpoint, and what they find there."""
    entered = dict.fromkeys((way.endpoint_id, way.network.id) for way in ways)
    return [(endpoint_id, place) for endpoint_id, network_id in entered for place in sorted(places) if place[0] == network_id]


def _services_name(endpoint_id: str, place: _Place) -> str:
    network_id, scheme, port = place
    return f"{scheme}-{endpoint_id or network_id}-{port}"


def _longest_silence(memo: Memo, places: tuple[_Place, ...], hosts: tuple[VirtualHost, ...]) -> Mapping[_Place, int]:
    """That a service allows, in seconds, by place."""
    allowed = memo.counts(_longest_silence, memo.map(_with_silence, places, hosts))
    return memo.kept(_longest_silence, dict(sorted(allowed)))  # the longest of a place comes last


def _with_silence(place: _Place, host: VirtualHost) -> tuple[_Place, int]:
    return place, host.idle_timeout


def _http_listeners(
    ways: tuple[Entrance, ...], silence: Mapping[_Place, int], server_names: Mapping[tuple[str, int], tuple[ServerNames, ...]]
) -> tuple[HttpListener, ...]:
    """One for each entrance and port: of services they know where they are, and what silence these allow."""
    found = (_http_listener(way, place, silence[place], server_names) for way in ways for place in silence if place[0] == way.network.id)
    return tuple(sorted(found, key=attrgetter("name")))


def _http_listener(way: Entrance, place: _Place, silence: int, server_names: Mapping[tuple[str, int], tuple[ServerNames, ...]]) -> HttpListener:
    _, scheme, port = place
    return HttpListener(
        name=f"{scheme}-{way.key}-{port}", namespace=way.namespace, address=way.address, port=port, vpc_id=way.vpc.id, vpc_arn=way.vpc.arn,
        services=_services_name(way.endpoint_id, place), vpc_owner=way.vpc.account, vpc_endpoint_id=way.endpoint_id, idle_timeout=silence,
        server_names=server_names[way.key, port] if scheme == "https" else (),
    )  # fmt: skip


def _named(joined: _Joined, host: VirtualHost, way: Entrance, region: str) -> VirtualHost:
    return replace(host, domains=(*host.domains, endpoint_name(region, way, joined.association)))


def _virtual_hosts(memo: Memo, joined: tuple[_Joined, ...], groups: tuple[TargetGroup, ...]) -> tuple[VirtualHost, ...]:
    """Of each member."""
    known = memo.once(_by_name, memo, memo.steady_items(_Group, _arn_of, memo.map(_group, groups)))
    named = memo.map(_named_groups, joined)
    hosts = memo.map(_virtual_host, joined, memo.look_up(_Group, named, known))
    return memo.steady_items(_virtual_host, attrgetter("service_network_arn", "listener_id"), hosts)


class _Group(NamedTuple):
    """What routes have to know of a target group."""

    id: str
    arn: str
    vpc: str
    version: str


def _group(group: TargetGroup) -> _Group:
    return _Group(group.id, group.arn, group.vpc_id, group.protocol_version or "HTTP1")


def _by_name(memo: Memo, groups: tuple[_Group, ...]) -> Mapping[str, _Group]:
    """Target groups as rules may name them."""
    names = memo.joined(_by_name, memo.map(_id_of, groups, of=_Group), memo.map(_arn_of, groups, of=_Group))
    return memo.index(_by_name, names, memo.joined(_Group, groups, groups))


_id_of, _arn_of, _name_of, _place_of = attrgetter("id"), attrgetter("arn"), attrgetter("name"), attrgetter("place")


def _named_groups(joined: _Joined) -> tuple[str, ...]:
    """The target groups that its rules forward to, as they name them."""
    forwards = (rule.action.get("forward") or {} for rule in joined.listener.rules)
    return tuple(dict.fromkeys(item["targetGroupIdentifier"] for forward in forwards for item in forward.get("targetGroups") or ()))


def _virtual_host(joined: _Joined, groups: tuple[_Group, ...]) -> VirtualHost:
    network, service, listener = joined.network, joined.service, joined.listener
    by_name = {name: group for group in groups for name in (group.id, group.arn)}
    return VirtualHost(
        service_arn=service.arn, service_id=service.id, service_network_arn=network.arn, listener_id=listener.id, domains=host_names(service),
        routes=tuple(_route(rule, by_name) for rule in listener.rules if _can_match(rule)),
        authorize="AWS_IAM" in (network.auth_type, service.auth_type), idle_timeout=service.idle_timeout,
    )  # fmt: skip


def _can_match(rule: LatticeRule) -> bool:
    """A rule is about what the client sent. Headers that are taken from it never match, although by then the listener has set its own in their place."""
    return not any(is_ours_to_say(header["name"]) for header in (rule.match.get("httpMatch") or {}).get("headerMatches") or ())


def _route(rule: LatticeRule, groups: dict[str, _Group]) -> HttpRoute:
    match = _route_match(rule.match.get("httpMatch") or {})
    if "fixedResponse" in rule.action:
        return HttpRoute(match, rule.id, fixed_status=rule.action["fixedResponse"]["statusCode"])
    forwards = [
        (groups[item["targetGroupIdentifier"]], int(item.get("weight", 100)))
        for item in rule.action["forward"]["targetGroups"]
        if item["targetGroupIdentifier"] in groups
    ]
    return HttpRoute(
        match, rule.id, clusters=tuple((group.id, weight) for group, weight in forwards),
        target_groups=tuple((group.id, group.arn, group.vpc) for group, _ in forwards),
        versions=tuple(group.version for group, _ in forwards),
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
    listeners = sorted((_tcp_listener(index, door, leaf) for door, leaf in doors if leaf is not None), key=lambda listener: listener.name)
    return tuple(listeners), tuple(resources.problems())


def _tcp_listener(index: Index, door: ResourceDoor, leaf: Leaf) -> TcpListener:
    return TcpListener(
        name=f"tcp-{door.key}", namespace=door.namespace, address=str(door.address), ports=leaf.ports, vpc_id=door.vpc.id,
        vpc_arn=door.vpc.arn, resource_configuration_arn=leaf.configuration.arn, association_id=door.association_id,
        service_network_arn=door.network.arn if door.network else "", upstream_namespace=namespace("rgw", leaf.gateway.id),
        gateway_id=leaf.gateway.id, sources=leaf.sources, targets=leaf.targets, capture_port=capture_port(leaf.configuration),
        vpc_endpoint_id=door.endpoint_id, group_arn=leaf.configuration.group_arn, audited=audited(index, door.vpc.id, door.network, leaf.configuration),
    )  # fmt: skip
