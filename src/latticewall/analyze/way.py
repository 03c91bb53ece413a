"""The way of a request or connection to a listener: by the association of its VPC, or through a VPC endpoint."""

from __future__ import annotations

from dataclasses import replace

from latticewall.analyze.elsewhere import elsewhere_gate, tunnel_gate
from latticewall.analyze.gate import Gate, Outcome
from latticewall.analyze.names import look_up
from latticewall.analyze.network_acls import Border, acl_gate
from latticewall.analyze.packets import Address, Packet
from latticewall.analyze.path import (
    Place,
    Region,
    Source,
    Way,
    association_way,
    is_address,
    listener_gate,
    own_address,
    preferred,
    security_gate,
    unasked,
)
from latticewall.analyze.question import Asked
from latticewall.compile.index import EndpointInterface
from latticewall.compile.security_groups import gate_name
from latticewall.world.types import Network, Route, Subnet


def path_gates(region: Region, source: Source, asked: Asked) -> tuple[list[Gate], Place | None]:
    """From the client to the listener, and where the request comes in; None when it does not."""
    found = way(region, source, asked)
    if found.address is None:
        return list(found.gates), None
    if found.network is None:
        return [*found.gates, no_service(found.address)], None
    listener, place = listener_gate(region, found, found.network, asked)
    return [*found.gates, listener], place


def no_service(address: Address) -> Gate:
    """The listener of an endpoint for one resource, asked for as a service."""
    return Gate("listener", Outcome.UNKNOWN, f"{address} is the address of a TCP resource (ask with tcp://), not of a service")


def way(region: Region, source: Source, asked: Asked) -> Way:
    """Name, security groups and what they lead to: the same for requests and connections, to services and resources."""
    trail, addresses = _resolved(region, source, asked.host)
    for address in addresses:
        if interface := _interface_at(region, source, address, asked.host):
            if tunnel := tunnel_gate(region, interface, address):
                return Way((tunnel,))
            return _through(region, source, asked, interface, address, trail)
    if elsewhere := elsewhere_gate(region, source, trail, addresses):
        return Way((elsewhere,))
    return association_way(region, source, asked)


def facing(region: Region, source: Source, asked: Asked) -> Source:
    """The source with the address by which it would come there: of the family of the service network's or the endpoint's."""
    if source.attached is None or source.seen:
        return source
    address = way(region, source, asked).address
    return replace(source, seen=str(own_address(source.attached.interface, address))) if address else source


def _resolved(region: Region, source: Source, host: str) -> tuple[str, list[Address]]:
    """What the client's resolver makes of the host, and the trail of names that led there."""
    if is_address(host):
        return host, preferred(source, [host])
    resolver = next((item for item in region.plan.names.resolvers if item.vpc_id == source.vpc.id and item.enabled), None)
    found = look_up(resolver, host) if resolver else None
    return (" -> ".join((*found.trail, ", ".join(found.addresses))), preferred(source, found.addresses)) if found else ("", [])


def _interface_at(region: Region, source: Source, address: Address, host: str) -> EndpointInterface | None:
    """The endpoint's interface with that address: one of the client's VPC, else one of another VPC."""
    connected = [item for items in region.index.endpoint_interfaces_of.values() for item in items]
    found = [item for item in connected if address in (*item.interface.addresses, *item.interface.ipv6_addresses)]
    own = (item for item in found if item.endpoint.vpc_id == source.vpc.id)
    named = (item for item in found if host.startswith(item.endpoint.id))
    return next(own, None) or next(named, None) or (found[0] if found else None)


def _through(region: Region, source: Source, asked: Asked, door: EndpointInterface, address: Address, trail: str) -> Way:
    endpoint = door.endpoint
    vpc, network = region.index.vpcs[endpoint.vpc_id], region.gates.networks.get(endpoint.service_network_id)
    leads = f"service network {network.id}" if network else f"resource configuration {endpoint.resource_configuration_id}"
    gates = [
        Gate("vpc-endpoint", Outcome.PASS, f"{address} is endpoint {endpoint.id} in {vpc.id}, which leads to {leads}", endpoint.id),
        Gate("name", Outcome.PASS, trail),
        _route(region, source, door, address),
        *_filters(region, source, door, address, asked.port),
    ]
    if network and asked.scheme != "tcp" and not any(address in zone.services for zone in endpoint.zones):
        detail = f"{address} is the address of a TCP resource (ask with tcp://), not of the services of {network.id}"
        return Way((*gates, Gate("listener", Outcome.UNKNOWN, detail)), network)
    return Way(tuple(gates), network, address, vpc, endpoint.id)


