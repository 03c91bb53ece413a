"""CBOR (RFC 8949), as much of it as "Smithy RPC v2 CBOR" uses: numbers, texts, bytes, lists, maps, booleans, null, and timestamps (tag 1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latticewall.apimodel.shapes import Shape
from latticewall.wire import scalars
from latticewall.wire.scalars import Malformed

TYPE = "application/cbor"
_MAX_DEPTH = 100
_TIMESTAMP = 1
_INDEFINITE = 31
_BREAK = object()


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.at : self.at + count]
        if len(piece) != count:
            raise Malformed("the CBOR ends too early")
        self.at += count
        return piece

    def head(self) -> tuple[int, int, int]:
        """(major type, additional information, argument)."""
        (first,) = self.take(1)
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        if info < 28:
            return major, info, int.from_bytes(self.take(1 << (info - 24)), "big")
        if info == _INDEFINITE and major in (2, 3, 4, 5, 7):
            return major, info, 0
        raise Malformed("the CBOR is not well-formed")

    def value(self, depth: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            raise Malformed("the CBOR is nested too deeply")
        major, info, argument = self.head()
        endless = info == _INDEFINITE
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return b"".join(self._chunks(2)) if endless else self.take(argument)
            case 3:
                raw = b"".join(self._chunks(3)) if endless else self.take(argument)
                return self._text(raw)
            case 4:
                return self._items(None if endless else argument, depth)
            case 5:
                return self._entries(None if endless else argument, depth)
            case 6:
                return self.value(depth + 1)  # a timestamp is the number in it; other tags mean nothing here
            case _:
                return self._simple(info, argument)

    @staticmethod
    def _text(raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Malformed("a text of the CBOR is not UTF-8") from None

    def _chunks(self, major: int) -> list[bytes]:
        chunks: list[bytes] = []
        while True:
            kind, info, argument = self.head()
            if (kind, info) == (7, _INDEFINITE):
                return chunks
            if kind != major or info == _INDEFINITE:
                raise Malformed("the CBOR is not well-formed")
            chunks.append(self.take(argument))

    def _items(self, count: int | None, depth: int) -> list[Any]:
        items: list[Any] = []
        while count is None or len(items) < count:
            item = self.value(depth + 1)
            if item is _BREAK:
                if count is None:
                    break
                raise Malformed("the CBOR is not well-formed")
            items.append(item)
        return items

    def _entries(self, count: int | None, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        read = 0
        while count is None or read < count:
            key = self.value(depth + 1)
            if key is _BREAK and count is None:
                break
            value = self.value(depth + 1)
            if not isinstance(key, str) or value is _BREAK:
                raise Malformed("the CBOR has a map whose keys are not texts")
            entries[key] = value
            read += 1
        return entries

    @staticmethod
    def _simple(info: int, argument: int) -> Any:
        match info:
            case 20 | 21:
                return info == 21
            case 22 | 23:
                return None
            case 25:
                return struct.unpack(">e", argument.to_bytes(2, "big"))[0]
            case 26:
                return struct.unpack(">f", argument.to_bytes(4, "big"))[0]
            case 27:
                return struct.unpack(">d", argument.to_bytes(8, "big"))[0]
            case 31:
                return _BREAK
        raise Malformed("the CBOR has a simple value that means nothing")


def load(body: bytes) -> Any:
    """The value of a body; an empty body is an empty map. Raises Malformed, also when something follows it."""
    if not body:
        return {}
    reader = _Reader(body)
    value = reader.value()
    if value is _BREAK or reader.at != len(body):
        raise Malformed("the CBOR is not one value")
    return value


# -- writing ----------------------------------------------------------------------------------------------------------------------------------------------


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise ValueError(f"{argument} does not fit into CBOR")


def text(value: str) -> bytes:
    raw = value.encode()
    return _head(3, len(raw)) + raw


def write_texts(entries: Mapping[str, str]) -> bytes:
    """A map of texts."""
    return _head(5, len(entries)) + b"".join(text(key) + text(value) for key, value in entries.items())


def write_members(shape: Shape | None, document: Mapping[str, Any]) -> bytes:
    """A structure: only what the shape knows, without the members that are None."""
    known = {name: member for name, member in (shape.members if shape else {}).items() if document.get(name) is not None}
    return _head(5, len(known)) + b"".join(text(member.location_name or name) + write(member, document[name]) for name, member in known.items())


def write(shape: Shape, value: Any) -> bytes:
    match shape.type:
        case "structure":
            return write_members(shape, value)
        case "list":
            return _head(4, len(value)) + b"".join(write(shape.member, item) for item in value)
        case "map":
            entries = {key: item for key, item in value.items() if item is not None}
            return _head(5, len(entries)) + b"".join(text(key) + write(shape.value, item) for key, item in entries.items())
        case "boolean":
            return b"\xf5" if value else b"\xf4"
        case "integer" | "long":
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case "float" | "double":
            return b"\xfb" + struct.pack(">d", value)
        case "timestamp":
            seconds = scalars.timestamp_form(value, "unixTimestamp")
            assert isinstance(seconds, (int, float))
            return _head(6, _TIMESTAMP) + b"\xfb" + struct.pack(">d", seconds)
        case "blob":
            raw = value.encode() if isinstance(value, str) else value
            return _head(2, len(raw)) + raw
        case _:
            return text(str(value))
