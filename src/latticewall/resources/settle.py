"""Statuses move only here: when the data plane has applied a revision, what waited for it becomes ready, stopped or gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import NEXT_STATUS


def waiting(ctx: Context, revision: int) -> list[Row]:
    """Rows of any account and region whose status lasts until `revision` is applied."""
    return [row for status in NEXT_STATUS for row in ctx.tx.rows(status=status) if row.revision <= revision]


def settle(ctx: Context, revision: int, failures: Mapping[tuple[str, str], str]) -> int:
    """Move every waiting row whose revision is applied; (kind, id) in `failures` fail with the reason instead. Returns how many moved."""
    moved = 0
    for row in waiting(ctx, revision):
        reason = failures.get((row.kind, row.id), "")
        if reason and row.status != "deleting":
            if row.status != "failed" or row.reason != reason:
                ctx.tx.put(replace(row, status="failed", reason=reason))
                moved += 1
            continue
        following = NEXT_STATUS[row.status]
        if following == "deleted":
            ctx.bury(row)
        else:
            ctx.tx.put(replace(row, status=following, reason=""))
        moved += 1
    return moved
