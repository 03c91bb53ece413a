"""Policies and rule groups of other accounts ("Sharing Network Firewall resources"): used where they are shared, seen and changed by their owner alone."""

from __future__ import annotations

from latticewall.auth.resource_policies import allows
from latticewall.base.resource_shares import ASSOCIATION
from latticewall.base.rows import Row
from latticewall.resources.context import GONE, Context


def usable(ctx: Context, kind: str, arn: str) -> Row | None:
    """The caller's object, or another account's that its owner allows this operation on."""
    row = ctx.find(kind, arn) or ctx.tx.by_arn(arn)
    if row is None or row.kind != kind or row.region != ctx.caller.region or row.status in GONE:
        return None
    return row if row.account == ctx.caller.account or allows(ctx.tx, row, ctx.caller.account, f"network-firewall:{ctx.operation}") else None


def listed(ctx: Context, kind: str) -> list[Row]:
    """The caller's objects, and those of others that he may list."""
    shared = [ctx.tx.by_arn(arn) for arn in dict.fromkeys(row.name for row in ctx.tx.rows(ASSOCIATION, region=ctx.caller.region))]
    others = [row for row in shared if row and row.kind == kind and row.account != ctx.caller.account and row.status not in GONE]
    return [*ctx.live(kind), *(row for row in others if allows(ctx.tx, row, ctx.caller.account, f"network-firewall:{ctx.operation}"))]
