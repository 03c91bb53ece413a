"""Finding what a request names, in the caller's account and region; filters and page sizes of Describe operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import text
from latticewall.services.rds.nouns import DB_INSTANCE, DB_SUBNET_GROUP

FEWEST, MOST = 20, 100
"""Of MaxRecords ("DescribeDBInstances")."""


def db_instance(ctx: Context, identifier: str) -> Row:
    """By its name, in any case, or its ARN."""
    row = ctx.find(DB_INSTANCE, identifier if identifier.startswith("arn:") else identifier.lower())
    if row is None or row.id == identifier:
        raise text.not_found(DB_INSTANCE, f"DBInstance {identifier} not found.")
    return row


def db_subnet_group(ctx: Context, name: str) -> Row:
    row = ctx.find(DB_SUBNET_GROUP, name.lower())
    if row is None:
        raise text.not_found(DB_SUBNET_GROUP, f"DB subnet group '{name}' does not exist.")
    return row


def check_page_size(params: Document, most: int = MOST) -> None:
    asked = params.get("MaxRecords")
    if asked is not None and not FEWEST <= int(asked) <= most:
        raise text.invalid("MaxRecords", f"Invalid value {asked} for MaxRecords. Must be between {FEWEST} and {most}")


Meaning = Callable[[Row], str]


def filtered(rows: Iterable[Row], params: Document, filters: Mapping[str, Meaning]) -> list[Row]:
    """The rows that pass all filters of a request. filters: name -> what is compared."""
    found = list(rows)
    for asked in params.get("Filters") or ():
        name, values = asked["Name"], set(asked["Values"])
        if name not in filters:
            raise text.invalid("Filters", f"Unrecognized filter name: {name}")
        found = [row for row in found if filters[name](row) in values]
    return found
