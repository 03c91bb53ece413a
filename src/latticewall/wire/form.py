"""Form fields: the requests of the query and ec2 protocols. `Filter.1.Value.2=x` is a path through the input shape.

"Making API requests using the Query API" of the services' references. EC2 takes a member's `queryName`, else its location name with a
capital, lists without a `member` level, and refuses parameters it does not know; the other services ignore them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.shapes import Shape
from latticewall.base.faults import Invalid
from latticewall.wire import scalars
from latticewall.wire.scalars import Malformed

COMMON_PARAMETERS = frozenset(
    {
        "Action",
        "Version",
        "AWSAccessKeyId",
        "AuthParams",
        "Expires",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
    }
)
"""Fields of every request ("Common query parameters"); those of a presigned request begin with `X-Amz-`."""

_MAX_DEPTH = 40


class Field:
    """A place in the tree of dotted names: perhaps a text of its own, perhaps further names below."""

    __slots__ = ("below", "path", "text")

    def __init__(self, path: str) -> None:
        self.path = path
        self.text: str | None = None
        self.below: dict[str, Field] = {}

    def numbered(self) -> list[Field]:
        """The fields below whose names are numbers, in the order of the numbers."""
        return [self.below[name] for name in sorted((name for name in self.below if _is_index(name)), key=int)]


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10


def tree(fields: Mapping[str, str]) -> Field:
    """The fields of one request as a tree. Raises Malformed for absurd nesting."""
    root = Field("")
    for path, text in fields.items():
        if path in COMMON_PARAMETERS or path.startswith("X-Amz-"):
            continue
        names = path.split(".")
        if len(names) > _MAX_DEPTH:
            raise Malformed("a parameter is nested too deeply")
        place = root
        for name in names:
            if name not in place.below:
                place.below[name] = Field(f"{place.path}.{name}" if place.path else name)
            place = place.below[name]
        place.text = text
    return root


def read(shape: Shape, fields: Mapping[str, str], *, ec2: bool) -> dict[str, Any]:
    """The document of a form. Raises Malformed for a value of the wrong type, and for EC2 UnknownParameter."""
    reader = _Reader(ec2)
    return reader.structure(shape, tree(fields))


class _Reader:
    def __init__(self, ec2: bool) -> None:
        self._ec2 = ec2

    def structure(self, shape: Shape, place: Field) -> dict[str, Any]:
        document: dict[str, Any] = {}
        known = set()
        for name, member in shape.members.items():
            own = self._name(name, member)
            known.add(own)
            found = place.below.get(own)
            if found is not None:
                document[name] = self._value(member, found)
        if self._ec2:
            self._refuse_unknown(place, known)
        return document

    def _name(self, name: str, shape: Shape) -> str:
        if not self._ec2:
            if shape.flattened and shape.type == "list" and shape.member.location_name:
                return shape.member.location_name
            return shape.location_name or name
        own = shape.query_name or shape.location_name or name
        return own if shape.query_name or not shape.location_name else own[:1].upper() + own[1:]

    def _value(self, shape: Shape, place: Field) -> Any:
        if shape.type in ("structure", "list", "map") and place.text:
            # Ignored, `InstanceId=i-1` without its number would mean every instance.
            raise Malformed(f"the parameter {place.path} is a {shape.type} and has no value of its own")
        match shape.type:
            case "structure":
                return self.structure(shape, place)
            case "list":
                return [self._value(shape.member, item) for item in self._items(shape, place)]
            case "map":
                return self._map(shape, place)
        if place.below and self._ec2:
            self._refuse_unknown(place, set())
        if place.text is None:
            raise Malformed(f"the parameter {place.path} has no value of its own")
        try:
            return scalars.from_text(shape, place.text)
        except Malformed as error:
            raise Malformed(f"invalid value for the parameter {place.path}: {error}") from None

    def _items(self, shape: Shape, place: Field) -> list[Field]:
        if self._ec2 or shape.flattened:
            if self._ec2:
                self._refuse_unknown(place, {name for name in place.below if _is_index(name)})
            return place.numbered()
        inner = place.below.get(shape.member.location_name or "member")
        return inner.numbered() if inner else []

    def _map(self, shape: Shape, place: Field) -> dict[str, Any]:
        holder = place if shape.flattened else place.below.get("entry")
        entries = {}
        for entry in holder.numbered() if holder else ():
            key = entry.below.get(shape.key.location_name or "key")
            value = entry.below.get(shape.value.location_name or "value")
            if key is None or value is None or key.text is None:
                raise Malformed(f"the parameter {entry.path} lacks its key or value")
            entries[key.text] = self._value(shape.value, value)
        return entries

    @staticmethod
    def _refuse_unknown(place: Field, known: set[str]) -> None:
        unknown = next((found for name, found in place.below.items() if name not in known), None)
        if unknown is not None:
            raise Invalid(f"The parameter {unknown.path} is not recognized", code="UnknownParameter")
