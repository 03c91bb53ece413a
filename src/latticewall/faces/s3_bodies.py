"""Requests to S3 as operations read them: bucket in the path, body without its transfer coding, trailers as headers, checksums compared."""

from __future__ import annotations

from dataclasses import replace

from latticewall.auth import chunked
from latticewall.base import checksums
from latticewall.wire.message import HttpRequest
from latticewall.wire.s3 import path_style

CODING = "aws-chunked"


def plain(request: HttpRequest) -> HttpRequest:
    """The signature has been verified over the request as it came. Raises Invalid for a broken coding and for a checksum that does not fit."""
    request = path_style(request)
    headers = tuple((name.lower(), value) for name, value in request.headers)
    content_hash = request.header("x-amz-content-sha256")
    if content_hash.startswith("STREAMING-") or CODING in request.header("content-encoding"):
        decoded = chunked.decode(request.body)
        headers = (*_without_coding(headers), *decoded.trailers.items())
        request = replace(request, headers=headers, body=decoded.payload)
    checksums.check(dict(headers), request.body)
    return request


def _without_coding(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Only what the object itself is encoded with stays in Content-Encoding."""
    kept = []
    for name, value in headers:
        if name == "content-encoding":
            value = ", ".join(coding for coding in (part.strip() for part in value.split(",")) if coding and coding != CODING)
        if value or name != "content-encoding":
            kept.append((name, value))
    return tuple(kept)
