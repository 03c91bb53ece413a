"""Routes of transit gateway route tables: static ones are stored, propagated ones follow from the attachments' VPCs.

The longest prefix decides; of equal prefixes a static route wins over a propagated one, and only the winner is shown
("How AWS Transit Gateway works", route evaluation order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.filters import any_like, values_at
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, ipv6, sharing, text, vpc
from latticewall.services.ec2.requests import boolean, only
from latticewall.services.ec2.routes import is_inside
from latticewall.services.ec2.transit_gateway_routing import PROPAGATION

Network = IPv4Network | IPv6Network
Fits = Callable[[Network, Network], bool]
SEARCHES: dict[str, Fits] = {
    "exact-match": lambda route, wanted: route == wanted,
    "subnet-of-match": is_inside,
    "supernet-of-match": lambda route, wanted: is_inside(wanted, route),
    "longest-prefix-match": lambda route, wanted: is_inside(wanted, route),
}
MEMBERS = {
    "attachment.transit-gateway-attachment-id": ("TransitGatewayAttachments", "TransitGatewayAttachmentId"),
    "attachment.resource-id": ("TransitGatewayAttachments", "ResourceId"), "attachment.resource-type": ("TransitGatewayAttachments", "ResourceType"),
    "prefix-list-id": ("PrefixListId",), "state": ("State",), "type": ("Type",),
}  # fmt: skip
DEFAULT_MAXIMUM = 1000


def _attachment_shown(row: Row) -> Document:
    return {"TransitGatewayAttachmentId": row.id, "ResourceId": row.document["ResourceId"], "ResourceType": row.document["ResourceType"]}


def shown(ctx: Context, route: Document) -> Document:
    """A stored static route as the API shows it: a blackhole if it says so or its attachment is gone."""
    attachment = sharing.find_attachment(ctx, route.get("TransitGatewayAttachmentId") or "")
    base: Document = {"DestinationCidrBlock": route["DestinationCidrBlock"], "Type": "static"}
    if attachment is None or attachment.status in ("deleting", "failed"):
        return {**base, "State": "blackhole"}
    return {**base, "State": "active", "TransitGatewayAttachments": [_attachment_shown(attachment)]}


def effective(ctx: Context, table: Row) -> list[Document]:
    """The routes that decide: all static ones, and the propagated ones that no static one hides; the oldest attachment wins a shared prefix."""
    routes = {route["DestinationCidrBlock"]: shown(ctx, route) for route in table.document["_routes"]}
    for propagation in ctx.live(PROPAGATION, parent=table.id):
        attachment = sharing.find_attachment(ctx, propagation.document["TransitGatewayAttachmentId"])
        network = ctx.tx.get("ec2:Vpc", attachment.document["ResourceId"]) if attachment and attachment.status not in ("deleting", "failed") else None
        if attachment is None or network is None:
            continue
        of_ipv6 = ipv6.blocks(network) if attachment.document["Options"]["Ipv6Support"] == "enable" else []
        for block in (*vpc.blocks(network), *of_ipv6):
            route = {
                "DestinationCidrBlock": str(block), "Type": "propagated", "State": "active", "TransitGatewayAttachments": [_attachment_shown(attachment)],
            }  # fmt: skip
            routes.setdefault(str(block), route)
    return sorted(routes.values(), key=_place)


def _place(route: Document) -> tuple[int, int, int]:
    network = ip_network(route["DestinationCidrBlock"])
    return network.version, int(network.network_address), network.prefixlen


def _destination(written: str, parameter: str = "destinationCidrBlock") -> str:
    """A block of either family in canonical form. Raises InvalidParameterValue."""
    return str(cidrs.parse_v6(written, parameter) if ":" in written else cidrs.parse(written, parameter))


def _read(ctx: Context, params: Document) -> tuple[Row, Document]:
    """The table and the route of a request. Raises EC2's refusals."""
    only(params, "DestinationCidrBlock TransitGatewayRouteTableId TransitGatewayAttachmentId Blackhole")
    table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
    destination = _destination(params["DestinationCidrBlock"])
    attachment_id = params.get("TransitGatewayAttachmentId") or ""
    if bool(attachment_id) == boolean(params.get("Blackhole")):
        raise text.bad_combination("Exactly one of TransitGatewayAttachmentId and Blackhole must be specified.")
    if attachment_id:
        attachment = sharing.attachment(ctx, attachment_id)
        if attachment.document["TransitGatewayId"] != table.document["TransitGatewayId"]:
            raise text.invalid("InvalidParameterValue", f"{attachment_id} and {table.id} belong to different transit gateways")
        if attachment.status in (*sharing.OUT_OF_USE, sharing.UNACCEPTED):
            raise text.incorrect_state(f"{attachment_id} is in invalid state")
    return table, {"DestinationCidrBlock": destination, "TransitGatewayAttachmentId": attachment_id}


