"""What is in a bucket: keys in the order of their UTF-8, those that share a beginning up to a delimiter rolled into one.

Pages: "ListObjectsV2", "ListObjects", "ListObjectVersions".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.s3 import text
from latticewall.services.s3.buckets import find_bucket, owner_of
from latticewall.store.objects import StoredObject

MOST_KEYS = 1000


@dataclass(frozen=True)
class Entry:
    """An object, or a common prefix where that is None. last: the key or prefix, from behind which the next page goes on."""

    last: str
    found: StoredObject | None


def entries(ctx: Context, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[Entry]:
    """after: a key or a common prefix that was already answered; a common prefix skips everything that begins with it."""
    begin = after + "\U0010ffff" if delimiter and after.startswith(prefix) and after.endswith(delimiter) and after != prefix else after
    while True:
        for found in ctx.tx.objects.keys_from(bucket, prefix, begin):
            head, cut, _ = found.key[len(prefix) :].partition(delimiter) if delimiter else (found.key, "", "")
            if not cut:
                yield Entry(found.key, found)
                continue
            common = prefix + head + cut
            yield Entry(common, None)
            begin = common + "\U0010ffff"
            break
        else:
            return


def _page(ctx: Context, params: Document, after: str) -> tuple[Document, str]:
    """(the members that all listings share, where the next page begins or "")."""
    row = find_bucket(ctx, params)
    prefix, delimiter, limit = str(params.get("Prefix") or ""), str(params.get("Delimiter") or ""), min(params.get("MaxKeys", MOST_KEYS), MOST_KEYS)
    if limit < 0:
        raise text.invalid("Argument maxKeys must be an integer between 0 and 2147483647")
    found: list[Entry] = []
    more = False
    for entry in entries(ctx, row.id, prefix, delimiter, after) if limit else ():
        if len(found) == limit:
            more = True
            break
        found.append(entry)
    coded = _coding(params)
    page = {
        "Name": row.name, "Prefix": coded(prefix), "Delimiter": coded(delimiter) or None, "MaxKeys": limit, "IsTruncated": more,
        "EncodingType": params.get("EncodingType"),
        "Contents": [_shown(entry.found, coded, params, row.account) for entry in found if entry.found],
        "CommonPrefixes": [{"Prefix": coded(entry.last)} for entry in found if entry.found is None],
    }  # fmt: skip
    return page, found[-1].last if more else ""


def _coding(params: Document) -> Any:
    """How keys are written: url encoding carries what XML cannot."""
    return (lambda key: quote(key, safe="/*-._")) if params.get("EncodingType") == "url" else (lambda key: key)


def _shown(one: StoredObject, coded: Any, params: Document, account: str) -> dict[str, Any]:
    shown = {"Key": coded(one.key), "LastModified": one.modified, "ETag": f'"{one.etag}"', "Size": one.size, "StorageClass": "STANDARD"}
    return {**shown, "Owner": owner_of(account)} if params.get("FetchOwner", "Marker" in params) else shown


def list_v2(ctx: Context, params: Document) -> Document:
    token = params.get("ContinuationToken")
    start_after = str(params.get("StartAfter") or "")
    page, last = _page(ctx, params, _position(str(token)) if token is not None else start_after)
    coded = _coding(params)
    return {
        **page, "KeyCount": len(page["Contents"]) + len(page["CommonPrefixes"]), "ContinuationToken": token, "StartAfter": coded(start_after) or None,
        "NextContinuationToken": base64.b64encode(last.encode()).decode() if last else None,
    }  # fmt: skip


def _position(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError):
        raise text.invalid("The continuation token provided is incorrect") from None


def list_v1(ctx: Context, params: Document) -> Document:
    marker = str(params.get("Marker") or "")
    page, last = _page(ctx, {"Marker": marker, **params}, marker)
    coded = _coding(params)
    return {**page, "Marker": coded(marker), "NextMarker": coded(last) if last and params.get("Delimiter") else None}


def list_versions(ctx: Context, params: Document) -> Document:
    """Without versions every object has the one called null."""
    page, last = _page(ctx, params, str(params.get("KeyMarker") or ""))
    coded = _coding(params)
    versions = [{**one, "VersionId": "null", "IsLatest": True} for one in page.pop("Contents")]
    marks = {"KeyMarker": coded(str(params.get("KeyMarker") or "")), "VersionIdMarker": params.get("VersionIdMarker") or ""}
    return {**page, **marks, "Versions": versions, **({"NextKeyMarker": coded(last), "NextVersionIdMarker": "null"} if last else {})}


OPERATIONS: dict[str, Handler] = {"ListObjectsV2": list_v2, "ListObjects": list_v1, "ListObjectVersions": list_versions}
