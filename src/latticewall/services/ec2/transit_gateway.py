"""Transit gateways ("How AWS Transit Gateway works")."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import sharing, text
from latticewall.services.ec2.describe import choose, paths, select
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths(
    "transit-gateway-id state owner-id",
    **{
        f"options__{name}": f"Options.{member}"
        for name, member in {
            "amazon_side_asn": "AmazonSideAsn", "auto_accept_shared_attachments": "AutoAcceptSharedAttachments",
            "default_route_table_association": "DefaultRouteTableAssociation", "default_route_table_propagation": "DefaultRouteTablePropagation",
            "association_default_route_table_id": "AssociationDefaultRouteTableId", "dns_support": "DnsSupport", "vpn_ecmp_support": "VpnEcmpSupport",
            "propagation_default_route_table_id": "PropagationDefaultRouteTableId",
        }.items()
    },
)  # fmt: skip
DEFAULTS = {
    "AmazonSideAsn": 64512, "AutoAcceptSharedAttachments": "disable", "DefaultRouteTableAssociation": "enable", "DefaultRouteTablePropagation": "enable",
    "VpnEcmpSupport": "enable", "DnsSupport": "enable", "SecurityGroupReferencingSupport": "disable", "MulticastSupport": "disable",
}  # fmt: skip
TABLE_OPTIONS = (
    ("DefaultRouteTableAssociation", "AssociationDefaultRouteTableId", "DefaultAssociationRouteTable"),
    ("DefaultRouteTablePropagation", "PropagationDefaultRouteTableId", "DefaultPropagationRouteTable"),
)
"""Option, the option that names the table, the table's own member."""


def _check(options: Document) -> None:
    asn = options["AmazonSideAsn"]
    if not (64512 <= asn <= 65534 or 4200000000 <= asn <= 4294967294):
        raise text.bad_value(asn, "AmazonSideAsn", "It must be between 64512 and 65534 or between 4200000000 and 4294967294.")
    if options["MulticastSupport"] == "enable":
        raise text.invalid("UnsupportedOperation", "Multicast on transit gateways is not supported yet")


def create_table(ctx: Context, gateway: Row, tags: dict[str, str], *, default: bool) -> Row:
    """A route table of the gateway, empty. default: it becomes the gateway's default table where the options ask for one."""
    options = gateway.document["Options"]
    document: Document = {"TransitGatewayId": gateway.id, "CreationTime": ctx.now, "_routes": []}
    for option, _, member in TABLE_OPTIONS:
        document[member] = default and options[option] == "enable"
    return ctx.create("ec2:TransitGatewayRouteTable", document, parent=gateway.id, tags=tags, refs={"TransitGatewayId": gateway.id})


def create_transit_gateway(ctx: Context, params: Document) -> Document:
    """CreateTransitGateway: with a default route table if either default option asks for one."""
    only(params, "Description Options")
    given = {key: value for key, value in (params.get("Options") or {}).items() if value not in (None, "", [])}
    only(given, " ".join(DEFAULTS))
    options = {**DEFAULTS, **given}
    _check(options)
    document = {"OwnerId": ctx.caller.account, "Description": params.get("Description") or "", "CreationTime": ctx.now, "Options": options}
    gateway = ctx.create("ec2:TransitGateway", document, tags=tags_for(params, "transit-gateway"))
    if any(options[option] == "enable" for option, _, _ in TABLE_OPTIONS):
        table = create_table(ctx, gateway, {}, default=True)
        named = {member: table.id for option, member, _ in TABLE_OPTIONS if options[option] == "enable"}
        gateway = ctx.change(gateway, {"Options": {**options, **named}})
    return {"TransitGateway": ctx.view(gateway)}


def view(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    return {"TransitGatewayArn": row.arn}


def describe_transit_gateways(ctx: Context, params: Document) -> Document:
    """DescribeTransitGateways, those that are shared with the account among them."""
    rows = choose(ctx, sharing.GATEWAY, params.get("TransitGatewayIds"), sharing.gateways(ctx))
    return {"TransitGateways": select([ctx.view(row) for row in rows], params.get("Filters"), FILTERS)}


def modify_transit_gateway(ctx: Context, params: Document) -> Document:
    """ModifyTransitGateway: description, options and which tables are the default ones; attachments that exist keep their associations."""
    only(params, "TransitGatewayId Description Options")
    gateway = ready(ctx, params["TransitGatewayId"])
    given = {key: value for key, value in (params.get("Options") or {}).items() if value not in (None, "", [])}
    tables = [member for _, member, _ in TABLE_OPTIONS]
    only(given, " ".join((*DEFAULTS, *tables)))
    options = {**gateway.document["Options"], **given}
    _check(options)
    for option, member, flag in TABLE_OPTIONS:
        options = _point_to_default(ctx, gateway, options, option, member, flag)
    changes: Document = {"Options": options}
    if params.get("Description") is not None:
        changes["Description"] = params["Description"]
    return {"TransitGateway": ctx.view(ctx.change(gateway, changes, settle=True))}


def _point_to_default(ctx: Context, gateway: Row, options: Document, option: str, member: str, flag: str) -> Document:
    """The options with the default table's id present exactly when its option is enabled; the tables' own flags follow."""
    wanted = ""
    if options[option] == "enable":
        if not options.get(member):
            message = f"{member} must be given to enable {option}: the transit gateway has no default route table"
            raise text.bad_combination(message)
        table = ctx.resolve("ec2:TransitGatewayRouteTable", options[member])
        if table.document["TransitGatewayId"] != gateway.id:
            raise ctx.missing("ec2:TransitGatewayRouteTable", table.id)
        wanted = table.id
    for table in ctx.live("ec2:TransitGatewayRouteTable", parent=gateway.id):
        if table.document[flag] != (table.id == wanted):
            ctx.change(table, {flag: table.id == wanted})
    return options if wanted else {key: value for key, value in options.items() if key != member}


def ready(ctx: Context, identifier: str) -> Row:
    """The gateway, if it may be changed. Raises IncorrectState while it is being made or deleted."""
    row = ctx.resolve("ec2:TransitGateway", identifier)
    if row.status in ("deleting", "failed"):
        raise text.incorrect_state(f"Transit Gateway {identifier} is in invalid state")
    return row


def delete_transit_gateway(ctx: Context, params: Document) -> Document:
    """DeleteTransitGateway: not while attachments exist, even ones that are being deleted (IncorrectState)."""
    gateway = ctx.resolve("ec2:TransitGateway", params["TransitGatewayId"])
    if attachments := [row for row in sharing.attachments_to(ctx, gateway) if row.status != sharing.REJECTED]:
        named = ", ".join(row.id for row in attachments)
        raise text.incorrect_state(f"{gateway.id} has non-deleted Transit Gateway Attachments: {named}.")
    left = ctx.remove(gateway)
    return {"TransitGateway": ctx.view(left or gateway)}
