"""Patterns as Lua tests. Those without variables become the plainest test that says the same; all others are matched by `latticewall.glob`."""

from __future__ import annotations

from collections.abc import Sequence

from latticewall.policy.lua.chunk import FALSE, TRUE, Chunk
from latticewall.policy.lua.keys import variable
from latticewall.policy.lua.literals import quote
from latticewall.policy.pattern import Pattern, Template, Variable, Wild, has_variables, split_arn

_MARKS = {Wild.ANY: b"\1", Wild.ONE: b"\2"}
_SPECIAL = (1, 2, 3)
_ARN_COLONS = 5


def encoded(pattern: Pattern) -> bytes:
    """The pattern as `latticewall.glob` reads it: marks for wildcards, and the mark 3 before a literal byte that looks like one."""
    pieces: list[bytes] = []
    for piece in pattern:
        if isinstance(piece, str):
            pieces.extend(b"\3%c" % byte if byte in _SPECIAL else b"%c" % byte for byte in piece.encode())
        elif not (piece is Wild.ANY and pieces and pieces[-1] == _MARKS[Wild.ANY]):
            pieces.append(_MARKS[piece])
    return b"".join(pieces)


def literal_text(pattern: Sequence[object]) -> str | None:
    """The only text that the pattern matches; None if it has wildcards or variables."""
    return "".join(map(str, pattern)) if all(isinstance(piece, str) for piece in pattern) else None


def joined(chunk: Chunk, pieces: Sequence[str]) -> str:
    """Pieces of text put together, nil if one is; balanced, because nesting is limited."""
    if not pieces:
        return '""'
    if len(pieces) == 1:
        return pieces[0]
    half = len(pieces) // 2
    return chunk.call("join", joined(chunk, pieces[:half]), joined(chunk, pieces[half:]))


def resolved_text(chunk: Chunk, template: Template) -> str:
    """The text that a template without wildcards stands for, as an expression; nil if a variable has no value."""
    variables = sum(isinstance(piece, Variable) for piece in template)
    pieces: list[str] = []
    for piece in template:
        if isinstance(piece, Variable):
            value = variable(chunk, piece.key, piece.default)
            pieces.append(chunk.call("canonical", value) if variables > 1 else value)
        else:
            pieces.append(quote(str(piece)))
    return joined(chunk, pieces)


def _resolved_pattern(chunk: Chunk, template: Template) -> str:
    """The encoded pattern that a template stands for, as an expression; nil if a variable has no value."""
    pieces: list[str] = []
    static: list[str | Wild] = []
    for piece in template:
        if not isinstance(piece, Variable):
            static.append(piece)
            continue
        if static:
            pieces.append(quote(encoded(tuple(static))))
            static = []
        pieces.append(chunk.call("escape", variable(chunk, piece.key, piece.default)))
    if static:
        pieces.append(quote(encoded(tuple(static))))
    return joined(chunk, pieces)


def matches(chunk: Chunk, subject: str, template: Template) -> str:
    """Whether the subject (a simple name) matches the template as a whole."""
    if has_variables(template):
        return chunk.call("like", subject, _resolved_pattern(chunk, template))
    return _static(chunk, subject, _constant(template))


def _constant(template: Template) -> Pattern:
    return tuple(piece for piece in template if not isinstance(piece, Variable))


def _static(chunk: Chunk, subject: str, pattern: Pattern) -> str:
    """The plainest test that says the same as the pattern."""
    text = literal_text(pattern)
    if text is not None:
        return f"{subject}=={quote(text)}"
    parts = _between_stars(pattern)
    if parts is None or len(parts) > 3:
        return chunk.call("like", subject, quote(encoded(pattern)))
    first, last = parts[0].encode(), parts[-1].encode()
    at_start, at_end = (quote(first), str(len(first))), (quote(last), str(len(last)))
    if len(parts) == 3 and parts[1]:
        if not first and not last:
            return chunk.call("has", subject, quote(parts[1]))
        return chunk.call("around", subject, *at_start, quote(parts[1]), *at_end)
    if first and last:
        return chunk.call("between", subject, *at_start, *at_end)
    if first:
        return chunk.call("starts", subject, *at_start)
    return chunk.call("ends", subject, *at_end) if last else subject


def _between_stars(pattern: Pattern) -> list[str] | None:
    """The literal texts between the stars, at least two, those in the middle not empty; None if a `?` is among them."""
    parts = [""]
    for piece in pattern:
        if piece is Wild.ONE:
            return None
        if isinstance(piece, str):
            parts[-1] += piece
        elif parts[-1] or len(parts) == 1:
            parts.append("")
    return parts


def arn_matches(chunk: Chunk, subject: str, template: Template) -> str:
    """Whether the subject is an ARN that matches segment by segment; a pattern that is no ARN matches nothing."""
    segments = split_arn(template)
    if segments is None:
        return FALSE
    if not has_variables(template) and all(literal_text(segment) is not None for segment in segments[:_ARN_COLONS]):
        # Five literal segments with their colons are a literal beginning: the text's segments can then be no others.
        beginning = ":".join(literal_text(segment) or "" for segment in segments[:_ARN_COLONS]) + ":"
        return _static(chunk, subject, _prefixed(beginning, _constant(segments[_ARN_COLONS])))
    return chunk.call("arn", subject, *(_resolved_pattern(chunk, segment) for segment in segments[1:]))


def _prefixed(beginning: str, pattern: Pattern) -> Pattern:
    if pattern and isinstance(pattern[0], str):
        return (beginning + pattern[0], *pattern[1:])
    return (beginning, *pattern)


def listed(chunk: Chunk, subject: str, templates: Sequence[Template], *, arns_only: bool = False, always_text: bool = False) -> str:
    """Whether the subject matches one of the templates: as an ARN if it is one, else (unless arns_only) as a whole. always_text: the subject is never nil."""
    tests: list[str] = []
    exact: list[str] = []
    for template in templates:
        segments = split_arn(template)
        if segments is None and arns_only:
            continue
        text = literal_text(template)
        if text is not None:
            exact.append(text)
            continue
        test = matches(chunk, subject, template) if segments is None else arn_matches(chunk, subject, template)
        tests.append(TRUE if test == subject and always_text else test)
    return chunk.any_of([*chunk.equals_any(subject, exact), *tests])
