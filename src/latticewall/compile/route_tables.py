"""VPC route tables as Linux routes ("Subnet route tables", "How route priority works").

One Linux table per subnet, not per route table: what is local differs by subnet (neighbours in the same subnet are always reached directly, also when
a more specific route sends the subnet's range elsewhere).
"""

from __future__ import annotations

from latticewall.base.ids import table_number
from latticewall.compile import addresses
from latticewall.compile.index import Connected, Index, firewall_device
from latticewall.plan.topology import PolicyRule, Route
from latticewall.world.types import Route as VpcRoute
from latticewall.world.types import RouteTable, Subnet, Vpc

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
    return tuple(sorted(PolicyRule(SUBNET_RULE_PRIORITY, table_number(subnet), incoming=name) for name, subnet in incoming))


def deliveries(item: Connected, table: int) -> list[Route]:
    """To each address of a network interface, straight over its link."""
    return [Route(table, f"{address}/32", device=item.router_device, origin="local") for address in item.interface.addresses]


def _subnet_routes(index: Index, vpc: Vpc, subnet: Subnet, table: RouteTable | None, connected: list[Connected]) -> list[Route]:
    number = table_number(subnet.id)
    written = {route.destination: route for route in (table.routes if table else ())}
    diverted = {other.id for other in index.subnets_of[vpc.id] if other.id != subnet.id and other.cidr in written and written[other.cidr].target != "local"}
    found = [route for item in connected if item.subnet.id not in diverted for route in deliveries(item, number)]
    local = [cidr for cidr in vpc.cidrs if cidr not in written or written[cidr].target == "local"]
    found += [Route(number, str(cidr), kind="blackhole", origin="local: no such address") for cidr in local]
    for route in written.values():
        if route.target != "local":
            found.append(_next_hop(index, vpc, subnet, route, number, table.id if table else ""))
    if not any(route.destination == "default" for route in found):
        found.append(Route(number, "default", kind="blackhole", origin="no route"))
    return found


def _next_hop(index: Index, vpc: Vpc, subnet: Subnet, route: VpcRoute, number: int, table_id: str) -> Route:
    destination = "default" if route.destination.prefixlen == 0 else str(route.destination)
    origin = f"{table_id} {route.destination} -> {route.target}"
    if route.target.startswith("tgw-"):
        for item in index.attachment_subnets_of.get(vpc.id, []):
            if item.attachment.transit_gateway_id == route.target and item.subnet.availability_zone == subnet.availability_zone:
                return Route(number, destination, item.vpc_device, str(addresses.TRANSIT_GATEWAY_SIDE), origin=origin)
    elif route.target.startswith("vpce-"):
        for endpoint in index.firewall_endpoints_of.get(vpc.id, []):
            if endpoint.id == route.target:
                return Route(number, destination, firewall_device(endpoint.id), str(addresses.FIREWALL_SIDE), origin=origin)
    elif route.target.startswith("eni-"):
        for attached in index.attached_of.get(vpc.id, []):
            if attached.interface.id == route.target:
                return Route(number, destination, attached.router_device, str(attached.interface.addresses[0]), origin=origin)
    return Route(number, destination, kind="blackhole", origin=origin)
