"""From the service network to a target, and through a load balancer to its targets: who answers, and what is in between.

Pages followed: "Health checks for your VPC Lattice target groups", "Application Load Balancers as targets in VPC Lattice", "Listener rules for your Application
Load Balancer".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from latticewall.analyze.gate import Gate, Outcome
from latticewall.analyze.network_acls import Border, acl_gate
from latticewall.analyze.packets import Address, Packet
from latticewall.analyze.path import Region, security_gate
from latticewall.analyze.question import Asked
from latticewall.base.ids import namespace
from latticewall.compile import addresses
from latticewall.compile.index import BalancerInterface, Connected
from latticewall.compile.render.balancer_conditions import SOURCE, route_match
from latticewall.compile.security_groups import gate_name
from latticewall.plan.load_balancers import BalancerRoute, BalancerSocket
from latticewall.plan.proxy import Cluster, Endpoint, TcpListener
from latticewall.world.types import Subnet

Health = Callable[[str], Mapping[tuple[str, int], str]]
"""Target group id -> {(address, port): HEALTHY or UNHEALTHY}, for the targets that have been checked."""
UNHEALTHY = "UNHEALTHY"
NO_TARGET = "the answer is 503"
"""What a request comes to whose target group has no target."""
MOST_PARTS = 5


@dataclass(frozen=True)
class Sender:
    """Who opens connections to targets: the service network (prefix "target"), or, by an interface, a resource gateway or a load balancer's node
    ("balancer-target")."""

    prefix: str
    vpc_id: str
    address: Address
    interface: Connected | None = None

    @property
    def subnet(self) -> Subnet | None:
        """None: outside all subnets."""
        return self.interface.subnet if self.interface else None

    def egress(self) -> tuple[str, tuple[str, ...]] | None:
        """Whose security groups say what goes out, and which those are; None: nobody's."""
        return (self.interface.interface.id, self.interface.interface.security_group_ids) if self.interface else None


def target_gates(
    region: Region, weights: Iterable[tuple[str, int]], arns: Mapping[str, str], decided_by: str, nobody: str, health: Health, asked: Asked | None = None
) -> list[Gate]:
    """Whether somebody is there to answer, and can be reached. weights: target groups. nobody: what happens when there is no target. asked: the request, for
    load balancers to choose a rule by; None for a connection."""
    weighted = _weighted(region, weights)
    found = [_registered("target", weighted, arns, decided_by, nobody, health, nobody if asked is None else "the answer is 500")]
    vpcs = {namespace("vpc", vpc.id): vpc.id for vpc in region.index.world.vpcs}
    ways = [(Sender("target", vpcs[cluster.namespace], ip_address(cluster.bind)), one) for cluster, _ in weighted if cluster.namespace in vpcs
            for one in cluster.endpoints]  # fmt: skip
    found += _filters(region, ways)
    if asked is not None:
        nodes = ((_node_at(region, sender.vpc_id, endpoint), endpoint.port, sender.address) for sender, endpoint in ways)
        found += next((_balancer(region, node, port, source, asked, health) for node, port, source in nodes if node), [])
    return found


def _weighted(region: Region, weights: Iterable[tuple[str, int]]) -> list[tuple[Cluster, int]]:
    clusters = {cluster.name: cluster for cluster in region.plan.proxy.clusters}
    return [(clusters[name], weight) for name, weight in weights if weight > 0 and name in clusters]


def _registered(
    name: str, weighted: list[tuple[Cluster, int]], arns: Mapping[str, str], decided_by: str, nobody: str, health: Health, unweighted: str = NO_TARGET
) -> Gate:
    """nobody, unweighted: what happens when there is no target, and when no group has a weight."""
    if not weighted:
        return Gate(name, Outcome.FAIL, f"the rule forwards to no target group with a weight: {unweighted}", decided_by)
    total = sum(weight for _, weight in weighted)
    shares = [f" ({100 * weight / total:.3g} % of requests)" if len(weighted) > 1 else "" for _, weight in weighted]
    states = "; ".join(_described_group(cluster, share, health) for (cluster, _), share in zip(weighted, shares, strict=True))
    decided = ", ".join(arns.get(cluster.name, cluster.arn or cluster.name) for cluster, _ in weighted)
    empty = [cluster for cluster, _ in weighted if not (cluster.endpoints or cluster.socket)]
    change = (f"register a target with {empty[0].name} (RegisterTargets)",) if empty else ()
    if len(empty) == len(weighted):
        return Gate(name, Outcome.FAIL, f"{states}: {nobody}", decided, change=change)
    return Gate(name, Outcome.PASS, f"{states}: {nobody} for the share of {empty[0].name}" if empty else states, decided, change=change)


