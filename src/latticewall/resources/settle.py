"""Statuses move only here: when the data plane has applied a revision, what waited for it becomes ready, stopped or gone.

What heals (`Lifecycle.heals`) is tried again for as long as it is there: it fails and gets well as the data plane says.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import AILING, NEXT_STATUS

FAILING = ("creating", "updating", "starting", "rebooting")
"""What may not succeed."""


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
        following = _failed(ctx, row) if reason and row.status in FAILING else NEXT_STATUS[row.status]
        if following == "deleted":
            ctx.bury(row)
        else:
            ctx.tx.put(replace(row, status=following, reason=reason))
        moved += 1
    moved += _heal(ctx, failures, unsettled) + _await(ctx, unsettled)
    for service in ctx.registry.services.values():
        if service.settled:
            service.settled(ctx)
    return moved


def _failed(ctx: Context, row: Row) -> str:
    """What a creation or an update comes to that does not succeed."""
    if ctx.registry.kind(row.kind).lifecycle.heals:
        return "failing" if row.status == "creating" else "impaired"
    if row.status in ("starting", "rebooting"):
        return NEXT_STATUS[row.status]
    return "failed" if row.status == "creating" else "ready"


def _heal(ctx: Context, failures: Mapping[str, str], unsettled: Collection[str]) -> int:
    """What heals and was ready is impaired as soon as it fails; what fails no more is ready."""
    moved = 0
    for row in [row for status in AILING for row in ctx.tx.rows(status=status)]:
        reason = failures.get(row.id) or failures.get(row.arn) or ""
        if not reason and row.id not in unsettled and row.arn not in unsettled:
            ctx.tx.put(replace(row, status="ready", reason=""))
            moved += 1
    for identifier, reason in failures.items():
        failing = ctx.tx.by_arn(identifier) if identifier.startswith("arn:") else _by_id(ctx, identifier)
        if failing is None or failing.reason == reason or not ctx.registry.kind(failing.kind).lifecycle.heals:
            continue
        if failing.status in ("ready", *AILING):
            ctx.tx.put(replace(failing, status="impaired" if failing.status == "ready" else failing.status, reason=reason))
            moved += 1
    return moved


def _await(ctx: Context, unsettled: Collection[str]) -> int:
    """Of some kinds, what was ready and is being tried is not ready until it is there again."""
    moved = 0
    for identifier in unsettled:
        row = ctx.tx.by_arn(identifier) if identifier.startswith("arn:") else _by_id(ctx, identifier)
        awaited = ctx.registry.kind(row.kind).lifecycle.awaited if row and row.status == "ready" else ""
        if row and awaited:
            ctx.tx.put(replace(row, status=awaited))
            moved += 1
    return moved


def _by_id(ctx: Context, identifier: str) -> Row | None:
    kind = ctx.registry.kind_of_id(identifier)
    return ctx.tx.get(kind.name, identifier) if kind else None
