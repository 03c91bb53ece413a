"""Objects: stored, read, copied, tagged, deleted. Pages: "PutObject", "GetObject", "HeadObject", "CopyObject", "DeleteObjects", "PutObjectTagging"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from latticewall.base.faults import Fault
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.s3 import text
from latticewall.services.s3.buckets import find_bucket, read_tags
from latticewall.store.objects import StoredObject

KEY_LIMIT = 1024
METADATA_LIMIT = 2048
DELETED_AT_ONCE = 1000
TAGS = 10
KEPT = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires", "Metadata", "WebsiteRedirectLocation")
"""Members of PutObject that GetObject gives back."""
CHECKSUMS = ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256", "ChecksumSHA512")
DEFAULT_TYPE = "binary/octet-stream"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z", re.ASCII)
_REFUSED = (
    "SSECustomerAlgorithm", "SSEKMSKeyId", "ServerSideEncryption", "ObjectLockMode", "ObjectLockLegalHoldStatus", "ObjectLockRetainUntilDate",
    "WriteOffsetBytes",
)  # fmt: skip


class InvalidRange(Fault):
    status = 416


def check_key(params: Mapping[str, Any]) -> str:
    key = str(params["Key"])
    if len(key.encode()) > KEY_LIMIT:
        raise text.invalid("Your key is too long", "KeyTooLongError")
    return key


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """What an object here cannot have."""
    for member in _REFUSED:
        if params.get(member):
            raise text.unsupported(member)
    if params.get("StorageClass") not in (None, "STANDARD"):
        raise text.unsupported(f"Storage class {params['StorageClass']}")
    if params.get("ACL") not in (None, "private", "bucket-owner-full-control") or any(params.get(name) for name in params if name.startswith("Grant")):
        raise text.invalid("The bucket does not allow ACLs", "AccessControlListNotSupported")


def kept_members(params: Mapping[str, Any]) -> Document:
    """What of a request belongs to the object itself."""
    metadata = {name.lower(): value for name, value in (params.get("Metadata") or {}).items()}
    if sum(len(name) + len(value) for name, value in metadata.items()) > METADATA_LIMIT:
        raise text.invalid("Your metadata headers exceed the maximum allowed metadata size", "MetadataTooLarge")
    kept: Document = {name: params[name] for name in KEPT if params.get(name)}
    return {"ContentType": DEFAULT_TYPE, **kept, "Metadata": metadata, "_tags": _tags_of_header(params.get("Tagging"))}


def _tags_of_header(header: Any) -> dict[str, str]:
    pairs = parse_qsl(str(header or ""), keep_blank_values=True)
    return read_tags([{"Key": key, "Value": value} for key, value in pairs], TAGS)


def check_conditions(params: Mapping[str, Any], found: StoredObject | None) -> None:
    """If-Match and If-None-Match of a write. Raises PreconditionFailed, and NoSuchKey where there is nothing to match."""
    if params.get("IfNoneMatch") == "*" and found is not None:
        raise text.precondition_failed("If-None-Match")
    if params.get("IfMatch") and found is None:
        raise text.no_key(str(params["Key"]))
    if params.get("IfMatch") and found is not None and params["IfMatch"].strip('"') != found.etag:
        raise text.precondition_failed("If-Match")


def put(ctx: Context, params: Document) -> Document:
    row, key = find_bucket(ctx, params), check_key(params)
    refuse_unsupported(params)
    check_conditions(params, ctx.tx.objects.get(row.id, key))
    body = params.get("Body") or b""
    file, size, etag = ctx.ports["objects"].write(row.id, [body if isinstance(body, bytes) else str(body).encode()])
    checksums = {name: params[name] for name in CHECKSUMS if params.get(name)}
    ctx.tx.objects.put(StoredObject(row.id, key, size, etag, ctx.now, file, {**kept_members(params), **checksums}))
    return {"ETag": f'"{etag}"', **checksums}


def find_object(ctx: Context, params: Mapping[str, Any]) -> StoredObject:
    row = find_bucket(ctx, dict(params))
    if params.get("VersionId") not in (None, "null"):
        raise text.invalid("Invalid version id specified")
    found = ctx.tx.objects.get(row.id, str(params["Key"]))
    if found is None:
        raise text.no_key(str(params["Key"]))
    return found


def _check_read_conditions(params: Mapping[str, Any], found: StoredObject) -> None:
    """In HTTP's order: entity tags before times (RFC 9110, 13.2.2)."""
    seconds = datetime.fromisoformat(found.modified).replace(microsecond=0)
    if params.get("IfMatch"):
        if params["IfMatch"].strip('"') not in ("*", found.etag):
            raise text.precondition_failed("If-Match")
    elif params.get("IfUnmodifiedSince") and seconds > datetime.fromisoformat(params["IfUnmodifiedSince"]):
        raise text.precondition_failed("If-Unmodified-Since")
    if params.get("IfNoneMatch"):
        if params["IfNoneMatch"].strip('"') in ("*", found.etag):
            raise NotModified("Not Modified", code="NotModified")
    elif params.get("IfModifiedSince") and seconds <= datetime.fromisoformat(params["IfModifiedSince"]):
        raise NotModified("Not Modified", code="NotModified")


class NotModified(Fault):
    status = 304


