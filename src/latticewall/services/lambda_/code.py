"""Deployment packages: from the request or from S3, kept by the region as files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.lambda_ import text

LARGEST_UPLOAD = 52_428_800
"""Bytes of a zip in a request ("Lambda quotas")."""


def read(ctx: Context, given: Mapping[str, Any]) -> Document:
    """The private members that say which code a function has; the package is kept. Raises InvalidParameterValue."""
    if given.get("ImageUri"):
        raise text.unsupported("Code.ImageUri", "Container images are not supported by latticewall")
    if given.get("ZipFile") is not None:
        content = bytes(given["ZipFile"])
        if len(content) > LARGEST_UPLOAD:
            raise text.invalid(f"Request must be smaller than {LARGEST_UPLOAD} bytes for the CreateFunction operation", "Code.ZipFile")
    elif given.get("S3Bucket") and given.get("S3Key"):
        content = _from_s3(ctx, given)
    else:
        raise text.invalid("Please provide a source for function code.", "Code")
    if refusal := ctx.ports["functions"].refusal_of_package(content):
        raise text.invalid(refusal, "Code")
    digest = ctx.ports["functions"].keep(content)
    return {"_code": digest, "_code_size": len(content), "_sha256": base64.b64encode(hashlib.sha256(content).digest()).decode()}


def _from_s3(ctx: Context, given: Mapping[str, Any]) -> bytes:
    """An object of the region's own S3, read as the caller."""
    if ctx.registry.operation("s3", "GetObject") is None:
        raise text.unsupported("Code.S3Bucket", "Code from S3 is not supported by this latticewall: give it as ZipFile")
    version = {"VersionId": given["S3ObjectVersion"]} if given.get("S3ObjectVersion") else {}
    body = ctx.call("s3:GetObject", {"Bucket": given["S3Bucket"], "Key": given["S3Key"], **version})["Body"]
    return bytes(body.read() if hasattr(body, "read") else body)
