"""A typed view of one shape of a service model, with the traits of the member that refers to it merged in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol


class ShapeSource(Protocol):
    """Where a shape finds the shapes it refers to: its service."""

    def resolve(self, reference: Mapping[str, Any]) -> Shape: ...


class Shape:
    """One shape: its type, members, constraints and wire traits.

    `type` is the model's word: structure, list, map, string, integer, long, float, double, boolean, timestamp, blob. A trait on the
    referring member wins over the same trait on the shape, as in every AWS SDK.
    """

    __slots__ = ("__dict__", "_source", "name", "traits", "type")

    def __init__(self, name: str, traits: Mapping[str, Any], source: ShapeSource) -> None:
        self.name = name
        self.type: str = traits["type"]
        self.traits = traits
        self._source = source

    def __repr__(self) -> str:
        return f"Shape({self.name}: {self.type})"

    @cached_property
    def members(self) -> Mapping[str, Shape]:
        """The members of a structure, in the model's order; empty for every other type."""
        references: Mapping[str, Mapping[str, Any]] = self.traits.get("members", {})
        return {name: self._source.resolve(reference) for name, reference in references.items()}

    @cached_property
    def body_members(self) -> tuple[tuple[str, str, Shape], ...]:
        """The members of a structure that belong in the body: the name in documents, the name on the wire, the shape."""
        return tuple((name, member.location_name or name, member) for name, member in self.members.items() if not member.location)

    @cached_property
    def located_members(self) -> tuple[tuple[str, Shape], ...]:
        """Those that do not: they are in the path, the query, a header or the status."""
        return tuple((name, member) for name, member in self.members.items() if member.location)

    @cached_property
    def member(self) -> Shape:
        """The element of a list."""
        return self._source.resolve(self.traits["member"])

    @cached_property
    def key(self) -> Shape:
        return self._source.resolve(self.traits["key"])

    @cached_property
    def value(self) -> Shape:
        return self._source.resolve(self.traits["value"])

    def _text(self, trait: str) -> str:
        value = self.traits.get(trait, "")
        return value if isinstance(value, str) else ""

    def _flag(self, trait: str) -> bool:
        return bool(self.traits.get(trait, False))

    # constraints

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(self.traits.get("required", ()))

    @cached_property
    def min(self) -> float | None:
        minimum: float | None = self.traits.get("min")
        return minimum

    @cached_property
    def max(self) -> float | None:
        maximum: float | None = self.traits.get("max")
        return maximum

    @cached_property
    def pattern(self) -> str:
        return self._text("pattern")

    @cached_property
    def enum(self) -> tuple[str, ...]:
        return tuple(self.traits.get("enum", ()))

    @cached_property
    def union(self) -> bool:
        """Exactly one member must be set."""
        return self._flag("union")

    @property
    def sensitive(self) -> bool:
        """The value must never be printed."""
        return self._flag("sensitive")

    @cached_property
    def document(self) -> bool:
        """Free-form JSON: the members say nothing about it."""
        return self._flag("document")

    @property
    def idempotency_token(self) -> bool:
        return self._flag("idempotencyToken")

    # wire traits

    @cached_property
    def location(self) -> str:
        """uri, querystring, header, headers or statusCode; empty for the body."""
        return self._text("location")

    @cached_property
    def location_name(self) -> str:
        return self._text("locationName")

    @property
    def query_name(self) -> str:
        """EC2's own input name, where it differs from the capitalised location name."""
        return self._text("queryName")

    @property
    def flattened(self) -> bool:
        return self._flag("flattened")

    @cached_property
    def payload(self) -> str:
        """The one member that is the whole body."""
        return self._text("payload")

    @property
    def timestamp_format(self) -> str:
        """iso8601, rfc822 or unixTimestamp where the model overrides the protocol; else empty."""
        return self._text("timestampFormat")

    @property
    def xml_attribute(self) -> bool:
        return self._flag("xmlAttribute")

    @property
    def xml_namespace(self) -> str:
        namespace = self.traits.get("xmlNamespace", "")
        return str(namespace.get("uri", "")) if isinstance(namespace, Mapping) else str(namespace)

    @property
    def xml_prefix(self) -> str:
        """The prefix that the namespace is declared under; empty for a default namespace."""
        namespace = self.traits.get("xmlNamespace", "")
        return str(namespace.get("prefix", "")) if isinstance(namespace, Mapping) else ""

    @property
    def result_wrapper(self) -> str:
        return self._text("resultWrapper")

    @property
    def event_stream(self) -> bool:
        return self._flag("eventstream")

    @property
    def percent_encoded(self) -> bool:
        """Answered percent-encoded (an overlay's trait: IAM's policy documents)."""
        return self._flag("percentEncoded")

    # errors

    @property
    def exception(self) -> bool:
        return self._flag("exception")

    @property
    def error_code(self) -> str:
        """The code on the wire, which may differ from the shape's name."""
        error = self.traits.get("error", {})
        return str(error.get("code", self.name)) if isinstance(error, Mapping) else self.name

    @property
    def error_status(self) -> int:
        """The HTTP status the model gives; without one, 500 for the service's own faults and 400 for the caller's."""
        error = self.traits.get("error", {})
        status = error.get("httpStatusCode") if isinstance(error, Mapping) else None
        return int(status) if status else (500 if self._flag("fault") else 400)
