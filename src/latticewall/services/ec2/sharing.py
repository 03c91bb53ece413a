"""Transit gateways across accounts ("Transit gateway sharing considerations", "Accept a shared attachment").

Ids are global in EC2: a shared gateway is named by its own. An attachment belongs to the VPC's owner and is seen by the gateway's owner, who accepts it,
gives it its tables and may take it away.
"""

from __future__ import annotations

from dataclasses import replace

from latticewall.auth.callers import root
from latticewall.auth.resource_policies import allows
from latticewall.base.resource_shares import ASSOCIATION
from latticewall.base.rows import Row
from latticewall.resources.context import GONE, Context
from latticewall.services.ec2 import describe

GATEWAY, ATTACHMENT = "ec2:TransitGateway", "ec2:TransitGatewayAttachment"
UNACCEPTED, REJECTED = "unaccepted", "rejected"
"""Engine words of an attachment that the gateway's owner has not accepted, or will not."""
OUT_OF_USE = ("deleting", "failed", REJECTED)
"""What may no longer be changed."""


def _may(ctx: Context, gateway: Row, action: str) -> bool:
    return gateway.account == ctx.caller.account or allows(ctx.tx, gateway, ctx.caller.account, f"ec2:{action}")


def gateway(ctx: Context, identifier: str, action: str) -> Row:
    """The caller's transit gateway, or one on which its owner allows him the action."""
    row = ctx.tx.get(GATEWAY, identifier, "", ctx.caller.region)
    if row is None or row.status in GONE or not _may(ctx, row, action):
        raise ctx.missing(GATEWAY, identifier)
    return row


def gateways(ctx: Context) -> list[Row]:
    """The caller's, and those that are shared with his account."""
    shared = {row.name for row in ctx.tx.rows(ASSOCIATION, region=ctx.caller.region)}
    others = (row for row in ctx.tx.rows(GATEWAY, region=ctx.caller.region) if row.account != ctx.caller.account and row.status not in GONE)
    return [*describe.visible(ctx, GATEWAY), *(row for row in others if row.arn in shared and _may(ctx, row, "DescribeTransitGateways"))]


def is_side(ctx: Context, row: Row) -> bool:
    return ctx.caller.account in (row.account, row.document["TransitGatewayOwnerId"])


def find_attachment(ctx: Context, identifier: str) -> Row | None:
    """An attachment of the caller's VPCs or to his gateways."""
    row = ctx.tx.get(ATTACHMENT, identifier, "", ctx.caller.region)
    return row if row and row.status not in GONE and is_side(ctx, row) else None


def attachment(ctx: Context, identifier: str) -> Row:
    row = find_attachment(ctx, identifier)
    if row is None:
        raise ctx.missing(ATTACHMENT, identifier)
    return row


def attachments(ctx: Context) -> list[Row]:
    """Those of the caller's VPCs, and those to his gateways."""
    others = [row for row in ctx.tx.rows(ATTACHMENT, region=ctx.caller.region) if row.account != ctx.caller.account]
    return [*describe.visible(ctx, ATTACHMENT), *(row for row in others if row.status not in GONE and is_side(ctx, row))]


def attachments_to(ctx: Context, gateway: Row) -> list[Row]:
    """A gateway's attachments, whoever's VPCs they are of."""
    return [row for row in ctx.tx.rows(ATTACHMENT, parent=gateway.id) if row.status not in GONE]


def as_owner(ctx: Context, gateway: Row) -> Context:
    """The context for what happens in the account of the gateway's owner by itself."""
    return ctx if gateway.account == ctx.caller.account else replace(ctx, caller=root(gateway.account, gateway.region))


def as_seen(ctx: Context, identifier: str) -> Row | None:
    """What an id names beyond the caller's own account: a gateway that is shared with it, or an attachment of another account's VPC to one of his gateways,
    which policies know by an ARN of his own account and without the other's tags."""
    if identifier.startswith("tgw-attach-"):
        row = find_attachment(ctx, identifier)
        if row is None or row.account == ctx.caller.account:
            return None
        return replace(row, account=ctx.caller.account, arn=row.arn.replace(f":{row.account}:", f":{ctx.caller.account}:", 1), tags={})
    row = ctx.tx.get(GATEWAY, identifier, "", ctx.caller.region) if identifier.startswith("tgw-") else None
    return row if row and row.account != ctx.caller.account and row.status not in GONE and _may(ctx, row, "DescribeTransitGateways") else None