def _described_group(cluster: Cluster, share: str, health: Health) -> str:
    if cluster.socket:
        return f"{cluster.name}{share}: a function"
    if not cluster.endpoints:
        return f"{cluster.name}{share} has no registered target"
    known = health(cluster.name)
    states = [known.get((item.address, item.port), "not checked") for item in cluster.endpoints]
    listed = ", ".join(f"{item.address}:{item.port} {state.lower()}" for item, state in zip(cluster.endpoints, states, strict=True))
    fail_open = " (none is healthy, so requests go to all of them)" if set(states) == {UNHEALTHY} else ""
    return f"{cluster.name}{share}: {listed}{fail_open}"


def resource_filters(region: Region, listener: TcpListener, port: int) -> list[Gate]:
    """From a resource gateway to the addresses of a TCP resource in its VPC."""
    gateway = next((item for item in region.index.world.resource_gateways if item.id == listener.gateway_id), None)
    if gateway is None:
        return []
    interfaces, ways = _by_address(region.index.gateway_interfaces_of.get(gateway.vpc_id, [])), []
    for target in listener.targets:
        source = next((found for found in map(ip_address, listener.sources) if found.version == ip_address(target).version), None)
        if source in interfaces:
            ways.append((Sender("target", gateway.vpc_id, source, interfaces[source]), Endpoint(target, port)))
    return _filters(region, ways)


# -- what is between ------------------------------------------------------------------------------------------------------------------------


def _filters(region: Region, ways: Iterable[tuple[Sender, Endpoint]]) -> list[Gate]:
    """Of all targets that have an interface here, gate by gate."""
    known: dict[str, dict[Address, Connected]] = {}
    found: dict[str, list[Gate]] = {}
    for sender, endpoint in ways:
        if sender.vpc_id not in known:
            known[sender.vpc_id] = _by_address(region.index.connected(sender.vpc_id))
        there = known[sender.vpc_id].get(ip_address(endpoint.address))
        for gate in _on_the_way(region, sender, endpoint, there) if there else ():
            found.setdefault(gate.name, []).append(gate)
    return [_together(gates) for gates in found.values()]


def _by_address(connected: Iterable[Connected]) -> dict[Address, Connected]:
    found: dict[Address, Connected] = {}
    for item in connected:
        found.update(dict.fromkeys(item.interface.addresses, item))
        found.update(dict.fromkeys(item.interface.ipv6_addresses, item))
    return found


def _on_the_way(region: Region, sender: Sender, endpoint: Endpoint, there: Connected) -> Iterator[Gate]:
    """As the packets meet them: the sender's egress, the borders of subnets, the target's ingress. there: the target's interface."""
    address = ip_address(endpoint.address)
    ruleset = region.ruleset(sender.vpc_id)
    packet = Packet(sender.address, address, endpoint.port, sender.interface.router_device if sender.interface else "")
    if own := sender.egress():
        owner, groups = own
        change = f"allow TCP {endpoint.port} to {address} in an egress rule of {' or '.join(groups)}"
        yield security_gate(ruleset, f"{sender.prefix}-security-group-egress", gate_name("eg", owner), packet, owner, groups, change)
    home = sender.subnet
    borders = [Border(ruleset, there.subnet, leaving=False)] if home is None or home.id != there.subnet.id else []
    borders = [Border(ruleset, home, leaving=True), *borders] if home and borders else borders
    yield acl_gate(f"{sender.prefix}-network-acl", borders, packet.source, address, endpoint.port)
    guarding = there.interface.security_group_ids
    change = f"allow TCP {endpoint.port} from {sender.address} in an ingress rule of {' or '.join(guarding)}"
    yield security_gate(
        ruleset, f"{sender.prefix}-security-group", gate_name("in", there.interface.id), packet, f"interface {there.interface.id}", guarding, change
    )


