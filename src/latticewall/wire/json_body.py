"""JSON bodies: the body of rest-json and json 1.0 and 1.1, in both directions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

from latticewall.apimodel.shapes import Shape
from latticewall.base.rows import View
from latticewall.wire import scalars
from latticewall.wire.scalars import Malformed

EPOCH = "unixTimestamp"
"""The JSON protocols' timestamp unless the model says otherwise."""


_MAX_DEPTH = 100
"""Levels of a recursive shape: what is read here, later stages walk again."""
_TEXT = json.JSONEncoder(ensure_ascii=False)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def load(body: bytes) -> Any:
    """The JSON value of a body; an empty body is an empty object. Raises Malformed."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_no_constant)
        if _SURROGATE.search(body):
            _TEXT.encode(value).encode()  # half a surrogate pair is no text: it raises UnicodeEncodeError here, and not in some later answer
        return value
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not valid JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read(shape: Shape, value: Any, path: str = "") -> Any:
    """The document of a JSON value. Unknown members are ignored, as AWS does; a value of the wrong type raises Malformed."""
    if value is None or shape.document:
        return value
    if path.count(".") + path.count("[") > _MAX_DEPTH:
        raise Malformed("the body is nested too deeply")
    match shape.type:
        case "structure":
            return read_members(shape, _expect(value, dict, shape, path), path)
        case "list":
            return [read(shape.member, item, f"{path}[{index}]") for index, item in enumerate(_expect(value, list, shape, path))]
        case "map":
            entries = _expect(value, dict, shape, path)
            return {key: read(shape.value, item, f"{path}.{key}") for key, item in entries.items() if item is not None}
        case _:
            return _scalar(shape, value, path)


def read_members(shape: Shape, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The members of a structure that are in the body."""
    document = {}
    for name, member in shape.members.items():
        found = None if member.location else value.get(member.location_name or name)
        if found is not None:
            document[name] = read(member, found, f"{path}.{name}" if path else name)
    return document


def _expect(value: Any, kind: type, shape: Shape, path: str) -> Any:
    if not isinstance(value, kind):
        raise Malformed(f"a {shape.type} was expected at {path or 'the top of the body'}")
    return value


def _scalar(shape: Shape, value: Any, path: str) -> Any:
    match shape.type:
        case "string" | "character":
            return _expect(value, str, shape, path)
        case "boolean":
            return _expect(value, bool, shape, path)
        case "timestamp" if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return scalars.timestamp(value)
        case "blob" if isinstance(value, (str, bytes)):
            return scalars.blob(value) if isinstance(value, str) else value  # CBOR has bytes
        case "integer" | "long" if (isinstance(value, int) and not isinstance(value, bool)) or _integral(value):
            return int(value)
        case "float" | "double" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case "float" | "double" if isinstance(value, str):
            return scalars.number(value)
    raise Malformed(f"a {shape.type} was expected at {path}")


def _integral(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


_AS_THEY_ARE = frozenset({"string", "boolean", "integer", "long"})
"""Types whose values are the same in documents and in JSON."""


def write(shape: Shape, value: Any) -> Any:
    """The JSON value of a document: only what the shape knows, without the members that are None."""
    if value is None or shape.document:
        return value
    match shape.type:
        case "structure":
            return write_members(shape, value)
        case "list":
            member = shape.member
            if member.type == "structure" and not member.document:
                return [write_members(member, item) if item is not None else None for item in value]
            return [write(member, item) for item in value]
        case "map":
            return {key: write(shape.value, item) for key, item in value.items() if item is not None}
        case "timestamp":
            return scalars.timestamp_form(value, shape.timestamp_format or EPOCH)
        case "blob":
            return scalars.blob_form(value)
        case "float" | "double":
            return scalars.float_form(value)
        case _:
            return value


def write_members(shape: Shape, document: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a structure that belong in the body."""
    get = document.get
    members = _written(shape)
    return {wire: value if member is None else write(member, value) for name, wire, member in members if (value := get(name)) is not None}


@cache
def _written(shape: Shape) -> tuple[tuple[str, str, Shape | None], ...]:
    """Name in documents and in JSON of each member in the body, and its shape unless its values are the same in both."""
    return tuple((name, wire_name, None if _is_as_it_is(member) else member) for name, wire_name, member in shape.body_members)


def _is_as_it_is(shape: Shape) -> bool:
    return shape.type in _AS_THEY_ARE or (shape.type == "timestamp" and shape.timestamp_format == "iso8601")


_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
"""Escapes all that is not ASCII: its C code is twice as fast as the one that does not."""


def dump(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def text(shape: Shape, value: Any) -> bytes:
    """The JSON of a document. Rows are written once for as long as they are remembered as they are."""
    if isinstance(value, View):
        return value.kept(shape, lambda document: dump(write(shape, document)))
    if shape.type == "list" and isinstance(value, list) and value and isinstance(value[0], View):
        return b"[%b]" % b",".join([text(shape.member, item) for item in value])
    return dump(write(shape, value))


def body(shape: Shape, document: Mapping[str, Any]) -> bytes:
    """The JSON of what belongs in the body of a document."""
    if isinstance(document, View):
        return document.kept(shape, lambda shown: dump(write_members(shape, shown)))
    members = [(wire, member, value) for name, wire, member in shape.body_members if (value := document.get(name)) is not None]
    return b"{%b}" % b",".join([b'"%b":%b' % (wire.encode(), text(member, value)) for wire, member, value in members])
