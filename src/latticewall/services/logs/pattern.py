"""Filter patterns ("Filter pattern syntax for metric filters, subscription filters, filter log events"): terms and JSON comparisons.

Terms: all must occur (`?term` any of them, `-term` none); quotes keep spaces. JSON: `{ $.a.b = "x*" && $.n >= 3 || ... }` with =, !=, <, <=, >, >=.
Anything else is refused, never ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from latticewall.base.faults import Invalid

Fits = Callable[[str], bool]
_COMPARISON = re.compile(r"\(?\s*\$((?:\.[\w@:-]+|\[\d+\])+)\s*(=|!=|<=|>=|<|>)\s*(\"(?:[^\"\\]|\\.)*\"|[^\s()&|]+)\s*\)?\s*")
_TERM = re.compile(r"([?-]?)(?:\"((?:[^\"\\]|\\.)*)\"|([\w.:/@#*=+%-]+))\s*")
MISSING = object()


def compile_pattern(text: str) -> Fits:
    """A test of messages. Raises Invalid (InvalidParameterException) for what is not understood."""
    text = text.strip()
    if not text:
        return lambda _: True
    if text.startswith("{") and text.endswith("}"):
        return _json_pattern(text[1:-1].strip())
    return _terms(text)


def _refuse(text: str) -> Invalid:
    return Invalid(f"Invalid filter pattern: {text}", code="InvalidParameterException")


def _terms(text: str) -> Fits:
    found, position = [], 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise _refuse(text)
        found.append((match[1], (match[2] if match[2] is not None else match[3]).replace('\\"', '"')))
        position = match.end()
    every = [term for sign, term in found if sign == ""]
    some = [term for sign, term in found if sign == "?"]
    none = [term for sign, term in found if sign == "-"]
    return lambda message: (
        all(term in message for term in every) and (not some or any(term in message for term in some)) and not any(term in message for term in none)
    )


def _json_pattern(text: str) -> Fits:
    alternatives = []
    for alternative in text.split("||"):
        comparisons = [_comparison(part, text) for part in alternative.split("&&")]
        alternatives.append(comparisons)

    def fits(message: str) -> bool:
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return any(all(holds(document) for holds in comparisons) for comparisons in alternatives)

    return fits


def _comparison(part: str, text: str) -> Callable[[Any], bool]:
    match = _COMPARISON.fullmatch(part.strip())
    if match is None:
        raise _refuse(text)
    path = re.findall(r"\.([\w@:-]+)|\[(\d+)\]", match[1])
    operator, wanted = match[2], match[3].strip('"').replace('\\"', '"')

    def holds(document: Any) -> bool:
        value = _at(document, path)
        if operator in ("=", "!="):
            equal = value is not MISSING and fnmatchcase(_spell(value), re.sub(r"([\[\]?])", r"[\1]", wanted))
            return value is not MISSING and equal == (operator == "=")
        return _ordered(value, operator, wanted)

    return holds


def _at(document: Any, path: list[tuple[str, str]]) -> Any:
    for name, position in path:
        if name and isinstance(document, dict) and name in document:
            document = document[name]
        elif position and isinstance(document, list) and int(position) < len(document):
            document = document[int(position)]
        else:
            return MISSING
    return document


def _spell(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, type(None), dict, list)) else str(value)


def _ordered(value: Any, operator: str, wanted: str) -> bool:
    try:
        left, right = float(value), float(wanted)
    except (TypeError, ValueError):
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
