"""A policy's JSON text: read strictly, and where in it each value stands, so that a refusal can point at the fault.

Stricter than `json`: names may not repeat, NaN and Infinity are no JSON, and text and nesting are bounded before anything is built.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn, TypeAlias

Path: TypeAlias = tuple["str | int", ...]

TEXT_LIMIT = 131_072
"""Characters that IAM's model accepts as a policy document, white space included; nothing longer is looked at."""
DEPTH_LIMIT = 64
"""The deepest policy has seven levels; deeper text is no policy, and `json` would follow it until the stack ends."""

_TOKEN = re.compile(r'[ \t\r\n]+|("(?:[^"\\]++|\\[\s\S])*+(?:"|\\?\Z))|([{}\[\],:])|[^\s{}\[\],:"]++|[\s\S]')
_BRACKET = re.compile(r'"(?:[^"\\]++|\\[\s\S])*+(?:"|\\?\Z)|[{}\[\]]')
_SPACE_OR_STRING = re.compile(r'("(?:[^"\\]++|\\[\s\S])*+(?:"|\\?\Z))|[ \t\r\n]+')
_QUOTE_MARKS = frozenset("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\uff02\u2018\u2019\u201a\u201b\u2032`'\u00b4")


class SpelledScalar(str):
    """A number or boolean of the document, kept as JSON spells it; only condition values may be one."""

    __slots__ = ()


class Refusal(Exception):
    """What is wrong with a policy. sentence: AWS's. detail: ours. path: the element at fault. at_name: its name rather than its value is.
    offset: where in the text, if known already."""

    def __init__(self, sentence: str, path: Path = (), detail: str = "", *, at_name: bool = False, offset: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.path = path
        self.detail = detail
        self.at_name = at_name
        self.offset = offset


def minify(text: str) -> str:
    """The same JSON without insignificant whitespace; order, escapes and spelling untouched (what GetAuthPolicy answers)."""
    return _SPACE_OR_STRING.sub(lambda found: found[1] or "", text)


def spell(path: Path) -> str:
    """`Statement[0].Condition.StringEquals.aws:username[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Both from 1; columns in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def load(text: str) -> Any:
    """The document, every value as written. Raises Refusal."""
    if len(text) > TEXT_LIMIT:
        raise Refusal(_SYNTAX, detail=f"the document is longer than {TEXT_LIMIT} characters", offset=TEXT_LIMIT)
    if text.count("[") + text.count("{") > DEPTH_LIMIT:
        _check_depth(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_int=SpelledScalar, parse_float=SpelledScalar, parse_constant=_constant)
    except json.JSONDecodeError as error:
        offset, detail = _explained(text, error)
        raise Refusal(_SYNTAX, detail=detail, offset=offset) from None
    except _Repeated:
        name, offset = Places(text).repeated or ("", 0)
        raise Refusal(_SYNTAX, detail=f"duplicate element {name}", offset=offset) from None
    except _NotJson as error:
        raise Refusal(_SYNTAX, detail=f"{error} is not JSON", offset=max(text.find(str(error)), 0)) from None


_SYNTAX = "Syntax errors in policy."


class _Repeated(Exception):
    """A name stands twice in one object."""


class _NotJson(Exception):
    """NaN, Infinity or -Infinity."""


def _check_depth(text: str) -> None:
    depth = 0
    for token in _BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > DEPTH_LIMIT:
            raise Refusal(_SYNTAX, detail="nested too deeply", offset=token.start())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Repeated
    return members


def _constant(word: str) -> NoReturn:
    raise _NotJson(word)


def _explained(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """Where the fault really is, and in which words: text copied from a page or a word processor has quotation marks that JSON does not know."""
    before, after = error.pos, error.pos + 1
    if error.msg.startswith("Unterminated"):
        after = len(text)
    elif text.count('"', 0, error.pos) >= 2:
        before = text.rfind('"', 0, text.rfind('"', 0, error.pos))  # the string that was read last may have ended late
    for offset in range(before, min(after, len(text))):
        if text[offset] in _QUOTE_MARKS:
            return offset, f'the character {_named(text[offset])} is no quotation mark of JSON: plain double quotes " are needed'
    if error.pos < len(text) and not text[error.pos].isascii():
        return error.pos, f"the character {_named(text[error.pos])} cannot stand here"
    return error.pos, error.msg


def _named(character: str) -> str:
    shown = f"{character} " if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X} {unicodedata.name(character, 'unnamed')})"


class Places:
    """Where each element of a JSON text stands: its value, and its name in the object around it. For text that `json` can read; other text is
    followed as far as it makes sense."""

    def __init__(self, text: str) -> None:
        self.repeated: tuple[str, int] | None = None
        self._values: dict[Path, int] = {}
        self._names: dict[Path, int] = {}
        self._walk(text)

    def offset(self, path: Path, *, at_name: bool = False) -> int:
        """Of the element, or of the closest one around it that the text has. Where one value stands for a list of one, its index is passed over."""
        found: Path = ()
        for step in path:
            if (*found, step) in self._values:
                found = (*found, step)
            elif not isinstance(step, int):
                break
        return (self._names if at_name and found in self._names else self._values).get(found, 0)

    def _walk(self, text: str) -> None:
        path: list[str | int] = []
        around: list[str] = []
        name_next = False
        for token in _TOKEN.finditer(text):
            string, mark = token[1], token[2]
            if mark == "," and around:
                if around[-1] == "[" and path and isinstance(path[-1], int):
                    path[-1] += 1
                else:
                    del path[-1:]
                    name_next = True
            elif mark in ("}", "]") and around:
                if around.pop() == "[" or not name_next:
                    del path[-1:]
                name_next = False
            elif string and name_next:
                path.append(_string(string))
                name_next = False
                if self._names.setdefault(tuple(path), token.start()) != token.start() and self.repeated is None:
                    self.repeated = (str(path[-1]), token.start())
            elif mark in ("{", "["):
                self._values.setdefault(tuple(path), token.start())
                around.append(mark)
                name_next = mark == "{"
                if mark == "[":
                    path.append(0)
            elif mark is None and not token[0].isspace():
                self._values.setdefault(tuple(path), token.start())


def _string(token: str) -> str:
    try:
        return str(json.loads(token))
    except json.JSONDecodeError:
        return token
