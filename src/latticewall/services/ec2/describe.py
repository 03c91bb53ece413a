"""DescribeXs of EC2: by ids and Filters; deleted resources stay visible for as long as their kind keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources import filters
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler


def paths(plain: str, **others: str) -> dict[str, str]:
    """Filter name -> member path. plain: names that spell their member ("vpc-id" -> VpcId); others: member path by name with "-" as "_" and
    "." as "__"."""
    found = {name: "".join(word.capitalize() for word in name.split("-")) for name in plain.split()}
    return {**found, **{name.replace("__", ".").replace("_", "-"): path for name, path in others.items()}}


def visible(ctx: Context, kind_name: str) -> list[Row]:
    """The caller's resources, with those deleted not longer ago than their kind's tombstone lasts."""
    lasting = ctx.registry.kind(kind_name).lifecycle.tombstone
    return [row for row in ctx.rows(kind_name) if row.status != "deleted" or age(ctx, row) < lasting]


def age(ctx: Context, row: Row) -> float:
    """Seconds since the row last changed."""
    return (ctx.now_datetime - datetime.fromisoformat(row.updated_at.replace("Z", "+00:00"))).total_seconds()


def forget_old(ctx: Context) -> None:
    """Drop what has been deleted for longer than it stays visible, of every account and region."""
    for row in ctx.tx.rows(status="deleted"):
        if row.kind.startswith("ec2:") and age(ctx, row) >= ctx.registry.kind(row.kind).lifecycle.tombstone:
            ctx.tx.delete(row)


def choose(ctx: Context, kind_name: str, wanted: Iterable[str] | None, rows: list[Row] | None = None) -> list[Row]:
    """The visible rows (or those given), only those with the wanted ids if any are. Raises the kind's NotFound for an id that is not there."""
    rows = visible(ctx, kind_name) if rows is None else rows
    if not wanted:
        return rows
    by_id = {row.id: row for row in rows}
    for identifier in wanted:
        if identifier not in by_id:
            raise ctx.missing(kind_name, identifier)
    return [row for row in rows if row.id in set(wanted)]


def select(documents: Iterable[Document], rules: Sequence[Mapping[str, Any]] | None, known: Mapping[str, str]) -> list[Document]:
    """The documents that fit all Filters; a filter that this operation does not have is refused (InvalidParameterValue)."""
    for rule in rules or ():
        name = str(rule.get("Name", ""))
        if name not in known and name != "tag-key" and not name.startswith("tag:"):
            raise Invalid(f"The filter '{name}' is invalid", code="InvalidParameterValue", fields=(("Filters", name),))
    return filters.select(documents, rules, known)


def describing(kind_name: str, result: str, ids: str, known: Mapping[str, str], shape: Callable[[Context, Document], Document] | None = None) -> Handler:
    """A DescribeXs operation. result: the list's output member; ids: input member; known: filter names; shape: changes each shown document."""

    def handler(ctx: Context, params: Document) -> Document:
        shown = [ctx.view(row) for row in choose(ctx, kind_name, params.get(ids))]
        if shape:
            shown = [shape(ctx, document) for document in shown]
        return {result: select(shown, params.get("Filters"), known)}

    return handler