def create_transit_gateway_route(ctx: Context, params: Document) -> Document:
    """CreateTransitGatewayRoute: one static route per prefix."""
    table, route = _read(ctx, params)
    destination = route["DestinationCidrBlock"]
    if any(other["DestinationCidrBlock"] == destination for other in table.document["_routes"]):
        raise text.conflict("RouteAlreadyExists", f"Route for destination {destination} already exists in Transit Gateway Route Table {table.id}.")
    ctx.change(table, {"_routes": [*table.document["_routes"], route]})
    return {"Route": shown(ctx, route)}


def _without(table: Row, destination: str) -> list[Document]:
    kept = [route for route in table.document["_routes"] if route["DestinationCidrBlock"] != destination]
    if len(kept) == len(table.document["_routes"]):
        raise text.not_found("InvalidRoute.NotFound", f"Route {destination} does not exist in Transit Gateway Route Table {table.id}.")
    return kept


def replace_transit_gateway_route(ctx: Context, params: Document) -> Document:
    """ReplaceTransitGatewayRoute."""
    table, route = _read(ctx, params)
    ctx.change(table, {"_routes": [*_without(table, route["DestinationCidrBlock"]), route]})
    return {"Route": shown(ctx, route)}


def delete_transit_gateway_route(ctx: Context, params: Document) -> Document:
    """DeleteTransitGatewayRoute: static ones only; a propagated route of the same prefix shows again."""
    table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
    destination = _destination(params["DestinationCidrBlock"])
    route = next((one for one in table.document["_routes"] if one["DestinationCidrBlock"] == destination), None)
    kept = _without(table, destination)
    answer = shown(ctx, route or {"DestinationCidrBlock": destination})
    ctx.change(table, {"_routes": kept})
    return {"Route": {**answer, "State": "deleted"}}


def _search(routes: Sequence[Document], name: str, values: Sequence[str]) -> list[Document]:
    """One filter of SearchTransitGatewayRoutes."""
    if name in MEMBERS:
        return [route for route in routes if any(any_like(value, values) for value in values_at(route, MEMBERS[name]))]
    search = name.removeprefix("route-search.")
    if search == name or search not in SEARCHES:
        raise Invalid(f"The filter '{name}' is invalid", code="InvalidParameterValue", fields=(("Filters", name),))
    found: list[Document] = []
    for value in values:
        whole = 128 if ":" in value else 32
        wanted = ip_network(_destination(value if "/" in value else f"{value}/{whole}", name))
        fitting = [route for route in routes if SEARCHES[search](ip_network(route["DestinationCidrBlock"]), wanted)]
        if search == "longest-prefix-match":
            fitting = sorted(fitting, key=lambda route: ip_network(route["DestinationCidrBlock"]).prefixlen)[-1:]
        found += [route for route in fitting if route not in found]
    return found


def search_transit_gateway_routes(ctx: Context, params: Document) -> Document:
    """SearchTransitGatewayRoutes among the effective routes."""
    table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
    if not params.get("Filters"):
        raise text.missing_parameter("Filters")
    routes = effective(ctx, table)
    for rule in params["Filters"]:
        routes = _search(routes, str(rule.get("Name", "")), [str(value) for value in rule.get("Values") or ()])
    maximum = params.get("MaxResults") or DEFAULT_MAXIMUM
    return {"Routes": routes[:maximum], "AdditionalRoutesAvailable": len(routes) > maximum}
