"""Where the text of a template comes from: the request, or an object of this region's S3 that the request names by URL ("CreateStack", TemplateURL).

A URL is never fetched: it only says which object is meant, so that no template makes the region call anybody.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from latticewall.base.faults import Fault
from latticewall.base.streamed import Streamed
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.cloudformation import text

LARGEST = 51_200
LARGEST_OBJECT = 1_048_576
"""Bytes of a template in a request, and in S3 ("CloudFormation quotas")."""
_OF_BUCKET = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.(?:s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com|localhost)")
"""Virtual-hosted style: the bucket is part of the name."""
_OF_ALL = re.compile(r"s3[.-](?:[a-z0-9.-]+\.)?amazonaws\.com|localhost|[0-9.]+|[0-9a-f:]+")
"""Path style: Amazon S3, or the region's own endpoint as clients here know it."""


class Place(NamedTuple):
    """An object in S3. version: "" for the newest."""

    bucket: str
    key: str
    version: str


def place_of(url: str) -> Place:
    """The object that a URL of S3, in either style, names. Raises ValidationError."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise text.invalid("TemplateURL must be a supported URL.") from None
    path = unquote(parts.path).removeprefix("/")
    if found := _OF_BUCKET.fullmatch(host):
        bucket, key = found["bucket"], path
    elif _OF_ALL.fullmatch(host):
        bucket, _, key = path.partition("/")
    else:
        bucket = key = ""
    if parts.scheme not in ("https", "http") or not bucket or not key:
        raise text.invalid("TemplateURL must be a supported URL.")
    return Place(bucket, key, parse_qs(parts.query).get("versionId", [""])[0])


def template_body(ctx: Context, params: Document) -> str:
    """The template of a request, as text; "" when it gives none. That the caller may read the object is asked before (control_plane.access.questions).
    Raises ValidationError."""
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if body and url:
        raise text.invalid("You cannot specify both Template URL and Template Body")
    if url:
        return _read(ctx, place_of(url))
    if body and len(body.encode()) > LARGEST:
        raise text.invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {LARGEST}"
        )
    return body or ""


def _read(ctx: Context, place: Place) -> str:
    version = {"VersionId": place.version} if place.version else {}
    try:
        answer = ctx.call("s3:GetObject", {"Bucket": place.bucket, "Key": place.key, "Range": f"bytes=0-{LARGEST_OBJECT}", **version})
    except Fault as fault:
        raise text.invalid(f"S3 error: {fault.message}") from None
    body = answer["Body"].read() if isinstance(answer["Body"], Streamed) else bytes(answer["Body"])
    if len(body) > LARGEST_OBJECT:
        raise text.invalid(f"Template may not exceed {LARGEST_OBJECT} bytes in size.")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise text.format_error("the object is no text in UTF-8.") from None
