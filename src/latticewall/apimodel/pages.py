"""Pages of a list, from botocore's paginators: which members carry the token, the limit and the items of an operation.

A token is opaque to clients: a position in the list, bound to whose list it is, to the operation and to the parameters it was issued for. It grants nothing
that the call itself would not, so it is checked for sense and not signed. Where it is known what tells a service's items apart (IDENTITIES), the token
remembers the items on both sides of the position too: what is made or deleted between two pages makes no item come twice, and leaves none out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.error_dialects import page_token_code
from latticewall.base.faults import Invalid
from latticewall.base.rows import View

TOKENS = ("NextToken", "nextToken", "Marker", "marker", "PaginationToken")
LIMITS = ("MaxResults", "maxResults", "MaxItems", "maxItems", "Limit", "limit")


@dataclass(frozen=True)
class Page:
    """The members through which an operation pages. `more` is the boolean some services add; empty where there is none."""

    input_token: str
    output_token: str
    limit: str
    result: str
    more: str = ""


@cache
def page_of(operation: Operation) -> Page | None:
    """How the operation pages; None when it answers everything at once, or by several tokens that only it understands."""
    model = operation.page_model
    if model is None:
        return _guessed(operation)
    result = _first(model["result_key"])
    if not isinstance(model["input_token"], str) or not isinstance(model["output_token"], str):
        return None
    members = operation.output.members if operation.output else {}
    more = str(model.get("more_results", ""))
    return Page(
        input_token=model["input_token"],
        output_token=model["output_token"].split("||")[0].strip(),
        limit=str(model.get("limit_key", "")),
        result=result,
        more=more if more in members else "",
    )


DEFAULT_LIMITS = {"vpc-lattice": 100}
"""Pages of services whose lists are never answered whole, when the caller names no size: the largest that may be named."""
IDENTITIES = {"vpc-lattice": ("createdAt", "id", "port")}
"""The members that tell an item from the others of its list; the first is what the list is in order of, in lists whose items have it."""

LONGEST = 1 << 31
"""No list has more items; SQLite cannot count without end."""


def paginate(
    operation: Operation, items: Sequence[Any], params: Mapping[str, Any], *, owner: str = "", default_limit: int | None = None
) -> dict[str, Any]:
    """The part of the output document that this page is: its items, and the token of the next page if there is one.

    items: the whole list, in an order that stays the same between calls; no more of it is asked for than is shown. owner: whose list it is, account and
    Region. default_limit: the page size when the caller names none; None: that of the service, or all. Raises Invalid, with the service's code, for a token
    that was not issued for this list.
    """
    page = page_of(operation)
    if page is None:
        raise ValueError(f"{operation} does not page by one token")
    binding = _binding(operation, page, params, owner)
    start = _start(operation, page, items, params, binding)
    limit = _limit(operation, page, params) or default_limit or DEFAULT_LIMITS.get(operation.service.name)
    found = list(items[start : start + limit + 1] if limit else items[start:])  # one more, to see whether there is more: counting all may cost more
    more = bool(limit) and len(found) > (limit or 0)
    document: dict[str, Any] = {}
    _place(document, page.result, found[:limit])
    if more:
        document[page.output_token] = _token(operation, binding, start + (limit or 0), found[-2:])
    if page.more:
        document[page.more] = more
    return document


def _limit(operation: Operation, page: Page, params: Mapping[str, Any]) -> int:
    """The page size asked for, 0 for none; Route 53 sends it as text."""
    asked = params.get(page.limit) or 0
    try:
        return max(int(asked), 0)
    except ValueError:
        fields = ((page.limit, "The value is not a number"),)
        raise Invalid(f"The specified {page.limit} is not valid", code=page_token_code(operation.service), fields=fields) from None


def _place(document: dict[str, Any], path: str, items: list[Any]) -> None:
    *outer, last = path.split(".")
    for name in outer:
        document = document.setdefault(name, {})
    document[last] = items


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, (list, tuple)) else str(value)


def _guessed(operation: Operation) -> Page | None:
    """Operations that page without a paginator in the model: the members have the usual names."""
    inputs = operation.input.members if operation.input else {}
    outputs = operation.output.members if operation.output else {}
    token = next((name for name in TOKENS if name in inputs), "")
    answered = next((name for name in (token, f"Next{token}") if name and name in outputs), "")
    lists = [name for name, shape in outputs.items() if shape.type == "list"]
    if not answered or len(lists) != 1:
        return None
    limit = next((name for name in LIMITS if name in inputs), "")
    return Page(token, answered, limit, lists[0], "IsTruncated" if "IsTruncated" in outputs else "")


_sorted = json.JSONEncoder(sort_keys=True, default=str, check_circular=False).encode


def _binding(operation: Operation, page: Page, params: Mapping[str, Any], owner: str) -> str:
    """A digest of what the list depends on: everything but the token and the page size."""
    rest = {name: value for name, value in params.items() if name not in (page.input_token, page.limit)}
    text = _sorted([owner, operation.qualified_name, rest])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _identity(operation: Operation, item: Any) -> list[str]:
    """What tells an item from the others; empty where that is not known."""
    members = IDENTITIES.get(operation.service.name, ())
    if isinstance(item, View):
        return [*item.kept(members, lambda shown: _told_apart(shown, members))]
    return [*_told_apart(item, members)] if isinstance(item, Mapping) else []


def _told_apart(item: Mapping[str, Any], members: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(item.get(member, "")) for member in members)


def _token(operation: Operation, binding: str, position: int, around: Sequence[Any]) -> str:
    """around: the last item that was shown and the first one that was not."""
    sides = [_identity(operation, item) for item in around]
    parts = (str(position), binding, *((_sorted(sides),) if all(sides) else ()))
    return base64.b64encode(":".join(parts).encode()).decode()


def _start(operation: Operation, page: Page, items: Sequence[Any], params: Mapping[str, Any], binding: str) -> int:
    """Where the page begins: at the first item that was not shown, or after the last one that was, wherever they are by now."""
    token = params.get(page.input_token)
    if not token:
        return 0
    position, sides = _read(operation, page, str(token), binding)
    if not sides or [_identity(operation, item) for item in items[position - 1 : position + 1]] == sides:
        return position
    (shown, unseen), present = sides, [_identity(operation, item) for item in items]
    if unseen in present:
        return present.index(unseen)
    if shown in present:
        return present.index(shown) + 1
    return sum(identity <= shown for identity in present) if shown[0] else min(position, len(present))


def _read(operation: Operation, page: Page, token: str, wanted: str) -> tuple[int, list[list[str]]]:
    """Position, and the items around it, of a token that was issued for this list. Raises Invalid for any other."""
    try:
        position, binding, *rest = base64.b64decode(token, validate=True).decode().split(":", 2)
        sides = json.loads(rest[0]) if rest else []
        if binding == wanted and 0 < int(position) <= LONGEST and _are_sides(operation, sides):
            return int(position), sides
    except (binascii.Error, ValueError, RecursionError):
        pass
    member = page.input_token
    raise Invalid(f"The specified {member} is not valid", code=page_token_code(operation.service), fields=((member, "The token is not valid"),))


def _are_sides(operation: Operation, sides: Any) -> bool:
    """Whether a token says nothing of the items around it, or as much as `_token` writes."""
    if sides == []:
        return True
    members = IDENTITIES.get(operation.service.name, ())
    forms = [[type(part) for part in side] if isinstance(side, list) else None for side in sides] if isinstance(sides, list) else []
    return bool(members) and forms == [[str] * len(members)] * 2
