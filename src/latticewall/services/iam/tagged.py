"""Tags, for every kind of IAM that has them ("Tagging IAM resources")."""

from __future__ import annotations

from collections.abc import Callable

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas


def tagging(noun: str, found: Callable[[Context, Document], Row]) -> dict[str, Handler]:
    """TagX, UntagX and ListXTags. found: the row that the parameters name."""

    def tag(ctx: Context, params: Document) -> Document:
        row = found(ctx, params)
        added = tags.read(params["Tags"])
        quotas.room("TagsPerResource", len({*row.tags, *added}))
        ctx.tag(row, added)
        return {}

    def untag(ctx: Context, params: Document) -> Document:
        ctx.tag(found(ctx, params), removed=params["TagKeys"])
        return {}

    def listing(ctx: Context, params: Document) -> Document:
        return {"Tags": tags.as_list(found(ctx, params).tags)}

    return {f"Tag{noun}": tag, f"Untag{noun}": untag, f"List{noun}Tags": listing}
