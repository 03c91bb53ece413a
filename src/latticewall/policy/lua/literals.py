"""Values as Lua literals: the only way by which anything a person wrote gets into Lua source text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_BARE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ./:_-")
_WRITTEN = tuple(chr(byte) if byte in _BARE else f"\\{byte:03d}" for byte in range(256))


def to_bytes(text: str) -> bytes | None:
    """The bytes that stand for the text in a request (UTF-8, surrogateescape); None if no bytes do, so that no request can hold this text."""
    try:
        written = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    return written if written.decode("utf-8", "surrogateescape") == text else None


def quote(text: str | bytes) -> str:
    """A string literal of printable ASCII; every byte but letters, digits and ` ./:_-` is escaped. Raises ValueError for text that no bytes stand for."""
    written = to_bytes(text) if isinstance(text, str) else text
    if written is None:
        raise ValueError("half a surrogate pair cannot be written as bytes")
    return '"' + "".join(_WRITTEN[byte] for byte in written) + '"'


def literal(value: object) -> str:
    """A literal of None, bool, int, str, bytes, and lists and mappings of them. Larger integers than 2**53 and other types raise TypeError."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) <= 2**53:
        return str(int(value))
    if isinstance(value, str | bytes):
        return quote(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"[{literal(key)}]={literal(own)}" for key, own in value.items() if own is not None) + "}"
    if isinstance(value, Sequence):
        return "{" + ",".join(map(literal, value)) + "}"
    raise TypeError(f"{type(value).__name__} has no Lua literal")