def _route(region: Region, source: Source, door: EndpointInterface, address: Address) -> Gate:
    """Only the direct way inside one VPC is followed."""
    if door.endpoint.vpc_id != source.vpc.id:
        if any(address in cidr for cidr in source.vpc.cidrs):
            return Gate("route", Outcome.FAIL, f"{address} is inside {source.vpc.id} itself, so nothing leads from there to {door.endpoint.vpc_id}")
        return Gate("route", Outcome.UNKNOWN, f"the way from {source.vpc.id} to the endpoint's VPC {door.endpoint.vpc_id} is not followed here")
    if source.attached is None:
        return Gate("route", Outcome.SKIP, "no instance was named, so its subnet is not known")
    home = source.attached.subnet
    if home.id == door.subnet.id:
        return Gate("route", Outcome.PASS, f"both are in {home.id}")
    diverted = [route for pair in ((home, door.subnet), (door.subnet, home)) for route in _diverting(region, source, *pair, address)]
    if diverted:
        return Gate("route", Outcome.UNKNOWN, f"{diverted[0].destination} leads through {diverted[0].target}, which is not followed here", diverted[0].target)
    return Gate("route", Outcome.PASS, f"from {home.id} to {door.subnet.id} inside {source.vpc.id}")


def _diverting(region: Region, source: Source, subnet: Subnet, other: Subnet, address: Address) -> list[Route]:
    """Routes of a subnet that lead packets of the address's family to another subnet of the same VPC elsewhere than straight there."""
    table = next((item for item in region.index.world.route_tables if item.id == subnet.route_table_id), None)
    written = [route for route in (table.routes if table else ()) if route.target != "local" and route.destination.version == address.version]
    blocks: tuple[Network, ...] = (*source.vpc.cidrs, *source.vpc.ipv6_cidrs)
    inside = [route for route in written if any(_is_within(route.destination, cidr) for cidr in blocks)]
    there = other.cidr if address.version == 4 else other.ipv6_cidr
    return [route for route in inside if there is not None and route.destination.overlaps(there)]


def _is_within(one: Network, other: Network) -> bool:
    return int(one[0]) >= int(other[0]) and int(one[-1]) <= int(other[-1]) and one.version == other.version


def _filters(region: Region, source: Source, door: EndpointInterface, address: Address, port: int) -> list[Gate]:
    """What the instance's groups let out, the network ACLs of both subnets let pass, and the groups of the endpoint's interface let in."""
    item = source.attached
    if item is None:
        return unasked()
    packet = Packet(own_address(item.interface, address), address, port, item.router_device)
    groups, guarding = item.interface.security_group_ids, door.interface.security_group_ids
    home, there = region.ruleset(source.vpc.id), region.ruleset(door.endpoint.vpc_id)
    out = security_gate(
        home, "security-group-egress", gate_name("eg", item.interface.id), packet,
        f"interface {item.interface.id} of {item.instance.id}", groups, f"allow TCP {port} to {address} in an egress rule of {' or '.join(groups)}",
    )  # fmt: skip
    borders = [Border(home, item.subnet, leaving=True), Border(there, door.subnet, leaving=False)] if item.subnet.id != door.subnet.id else []
    acl = acl_gate("network-acl", borders, packet.source, address, port)
    change = f"allow TCP {port} from {packet.source} (or its security group) in an ingress rule of {' or '.join(guarding)}"
    owner = f"interface {door.interface.id} of endpoint {door.endpoint.id}"
    return [out, acl, security_gate(there, "security-group-ingress", gate_name("in", door.interface.id), packet, owner, guarding, change)]
