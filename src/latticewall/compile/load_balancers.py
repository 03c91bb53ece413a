"""Application Load Balancers: a namespace each, with an interface per subnet on the VPC's routed paths ("How Application Load Balancers work").

Like an instance a load balancer is behind its interfaces' security groups, its subnets' network ACLs and whatever their route tables say: for clients that
come to it, and for what it opens to targets. Every node (one per subnet) receives at its own address, sends from it, and checks targets for itself, as on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from latticewall.compile import addresses, ipv6
from latticewall.compile.certificate_choice import certificate_name, certificates_of, choices
from latticewall.compile.health_checkers import health_check, health_checker, source_address
from latticewall.compile.index import BalancerInterface, Index
from latticewall.compile.stickiness import stickiness
from latticewall.compile.vpc import ESTABLISHED, ROUTER_SYSCTLS
from latticewall.compile.vpc_endpoints import ways_out
from latticewall.plan.health_checkers import HealthChecker
from latticewall.plan.https import Certificate
from latticewall.plan.load_balancers import BalancerRoute, BalancerSocket, Condition, FixedResponse, Redirect
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.proxy import Cluster, Endpoint
from latticewall.plan.topology import Address, End, Link, Namespace
from latticewall.world.types import LoadBalancer, LoadBalancerListener, LoadBalancerNode, LoadBalancerRule, LoadBalancerTargetGroup, ServerCertificate

CONNECT_SECONDS = 10
"""How long a load balancer tries to connect to a target ("HTTP 504: Gateway timeout")."""


def compile_load_balancer(index: Index, balancer: LoadBalancer) -> tuple[Namespace, list[Link]] | None:
    """The load balancer's namespace and its links to the VPC's router; None while it has no interface."""
    interfaces = [item for item in index.balancer_interfaces_of.get(balancer.vpc_id, []) if item.balancer.id == balancer.id]
    if not interfaces or balancer.vpc_id not in index.vpcs:
        return None
    name = interfaces[0].balancer_namespace
    ends = [(item, item.balancer_device) for item in interfaces]
    links = [Link(End(balancer.vpc_id, item.router_device), End(name, device), addresses.VPC_MTU, item.interface.id) for item, device in ends]
    routes, rules = ways_out(ends)
    own = [Address(device, f"{address}/32") for item, device in ends for address in item.interface.addresses]
    own += [Address(device, f"{address}/128") for item, device in ends for address in item.interface.ipv6_addresses]
    dual = tuple(sorted(device for item, device in ends if item.interface.ipv6_addresses))
    sysctls = tuple(pair for pair in ROUTER_SYSCTLS if pair[0] != "ipv4/ip_forward")
    found = Namespace(
        name=name, kind="load-balancer", owner=balancer.arn, routes=tuple(routes), rules=tuple(sorted(rules)), addresses=tuple(sorted(own)),
        sysctls=ipv6.dual_stack(sysctls, routes=False) if dual else sysctls, ruleset=_ruleset(balancer, dual),
    )  # fmt: skip
    return found, links


def _ruleset(balancer: LoadBalancer, dual: tuple[str, ...]) -> Ruleset:
    """In: what is listened to, and pings. Who may come as far is decided on the way, by security groups and network ACLs. dual: devices with IPv6."""
    rules = [ESTABLISHED, NftRule((Match("iifname", ("lo",)),), "accept"), NftRule((Match("icmp type", ("8",)),), "accept")]
    rules += [*ipv6.neighbours(dual), NftRule((Match("icmpv6 type", ("128",)),), "accept")] if dual else []
    if ports := sorted({listener.port for listener in balancer.listeners}):
        rules.append(NftRule((Match("tcp dport", tuple(str(port) for port in ports)),), "accept", comment="listeners"))
    return Ruleset(chains=(Chain("input", tuple(rules), hook="input", policy="drop"),))


def compile_balancers(index: Index) -> tuple[list[BalancerSocket], list[Cluster], list[HealthChecker]]:
    """What Envoy listens to, sends to, and checks targets with, for all load balancers of a world."""
    groups = {group.arn: group for group in index.world.load_balancer_target_groups}
    known = {certificate.arn: certificate for certificate in index.world.certificates}
    sockets: list[BalancerSocket] = []
    clusters: list[Cluster] = []
    checked: dict[str, tuple[LoadBalancer, list[tuple[str, LoadBalancerNode, LoadBalancerTargetGroup]]]] = {}
    for interface in (item for items in index.balancer_interfaces_of.values() for item in items):
        balancer, node = interface.balancer, interface.node
        used: set[str] = set()
        for listener in balancer.listeners:
            sockets += _sockets(interface, listener, groups, known)
            used.update(arn for rule in listener.rules for arn, _ in _targets(rule) if arn in groups)
        clusters += [_cluster(interface.balancer_namespace, balancer, node, groups[arn]) for arn in sorted(used)]
        if used:
            own = checked.setdefault(interface.balancer_namespace, (balancer, []))[1]
            own += [(cluster_name(groups[arn], node), node, groups[arn]) for arn in used]
    return sockets, clusters, [health_checker(balancer, namespace, found) for namespace, (balancer, found) in checked.items()]


def cluster_name(group: LoadBalancerTargetGroup, node: LoadBalancerNode) -> str:
    """The name under which the health of a group's targets, as a node sees them, is asked for."""
    return f"{group.id}@{node.subnet_id}"