def _window(asked: Any, size: int) -> tuple[int, int] | None:
    """(first byte, number of bytes) of a Range header; None for the whole object, also where the header is no byte range. Raises InvalidRange."""
    found = _RANGE.match(str(asked or "").strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < start:
            return None
    if start >= size or end <= start:
        raise InvalidRange("The requested range is not satisfiable", code="InvalidRange")
    return start, end - start


def _described(found: StoredObject, params: Mapping[str, Any]) -> Document:
    shown = {name: value for name, value in found.document.items() if not name.startswith("_") and name not in CHECKSUMS}
    named = {name.removeprefix("Response"): value for name, value in params.items() if name.startswith("Response") and value}
    if any(not (value.isascii() and value.isprintable()) for value in named.values()):
        raise text.invalid("Header value cannot be represented using ISO-8859-1.")
    tags = found.document.get("_tags")
    return {
        **shown, **named, "AcceptRanges": "bytes", "ContentLength": found.size, "ETag": f'"{found.etag}"', "LastModified": found.modified,
        "TagCount": len(tags) if tags else None,
    }  # fmt: skip


def head(ctx: Context, params: Document) -> Document:
    found = find_object(ctx, params)
    _check_read_conditions(params, found)
    window = _window(params.get("Range"), found.size)
    return {**_described(found, params), **_part(found, window), **_checksums(found, params, window)}


def _part(found: StoredObject, window: tuple[int, int] | None) -> Document:
    if window is None:
        return {}
    start, size = window
    return {"ContentLength": size, "ContentRange": f"bytes {start}-{start + size - 1}/{found.size}"}


def _checksums(found: StoredObject, params: Mapping[str, Any], window: tuple[int, int] | None) -> Document:
    """Those of the whole object that came with it, where they are asked for."""
    if params.get("ChecksumMode") != "ENABLED" or window is not None:
        return {}
    kept = {name: found.document[name] for name in CHECKSUMS if name in found.document}
    return {**kept, "ChecksumType": "FULL_OBJECT"} if kept else {}


def get(ctx: Context, params: Document) -> Document:
    described = head(ctx, params)
    found = find_object(ctx, params)
    start, size = _window(params.get("Range"), found.size) or (0, found.size)
    return {**described, "Body": ctx.ports["objects"].read(found.bucket, found.file, start, size)}


def copy_source(params: Mapping[str, Any]) -> Document:
    """Bucket and key of x-amz-copy-source: `/bucket/key`, percent-encoded, perhaps with the null version."""
    path, _, version = str(params["CopySource"]).partition("?versionId=")
    bucket, slash, key = unquote(path).lstrip("/").partition("/")
    if not slash or not bucket or not key or bucket.startswith("arn:"):
        raise text.invalid("Invalid copy source object key")
    return {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}


def copy(ctx: Context, params: Document) -> Document:
    row, key = find_bucket(ctx, params), check_key(params)
    refuse_unsupported(params)
    source = find_object(ctx, copy_source(params))
    if params.get("CopySourceIfMatch") and params["CopySourceIfMatch"].strip('"') != source.etag:
        raise text.precondition_failed("x-amz-copy-source-If-Match")
    replacing = params.get("MetadataDirective") == "REPLACE"
    if (source.bucket, source.key) == (row.id, key) and not replacing and params.get("TaggingDirective") != "REPLACE":
        message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata"
        raise text.invalid(f"{message}, storage class, website redirect location or encryption attributes.", "InvalidRequest")
    checksums = {name: value for name, value in source.document.items() if name in CHECKSUMS}
    document = {**kept_members(params), **checksums} if replacing else dict(source.document)
    document["_tags"] = _tags_of_header(params.get("Tagging")) if params.get("TaggingDirective") == "REPLACE" else source.document.get("_tags", {})
    read = ctx.ports["objects"].read(source.bucket, source.file, 0, source.size)
    file, size, _ = ctx.ports["objects"].write(row.id, read.pieces())
    ctx.tx.objects.put(StoredObject(row.id, key, size, source.etag, ctx.now, file, document))
    return {"CopyObjectResult": {"ETag": f'"{source.etag}"', "LastModified": ctx.now}}


def delete(ctx: Context, params: Document) -> Document:
    ctx.tx.objects.delete(find_bucket(ctx, params).id, str(params["Key"]))
    return {}


def delete_many(ctx: Context, params: Document) -> Document:
    """All of them: who may not delete one of them was refused before."""
    row, given = find_bucket(ctx, params), params["Delete"]
    if not 0 < len(given["Objects"]) <= DELETED_AT_ONCE:
        raise text.invalid("The XML you provided was not well-formed or did not validate against our published schema", "MalformedXML")
    for one in given["Objects"]:
        ctx.tx.objects.delete(row.id, one["Key"])
    return {} if given.get("Quiet") else {"Deleted": [{"Key": one["Key"]} for one in given["Objects"]]}


def get_tags(ctx: Context, params: Document) -> Document:
    tags = find_object(ctx, params).document.get("_tags") or {}
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def put_tags(ctx: Context, params: Document) -> Document:
    found = find_object(ctx, params)
    tags = read_tags(params["Tagging"]["TagSet"], TAGS)
    ctx.tx.objects.put(replace(found, document={**found.document, "_tags": tags}))
    return {}


def delete_tags(ctx: Context, params: Document) -> Document:
    found = find_object(ctx, params)
    ctx.tx.objects.put(replace(found, document={**found.document, "_tags": {}}))
    return {}


OPERATIONS: dict[str, Handler] = {
    "PutObject": put,
    "GetObject": get,
    "HeadObject": head,
    "CopyObject": copy,
    "DeleteObject": delete,
    "DeleteObjects": delete_many,
    "GetObjectTagging": get_tags,
    "PutObjectTagging": put_tags,
    "DeleteObjectTagging": delete_tags,
}
