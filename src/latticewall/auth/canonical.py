"""The canonical request of Signature Version 4, computed from the bytes of a request head.

Pages followed: IAM User Guide, "Create a signed AWS API request" and "Elements of an AWS API request signature". Header and target texts hold
one character per byte (ISO 8859-1), so that what was signed is hashed exactly as it arrived.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from itertools import chain

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_SPACES = re.compile(r"[ \t\r\n\f\v]+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Head:
    """A request's head. target: path and query as on the wire. headers: (name, value) in arrival order, duplicates kept; an HTTP/2 authority
    is named `:authority`."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = field(default_factory=tuple)

    @cached_property
    def is_bytes(self) -> bool:
        """Whether every character stands for one byte; nothing that came over a wire fails this, and nothing else can be verified."""
        text = "".join((self.method, self.target, *chain(*self.headers)))
        return text.isascii() or ord(max(text)) < 256

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Header values by lower-case name; `:authority` also answers for host."""
        values: dict[str, list[str]] = {}
        for name, value in self.headers:
            values.setdefault(name.lower(), []).append(value)
        if ":authority" in values:
            values.setdefault("host", values[":authority"])
        elif "host" in values:
            values[":authority"] = values["host"]
        return values

    def first(self, name: str) -> str | None:
        """The first value of a header, None without."""
        values = self.by_name.get(name)
        return values[0].strip(" \t") if values else None

    @cached_property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Query parameters percent-decoded, in order; a plus sign stays one; one character per byte."""
        if "?" not in self.target:
            return ()
        pairs = (pair.partition("=") for pair in self.query.split("&") if pair)
        return tuple((_decode(name), _decode(value)) for name, _, value in pairs)

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, None without."""
        return next((value for own, value in self.parameters if own == name), None)


def _decode(text: str) -> str:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode("latin-1")).decode("latin-1")


def has_bad_escape(text: str) -> bool:
    """Whether a percent sign is not followed by two hexadecimal digits."""
    return _BAD_ESCAPE.search(text) is not None


def has_dot_segment(path: str) -> bool:
    """Whether `.` or `..` stands as a segment, written plainly or percent-encoded, so that some reader might resolve it."""
    return any(segment in (".", "..") for segment in _decode(path).replace("\\", "/").split("/"))


def encode(text: str, keep: str = "") -> str:
    """Percent-encode every byte that is not unreserved (nor in `keep`), upper-case hexadecimal."""
    if text.isascii():  # almost all of what is sent
        return text.translate(_encoding(keep))
    return "".join(character if character in keep else _ENCODED[ord(character)] for character in text)


@cache
def _encoding(keep: str) -> tuple[str, ...]:
    return tuple(chr(byte) if chr(byte) in keep else _ENCODED[byte] for byte in range(128))


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Decoded pairs, encoded anew and sorted by their encoded form; empty values keep their `=`."""
    return "&".join(f"{name}={value}" for name, value in sorted((encode(name), encode(value)) for name, value in parameters))


def generic_uri(path: str) -> str:
    """The path as AWS's signers write it for every service but S3: normalised, then each segment encoded once more."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return encode("/" + "/".join(kept) + trailing, keep="/")


def s3_uri(path: str) -> str:
    """The path as S3 signers and curl write it: as it is on the wire."""
    return path or "/"


def s3_uris(path: str) -> tuple[str, ...]:
    """The canonical paths of a request to S3: as it is on the wire, and with every byte encoded that may be, as "S3 Signature Calculations" has it."""
    return tuple(dict.fromkeys((s3_uri(path), encode(_decode(path or "/"), keep="/"))))


def encoded_uri(path: str) -> str:
    """The path as curl 8 writes it: as it is on the wire, encoded once more, not normalised."""
    return encode(path or "/", keep="/")


@lru_cache(1024)
def uris(path: str, *, strict_generic: bool) -> tuple[str, ...]:
    """The canonical paths a signature may have been made for, the documented one first; others only where they differ."""
    forms = (generic_uri(path), s3_uri(path), encoded_uri(path))
    return forms[:1] if strict_generic else tuple(dict.fromkeys(forms))


def canonical_headers(head: Head, names: Iterable[str]) -> str:
    """One line per signed header: trimmed, runs of spaces collapsed, repeated values joined by a comma in arrival order."""
    return "".join(f"{name}:{','.join(map(_collapsed, head.by_name[name]))}\n" for name in names)


def _collapsed(value: str) -> str:
    value = value.strip(" \t")
    return _SPACES.sub(" ", value) if value.split(None, 1) != [value] else value  # most have no space at all, which this sees soonest


def canonical_request(head: Head, uri: str, names: Sequence[str], payload_hash: str) -> str:
    """What is hashed into the string to sign. The signature itself is never part of the query."""
    query = canonical_query(pair for pair in head.parameters if pair[0] != "X-Amz-Signature")
    return "\n".join((head.method, uri, query, canonical_headers(head, names), ";".join(names), payload_hash))


def digest(text: str) -> str:
    """Hexadecimal SHA-256 of text that holds one character per byte."""
    return hashlib.sha256(text.encode("latin-1")).hexdigest()
