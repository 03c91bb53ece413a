"""Attachments of VPCs to transit gateways ("Amazon VPC attachments in AWS Transit Gateway")."""

from __future__ import annotations

from collections.abc import Sequence

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import network_interface, sharing, subnet, text, transit_gateway_routing
from latticewall.services.ec2.describe import choose, paths, select
from latticewall.services.ec2.requests import only, tags_for

VPC_FILTERS = paths("state transit-gateway-attachment-id transit-gateway-id vpc-id")
FILTERS = paths(
    "resource-id resource-owner-id resource-type state transit-gateway-attachment-id transit-gateway-id transit-gateway-owner-id",
    association__state="Association.State", association__transit_gateway_route_table_id="Association.TransitGatewayRouteTableId",
)  # fmt: skip
DEFAULTS = {"DnsSupport": "enable", "SecurityGroupReferencingSupport": "enable", "Ipv6Support": "disable", "ApplianceModeSupport": "disable"}


def _options(given: Document | None, present: Document) -> Document:
    chosen = {**present, **{key: value for key, value in (given or {}).items() if value not in (None, "")}}
    only(chosen, " ".join(DEFAULTS))
    return chosen


def _subnets(ctx: Context, vpc_id: str, identifiers: Sequence[str]) -> list[Row]:
    """The attachment's subnets: in the VPC, with IPv4, at most one per Availability Zone."""
    rows = [ctx.resolve("ec2:Subnet", identifier) for identifier in identifiers]
    zones: dict[str, str] = {}
    for row in rows:
        if row.document["VpcId"] != vpc_id:
            raise text.invalid("InvalidParameterValue", f"Subnet {row.id} is not in VPC {vpc_id}")
        if not subnet.has_ipv4(row):
            raise text.invalid("InvalidParameterValue", f"Subnet {row.id} is an IPv6-only subnet, which transit gateways do not support")
        zone = row.document["AvailabilityZone"]
        if zone in zones:
            raise text.invalid("DuplicateSubnetsInSameZone", f"Duplicate Subnets for same AZ: {zones[zone]} and {row.id} are both in {zone}")
        zones[zone] = row.id
    return rows


def _interface(ctx: Context, attachment: Row, home: Row) -> None:
    """The gateway's interface in one of the subnets: one address, no security groups."""
    row = network_interface.make(
        ctx, home, groups=None, description=f"Network Interface for Transit Gateway Attachment {attachment.id}", interface_type="transit_gateway",
        requester_managed=True,
    )  # fmt: skip
    ctx.refer(row, "OwnerId", attachment.id)


def _release(ctx: Context, attachment: Row, subnet_id: str = "") -> None:
    for row in ctx.referring(attachment, "ec2:NetworkInterface"):
        if subnet_id in ("", row.document["SubnetId"]):
            ctx.remove(row)


def create_transit_gateway_vpc_attachment(ctx: Context, params: Document) -> Document:
    """CreateTransitGatewayVpcAttachment: associated with and propagating to the gateway's default tables, where there are such; to another account's gateway
    only when its owner has accepted it, or the gateway accepts by itself."""
    only(params, "TransitGatewayId VpcId SubnetIds Options")
    gateway = sharing.gateway(ctx, params["TransitGatewayId"], ctx.operation)
    if gateway.status in sharing.OUT_OF_USE:
        raise text.incorrect_state(f"Transit Gateway {gateway.id} is in invalid state")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    if not params["SubnetIds"]:
        raise text.missing_parameter("subnetIds")
    homes = _subnets(ctx, vpc.id, params["SubnetIds"])
    for other in sharing.attachments_to(ctx, gateway):
        if other.document["ResourceId"] == vpc.id and other.status not in ("deleting", sharing.REJECTED):
            message = f"{gateway.id} has non-deleted Transit Gateway Attachments with same VPC ID {vpc.id}: {other.id}."
            raise text.conflict("DuplicateTransitGatewayAttachment", message)
    document = {
        "TransitGatewayId": gateway.id, "TransitGatewayOwnerId": gateway.account, "VpcId": vpc.id, "VpcOwnerId": vpc.account, "ResourceType": "vpc",
        "ResourceId": vpc.id, "ResourceOwnerId": vpc.account, "SubnetIds": [home.id for home in homes], "CreationTime": ctx.now,
        "Options": _options(params.get("Options"), DEFAULTS),
    }  # fmt: skip
    refs = {"TransitGatewayId": gateway, "VpcId": vpc}
    row = ctx.create("ec2:TransitGatewayAttachment", document, parent=gateway.id, tags=tags_for(params, "transit-gateway-attachment"), refs=refs)
    for home in homes:
        ctx.refer(row, "SubnetIds", home.id)
        _interface(ctx, row, home)
    accepted = gateway.account == vpc.account or gateway.document["Options"]["AutoAcceptSharedAttachments"] == "enable"
    if accepted:
        transit_gateway_routing.join_defaults(ctx, gateway, row)
    else:
        row = ctx.change(row, status=sharing.UNACCEPTED)
    return {"TransitGatewayVpcAttachment": ctx.view(row)}


