"""Transit gateway route tables: which attachment looks up where (association), whose prefixes are where (propagation)."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ec2 import sharing, text, transit_gateway
from latticewall.services.ec2.describe import describing, paths, select
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths("default-association-route-table default-propagation-route-table state transit-gateway-id transit-gateway-route-table-id")
MEMBER_FILTERS = paths("resource-id resource-type transit-gateway-attachment-id")
ASSOCIATION = "ec2:TransitGatewayRouteTableAssociation"
PROPAGATION = "ec2:TransitGatewayRouteTablePropagation"


def create_transit_gateway_route_table(ctx: Context, params: Document) -> Document:
    """CreateTransitGatewayRouteTable."""
    gateway = transit_gateway.ready(ctx, params["TransitGatewayId"])
    table = transit_gateway.create_table(ctx, gateway, tags_for(params, "transit-gateway-route-table"), default=False)
    return {"TransitGatewayRouteTable": ctx.view(table)}


describe_transit_gateway_route_tables = describing(
    "ec2:TransitGatewayRouteTable", "TransitGatewayRouteTables", "TransitGatewayRouteTableIds", FILTERS
)  # fmt: skip


def delete_transit_gateway_route_table(ctx: Context, params: Document) -> Document:
    """DeleteTransitGatewayRouteTable: neither a default one nor one with associations (IncorrectState)."""
    table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
    if associations := ctx.live(ASSOCIATION, parent=table.id):
        named = ", ".join(row.document["TransitGatewayAttachmentId"] for row in associations)
        raise text.incorrect_state(f"{table.id} has non-deleted associations: {named}")
    if table.document["DefaultAssociationRouteTable"] or table.document["DefaultPropagationRouteTable"]:
        raise text.incorrect_state(f"{table.id} is a default route table of {table.document['TransitGatewayId']}")
    left = ctx.remove(table)
    return {"TransitGatewayRouteTable": ctx.view(left or table)}


# -- membership ----------------------------------------------------------------------------------------------------------------------------


def _join(ctx: Context, kind: str, table: Row, attachment: Row) -> Row:
    document = {
        "TransitGatewayRouteTableId": table.id, "TransitGatewayAttachmentId": attachment.id, "ResourceId": attachment.document["ResourceId"],
        "ResourceType": attachment.document["ResourceType"],
    }  # fmt: skip
    return ctx.create(kind, document, parent=table.id, refs={"TransitGatewayAttachmentId": attachment})


def association_of(ctx: Context, attachment: Row) -> Row | None:
    """The attachment's association: it has at most one."""
    return next(iter(ctx.referring(attachment, ASSOCIATION)), None)


def join_defaults(ctx: Context, gateway: Row, attachment: Row) -> None:
    """A new attachment joins the gateway's default tables, which are its owner's."""
    ctx = sharing.as_owner(ctx, gateway)
    options = gateway.document["Options"]
    for kind, member in ((ASSOCIATION, "AssociationDefaultRouteTableId"), (PROPAGATION, "PropagationDefaultRouteTableId")):
        if options.get(member):
            _join(ctx, kind, ctx.resolve("ec2:TransitGatewayRouteTable", options[member]), attachment)


def leave_all(ctx: Context, attachment: Row) -> None:
    """A deleted attachment leaves every table."""
    for kind in (ASSOCIATION, PROPAGATION):
        for row in ctx.referring(attachment, kind):
            ctx.bury(row)


def _parties(ctx: Context, params: Document) -> tuple[Row, Row]:
    """The table and the attachment of a request, of one gateway."""
    only(params, "TransitGatewayRouteTableId TransitGatewayAttachmentId")
    table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
    if not params.get("TransitGatewayAttachmentId"):
        raise text.missing_parameter("TransitGatewayAttachmentId")
    attachment = sharing.attachment(ctx, params["TransitGatewayAttachmentId"])
    if attachment.document["TransitGatewayId"] != table.document["TransitGatewayId"]:
        raise text.invalid("InvalidParameterValue", f"{attachment.id} and {table.id} belong to different transit gateways")
    for row in (attachment, table):
        if row.status in ("deleting", sharing.UNACCEPTED, sharing.REJECTED):
            raise text.incorrect_state(f"{row.id} is in invalid state")
    return table, attachment


