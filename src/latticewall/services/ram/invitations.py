"""Invitations of accounts that are not of the owner's organization ("Accepting and rejecting resource share invitations"). One is open for 7 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from latticewall.base.faults import Fault, LimitExceeded
from latticewall.base.resource_shares import ASSOCIATION, INVITATION, SHARE, type_of
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ram import find, text
from latticewall.services.ram.find import PRINCIPAL, RESOURCE

OPEN_FOR = timedelta(days=7)
MOST_PENDING = 20
"""Invitations that an account may have sent and that nobody has answered ("Quotas for AWS RAM")."""


def invite(ctx: Context, share: Row, account: str) -> None:
    pending = [row for row in ctx.live(INVITATION) if _status(ctx, row) == "PENDING"]
    if len(pending) >= MOST_PENDING:
        raise LimitExceeded(f"You have reached the limit of {MOST_PENDING} pending invitations.", code="ResourceShareLimitExceededException")
    expires = (ctx.now_datetime + OPEN_FOR).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ctx.create(INVITATION, {"status": "PENDING", "_expires": expires}, id=ctx.new_uuid(), name=account, parent=share.id)


def withdraw(ctx: Context, share: Row, account: str) -> None:
    """The account is no longer invited."""
    for row in ctx.tx.rows(INVITATION, parent=share.id, name=account):
        ctx.remove(row)


def association_status(ctx: Context, association: Row) -> Document:
    """Status of an association with a principal: one that is still to be accepted fails when its invitation has expired."""
    if association.document["status"] != "ASSOCIATING":
        return {"status": association.document["status"]}
    open_ = any(_status(ctx, row) == "PENDING" for row in ctx.tx.rows(INVITATION, parent=association.parent, name=association.name))
    return {"status": "ASSOCIATING"} if open_ else {"status": "FAILED", "statusMessage": "The invitation has expired."}


def _status(ctx: Context, row: Row) -> str:
    status: str = row.document["status"]
    return "EXPIRED" if status == "PENDING" and row.document["_expires"] <= ctx.now else status


def _view(ctx: Context, row: Row) -> Document:
    share = ctx.tx.get(SHARE, row.parent)
    assert share is not None, "a share takes its invitations with it"
    return {
        "resourceShareInvitationArn": row.arn, "resourceShareArn": share.arn, "resourceShareName": share.name, "senderAccountId": share.account,
        "receiverAccountId": row.name, "invitationTimestamp": row.created_at, "status": _status(ctx, row),
    }  # fmt: skip


def _received(ctx: Context, arn: str) -> Row:
    row = ctx.tx.by_arn(text.check_arn(arn))
    if row is None or row.kind != INVITATION or (row.name, row.region) != (ctx.caller.account, ctx.caller.region):
        raise text.unknown("ResourceShareInvitation", arn)
    return row


def _refuse(code: str, row: Row, why: str) -> Fault:
    return Fault(f"ResourceShareInvitation {row.arn} {why}.", code=f"ResourceShareInvitation{code}Exception")


def _answer(ctx: Context, params: Document, status: str, association: Document) -> Document:
    row = _received(ctx, params["resourceShareInvitationArn"])
    match _status(ctx, row):
        case "ACCEPTED":
            raise _refuse("AlreadyAccepted", row, "has already been accepted")
        case "REJECTED":
            raise _refuse("AlreadyRejected", row, "has already been rejected")
        case "EXPIRED":
            raise _refuse("Expired", row, "has expired")
    for held in ctx.tx.rows(ASSOCIATION, parent=row.parent, name=ctx.caller.account):
        ctx.change(held, association)
    answered = _view(ctx, ctx.change(row, {"status": status}))
    token = {"clientToken": params["clientToken"]} if params.get("clientToken") else {}
    return {"resourceShareInvitation": answered, **token}


def accept(ctx: Context, params: Document) -> Document:
    """AcceptResourceShareInvitation: from now on the account may use what is shared."""
    return _answer(ctx, params, "ACCEPTED", {"status": "ASSOCIATED"})


def reject(ctx: Context, params: Document) -> Document:
    """RejectResourceShareInvitation."""
    return _answer(ctx, params, "REJECTED", {"status": "FAILED", "statusMessage": "The invitation was rejected."})


def get_invitations(ctx: Context, params: Document) -> Document:
    """GetResourceShareInvitations: those that the caller's account was sent."""
    found = [row for row in ctx.tx.rows(INVITATION, region=ctx.caller.region) if row.name == ctx.caller.account]
    if arns := params.get("resourceShareInvitationArns"):
        wanted = {_received(ctx, arn).arn for arn in arns}
        found = [row for row in found if row.arn in wanted]
    shown = [_view(ctx, row) for row in found]
    if arns := params.get("resourceShareArns"):
        shown = [one for one in shown if one["resourceShareArn"] in [text.check_arn(arn) for arn in arns]]
    return {"resourceShareInvitations": shown}


def list_pending_resources(ctx: Context, params: Document) -> Document:
    """ListPendingInvitationResources: what accepting would open."""
    row = _received(ctx, params["resourceShareInvitationArn"])
    status = _status(ctx, row)
    if status == "REJECTED":
        raise _refuse("AlreadyRejected", row, "has already been rejected")
    if status == "EXPIRED":
        raise _refuse("Expired", row, "has expired")
    share = ctx.tx.get(SHARE, row.parent)
    resources: list[dict[str, Any]] = []
    if share and status == "PENDING" and params.get("resourceRegionScope") != "GLOBAL":
        resources = [
            {"arn": held.name, "type": type_of(held.name), "resourceShareArn": share.arn, "status": "PENDING", "resourceRegionScope": "REGIONAL"}
            for held in find.associated(ctx, share, RESOURCE)
        ]
    return {"resources": resources}


def leave(ctx: Context, share: Row) -> Row | None:
    """The association by which the caller's account, which accepted an invitation, is in a share."""
    found = [row for row in find.associated(ctx, share, PRINCIPAL) if row.name == ctx.caller.account and row.document["external"]]
    return found[0] if found else None


OPERATIONS: dict[str, Handler] = {
    "AcceptResourceShareInvitation": accept,
    "RejectResourceShareInvitation": reject,
    "GetResourceShareInvitations": get_invitations,
    "ListPendingInvitationResources": list_pending_resources,
}
