"""Where the statements of a policy stand in its text, as the policy simulator reports them ("Position", from line 1 and column 1).

A statement starts where the text before it ended (the opening bracket, the statement before it) and ends after its last brace: so do the examples
of "SimulateCustomPolicy" and "SimulatePrincipalPolicy" in the AWS CLI Command Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

Span = tuple[int, int]
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # Python refuses to read very long numbers
_SPACE = re.compile(r"[ \t\r\n]*")


def statement_spans(text: str) -> list[Span]:
    """(start, end) of each statement as offsets. The text must be a policy that parses."""
    for name, start in _members(text):
        if name == "Statement":
            if text[start] == "{":
                return [(start + 1, _DECODER.raw_decode(text, start)[1])]
            return list(_items(text, start))
    return []


def _members(text: str) -> Iterator[tuple[str, int]]:
    """(name, offset of the value) of the outermost object."""
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        yield name, start
        at = _skip(text, _DECODER.raw_decode(text, start)[1])
        at = _skip(text, at + 1) if text[at] == "," else at


def _items(text: str, start: int) -> Iterator[Span]:
    before = start + 1
    at = _skip(text, before)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield before, end
        before, at = end, _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def position(text: str, offset: int) -> dict[str, int]:
    """An offset as the API shows it."""
    return {"Line": text.count("\n", 0, offset) + 1, "Column": offset - text.rfind("\n", 0, offset)}
