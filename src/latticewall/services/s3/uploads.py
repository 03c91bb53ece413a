"""Objects uploaded in parts. Pages: "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "Amazon S3 multipart upload limits"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.s3 import text
from latticewall.services.s3.buckets import find_bucket, owner_of
from latticewall.services.s3.objects import CHECKSUMS, check_conditions, check_key, copy_source, find_object, kept_members, refuse_unsupported
from latticewall.store.objects import StoredObject, StoredPart

SMALLEST_PART = 5 * 1024 * 1024
"""Bytes of every part but the last."""
MOST_PARTS = 10_000


def _upload(ctx: Context, params: Document) -> Row:
    row = ctx.tx.get("s3:Upload", str(params["UploadId"]))
    if row is None or row.parent != params["Bucket"] or row.name != params["Key"]:
        raise text.no_upload(str(params["UploadId"]))
    return row


def create(ctx: Context, params: Document) -> Document:
    row, key = find_bucket(ctx, params), check_key(params)
    refuse_unsupported(params)
    made = ctx.create("s3:Upload", kept_members(params), id=ctx.new_id(digits=32), name=key, parent=row.id)
    return {"Bucket": row.name, "Key": key, "UploadId": made.id}


def put_part(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    body = params.get("Body") or b""
    etag = _store(ctx, row, params, [body if isinstance(body, bytes) else str(body).encode()])
    return {"ETag": f'"{etag}"', **{name: params[name] for name in CHECKSUMS if params.get(name)}}


def _store(ctx: Context, row: Row, params: Document, pieces: Any) -> str:
    upload = _upload(ctx, params)
    if not 1 <= params["PartNumber"] <= MOST_PARTS:
        raise text.invalid(f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive")
    file, size, etag = ctx.ports["objects"].write(row.id, pieces)
    ctx.tx.objects.put_part(row.id, StoredPart(upload.id, params["PartNumber"], size, etag, ctx.now, file))
    return str(etag)


def copy_part(ctx: Context, params: Document) -> Document:
    row, source = find_bucket(ctx, params), find_object(ctx, copy_source(params))
    start, size = 0, source.size
    if given := params.get("CopySourceRange"):
        first, _, last = str(given).removeprefix("bytes=").partition("-")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < source.size):
            raise text.invalid("The x-amz-copy-source-range value must be of the form bytes=first-last within the source object")
        start, size = int(first), int(last) - int(first) + 1
    read = ctx.ports["objects"].read(source.bucket, source.file, start, size)
    etag = _store(ctx, row, params, read.pieces())
    return {"CopyPartResult": {"ETag": f'"{etag}"', "LastModified": ctx.now}}


def complete(ctx: Context, params: Document) -> Document:
    """The parts named, put together. The entity tag is that of their digests, and how many they are."""
    row, upload = find_bucket(ctx, params), _upload(ctx, params)
    check_conditions(params, ctx.tx.objects.get(row.id, upload.name))
    there = {part.number: part for part in ctx.tx.objects.parts(upload.id)}
    listed = (params.get("MultipartUpload") or {}).get("Parts") or []
    numbers = [one.get("PartNumber") for one in listed]
    if not numbers:
        raise text.invalid("The XML you provided was not well-formed or did not validate against our published schema", "MalformedXML")
    if numbers != sorted(set(numbers)):
        raise text.invalid("The list of parts was not in ascending order. Parts must be ordered by part number.", "InvalidPartOrder")
    if any(one["PartNumber"] not in there or str(one.get("ETag", "")).strip('"') != there[one["PartNumber"]].etag for one in listed):
        raise text.invalid(
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the "
            "part's entity tag.", "InvalidPart",
        )  # fmt: skip
    parts = [there[number] for number in numbers]
    if any(part.size < SMALLEST_PART for part in parts[:-1]):
        raise text.invalid("Your proposed upload is smaller than the minimum allowed size", "EntityTooSmall")
    file, size, _ = ctx.ports["objects"].write(row.id, _joined(ctx, row, parts))
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    ctx.tx.objects.put(StoredObject(row.id, upload.name, size, etag, ctx.now, file, dict(upload.document)))
    _end(ctx, row, upload)
    return {"Location": f"/{row.name}/{upload.name}", "Bucket": row.name, "Key": upload.name, "ETag": f'"{etag}"'}


def _joined(ctx: Context, row: Row, parts: list[StoredPart]) -> Iterator[bytes]:
    for part in parts:
        yield from ctx.ports["objects"].read(row.id, part.file, 0, part.size).pieces()


def _end(ctx: Context, row: Row, upload: Row) -> None:
    ctx.tx.objects.forget_parts(row.id, upload.id)
    ctx.remove(upload)


def abort(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    _end(ctx, row, _upload(ctx, params))
    return {}


def list_parts(ctx: Context, params: Document) -> Document:
    row, upload = find_bucket(ctx, params), _upload(ctx, params)
    marker, limit = int(params.get("PartNumberMarker") or 0), min(params.get("MaxParts", 1000), 1000)
    parts = [part for part in ctx.tx.objects.parts(upload.id) if part.number > marker]
    shown = [{"PartNumber": part.number, "LastModified": part.modified, "ETag": f'"{part.etag}"', "Size": part.size} for part in parts[:limit]]
    more = len(parts) > limit
    return {
        "Bucket": row.name, "Key": upload.name, "UploadId": upload.id, "PartNumberMarker": marker, "MaxParts": limit, "IsTruncated": more, "Parts": shown,
        "NextPartNumberMarker": shown[-1]["PartNumber"] if more and shown else None, "StorageClass": "STANDARD", "Owner": owner_of(row.account),
    }  # fmt: skip


def list_uploads(ctx: Context, params: Document) -> Document:
    row, prefix = find_bucket(ctx, params), str(params.get("Prefix") or "")
    marks = (str(params.get("KeyMarker") or ""), str(params.get("UploadIdMarker") or ""))
    limit = min(params.get("MaxUploads", 1000), 1000)
    found = sorted((upload for upload in ctx.tx.rows("s3:Upload", parent=row.id) if upload.name.startswith(prefix)), key=lambda one: (one.name, one.id))
    found = [one for one in found if (one.name, one.id if marks[1] else "") > marks]
    owner = {"StorageClass": "STANDARD", "Owner": owner_of(row.account)}
    shown = [{"Key": one.name, "UploadId": one.id, "Initiated": one.created_at, **owner} for one in found[:limit]]
    more = len(found) > limit
    following = {"NextKeyMarker": shown[-1]["Key"], "NextUploadIdMarker": shown[-1]["UploadId"]} if more and shown else {}
    return {"Bucket": row.name, "Prefix": prefix, "MaxUploads": limit, "IsTruncated": more, "Uploads": shown, **following}


OPERATIONS: dict[str, Handler] = {
    "CreateMultipartUpload": create,
    "UploadPart": put_part,
    "UploadPartCopy": copy_part,
    "CompleteMultipartUpload": complete,
    "AbortMultipartUpload": abort,
    "ListParts": list_parts,
    "ListMultipartUploads": list_uploads,
}