def associate_transit_gateway_route_table(ctx: Context, params: Document) -> Document:
    """AssociateTransitGatewayRouteTable."""
    table, attachment = _parties(ctx, params)
    if present := association_of(ctx, attachment):
        message = f"Transit Gateway Attachment {attachment.id} is already associated to a route table: {present.document['TransitGatewayRouteTableId']}."
        raise text.conflict("Resource.AlreadyAssociated", message)
    return {"Association": ctx.view(_join(ctx, ASSOCIATION, table, attachment))}


def _member(ctx: Context, kind: str, table: Row, attachment: Row) -> Row | None:
    return next((row for row in ctx.referring(attachment, kind) if row.parent == table.id), None)


def disassociate_transit_gateway_route_table(ctx: Context, params: Document) -> Document:
    """DisassociateTransitGatewayRouteTable: packets from the attachment find no table from now on and are dropped."""
    table, attachment = _parties(ctx, params)
    row = _member(ctx, ASSOCIATION, table, attachment)
    if row is None:
        message = f"Transit Gateway Attachment {attachment.id} is not associated to route table {table.id}."
        raise text.not_found("InvalidAssociation.NotFound", message)
    ctx.bury(row)
    return {"Association": {**row.document, "State": "disassociating"}}


def enable_transit_gateway_route_table_propagation(ctx: Context, params: Document) -> Document:
    """EnableTransitGatewayRouteTablePropagation. Firewalls' and peers' attachments have static routes only."""
    table, attachment = _parties(ctx, params)
    if attachment.document["ResourceType"] != "vpc":
        raise text.invalid("OperationNotPermitted", f"{attachment.id} is of type {attachment.document['ResourceType']} and cannot propagate routes")
    if _member(ctx, PROPAGATION, table, attachment):
        message = f"Propagation already exists in Transit Gateway Route Table {table.id} for Transit Gateway Attachment {attachment.id}"
        raise text.conflict("TransitGatewayRouteTablePropagation.Duplicate", message)
    return {"Propagation": ctx.view(_join(ctx, PROPAGATION, table, attachment))}


def disable_transit_gateway_route_table_propagation(ctx: Context, params: Document) -> Document:
    """DisableTransitGatewayRouteTablePropagation."""
    table, attachment = _parties(ctx, params)
    row = _member(ctx, PROPAGATION, table, attachment)
    if row is None:
        message = f"Propagation of {attachment.id} to route table {table.id} does not exist"
        raise text.not_found("TransitGatewayRouteTablePropagation.NotFound", message)
    ctx.bury(row)
    return {"Propagation": {**row.document, "State": "disabling"}}


def members_of(kind: str, result: str) -> Handler:
    """GetTransitGatewayRouteTableAssociations and -Propagations."""

    def handler(ctx: Context, params: Document) -> Document:
        table = ctx.resolve("ec2:TransitGatewayRouteTable", params["TransitGatewayRouteTableId"])
        return {result: select([ctx.view(row) for row in ctx.live(kind, parent=table.id)], params.get("Filters"), MEMBER_FILTERS)}

    return handler


get_transit_gateway_route_table_associations = members_of(ASSOCIATION, "Associations")
get_transit_gateway_route_table_propagations = members_of(PROPAGATION, "TransitGatewayRouteTablePropagations")


def get_transit_gateway_attachment_propagations(ctx: Context, params: Document) -> Document:
    """GetTransitGatewayAttachmentPropagations: the tables to which an attachment propagates."""
    attachment = sharing.attachment(ctx, params["TransitGatewayAttachmentId"])
    shown = [ctx.view(row) for row in ctx.referring(attachment, PROPAGATION)]
    return {"TransitGatewayAttachmentPropagations": select(shown, params.get("Filters"), paths("transit-gateway-route-table-id"))}