def _together(gates: list[Gate]) -> Gate:
    """Of several targets: closed only where it is closed for all."""
    closed = [gate for gate in gates if gate.outcome is not Outcome.PASS]
    if not closed:
        return replace(gates[0], detail=gates[0].detail + (f", and {len(gates) - 1} more targets" if len(gates) > 1 else ""))
    if len(closed) == len(gates):
        return closed[0]
    return Gate(gates[0].name, Outcome.PASS, f"open for {len(gates) - len(closed)} of {len(gates)} targets", parts=tuple(closed[:MOST_PARTS]))


# -- load balancers -------------------------------------------------------------------------------------------------------------------------


def balancer_gates(region: Region, vpc_id: str, place: str, asked: Asked, health: Health) -> list[Gate]:
    """What the load balancer at a place (address:port) in a VPC does with a request of the service network's; none when there is no load balancer."""
    address, _, port = place.rpartition(":")
    node = _node_at(region, vpc_id, Endpoint(address, int(port))) if port.isdigit() else None
    return _balancer(region, node, int(port), addresses.LATTICE_UPSTREAM, asked, health) if node else []


def _node_at(region: Region, vpc_id: str, endpoint: Endpoint) -> BalancerInterface | None:
    nodes = region.index.balancer_interfaces_of.get(vpc_id, [])
    return next((node for node in nodes if str(node.node.address) == endpoint.address), None)


def _balancer(region: Region, node: BalancerInterface, port: int, source: Address, asked: Asked, health: Health) -> list[Gate]:
    """What one of its nodes does with the request; they all have the same rules."""
    socket = _socket_of(region, node, port)
    if socket is None:
        detail = f"load balancer {node.balancer.id} has no listener on port {port}: the connection is not answered"
        return [Gate("balancer-rule", Outcome.FAIL, detail, node.balancer.arn, change=(f"add a listener on port {port} to it (elbv2 CreateListener)",))]
    route = next((route for route in socket.routes if holds(route, asked, source)), None)
    if route is None:
        return [Gate("balancer-rule", Outcome.UNKNOWN, f"no rule of load balancer {node.balancer.id} matches", socket.name)]
    matched = ", ".join(f"{item.field} {' or '.join(item.values or tuple('='.join(pair) for pair in item.pairs))}" for item in route.conditions)
    rule = Gate("balancer-rule", Outcome.PASS, f"load balancer {node.balancer.id}: {matched or 'the default action'}", route.name)
    if route.fixed or route.redirect:
        status = route.fixed.status if route.fixed else route.redirect.status if route.redirect else 0
        return [rule, Gate("balancer-target", Outcome.SKIP, f"the rule answers {status} itself", route.name)]
    weighted = _weighted(region, route.clusters)
    sender = Sender("balancer-target", node.balancer.vpc_id, node.node.address, node)
    registered = _registered("balancer-target", weighted, {}, route.name, NO_TARGET, health)
    return [rule, registered, *_filters(region, [(sender, one) for cluster, _ in weighted for one in cluster.endpoints])]


def _socket_of(region: Region, node: BalancerInterface, port: int) -> BalancerSocket | None:
    wanted = (node.balancer_namespace, str(node.node.address), port)
    return next((item for item in region.plan.proxy.balancer_sockets if (item.namespace, item.address, item.port) == wanted), None)


def holds(route: BalancerRoute, asked: Asked, source: Address) -> bool:
    """By the very expressions that Envoy matches with. source: whom the load balancer takes for its client."""
    match = route_match(route.conditions)
    own = {":authority": asked.authority, ":method": asked.method, ":path": asked.target, SOURCE: str(source)}
    if "safe_regex" in match and not re.fullmatch(match["safe_regex"]["regex"], asked.path):
        return False
    for header in match.get("headers", ()):
        values = [own[header["name"]]] if header["name"] in own else [value for name, value in asked.headers if name == header["name"]]
        if not values or not re.fullmatch(header["string_match"]["safe_regex"]["regex"], ",".join(values)):
            return False
    return True