def _cluster(namespace: str, balancer: LoadBalancer, node: LoadBalancerNode, group: LoadBalancerTargetGroup) -> Cluster:
    endpoints = sorted({Endpoint(str(target.address), target.port) for target in group.targets if target.address is not None})
    idle = int(balancer.attributes["idle_timeout.timeout_seconds"])
    return Cluster(
        name=cluster_name(group, node), namespace=namespace, bind=str(source_address(group, node)), endpoints=tuple(endpoints), protocol=group.protocol_version,
        tls=group.protocol == "HTTPS", health_check=health_check(group), connect_timeout=CONNECT_SECONDS, idle_timeout=idle, arn=group.arn,
        algorithm=group.attributes["load_balancing.algorithm.type"], slow_start=int(group.attributes["slow_start.duration_seconds"]),
        load_balancer_id=balancer.id,
    )  # fmt: skip


def _sockets(
    interface: BalancerInterface, listener: LoadBalancerListener, groups: dict[str, LoadBalancerTargetGroup], known: dict[str, ServerCertificate]
) -> Iterator[BalancerSocket]:
    """One at each of the node's addresses; that of IPv6 comes and goes without the other one."""
    found = _socket(interface, listener, groups, known)
    yield found
    if interface.node.ipv6 is not None:
        yield replace(found, name=f"{found.name} ipv6", address=str(interface.node.ipv6), node=found.address)


def _socket(
    interface: BalancerInterface, listener: LoadBalancerListener, groups: dict[str, LoadBalancerTargetGroup], known: dict[str, ServerCertificate]
) -> BalancerSocket:
    balancer, node = interface.balancer, interface.node
    attributes = balancer.attributes
    http2 = listener.protocol == "HTTPS" and attributes["routing.http2.enabled"] == "true"
    return BalancerSocket(
        name=f"{listener.id}@{node.subnet_id}", namespace=interface.balancer_namespace, address=str(node.address), port=listener.port,
        load_balancer_id=balancer.id, routes=tuple(_route(rule, node, groups, http2=http2) for rule in listener.rules),
        idle_timeout=int(attributes["idle_timeout.timeout_seconds"]), keep_alive=int(attributes["client_keep_alive.seconds"]),
        x_forwarded_for=attributes["routing.http.xff_header_processing.mode"],
        drop_invalid_headers=attributes["routing.http.drop_invalid_header_fields.enabled"] == "true",
        names_itself=listener.attributes["routing.http.response.server.enabled"] == "true",
        certificate=certificate_name(listener) if listener.certificate_arn else "", choices=choices(listener, known), ssl_policy=listener.ssl_policy,
        http2=http2, certificate_arn=listener.certificate_arn, access_log=attributes["access_logs.s3.enabled"] == "true",
    )  # fmt: skip


def balancer_certificates(index: Index) -> list[Certificate]:
    """What HTTPS listeners show."""
    known = {certificate.arn: certificate for certificate in index.world.certificates}
    return [one for balancer in index.world.load_balancers for listener in balancer.listeners for one in certificates_of(listener, known)]


def _targets(rule: LoadBalancerRule) -> Iterator[tuple[str, int]]:
    """Target group ARN and weight of a forward action."""
    for item in (rule.action.get("ForwardConfig") or {}).get("TargetGroups") or ():
        yield item["TargetGroupArn"], int(item["Weight"])


def _route(rule: LoadBalancerRule, node: LoadBalancerNode, groups: dict[str, LoadBalancerTargetGroup], *, http2: bool) -> BalancerRoute:
    """http2: the listener takes it."""
    conditions = tuple(_condition(item) for item in rule.conditions)
    kind = rule.action["Type"]
    if kind == "fixed-response":
        config = rule.action["FixedResponseConfig"]
        fixed = FixedResponse(int(config["StatusCode"]), config.get("MessageBody") or "", config.get("ContentType") or "")
        return BalancerRoute(rule.arn, conditions, fixed=fixed, priority=rule.priority)
    if kind == "redirect":
        config = rule.action["RedirectConfig"]
        parts = {part.lower(): config[part] for part in ("Protocol", "Host", "Port", "Path", "Query")}
        return BalancerRoute(rule.arn, conditions, redirect=Redirect(int(config["StatusCode"].removeprefix("HTTP_")), **parts), priority=rule.priority)
    found = [(groups[arn], weight) for arn, weight in _targets(rule) if arn in groups]
    clusters = tuple((cluster_name(group, node), weight) for group, weight in found)
    versions = tuple(group.protocol_version for group, _ in found)
    sticky = stickiness(rule.action, [(cluster_name(group, node), group) for group, _ in found])
    asked = versions if http2 or {*versions} - {"HTTP1"} else ()
    return BalancerRoute(rule.arn, conditions, clusters=clusters, versions=asked, sticky=sticky, priority=rule.priority)


def _condition(document: dict[str, Any]) -> Condition:
    field = document["Field"]
    config = next(value for member, value in document.items() if member.endswith("Config"))
    if field == "query-string":
        return Condition(field, pairs=tuple((value.get("Key", ""), value["Value"]) for value in config["Values"]))
    return Condition(field, tuple(config["Values"]), name=config.get("HttpHeaderName", "").lower())
