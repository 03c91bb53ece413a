"""Checking parameters against their shape: every violation at once, in AWS's words.

botocore checks little of what the models state (no maximum, pattern, enum or union), so a server must check all of it. The sentences are
those of AWS's own framework: `Value 'x' at 'name' failed to satisfy constraint: Member must have length less than or equal to 64`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from latticewall.apimodel.catalog import Operation
from latticewall.apimodel.patterns import compiled
from latticewall.apimodel.shapes import Shape
from latticewall.base.faults import Invalid

REQUIRED, UNKNOWN, TYPE, VALUE = "required", "unknown", "type", "value"
INTEGER_BITS = {"integer": 32, "long": 64}
PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
    "string": (str,),
    "character": (str,),
    "timestamp": (str,),
    "boolean": (bool,),
    "integer": (),  # by its bits
    "long": (),
    "float": (int, float),
    "double": (int, float),
    "blob": (bytes, str),
}
_ECHO_LIMIT = 512
"""Characters of a refused value that a message repeats."""


class Violation(NamedTuple):
    """One broken constraint. path: the member's path in AWS's form (`tags.1.member.key`). rule: required, unknown, type or value.

    member: the path as the model spells it (`Tags[0].Key`), for dialects that quote it.
    """

    path: str
    message: str
    rule: str
    member: str
    value: Any = None


def check(shape: Shape, params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """All violations as (member path, message) pairs, in the order of the shape's members; empty when the parameters are valid."""
    return tuple((violation.path, violation.message) for violation in violations(shape, params))


def verify(operation: Operation, params: Mapping[str, Any]) -> None:
    """Raise Invalid, in the words of the operation's service, unless the parameters satisfy its input shape."""
    found = violations(operation.input, params) if operation.input else tuple(_unknown(name, name) for name in params)
    if found:
        raise refusal(operation, found)


def violations(shape: Shape, params: Mapping[str, Any]) -> tuple[Violation, ...]:
    """All violations of a structure, with the rule each one breaks."""
    return tuple(_structure(shape, params, "", ""))


def refusal(operation: Operation, found: Sequence[Violation]) -> Invalid:
    """The fault that reports the violations in the dialect of the operation's service."""
    fields = tuple((violation.path, violation.message) for violation in found)
    if operation.service.protocol == "ec2":
        code, message = _ec2_words(operation, found[0])
        return Invalid(message, code=code, fields=fields)
    noun = "error" if len(found) == 1 else "errors"
    return Invalid(f"{len(found)} validation {noun} detected: {'; '.join(message for _, message in fields)}", fields=fields)


def _ec2_words(operation: Operation, first: Violation) -> tuple[str, str]:
    """EC2 reports the first violation only, with its own codes ("Error codes for the Amazon EC2 API")."""
    if first.rule == REQUIRED:
        return "MissingParameter", f"The request must contain the parameter {first.member}"
    if first.rule == UNKNOWN:
        return "UnknownParameter", f"The parameter {first.member} is not recognized"
    return "InvalidParameterValue", f"Invalid value '{_printed(first.value)}' for {first.member} of {operation.name}: {_tail(first.message)}"


def _tail(message: str) -> str:
    return message.partition("failed to satisfy constraint: ")[2] or message


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)[:_ECHO_LIMIT]
    return ""


def _broken(shape: Shape, value: Any, path: str, member: str, must: str, rule: str = VALUE) -> Violation:
    """A violation that repeats the value, unless the value is sensitive or has no short form."""
    quoted = _printed(value) if not shape.sensitive and shape.type not in ("structure", "map", "list", "blob") else ""
    subject = f"Value '{quoted}'" if quoted or value == "" else "Value"
    return Violation(path, f"{subject} at '{path}' failed to satisfy constraint: {must}", rule, member, quoted)


def _unknown(path: str, member: str) -> Violation:
    return Violation(path, f"Unknown parameter '{member}'", UNKNOWN, member)


def _check(shape: Shape, value: Any, path: str, member: str) -> Iterator[Violation]:
    if value is None:
        yield Violation(path, f"Value null at '{path}' failed to satisfy constraint: Member must not be null", REQUIRED, member)
    elif shape.document:
        return
    elif not _has_type(shape, value):
        yield _broken(shape, value, path, member, f"Member must be a {shape.type}", TYPE)
    elif shape.type == "structure":
        yield from _structure(shape, value, path, member)
    elif shape.type == "list":
        yield from _sized(shape, value, path, member)
        for number, item in enumerate(value, 1):
            yield from _check(shape.member, item, f"{path}.{number}.member", f"{member}[{number - 1}]")
    elif shape.type == "map":
        yield from _sized(shape, value, path, member)
        for key, item in value.items():
            yield from _check(shape.key, key, f"{path}.key", f"{member}.key")
            yield from _check(shape.value, item, f"{path}.{key}.member", f"{member}.{key}")
    else:
        yield from _scalar(shape, value, path, member)


def _has_type(shape: Shape, value: Any) -> bool:
    if isinstance(value, bool):
        return shape.type == "boolean"
    if isinstance(value, int) and shape.type in INTEGER_BITS:
        bound = 1 << (INTEGER_BITS[shape.type] - 1)
        return -bound <= value < bound
    return isinstance(value, PYTHON_TYPES[shape.type])


def _structure(shape: Shape, params: Mapping[str, Any], path: str, member: str) -> Iterator[Violation]:
    dot = "." if path else ""
    for name, value in params.items():
        if name not in shape.members and value is not None:
            yield _unknown(f"{path}{dot}{name[:1].lower()}{name[1:]}", f"{member}{dot}{name}")
    for name, member_shape in shape.members.items():
        value = params.get(name)
        if value is None and name not in shape.required:
            continue
        yield from _check(member_shape, value, f"{path}{dot}{name[:1].lower()}{name[1:]}", f"{member}{dot}{name}")
    if shape.union and sum(params.get(name) is not None for name in shape.members) != 1:
        yield _broken(shape, None, path, member, f"Exactly one of the members {', '.join(shape.members)} must be set")


def _sized(shape: Shape, value: Any, path: str, member: str) -> Iterator[Violation]:
    if shape.min is not None and len(value) < shape.min:
        yield _broken(shape, value, path, member, f"Member must have length greater than or equal to {shape.min}")
    if shape.max is not None and len(value) > shape.max:
        yield _broken(shape, value, path, member, f"Member must have length less than or equal to {shape.max}")


def _scalar(shape: Shape, value: Any, path: str, member: str) -> Iterator[Violation]:
    if isinstance(value, (str, bytes)):
        sized = list(_sized(shape, value, path, member))
        yield from sized
        # A pattern never meets a text longer than its maximum: the models' patterns are not written against hostile input.
        if isinstance(value, str) and shape.type == "string" and not any("less than" in violation.message for violation in sized):
            yield from _text(shape, value, path, member)
        return
    if shape.min is not None and value < shape.min:
        yield _broken(shape, value, path, member, f"Member must have value greater than or equal to {shape.min}")
    if shape.max is not None and value > shape.max:
        yield _broken(shape, value, path, member, f"Member must have value less than or equal to {shape.max}")


def _text(shape: Shape, value: str, path: str, member: str) -> Iterator[Violation]:
    pattern = compiled(shape.pattern) if shape.pattern else None
    if pattern is not None and pattern.fullmatch(value) is None:
        yield _broken(shape, value, path, member, f"Member must satisfy regular expression pattern: {shape.pattern}")
    if shape.enum and value not in shape.enum:
        yield _broken(shape, value, path, member, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
