"""BSON documents for `mongo_service.py`: the very bytes, read only where something has to be compared. Specification followed: BSON 1.1."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_DEPTH = 100


class Refused(Exception):
    """A command that fails with one of MongoDB's error codes."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name = code, name


class Malformed(Exception):
    """Bytes that are not a message; the connection is closed."""


_FIXED = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0}
_NUMBER = {0x01: "<d", 0x10: "<i", 0x12: "<q"}
_STRING, DOCUMENT, ARRAY, _BINARY, _BOOLEAN, REGEX, _POINTER, _CODE, _SYMBOL, _SCOPED = 2, 3, 4, 5, 8, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F


class Value(NamedTuple):
    """One BSON value: its type byte and its bytes."""

    kind: int
    data: bytes

    def number(self) -> float | int | None:
        return struct.unpack(_NUMBER[self.kind], self.data)[0] if self.kind in _NUMBER else None

    def same_as(self, other: Value) -> bool:
        """Equality as a query sees it: numbers by value, everything else by type and bytes."""
        if self.kind in _NUMBER and other.kind in _NUMBER:
            return self.number() == other.number()
        return self == other


class Document(bytes):
    """A BSON document (or array) as its bytes."""

    def elements(self) -> Iterator[tuple[str, Value]]:
        """Every (name, value) in order; raises Malformed where the bytes are not BSON."""
        if len(self) < 5 or struct.unpack_from("<i", self)[0] != len(self) or self[-1]:
            raise Malformed("a document with a wrong length")
        at, end = 4, len(self) - 1
        while at < end:
            kind = self[at]
            stop = self.find(b"\0", at + 1, end)
            if stop < 0:
                raise Malformed("a field name without an end")
            name, at = self[at + 1 : stop].decode("utf-8", "surrogateescape"), stop + 1
            size = self._size(kind, at, end)
            if size < 0 or at + size > end:
                raise Malformed(f"field {name} leaves its document")
            yield name, Value(kind, bytes(self[at : at + size]))
            at += size

    def _size(self, kind: int, at: int, end: int) -> int:
        if kind in _FIXED:
            return _FIXED[kind]
        if kind == REGEX:
            pattern = self.find(b"\0", at, end)
            options = self.find(b"\0", pattern + 1, end)
            return -1 if pattern < 0 or options < 0 else options + 1 - at
        if at + 4 > end:
            return -1
        length: int = struct.unpack_from("<i", self, at)[0]
        extra = {_STRING: 4, _CODE: 4, _SYMBOL: 4, _POINTER: 16, _BINARY: 5, DOCUMENT: 0, ARRAY: 0, _SCOPED: 0}.get(kind)
        if extra is None:
            raise Malformed(f"unknown BSON type {kind:#x}")
        return -1 if length < 0 else length + extra

    def get(self, name: str) -> Value | None:
        return next((value for field, value in self.elements() if field == name), None)

    def text(self, name: str) -> str:
        value = self.get(name)
        if value is None or value.kind != _STRING:
            raise Refused(14, "TypeMismatch", f"'{name}' must be a string")
        return value.data[4:-1].decode("utf-8", "replace")

    def integer(self, name: str, default: int = 0) -> int:
        value = self.get(name)
        number = default if value is None else value.number()
        if number is None or (isinstance(number, float) and not number.is_integer()):
            raise Refused(14, "TypeMismatch", f"'{name}' must be a whole number")
        if number < 0 and name != "limit":
            raise Refused(2, "BadValue", f"'{name}' must not be negative")
        return int(number)

    def flag(self, name: str) -> bool:
        value = self.get(name)
        return value is not None and (bool(value.number()) or (value.kind == _BOOLEAN and value.data != b"\0"))

    def document(self, name: str) -> Document:
        value = self.get(name)
        if value is not None and value.kind != DOCUMENT:
            raise Refused(14, "TypeMismatch", f"'{name}' must be a document")
        return EMPTY if value is None else Document(value.data)

    def documents(self, name: str) -> list[Document]:
        value = self.get(name)
        if value is None or value.kind != ARRAY:
            raise Refused(14, "TypeMismatch", f"'{name}' must be an array")
        items = [item for _, item in Document(value.data).elements()]
        if any(item.kind != DOCUMENT for item in items):
            raise Refused(14, "TypeMismatch", f"'{name}' must hold documents")
        return [Document(item.data) for item in items]

    def verify(self, depth: int = 0) -> None:
        """Walk the whole document; raises Malformed unless all of it is BSON."""
        if depth > MAX_DEPTH:
            raise Malformed(f"deeper than {MAX_DEPTH} documents")
        for _, value in self.elements():
            if value.kind in (DOCUMENT, ARRAY):
                Document(value.data).verify(depth + 1)


class Date(int):
    """Milliseconds since 1970, encoded as a BSON date."""


def encode(fields: dict[str, Any]) -> Document:
    """A reply as BSON; the service's own values only, so the types are few."""
    body = b"".join(_encode_element(name, value) for name, value in fields.items())
    return Document(struct.pack("<i", len(body) + 5) + body + b"\0")


def _encode_element(name: str, value: Any) -> bytes:
    key = name.encode("utf-8", "surrogateescape") + b"\0"
    if isinstance(value, Value):
        return bytes([value.kind]) + key + value.data
    if isinstance(value, Document):
        return b"\x03" + key + value
    if isinstance(value, dict):
        return b"\x03" + key + encode(value)
    if isinstance(value, list):
        return b"\x04" + key + encode({str(index): item for index, item in enumerate(value)})
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")
        return b"\x02" + key + struct.pack("<i", len(text) + 1) + text + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, float):
        return b"\x01" + key + struct.pack("<d", value)
    if isinstance(value, Date):
        return b"\x09" + key + struct.pack("<q", value)
    if isinstance(value, int):
        return (b"\x10" + key + struct.pack("<i", value)) if -(2**31) <= value < 2**31 else (b"\x12" + key + struct.pack("<q", value))
    raise TypeError(f"no BSON for {type(value).__name__}")


EMPTY = encode({})
