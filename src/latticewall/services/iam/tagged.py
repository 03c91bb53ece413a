"""Tags, for every kind of IAM that has them ("Tags for IAM resources": keys of users' and roles' tags are not case sensitive, others are)."""

from __future__ import annotations

from collections.abc import Callable

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas

FOLDED = ("iam:User", "iam:Role")
"""Kinds whose tag keys are the same in any case; the case of the first is kept."""


def read(given: object, kind: str) -> dict[str, str]:
    """The tags of a request. Raises InvalidInput for a reserved key, or one given twice."""
    try:
        found = tags.read(given)
    except Invalid as fault:
        raise Invalid(fault.message, code="InvalidInput") from fault
    if kind in FOLDED and len({key.lower() for key in found}) < len(found):
        raise Invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.", code="InvalidInput")
    quotas.room("TagsPerResource", len(found))
    return found


def _merged(row: Row, added: dict[str, str]) -> dict[str, str]:
    """The row's tags with others put in or in place."""
    spelled = {key.lower(): key for key in row.tags} if row.kind in FOLDED else {}
    return {**row.tags, **{spelled.get(key.lower(), key): value for key, value in added.items()}}


def tagging(noun: str, found: Callable[[Context, Document], Row]) -> dict[str, Handler]:
    """TagX, UntagX and ListXTags. found: the row that the parameters name."""

    def tag(ctx: Context, params: Document) -> Document:
        row = found(ctx, params)
        merged = _merged(row, read(params["Tags"], row.kind))
        quotas.room("TagsPerResource", len(merged))
        ctx.tag(row, merged)
        return {}

    def untag(ctx: Context, params: Document) -> Document:
        row = found(ctx, params)
        removed = {key.lower() for key in params["TagKeys"]}
        ctx.tag(row, removed=[key for key in row.tags if key in params["TagKeys"] or (row.kind in FOLDED and key.lower() in removed)])
        return {}

    def listing(ctx: Context, params: Document) -> Document:
        return {"Tags": tags.as_list(found(ctx, params).tags)}

    return {f"Tag{noun}": tag, f"Untag{noun}": untag, f"List{noun}Tags": listing}
