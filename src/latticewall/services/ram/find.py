"""Finding shares and what is in them."""

from __future__ import annotations

from latticewall.auth.resource_policies import reaches
from latticewall.base.resource_shares import ASSOCIATION, RESOURCE_ID, SHARE, type_of
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.ram import text

PRINCIPAL, RESOURCE = "PRINCIPAL", "RESOURCE"


def own_share(ctx: Context, arn: str) -> Row:
    """A share of the caller's account."""
    row = ctx.find(SHARE, text.check_arn(arn))
    if row is None:
        raise text.unknown("ResourceShare", arn)
    return row


def open_shares(ctx: Context) -> list[Row]:
    """The shares of other accounts in the region that are open to the caller's."""
    return [row for row in ctx.tx.rows(SHARE, region=ctx.caller.region) if reaches(ctx.tx, row, ctx.caller.account)]


def shares(ctx: Context, owner: str, arns: list[str] | None = None) -> list[Row]:
    """Shares by `resourceOwner` (SELF or OTHER-ACCOUNTS), only those named where any is."""
    found = ctx.live(SHARE) if owner == "SELF" else open_shares(ctx)
    if not arns:
        return found
    by_arn = {row.arn: row for row in found}
    for arn in arns:
        if text.check_arn(arn) not in by_arn:
            raise text.unknown("ResourceShare", arn)
    return [by_arn[arn] for arn in dict.fromkeys(arns)]


def associated(ctx: Context, share: Row, type_: str) -> list[Row]:
    """The share's associations with resources or with principals."""
    return [row for row in ctx.tx.rows(ASSOCIATION, parent=share.id) if row.document["associationType"] == type_]


def own_resource(ctx: Context, arn: str) -> Row | None:
    """The shareable resource of the caller's account that an ARN names."""
    row = ctx.tx.by_arn(arn)
    mine = row is not None and (row.account, row.region) == (ctx.caller.account, ctx.caller.region)
    return row if row and mine and type_of(arn) and row.status not in ("deleting", "deleted") else None


def shared_resource(ctx: Context, association: Row) -> Row | None:
    """What a resource association is about, as long as it exists."""
    row = ctx.tx.by_arn(association.name)
    same = row is not None and row.id == association.document[RESOURCE_ID]
    return row if row and same and row.status not in ("deleting", "deleted") else None
