"""Transit Gateways: attachments with their association, route tables with the routes that are in force.

Of equal prefixes a static route wins over propagated ones, and of those the older propagation ("Route evaluation order"). A route to an
attachment that is gone is a blackhole.
"""

from __future__ import annotations

from ipaddress import ip_network

from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows, family_first
from latticewall.world.types import Network, TransitGateway, TransitGatewayAttachment, TransitGatewayRoute, TransitGatewayRouteTable


def build_transit_gateways(rows: Rows) -> tuple[TransitGateway, ...]:
    return tuple(_gateway(rows, row) for row in rows.of("ec2:TransitGateway"))


def _gateway(rows: Rows, row: Row) -> TransitGateway:
    associated = {item.document["TransitGatewayAttachmentId"]: item.parent for item in rows.of("ec2:TransitGatewayRouteTableAssociation")}
    attachments = tuple(
        _attachment(item, associated.get(item.id, ""))
        for item in rows.children("ec2:TransitGatewayAttachment", row.id)
        if item.document.get("ResourceType") == "vpc"
    )
    tables = tuple(_table(rows, item, {attachment.id for attachment in attachments}) for item in rows.children("ec2:TransitGatewayRouteTable", row.id))
    return TransitGateway(row.id, attachments, tables)


def _attachment(row: Row, table: str) -> TransitGatewayAttachment:
    document = row.document
    appliance, ipv6 = ((document.get("Options") or {}).get(option) == "enable" for option in ("ApplianceModeSupport", "Ipv6Support"))
    return TransitGatewayAttachment(row.id, document["TransitGatewayId"], document["VpcId"], tuple(document["SubnetIds"]), appliance, table, ipv6)


def _table(rows: Rows, row: Row, present: set[str]) -> TransitGatewayRouteTable:
    routes: dict[Network, TransitGatewayRoute] = {}
    propagations = sorted(rows.children("ec2:TransitGatewayRouteTablePropagation", row.id), key=lambda item: (item.created_at, item.id))
    for propagation in propagations:
        attachment = rows.get("ec2:TransitGatewayAttachment", propagation.document["TransitGatewayAttachmentId"])
        vpc = rows.get("ec2:Vpc", attachment.document["VpcId"]) if attachment else None
        for block in _propagated(attachment, vpc) if vpc and attachment else ():
            cidr = ip_network(block)
            routes.setdefault(cidr, TransitGatewayRoute(cidr, attachment.id if attachment else "", "propagated"))
    for route in row.document.get("_routes") or ():
        cidr = ip_network(route["DestinationCidrBlock"])
        target = route.get("TransitGatewayAttachmentId") or ""
        routes[cidr] = TransitGatewayRoute(cidr, target if target in present else "", "static")
    return TransitGatewayRouteTable(row.id, row.parent, tuple(routes[cidr] for cidr in sorted(routes, key=family_first)))


def _propagated(attachment: Row, vpc: Row) -> list[str]:
    """The blocks of the VPC that an attachment propagates: those of IPv6 only with IPv6 support."""
    found = [item["CidrBlock"] for item in vpc.document["CidrBlockAssociationSet"]]
    if (attachment.document.get("Options") or {}).get("Ipv6Support") == "enable":
        found += [item["Ipv6CidrBlock"] for item in vpc.document.get("Ipv6CidrBlockAssociationSet") or ()]
    return found
