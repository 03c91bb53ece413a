"""What trust anchors, profiles and revocation lists have in common: reading, enabling, deleting, tags, and options that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Invalid, NotFound, Unsupported
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

MAX_TAGS = 200
_NOT_THERE = {
    "aliasName": "aliases", "notificationSettings": "notifications", "crlDpRevocationEnabled": "CRL distribution points",
    "requireInstanceProperties": "instance properties",
}  # fmt: skip


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Raises Unsupported for options that would change something elsewhere."""
    for member, what in _NOT_THERE.items():
        if params.get(member):
            raise Unsupported(f"{member} is not supported by latticewall: there are no {what}")


def about(kind: str, member: str, plural: str) -> dict[str, Handler]:
    """Get, List, Enable, Disable and Delete of a kind. member: that holds one resource in answers; its id is in `<member>Id`."""
    noun = member[0].upper() + member[1:]

    def find(ctx: Context, params: Document) -> Row:
        return ctx.resolve(kind, params[f"{member}Id"])

    def get(ctx: Context, params: Document) -> Document:
        return {member: ctx.view(find(ctx, params))}

    def listing(ctx: Context, _: Document) -> Document:
        return {f"{member}s": [ctx.view(row) for row in ctx.rows(kind)]}

    def switch(*, enabled: bool) -> Handler:
        return lambda ctx, params: {member: ctx.view(ctx.change(find(ctx, params), {"enabled": enabled}))}

    def delete(ctx: Context, params: Document) -> Document:
        row = find(ctx, params)
        shown = ctx.view(row)
        ctx.remove(row)
        return {member: shown}

    return {
        f"Get{noun}": get, f"List{plural}": listing, f"Delete{noun}": delete,
        f"Enable{noun}": switch(enabled=True), f"Disable{noun}": switch(enabled=False),
    }  # fmt: skip


def _tagged(ctx: Context, arn: str) -> Row:
    row = ctx.tx.by_arn(arn)
    if row is None or not row.kind.startswith("rolesanywhere:") or ctx.find(row.kind, arn) is None:
        raise NotFound(f"Resource {arn} not found", kind="rolesanywhere:Resource", id=arn)
    return row


def tag(ctx: Context, params: Document) -> Document:
    row, added = _tagged(ctx, params["resourceArn"]), tags.read(params["tags"])
    if len({**row.tags, **added}) > MAX_TAGS:
        raise Invalid(f"A resource can have at most {MAX_TAGS} tags", code="TooManyTagsException")
    ctx.tag(row, added)
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params["resourceArn"]), removed=params["tagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"tags": [{"key": key, "value": value} for key, value in sorted(_tagged(ctx, params["resourceArn"]).tags.items())]}


OPERATIONS: dict[str, Handler] = {"TagResource": tag, "UntagResource": untag, "ListTagsForResource": list_tags}
