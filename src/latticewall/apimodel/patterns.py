"""The models' regular expressions, written for Java, as Python patterns.

Java knows `\\p{L}` and reads `[\\w-_]` as three alternatives; Python's `re` knows neither. AWS matches the whole value whether or not the
pattern is anchored, and its `\\w` and `\\d` are ASCII.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from unicodedata import category

POSIX_CLASSES = {
    "ASCII": "\\x00-\\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "XDigit": "0-9a-fA-F",
    "Punct": "!-/:-@\\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Space": " \\t\\n\\x0b\\f\\r",
    "Blank": " \\t",
    "Cntrl": "\\x00-\\x1f\\x7f",
}
SHORTHANDS = frozenset("wWdDsS")
_PARTS = re.compile(r"\\[pP]\{\w+\}|\\[pP]\w|\\.|\[\^?\]?|&&|.", re.DOTALL)
"""A pattern's smallest parts. A `]` right after the opening bracket is a literal."""
_PLANES = range(0x40000)
"""Planes 0 to 3: no letter, mark, number, separator, symbol or punctuation is assigned above them."""


@cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern to `fullmatch` with, or None for one that has no translation (which is then not checked)."""
    try:
        return re.compile(translated(pattern), re.ASCII)
    except (re.error, KeyError):
        return None


def translated(pattern: str) -> str:
    """The Java pattern in Python's syntax. Raises KeyError for what has no counterpart: unknown `\\p{...}`, nested or intersected classes."""
    out: list[str] = []
    in_class = after_shorthand = False
    for part in _PARTS.findall(pattern):
        shorthand = part[:2] in ("\\p", "\\P")
        if shorthand:
            out.append(_property(part, in_class=in_class))
        elif part in ("\\z", "\\Z"):
            out.append("\\Z")
        elif in_class and (part == "&&" or part[0] == "["):
            raise KeyError(part)
        elif in_class and (part in ("|", "~") or (part == "-" and after_shorthand)):
            out.append("\\" + part)
        else:
            if part[0] == "[":
                in_class = True
            elif part == "]":
                in_class = False
            shorthand = part[0] == "\\" and part[-1] in SHORTHANDS
            out.append(part)
        after_shorthand = shorthand
    return "".join(out)


def _property(part: str, *, in_class: bool) -> str:
    name = part[2:].strip("{}").removeprefix("Is")
    characters = POSIX_CLASSES.get(name) or category_ranges(name)
    if in_class and part[1] == "P":
        raise KeyError(part)
    return characters if in_class else f"[{'^' if part[1] == 'P' else ''}{characters}]"


@cache
def category_ranges(name: str) -> str:
    """The body of a character class for a Unicode general category such as `L` or `Zs`. Raises KeyError for an unknown one."""
    runs = [(codes[0], codes[-1]) for codes in (list(run) for member, run in groupby(_PLANES, lambda code: category(chr(code)).startswith(name)) if member)]
    if not runs:
        raise KeyError(name)
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)
