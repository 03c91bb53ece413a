"""Records put into a stream: kept in the same transaction that answers for them. Pages: "PutRecord", "PutRecordBatch"."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.firehose.streams import destination_of, find_stream

LARGEST_RECORD = 1000 * 1024
LARGEST_BATCH = 4 * 1024 * 1024
MOST_RECORDS = 500


def put(ctx: Context, params: Document) -> Document:
    (identifier,) = _keep(ctx, params, [params["Record"]])
    return {"RecordId": identifier, "Encrypted": False}


def put_batch(ctx: Context, params: Document) -> Document:
    """All of them are kept, or the call is refused."""
    if len(params["Records"]) > MOST_RECORDS:
        raise Invalid(f"Records cannot be more than {MOST_RECORDS}")
    if sum(len(record["Data"]) for record in params["Records"]) > LARGEST_BATCH:
        raise Invalid(f"Records size exceeds {LARGEST_BATCH // (1024 * 1024)} MB limit")
    found = _keep(ctx, params, params["Records"])
    return {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": [{"RecordId": identifier} for identifier in found]}


def _keep(ctx: Context, params: Document, records: list[dict[str, Any]]) -> list[str]:
    row = find_stream(ctx, params["DeliveryStreamName"])
    data = [_bytes(record["Data"]) for record in records]
    if any(len(item) > LARGEST_RECORD for item in data):
        raise Invalid(f"Record size exceeds {LARGEST_RECORD // 1024} KB limit")
    ctx.tx.pending.describe(row.arn, destination_of(row))
    ctx.tx.pending.add(row.arn, int(datetime.fromisoformat(ctx.now).timestamp() * 1000), data)
    return [ctx.random.token_bytes(64).hex() for _ in records]


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


OPERATIONS: dict[str, Handler] = {"PutRecord": put, "PutRecordBatch": put_batch}
