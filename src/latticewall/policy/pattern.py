"""Wildcard patterns and policy variables, as text with holes: `arn:aws:s3:::home/${aws:username}/*`.

A template is what a policy holds; resolving it against a request fills its variables and yields a pattern; substituted text is literal and
never acts as a wildcard. Matching is linear in the text and never backtracks. Page followed: IAM User Guide, "Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Wild(Enum):
    """A wildcard: any run of characters, or exactly one."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True)
class Variable:
    """`${key}` or `${key, 'default'}`."""

    key: str
    default: str | None = None


Template: TypeAlias = tuple["str | Wild | Variable", ...]
Pattern: TypeAlias = tuple["str | Wild", ...]

_VARIABLE = re.compile(r"\$\{(?:(?P<escape>[*?$])|\s*(?P<key>[^,{}'\s][^,{}']*?)\s*(?:,\s*'(?P<default>[^']*)'\s*)?)\}")


def parse_template(text: str, *, wildcards: bool, variables: bool) -> Template:
    """Split a policy's text into literals, wildcards and variables; what is switched off stays literal."""
    pieces: list[str | Wild | Variable] = []
    literal: list[str] = []

    def add(piece: Wild | Variable) -> None:
        if literal:
            pieces.append("".join(literal))
            literal.clear()
        pieces.append(piece)

    position = 0
    while position < len(text):
        character = text[position]
        found = _VARIABLE.match(text, position) if variables and character == "$" else None
        if found is not None:
            position = found.end()
            if found["escape"]:
                literal.append(found["escape"])
            else:
                add(Variable(found["key"], found["default"]))
            continue
        position += 1
        if wildcards and character in "*?":
            add(Wild(character))
        else:
            literal.append(character)
    if literal:
        pieces.append("".join(literal))
    return tuple(pieces)


def resolve(template: Template, value_of: Callable[[str], str | None]) -> Pattern | None:
    """Fill the variables; None if one of them has neither a value nor a default."""
    pattern: list[str | Wild] = []
    for piece in template:
        if isinstance(piece, Variable):
            value = value_of(piece.key)
            text = piece.default if value is None else value
            if text is None:
                return None
            pattern.append(text)
        else:
            pattern.append(piece)
    return tuple(pattern)


def constant(template: Template) -> Pattern | None:
    """The template as a pattern if it has no variable, else None."""
    return tuple(piece for piece in template if not isinstance(piece, Variable)) if not has_variables(template) else None


def has_variables(template: Template) -> bool:
    """Whether matching needs the request's values first."""
    return any(isinstance(piece, Variable) for piece in template)


def split_arn(template: Template) -> tuple[Template, ...] | None:
    """The six colon-separated segments of an ARN, the sixth taking the rest; None if the text is not of that form.

    Only colons written in the policy separate: one that a variable brings in does not.
    """
    if not template or not isinstance(template[0], str) or not template[0].startswith("arn:"):
        return None
    segments: list[list[str | Wild | Variable]] = [[]]
    for piece in template:
        if not isinstance(piece, str):
            segments[-1].append(piece)
            continue
        parts = piece.split(":", 6 - len(segments))
        if parts[0]:
            segments[-1].append(parts[0])
        segments.extend([part] if part else [] for part in parts[1:])
    return tuple(tuple(segment) for segment in segments) if len(segments) == 6 else None


class _Chunk:
    """A stretch of pattern between two `*`: literals at fixed offsets, `?` in the gaps."""

    __slots__ = ("_any", "_final", "_masks", "length", "literals")

    def __init__(self, pieces: tuple[str | Wild, ...]) -> None:
        self.literals: list[tuple[int, str]] = []
        self.length = 0
        for piece in pieces:
            if isinstance(piece, str):
                self.literals.append((self.length, piece))
                self.length += len(piece)
            else:
                self.length += 1
        self._masks: dict[str, int] = {}
        self._any = (1 << self.length) - 1
        for offset, text in self.literals:
            for index, character in enumerate(text, offset):
                self._any &= ~(1 << index)
                self._masks[character] = self._masks.get(character, 0) | 1 << index
        self._final = 1 << (self.length - 1) if self.length else 0

    def at(self, text: str, position: int) -> bool:
        """Whether the chunk stands at this position."""
        if position < 0 or position + self.length > len(text):
            return False
        return all(text.startswith(literal, position + offset) for offset, literal in self.literals)

    def find(self, text: str, start: int, end: int) -> int:
        """Where the first occurrence within text[start:end] ends, or -1. Bit-parallel when `?` is mixed with literals."""
        if not self.literals:
            return start + self.length if start + self.length <= end else -1
        if len(self.literals) == 1 and len(self.literals[0][1]) == self.length:
            found = text.find(self.literals[0][1], start, end)
            return -1 if found < 0 else found + self.length
        state = 0
        for index in range(start, end):
            state = (state << 1 | 1) & (self._masks.get(text[index], 0) | self._any)
            if state & self._final:
                return index + 1
        return -1


class Glob:
    """A compiled pattern; `matches` looks at the whole text."""

    __slots__ = ("_chunks",)

    def __init__(self, pattern: Pattern) -> None:
        chunks: list[list[str | Wild]] = [[]]
        for piece in pattern:
            if piece is Wild.ANY:
                chunks.append([])
            elif piece != "":
                chunks[-1].append(piece)
        self._chunks = [_Chunk(tuple(chunk)) for chunk in chunks]

    def matches(self, text: str) -> bool:
        first, last = self._chunks[0], self._chunks[-1]
        if len(self._chunks) == 1:
            return len(text) == first.length and first.at(text, 0)
        end = len(text) - last.length
        if end < first.length or not first.at(text, 0) or not last.at(text, end):
            return False
        position = first.length
        for chunk in self._chunks[1:-1]:
            position = chunk.find(text, position, end)
            if position < 0:
                return False
        return True


def text_test(pattern: Pattern) -> Callable[[str], bool]:
    """The quickest test of a whole text against a pattern: most are a literal, a prefix or a suffix."""
    pieces: list[str | Wild] = []
    for piece in pattern:
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece != "" and not (piece is Wild.ANY and pieces and pieces[-1] is Wild.ANY):
            pieces.append(piece)
    match pieces:
        case []:
            return "".__eq__
        case [str() as literal]:
            return literal.__eq__
        case [Wild.ANY]:
            return _anything
        case [str() as prefix, Wild.ANY]:
            return lambda text: text.startswith(prefix)
        case [Wild.ANY, str() as suffix]:
            return lambda text: text.endswith(suffix)
        case [Wild.ANY, str() as part, Wild.ANY]:
            return lambda text: part in text
    if Wild.ONE not in pieces:
        return _runs_test([piece for piece in pieces if isinstance(piece, str)], pieces[0] is Wild.ANY, pieces[-1] is Wild.ANY)
    return Glob(tuple(pieces)).matches


def _runs_test(literals: list[str], open_start: bool, open_end: bool) -> Callable[[str], bool]:
    """Literals in that order with any run of characters between them, and before and after them where the ends are open: each at its first place."""
    prefix = "" if open_start else literals.pop(0)
    suffix = "" if open_end else literals.pop()
    start, end, between = len(prefix), len(suffix), tuple(literals)

    def matches(text: str) -> bool:
        if not text.startswith(prefix) or not text.endswith(suffix):
            return False
        position, stop = start, len(text) - end
        for literal in between:
            position = text.find(literal, position, stop)
            if position < 0:
                return False
            position += len(literal)
        return position <= stop

    return matches


def _anything(_: str) -> bool:
    return True