def _to_be_accepted(ctx: Context, identifier: str) -> Row:
    """An attachment that waits for the caller, who owns the gateway."""
    row = sharing.attachment(ctx, identifier)
    if row.document["TransitGatewayOwnerId"] != ctx.caller.account:
        raise ctx.missing(sharing.ATTACHMENT, identifier)
    if row.status != sharing.UNACCEPTED:
        raise text.incorrect_state(f"{identifier} is in invalid state")
    return row


def accept_transit_gateway_vpc_attachment(ctx: Context, params: Document) -> Document:
    """AcceptTransitGatewayVpcAttachment: from now on it is an attachment like any other."""
    row = ctx.change(_to_be_accepted(ctx, params["TransitGatewayAttachmentId"]), status="creating")
    transit_gateway_routing.join_defaults(ctx, ctx.resolve(sharing.GATEWAY, row.parent), row)
    return {"TransitGatewayVpcAttachment": ctx.view(row)}


def reject_transit_gateway_vpc_attachment(ctx: Context, params: Document) -> Document:
    """RejectTransitGatewayVpcAttachment: it stays to be seen, and keeps nothing from being deleted."""
    row = _to_be_accepted(ctx, params["TransitGatewayAttachmentId"])
    _release(ctx, row)
    for role in ("TransitGatewayId", "VpcId", "SubnetIds"):
        ctx.forget(row, role)
    return {"TransitGatewayVpcAttachment": ctx.view(ctx.change(row, status=sharing.REJECTED))}


def view(ctx: Context, row: Row) -> Document:
    """The association, as DescribeTransitGatewayAttachments shows it."""
    association = transit_gateway_routing.association_of(ctx, row)
    if association is None:
        return {}
    shown = ctx.view(association)
    return {"Association": {"TransitGatewayRouteTableId": shown["TransitGatewayRouteTableId"], "State": shown["State"]}}


def describe_transit_gateway_vpc_attachments(ctx: Context, params: Document) -> Document:
    """DescribeTransitGatewayVpcAttachments."""
    rows = choose(ctx, sharing.ATTACHMENT, params.get("TransitGatewayAttachmentIds"), sharing.attachments(ctx))
    shown = [ctx.view(row) for row in rows if row.document["ResourceType"] == "vpc"]
    return {"TransitGatewayVpcAttachments": select(shown, params.get("Filters"), VPC_FILTERS)}


def describe_transit_gateway_attachments(ctx: Context, params: Document) -> Document:
    """DescribeTransitGatewayAttachments, of any type."""
    rows = choose(ctx, sharing.ATTACHMENT, params.get("TransitGatewayAttachmentIds"), sharing.attachments(ctx))
    return {"TransitGatewayAttachments": select([ctx.view(row) for row in rows], params.get("Filters"), FILTERS)}


def _vpc_attachment(ctx: Context, identifier: str, *unusable: str) -> Row:
    row = sharing.attachment(ctx, identifier)
    if row.document["ResourceType"] != "vpc":
        raise ctx.missing(sharing.ATTACHMENT, identifier)
    if row.status in ("deleting", "failed", *unusable):
        raise text.incorrect_state(f"{identifier} is in invalid state")
    return row


def modify_transit_gateway_vpc_attachment(ctx: Context, params: Document) -> Document:
    """ModifyTransitGatewayVpcAttachment, by the VPC's owner: subnets added and removed, options changed."""
    only(params, "TransitGatewayAttachmentId AddSubnetIds RemoveSubnetIds Options")
    row = _vpc_attachment(ctx, params["TransitGatewayAttachmentId"], sharing.UNACCEPTED, sharing.REJECTED)
    if row.account != ctx.caller.account:
        raise ctx.missing(sharing.ATTACHMENT, row.id)
    present = list(row.document["SubnetIds"])
    removed, added = list(params.get("RemoveSubnetIds") or ()), [one for one in params.get("AddSubnetIds") or () if one not in present]
    for identifier in removed:
        if identifier not in present:
            raise text.invalid("InvalidParameterValue", f"Subnet {identifier} is not in the attachment {row.id}")
    wanted = [identifier for identifier in present if identifier not in removed] + added
    if not wanted:
        raise text.invalid("InsufficientSubnetsException", "An attachment needs at least one subnet")
    homes = {home.id: home for home in _subnets(ctx, row.document["VpcId"], wanted)}
    for identifier in removed:
        ctx.forget(row, "SubnetIds", identifier)
        _release(ctx, row, identifier)
    for identifier in added:
        ctx.refer(row, "SubnetIds", identifier)
        _interface(ctx, row, homes[identifier])
    row = ctx.change(row, {"SubnetIds": wanted, "Options": _options(params.get("Options"), row.document["Options"])}, settle=True)
    return {"TransitGatewayVpcAttachment": ctx.view(row)}


def delete_transit_gateway_vpc_attachment(ctx: Context, params: Document) -> Document:
    """DeleteTransitGatewayVpcAttachment, by the owner of VPC or gateway: its association and propagations end; static routes to it become blackholes."""
    row = _vpc_attachment(ctx, params["TransitGatewayAttachmentId"])
    _release(ctx, row)
    transit_gateway_routing.leave_all(ctx, row)
    left = ctx.remove(row)
    return {"TransitGatewayVpcAttachment": ctx.view(left or row)}
