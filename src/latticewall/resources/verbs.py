"""Whole operations made from declarations: for the many resources where Get, Describe, List and Delete mean only what their names say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from latticewall.base.faults import NotFound
from latticewall.base.rows import Row
from latticewall.resources import filters, tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler

Resolve = Callable[[Context, str, str], Row]
"""Finds the resource of a kind that an identifier names to the caller; NotFound when there is none."""
Listed = Callable[[Context, str], Sequence[Row]]
"""The live resources of a kind that are the caller's."""
ALL = -1
"""As the length of a page: what there is."""


class _Paged(Sequence[Row]):
    """Rows of which only what is asked for is read: one page of a list may be a hundredth of it."""

    def page(self, start: int, count: int) -> list[Row]:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, int):
            return self.page(index, 1)[0]
        start, stop = index.start or 0, index.stop
        return self.page(0, ALL)[index] if stop is None or start < 0 or stop < 0 else self.page(start, max(stop - start, 0))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.page(0, ALL))


class Own(_Paged):
    """`Context.live`."""

    def __init__(self, ctx: Context, kind: str) -> None:
        self._ctx, self._kind = ctx, kind

    def __len__(self) -> int:
        return self._ctx.count(self._kind)

    def page(self, start: int, count: int) -> list[Row]:
        return self._ctx.page(self._kind, start, count)

    def page_shown(self, start: int, count: int) -> list[Answer]:
        return self._ctx.page_shown(self._kind, start, count)


class Referring(_Paged):
    """`Context.page_referring`: the resources of a kind that refer to one."""

    def __init__(self, ctx: Context, row: Row, kind: str, without_role: str = "") -> None:
        self._ctx, self._row, self._kind, self._without_role = ctx, row, kind, without_role

    def __len__(self) -> int:
        return self._ctx.count_referring(self._row, self._kind, self._without_role)

    def page(self, start: int, count: int) -> list[Row]:
        return self._ctx.page_referring(self._row, self._kind, start, count, self._without_role)


class Shown(Sequence[Answer]):
    """Rows as they are shown (`Context.shown`), each when it is asked for."""

    def __init__(self, ctx: Context, rows: Sequence[Row]) -> None:
        self._ctx, self._rows = ctx, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> list[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | list[Answer]:
        if isinstance(index, slice) and isinstance(self._rows, Own) and 0 <= (index.start or 0) <= (index.stop or 0):
            return self._rows.page_shown(index.start or 0, index.stop - (index.start or 0))
        found = self._rows[index]
        return self._ctx.shown(found) if isinstance(found, Row) else [self._ctx.shown(row) for row in found]

    def __iter__(self) -> Iterator[Answer]:
        return map(self._ctx.shown, self._rows)


def get(
    kind: str, identifier: str, *, wrap: str = "", extra: Callable[[Context, Document], Document] | None = None, resolve: Resolve = Context.resolve
) -> Handler:
    """GetX/DescribeX of one resource named by the member `identifier`; `wrap`: the output member that holds it."""

    def handler(ctx: Context, params: Document) -> Answer:
        row = resolve(ctx, kind, params[identifier])
        if not extra:
            return {wrap: ctx.shown(row)} if wrap else ctx.shown(row)
        shown = ctx.view(row)
        shown.update(extra(ctx, shown))
        return {wrap: shown} if wrap else shown

    return handler


def listing(
    kind: str, *, result: str = "items", where: Mapping[str, str] | None = None, parent: str = "", parent_kind: str = "", listed: Listed = Own
) -> Handler:
    """ListX. where: input member -> path to the member of the stored document that must equal it (ids and ARNs of one resource count as equal). parent: input
    member that names the owner. listed: the resources that the caller has."""

    def handler(ctx: Context, params: Document) -> Document:
        rows = ctx.live(kind, parent=ctx.resolve(parent_kind, params[parent]).id) if parent else listed(ctx, kind)
        return {result: Shown(ctx, chosen(rows, {path: params[member] for member, path in (where or {}).items() if params.get(member)}))}

    return handler


def chosen(rows: Sequence[Row], wanted: Mapping[str, str]) -> Sequence[Row]:
    """The rows whose documents have these values at these paths."""
    return [row for row in rows if all(_names(_at(row.document, path), value) for path, value in wanted.items())] if wanted else rows


def _at(document: Any, path: str) -> Any:
    for member in path.split("."):
        document = (document or {}).get(member)
    return document


def _names(value: Any, wanted: str) -> bool:
    return bool(value) and (value == wanted or str(wanted).endswith("/" + str(value)) or str(value).endswith("/" + str(wanted)))


def describe(
    kind: str, result: str, ids: str = "", *, aliases: Mapping[str, str] | None = None, known: Sequence[str] = (), tombstones: bool = True
) -> Handler:
    """EC2's DescribeXs: ids + Filters. A given id that does not exist is refused. known: members the answers may have (for filter names)."""

    def handler(ctx: Context, params: Document) -> Document:
        rows = ctx.rows(kind) if tombstones else ctx.live(kind)
        if wanted := (params.get(ids) if ids else None):
            present = {row.id for row in rows}
            for identifier in wanted:
                if identifier not in present:
                    raise ctx.missing(kind, identifier)
            rows = [row for row in rows if row.id in wanted]
        shown = [ctx.view(row) for row in rows]
        return {result: filters.select(shown, params.get("Filters"), aliases, known)}

    return handler


def delete(
    kind: str, identifier: str, *, answer: Callable[[Context, Document], Document] | None = None, resolve: Resolve = Context.resolve
) -> Handler:
    """DeleteX. answer: what to answer, from the document as shown after the deletion started; default nothing."""

    def handler(ctx: Context, params: Document) -> Document:
        row = resolve(ctx, kind, params[identifier])
        left = ctx.remove(row)
        return answer(ctx, ctx.view(left or row)) if answer else {}

    return handler


def tag_resource(arn_member: str, tags_member: str) -> Handler:
    """TagResource by ARN."""

    def handler(ctx: Context, params: Document) -> Document:
        row = _by_arn(ctx, params[arn_member])
        ctx.tag(row, tags.read(params.get(tags_member)))
        return {}

    return handler


def untag_resource(arn_member: str, keys_member: str) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        ctx.tag(_by_arn(ctx, params[arn_member]), removed=params.get(keys_member) or ())
        return {}

    return handler


def list_tags(arn_member: str, tags_member: str, *, as_map: bool) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        row = _by_arn(ctx, params[arn_member])
        return {tags_member: dict(row.tags) if as_map else tags.as_list(row.tags)}

    return handler


def _by_arn(ctx: Context, arn: str) -> Row:
    """The live resource of the caller's account and region that an ARN names, of the service that was called."""
    row = ctx.tx.by_arn(arn)
    kind = ctx.registry.kinds.get(row.kind) if row else None
    if row is None or kind is None or kind.service != ctx.service or ctx.find(row.kind, arn) is None:
        raise NotFound(f"Resource {arn} not found", kind=f"{ctx.service}:Resource", id=arn)
    return row
