"""The context that a caller of the simulator gives, checked against the types he states ("ContextEntry")."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from latticewall.base.faults import Invalid
from latticewall.base.inet import parse_network
from latticewall.resources.kind import Document

LIST = "List"


def _boolean(value: str) -> None:
    if value.lower() not in ("true", "false"):
        raise ValueError(value)


def _date(value: str) -> None:
    try:
        Decimal(value)
    except ArithmeticError:
        datetime.fromisoformat(value.replace("Z", "+00:00"))


CHECKS: Mapping[str, Callable[[str], object]] = {
    "string": str,
    "numeric": Decimal,
    "boolean": _boolean,
    "date": _date,
    "ip": parse_network,
    "binary": lambda value: base64.b64decode(value, validate=True),
}
"""Each raises ValueError or ArithmeticError for a value that is not of the type."""


def context_of(entries: Iterable[Mapping[str, object]]) -> dict[str, str | tuple[str, ...]]:
    """Condition keys and their values; a list type makes a key multi-valued. Raises InvalidInput."""
    found: dict[str, str | tuple[str, ...]] = {}
    for entry in entries:
        key, values, type_ = _read(dict(entry))
        if key.lower() in {known.lower() for known in found}:
            raise Invalid(f"The context key {key} is given twice", code="InvalidInput")
        found[key] = values if type_.endswith(LIST) else values[0]
    return found


def _read(entry: Document) -> tuple[str, tuple[str, ...], str]:
    key, values, type_ = entry.get("ContextKeyName"), tuple(entry.get("ContextKeyValues") or ()), entry.get("ContextKeyType")
    if not key or not type_:
        raise Invalid("A context entry needs ContextKeyName, ContextKeyValues and ContextKeyType", code="InvalidInput")
    if not type_.endswith(LIST) and len(values) != 1:
        raise Invalid(f"The context key {key} of type {type_} must have exactly one value", code="InvalidInput")
    for value in values:
        try:
            CHECKS[type_.removesuffix(LIST)](value)
        except (ValueError, ArithmeticError):
            raise Invalid(f"The value {value} of the context key {key} is not of type {type_}", code="InvalidInput") from None
    return str(key), values, str(type_)
