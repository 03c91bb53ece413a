"""Documents made from shapes, the same for the same seed: every member, or a random half of them, with texts that are hard to carry."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from latticewall.apimodel.shapes import Shape
from latticewall.wire.scalars import iso

TEXTS = ("plain", "a b", "<&>\"'", "ünï→\U0001d4b3", "a=b&c;d%2F+", "line\nfeed\ttab", "x,y")
DEPTH = 5


def document_of(shape: Shape, seed: str, *, full: bool) -> dict[str, Any]:
    """A document of a structure. Deeper than DEPTH only what is required is filled, so recursive shapes end."""
    value = _structure(shape, random.Random(seed), full, 0)
    assert isinstance(value, dict)
    return value


def _structure(shape: Shape, rng: random.Random, full: bool, depth: int) -> dict[str, Any]:
    names = [name for name, member in shape.members.items() if not _absent(member)]
    if shape.union:
        names = [rng.choice(names)]
    else:
        wanted = [name for name in names if name in shape.required or ((full or rng.random() < 0.5) and depth < DEPTH)]
        names = wanted or (sorted(names, key=lambda name: _weight(shape.members[name]))[:1] if depth else [])
    return {name: _value(shape.members[name], rng, full, depth + 1) for name in names}


def _absent(shape: Shape) -> bool:
    """Members no document of ours has: streams, the status code, and structures that nothing can be put into (forms cannot carry them)."""
    inner = shape.member if shape.type == "list" else shape
    return shape.event_stream or shape.location == "statusCode" or (inner.type == "structure" and not inner.members and not inner.document)


def _weight(shape: Shape) -> int:
    """What ends a recursion soonest comes first."""
    return {"structure": 3, "list": 2, "map": 2}.get(shape.type, 1)


def _value(shape: Shape, rng: random.Random, full: bool, depth: int) -> Any:
    if shape.document:
        return {"free": ["form", 1]}
    match shape.type:
        case "structure":
            return _structure(shape, rng, full, depth)
        case "list":
            return [_value(shape.member, rng, full, depth + 1) for _ in range(max(int(shape.min or 0), 2 if depth < DEPTH else 1))]
        case "map":
            return {_key(shape.key, rng, n): _value(shape.value, rng, full, depth + 1) for n in range(2)}
        case _:
            return scalar(shape, rng)


def _key(shape: Shape, rng: random.Random, number: int) -> str:
    return rng.choice(shape.enum[number::2]) if len(shape.enum) > 1 else f"key{number}"


def scalar(shape: Shape, rng: random.Random) -> Any:
    match shape.type:
        case "boolean":
            return rng.random() < 0.5
        case "integer":
            return rng.randint(max(int(shape.min or 0), -(2**31)), min(int(shape.max or 2**31 - 1), 2**31 - 1))
        case "long":
            return rng.randint(int(shape.min or 0), min(int(shape.max or 2**40), 2**40))
        case "float" | "double":
            return max(float(shape.min or 0), 0.5)
        case "timestamp":
            seconds = rng.randint(10**9, 2 * 10**9)
            milliseconds = 0 if shape.location == "header" or shape.timestamp_format == "rfc822" else rng.randrange(1000)  # a header's date has none
            return iso(datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000))
        case "blob":
            return rng.randbytes(5)
    if shape.enum:
        return rng.choice(shape.enum)
    text = "h-1" if shape.location in ("header", "headers") else rng.choice(TEXTS)
    return text.ljust(int(shape.min or 0), "x")
