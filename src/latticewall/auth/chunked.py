"""Bodies in `aws-chunked` coding, as S3's clients stream them: chunks with or without signatures, then perhaps trailing checksums.

Pages followed: Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
"... Including Trailing Headers (Chunked Upload)".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from latticewall.auth.canonical import UNSIGNED_PAYLOAD
from latticewall.auth.signature import mismatch
from latticewall.base.faults import Invalid

SIGNED = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
LITERALS = (UNSIGNED_PAYLOAD, UNSIGNED_TRAILER, *SIGNED)
"""What x-amz-content-sha256 may say instead of a hash."""
_EMPTY = hashlib.sha256(b"").hexdigest()
_HEADER = re.compile(rb"([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?\Z")
_MOST_TRAILERS = 20


@dataclass(frozen=True)
class Chunk:
    """signature: "" where none was sent."""

    data: bytes
    signature: str = ""


@dataclass(frozen=True)
class Chunked:
    """A decoded body. trailers: by lower-case name. trailer_text: the trailers as they are signed. trailer_signature: "" without."""

    chunks: tuple[Chunk, ...]
    trailers: dict[str, str] = field(default_factory=dict)
    trailer_text: str = ""
    trailer_signature: str = ""

    @property
    def payload(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


def decode(body: bytes) -> Chunked:
    """The chunks and trailers of a whole body, the empty last chunk included. Raises Invalid for anything else."""
    chunks, at = [], 0
    while True:
        end = body.find(b"\r\n", at, at + 200)
        header = _HEADER.match(body[at:end]) if end >= 0 else None
        if header is None:
            raise _broken()
        size = int(header[1], 16)
        data = body[end + 2 : end + 2 + size]
        at = end + 2 + size
        if len(data) != size:
            raise Invalid("You did not provide the number of bytes specified by the Content-Length HTTP header", code="IncompleteBody")
        chunks.append(Chunk(data, (header[2] or b"").decode()))
        if size == 0:
            break
        if body[at : at + 2] != b"\r\n":
            raise _broken()
        at += 2
    return _with_trailers(tuple(chunks), body[at:])


def _with_trailers(chunks: tuple[Chunk, ...], rest: bytes) -> Chunked:
    trailers, text = {}, ""
    lines = [line for line in re.split(rb"\r?\n", rest) if line]
    if len(lines) > _MOST_TRAILERS:
        raise _broken()
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _broken()
        trailers[name.strip().lower()] = value.strip()
        if name.strip().lower() != "x-amz-trailer-signature":
            text += f"{name.strip().lower()}:{value.strip()}\n"
    signature = trailers.pop("x-amz-trailer-signature", "")
    return Chunked(chunks, trailers, text, signature)


def _broken() -> Invalid:
    return Invalid("The body is not in aws-chunked coding.", code="InvalidRequest")


def check_chunks(body: Chunked, key: bytes, stamp: str, scope: str, seed: str, *, trailer: bool) -> None:
    """Each chunk's signature continues the one before, the first that of the head (seed). trailer: one over the trailers must follow.

    Raises Denied when one is missing or wrong.
    """
    previous = seed
    for chunk in body.chunks:
        content = hashlib.sha256(chunk.data).hexdigest()
        previous = _next(key, "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, _EMPTY, content)), chunk.signature)
    if trailer:
        content = hashlib.sha256(body.trailer_text.encode("latin-1")).hexdigest()
        _next(key, "\n".join(("AWS4-HMAC-SHA256-TRAILER", stamp, scope, previous, content)), body.trailer_signature)


def _next(key: bytes, text: str, given: str) -> str:
    expected = hmac.digest(key, text.encode("latin-1"), "sha256").hex()
    if not hmac.compare_digest(expected, given):
        raise mismatch()
    return expected
