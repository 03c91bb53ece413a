"""Statuses move only here: when the data plane has applied a revision, what waited for it becomes ready, stopped or gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import NEXT_STATUS


def waiting(ctx: Context, revision: int) -> list[Row]:
    """Rows of any account and region whose status lasts until `revision` is applied."""
    return [row for status in NEXT_STATUS for row in ctx.tx.rows(status=status) if row.revision <= revision]


def settle(ctx: Context, revision: int, failures: Mapping[str, str], unsettled: Collection[str] = ()) -> int:
    """Move every waiting row whose revision is applied. failures: resource id or ARN -> reason; what was being created fails with it, what was
    being updated keeps its last good form in the data plane and says why. unsettled: ids or ARNs that are still being tried. Returns how many moved."""
    moved = 0
    for row in waiting(ctx, revision):
        if row.id in unsettled or row.arn in unsettled:
            continue
        reason = failures.get(row.id) or failures.get(row.arn) or ""
        following = "failed" if reason and row.status == "creating" else NEXT_STATUS[row.status]
        if following == "deleted":
            ctx.bury(row)
        else:
            ctx.tx.put(replace(row, status=following, reason=reason))
        moved += 1
    for service in ctx.registry.services.values():
        if service.settled:
            service.settled(ctx)
    return moved
