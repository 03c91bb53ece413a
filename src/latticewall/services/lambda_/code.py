"""Deployment packages: from the request or from S3, kept by the region as files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.streamed import Streamed
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.lambda_ import text

LARGEST_UPLOAD = 52_428_800
"""Bytes of a zip in a request ("Lambda quotas")."""
LARGEST_OBJECT = 262_144_000
"""Bytes of a zip from S3: what it may have unzipped."""


def read(ctx: Context, given: Mapping[str, Any]) -> Document:
    """The private members that say which code a function has; the package is kept. Raises InvalidParameterValue."""
    if given.get("ImageUri"):
        raise text.unsupported("Code.ImageUri", "Container images are not supported by latticewall")
    pieces: Iterable[bytes]
    if given.get("ZipFile") is not None:
        content = bytes(given["ZipFile"])
        if len(content) > LARGEST_UPLOAD:
            raise text.invalid(f"Request must be smaller than {LARGEST_UPLOAD} bytes for the CreateFunction operation", "Code.ZipFile")
        pieces = (content,)
    elif given.get("S3Bucket") and given.get("S3Key"):
        pieces = _from_s3(ctx, given)
    else:
        raise text.invalid("Please provide a source for function code.", "Code")
    try:
        digest, size = ctx.ports["functions"].keep(pieces)
    except ValueError as error:
        raise text.invalid(str(error), "Code") from None
    return {"_code": digest, "_code_size": size, "_sha256": base64.b64encode(bytes.fromhex(digest)).decode()}


def _from_s3(ctx: Context, given: Mapping[str, Any]) -> Iterator[bytes]:
    """An object in a bucket of the caller's account and region, judged by its size before it is read; that the caller may read it is asked before
    (control_plane.access.questions)."""
    if ctx.find("s3:Bucket", given["S3Bucket"]) is None:
        message = f"Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist: {given['S3Bucket']}"
        raise text.invalid(message, "S3Bucket")
    version = {"VersionId": given["S3ObjectVersion"]} if given.get("S3ObjectVersion") else {}
    asked = {"Bucket": given["S3Bucket"], "Key": given["S3Key"], **version}
    try:
        size = ctx.call("s3:HeadObject", asked)["ContentLength"]
        body = ctx.call("s3:GetObject", asked)["Body"] if size <= LARGEST_OBJECT else b""
    except Fault as fault:
        raise text.invalid(f"Error occurred while GetObject. S3 Error Code: {fault.code}. S3 Error Message: {fault.message}", "S3Key") from None
    if size > LARGEST_OBJECT:
        raise text.invalid(f"Unzipped size must be smaller than {LARGEST_OBJECT} bytes", "S3Key")
    return body.pieces() if isinstance(body, Streamed) else iter((bytes(body),))
