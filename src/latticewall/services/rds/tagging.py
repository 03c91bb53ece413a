"""Tags of DB instances and DB subnet groups, by ARN."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import text
from latticewall.services.rds.nouns import DB_INSTANCE, DB_SUBNET_GROUP

NOUNS = {"db": DB_INSTANCE, "subgrp": DB_SUBNET_GROUP}
MOST = 50


def _named(ctx: Context, arn: str) -> Row:
    parts = arn.split(":")
    kind = NOUNS.get(parts[5]) if arn.startswith("arn:") and len(parts) == 7 else None
    if kind is None:
        raise text.invalid("ResourceName", f"Invalid resource name: {arn} is not the ARN of a DB instance or DB subnet group")
    row = ctx.find(kind, arn)
    if row is None:
        raise text.not_found(kind, ctx.registry.kind(kind).not_found_text.format(id=parts[6]))
    return row


def add(ctx: Context, params: Document) -> Document:
    """AddTagsToResource."""
    row, added = _named(ctx, params["ResourceName"]), tags.read(params["Tags"])
    if len({**row.tags, **added}) > MOST:
        raise text.invalid("Tags", f"A resource can have at most {MOST} tags")
    ctx.tag(row, added)
    return {}


def remove(ctx: Context, params: Document) -> Document:
    """RemoveTagsFromResource."""
    ctx.tag(_named(ctx, params["ResourceName"]), removed=params["TagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    """ListTagsForResource."""
    return {"TagList": tags.as_list(_named(ctx, params["ResourceName"]).tags)}


OPERATIONS = {"AddTagsToResource": add, "RemoveTagsFromResource": remove, "ListTagsForResource": list_tags}
