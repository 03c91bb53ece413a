"""VPC route tables as Linux routes ("Subnet route tables", "How route priority works").

One Linux table per subnet, not per route table: what is local differs by subnet (neighbours in the same subnet are always reached directly, also when
a more specific route sends the subnet's range elsewhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from latticewall.base.ids import table_number
from latticewall.compile import addresses, ipv6
from latticewall.compile.index import Connected, Index, firewall_device
from latticewall.plan.topology import PolicyRule, Route
from latticewall.world.types import Network, RouteTable, Subnet, Vpc
from latticewall.world.types import Route as VpcRoute

MAIN = 254
SUBNET_RULE_PRIORITY = 1000


def compile_routes(index: Index, vpc: Vpc) -> tuple[Route, ...]:
    """All routes of the VPC's router: a table per subnet, and the main table for what the router itself sends."""
    tables = {table.id: table for table in index.world.route_tables}
    connected = index.connected(vpc.id)
    found = [route for item in connected for route in deliveries(item, MAIN)]
    for subnet in index.subnets_of.get(vpc.id, []):
        found.extend(_subnet_routes(index, vpc, subnet, tables.get(subnet.route_table_id), connected))
    return tuple(sorted(set(found)))


def compile_rules(index: Index, vpc: Vpc) -> tuple[PolicyRule, ...]:
    """Which table a packet asks: that of the subnet it comes from, whatever brought it there (an instance, an endpoint, a Transit Gateway)."""
    incoming = [(item.router_device, item.subnet.id) for item in index.connected(vpc.id)]
    incoming += [(item.vpc_device, item.subnet.id) for item in index.attachment_subnets_of.get(vpc.id, [])]
    incoming += [(firewall_device(item.id), item.subnet_id) for item in index.firewall_endpoints_of.get(vpc.id, [])]
    tables = [(name, table_number(subnet), family) for name, subnet in incoming for family in ((4, 6) if vpc.ipv6_cidrs else (4,))]
    return tuple(sorted(PolicyRule(SUBNET_RULE_PRIORITY, number, incoming=name, family=family) for name, number, family in tables))


def deliveries(item: Connected, table: int) -> list[Route]:
    """To each address of a network interface, straight over its link."""
    found = [f"{address}/32" for address in item.interface.addresses] + [f"{address}/128" for address in item.interface.ipv6_addresses]
    return [Route(table, destination, device=item.router_device, origin="local") for destination in found]


def _subnet_routes(index: Index, vpc: Vpc, subnet: Subnet, table: RouteTable | None, connected: list[Connected]) -> list[Route]:
    number = table_number(subnet.id)
    written = {route.destination: route for route in (table.routes if table else ())}
    diverted = {other.id for other in index.subnets_of[vpc.id] if other.id != subnet.id and _is_diverted(other, written)}
    found = [route for item in connected if item.subnet.id not in diverted for route in deliveries(item, number)]
    blocks: tuple[Network, ...] = (*vpc.cidrs, *vpc.ipv6_cidrs)
    local = [cidr for cidr in blocks if cidr not in written or written[cidr].target == "local"]
    found += [Route(number, str(cidr), kind="blackhole", origin="local: no such address") for cidr in local]
    for route in written.values():
        if route.target != "local" and (route.destination.version == 4 or vpc.ipv6_cidrs):
            found.append(_next_hop(index, vpc, subnet, route, number, table.id if table else ""))
    if not any(route.destination == "default" for route in found):
        found.append(Route(number, "default", kind="blackhole", origin="no route"))
    if vpc.ipv6_cidrs and not any(route.destination == ipv6.DEFAULT for route in found):
        found.append(Route(number, ipv6.DEFAULT, kind="blackhole", origin="no route"))
    return found


def _is_diverted(subnet: Subnet, written: Mapping[Network, VpcRoute]) -> bool:
    """Whether a more specific route than the VPC's sends the subnet's range elsewhere."""
    return any(cidr in written and written[cidr].target != "local" for cidr in (subnet.cidr, subnet.ipv6_cidr) if cidr is not None)


def destination_text(destination: Network) -> str:
    """As Linux is told: IPv4's default route by its name."""
    return "default" if destination == IPv4Network("0.0.0.0/0") else str(destination)


def _next_hop(index: Index, vpc: Vpc, subnet: Subnet, route: VpcRoute, number: int, table_id: str) -> Route:
    destination, is_ipv6 = destination_text(route.destination), route.destination.version == 6
    origin = f"{table_id} {route.destination} -> {route.target}"
    if route.target.startswith("tgw-"):
        for item in index.attachment_subnets_of.get(vpc.id, []):
            if item.attachment.transit_gateway_id != route.target or item.subnet.availability_zone != subnet.availability_zone:
                continue
            if item.attachment.ipv6_support or not is_ipv6:
                hop = ipv6.TRANSIT_GATEWAY_SIDE if is_ipv6 else addresses.TRANSIT_GATEWAY_SIDE
                return Route(number, destination, item.vpc_device, str(hop), origin=origin)
    elif route.target.startswith("vpce-") and not is_ipv6:
        for endpoint in index.firewall_endpoints_of.get(vpc.id, []):
            if endpoint.id == route.target:
                return Route(number, destination, firewall_device(endpoint.id), str(addresses.FIREWALL_SIDE), origin=origin)
    elif route.target.startswith("eni-"):
        for attached in index.attached_of.get(vpc.id, []):
            hops = attached.interface.ipv6_addresses if is_ipv6 else attached.interface.addresses
            if attached.interface.id == route.target and hops:
                return Route(number, destination, attached.router_device, str(hops[0]), origin=origin)
    return Route(number, destination, kind="blackhole", origin=origin)
