"""A VPC endpoint as a namespace on its VPC's routed paths, with an interface per subnet ("Access service networks through AWS PrivateLink", "Access
resources through a resource VPC endpoint", "Access network segments through AWS PrivateLink").

Like an instance it is behind its interfaces' security groups, its subnets' network ACLs and whatever their route tables say, so that it can be reached
from wherever the VPC can be. Inside, only what is served is let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from latticewall.base.ids import namespace, table_number
from latticewall.compile import addresses, ipv6, tunnels
from latticewall.compile.authorization import audits_connections
from latticewall.compile.entrances import Entrance
from latticewall.compile.index import Connected, Index
from latticewall.compile.resource_doors import ResourceDoor, endpoint_doors
from latticewall.compile.security_groups import gate_name
from latticewall.compile.service_network import ServiceNetworkGates, capture_port, capture_rule, captured, connect_chain, port_texts
from latticewall.compile.vpc import ESTABLISHED, ROUTER_SYSCTLS
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route
from latticewall.world.types import VpcEndpoint

RULE_PRIORITY = 1000


def compile_vpc_endpoint(index: Index, gates: ServiceNetworkGates, endpoint: VpcEndpoint, entrance: Entrance | None) -> tuple[Namespace, list[Link]] | None:
    """The endpoint's namespace and its links to the VPC's router; None while it has no interface. entrance: to its service network, if it leads to one."""
    interfaces = [item for item in index.endpoint_interfaces_of.get(endpoint.vpc_id, []) if item.endpoint.id == endpoint.id]
    if not interfaces:
        return None
    name, router = namespace("vpce", endpoint.id), namespace("vpc", endpoint.vpc_id)
    links = [Link(End(router, item.router_device), End(name, item.endpoint_device), addresses.VPC_MTU, item.interface.id) for item in interfaces]
    routes, rules = ways_out((item, item.endpoint_device) for item in interfaces)
    own = [Address(item.endpoint_device, f"{address}/32") for item in interfaces for address in item.interface.addresses]
    own += [Address(item.endpoint_device, f"{address}/128") for item in interfaces for address in item.interface.ipv6_addresses]
    dual = tuple(sorted(item.endpoint_device for item in interfaces if item.interface.ipv6_addresses))
    sysctls = tuple(pair for pair in ROUTER_SYSCTLS if pair[0] != "ipv4/ip_forward")
    found = Namespace(
        name=name, kind="vpc-endpoint", owner=endpoint.id, routes=tuple(sorted(routes)), rules=tuple(sorted(rules)), addresses=tuple(sorted(own)),
        sysctls=ipv6.dual_stack(sysctls, routes=False) if dual else sysctls, ruleset=_ruleset(index, gates, endpoint, entrance, dual),
    )  # fmt: skip
    return found, links


def ways_out(ends: Iterable[tuple[Connected, str]]) -> tuple[list[Route], list[PolicyRule]]:
    """Packets leave by the interface whose address they have, to its subnet's router. ends: interfaces, and their devices in the namespace. Each interface
    has a routing table that stays its own, whatever others come and go."""
    routes, rules = [], []
    for item, device in ends:
        table = table_number(item.interface.id)
        if item.interface.addresses and item.subnet.cidr is not None:
            routes.append(Route(table, "default", device, str(addresses.router(item.subnet.cidr)), origin="implicit router"))
        if item.interface.ipv6_addresses and item.subnet.ipv6_cidr is not None:
            routes.append(Route(table, ipv6.DEFAULT, device, str(ipv6.router(item.subnet.ipv6_cidr)), origin="implicit router"))
        rules += [PolicyRule(RULE_PRIORITY, table, source=str(address)) for address in item.interface.addresses]
        rules += [PolicyRule(RULE_PRIORITY, table, source=str(address), family=6) for address in item.interface.ipv6_addresses]
    return routes, rules


def _ruleset(index: Index, gates: ServiceNetworkGates, endpoint: VpcEndpoint, entrance: Entrance | None, dual: tuple[str, ...]) -> Ruleset:
    """In: connections to what is served, after the auth policy of a resource that has one, and encapsulated packets to a tunnel. Out: answers. dual: devices
    with IPv6."""
    doors = list(endpoint_doors(index, gates, endpoint))
    served = [*_services(gates, endpoint, entrance), *(rule for door in doors for rule in _resource(door))]
    incoming = (ESTABLISHED, NftRule((Match("iifname", ("lo",)),), "accept"), *ipv6.neighbours(dual), *served)
    outgoing = (ESTABLISHED, NftRule((Match("oifname", ("lo",)),), "accept"), *ipv6.neighbours(dual, "oifname"))
    if tunnels.segment_of(gates, endpoint):
        incoming, outgoing = (*incoming, *tunnels.geneve_in(endpoint)), (*outgoing, *tunnels.geneve_out(endpoint))
    policies = {door.configuration.id: door for door in doors if _guarded(door)}
    chains = [connect_chain(index, _policy_chain(door), endpoint.vpc_id, door.network, door.configuration) for _, door in sorted(policies.items())]
    capture = [capture_rule(door.address, door.configuration, door.configuration.id) for door in doors if capture_port(door.configuration)]
    return Ruleset(
        chains=(
            *captured(capture), Chain("input", incoming, hook="input", policy="drop"),
            Chain("output", outgoing, hook="output", policy="drop"), *chains,
        )
    )  # fmt: skip


def _services(gates: ServiceNetworkGates, endpoint: VpcEndpoint, entrance: Entrance | None) -> Iterator[NftRule]:
    ports = gates.sockets.ports.get(entrance.network.id, ()) if entrance else ()
    for here in ipv6.addressed("daddr", (address for zone in endpoint.zones for address in zone.services)) if ports else ():
        yield NftRule((here, Match("tcp dport", tuple(str(port) for port in ports))), "accept", comment="services")


def _resource(door: ResourceDoor) -> Iterator[NftRule]:
    configuration = door.configuration
    meant = (*ipv6.addressed("daddr", [door.address]), Match("tcp dport", port_texts(configuration)))
    if _guarded(door):
        yield NftRule(meant, f"jump {_policy_chain(door)}", comment=f"{configuration.id} auth policy")
    yield NftRule(meant, "accept", comment=configuration.id)


def _guarded(door: ResourceDoor) -> bool:
    """Whether the resource's auth policy is enforced, rather than only written down."""
    return door.configuration.has_policy and not audits_connections(door.network, door.configuration)


def _policy_chain(door: ResourceDoor) -> str:
    return gate_name("au", door.configuration.id)
