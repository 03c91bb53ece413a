"""Batches of records on their way into buckets: when they are full or old enough, each whole, under a name that is its own.

What is to be delivered stands in the store since it was accepted (`store.pending`). A batch is settled, then put, then forgotten in the transaction that
puts it: whenever the process dies, the same batch is put again under the same key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latticewall.app import App
from latticewall.auth.callers import root
from latticewall.auth.log_delivery import DEFAULT_INTERVAL, DELIVERY_PRINCIPAL, INTERVAL_TAG, delivery_allowed
from latticewall.base.caller import Caller
from latticewall.base.faults import Denied, Fault, NotFound
from latticewall.base.rows import Row
from latticewall.control_plane import balancer_logs
from latticewall.services.firehose.streams import SERVICE_PRINCIPAL, lets_firehose_in
from latticewall.store import Snapshot, Transaction
from latticewall.telemetry import balancer_log
from latticewall.telemetry.batches import File, access_log_file, stream_file

log = logging.getLogger(__name__)
FIREHOSE = "arn:aws:firehose:"
MEGABYTE = 1024 * 1024
LARGEST_FILE = 16 * MEGABYTE
"""Bytes of access-log lines in one file, before they are compressed."""
RETRY_SECONDS = 10.0
GIVEN_UP_HOURS = 24
"""How long a batch is tried; Firehose keeps data for 24 hours too."""
TRIED_SECONDS = 3600.0
"""For how long at least, whatever the clock says of its age: it may have been set, or the machine has slept."""


def subscription_destination(row: Row) -> dict[str, Any]:
    """What delivering to the bucket of an access log subscription takes."""
    bucket, _, prefix = str(row.document["destinationArn"]).removeprefix("arn:aws:s3:::").partition("/")
    resource = row.document["resourceId"].startswith("rcfg-") or row.document.get("serviceNetworkLogType") == "RESOURCE"
    return {
        "Bucket": bucket, "Prefix": prefix, "Account": row.account, "Region": row.region, "ResourceId": row.document["resourceId"], "Resource": resource,
        "Interval": int(row.tags.get(INTERVAL_TAG, DEFAULT_INTERVAL)),
    }  # fmt: skip


@dataclass(frozen=True)
class Due:
    """When a destination's records make a batch."""

    seconds: float
    size: int

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Due:
        hints = about.get("BufferingHints")
        return cls(hints["IntervalInSeconds"], hints["SizeInMBs"] * MEGABYTE) if hints else cls(about.get("Interval", DEFAULT_INTERVAL), LARGEST_FILE)


class Batches:
    """Called again and again by the thread that follows the logs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._failed: dict[str, tuple[float, float]] = {}
        """Batch -> when it failed first and is tried next, in monotonic seconds."""

    def step(self) -> None:
        """Settle what is due, and put what is settled."""
        now = self._app.clock.now()
        while due := self._due(now):
            with self._app.store.write("latticewall", "batches") as tx:
                for destination, size in due:
                    tx.pending.settle(destination, self._app.random.token_bytes(8).hex(), size)
        with self._app.store.read() as snapshot:
            batches = snapshot.pending.batches()
        for destination, batch in batches:
            if time.monotonic() >= self._failed.get(batch, (0.0, 0.0))[1]:
                self._deliver(destination, batch, now)

    def _due(self, now: datetime) -> list[tuple[str, int]]:
        """(destination, bytes of a batch) of all that has waited long enough, is enough, or came to a stream that is gone."""
        found = []
        with self._app.store.read() as snapshot:
            for one in snapshot.pending.waiting():
                due = Due.of(snapshot.pending.description(one.destination))
                gone = one.destination.startswith(FIREHOSE) and snapshot.by_arn(one.destination) is None
                waited = abs(now.timestamp() - one.oldest / 1000)  # what came in the future came before the clock was set
                if gone or waited >= due.seconds or one.size >= due.size:
                    found.append((one.destination, due.size))
        return found

    def _deliver(self, destination: str, batch: str, now: datetime) -> None:
        try:
            with self._app.store.write("latticewall", "log delivery") as tx:
                about, records = tx.pending.description(destination), tx.pending.records(batch)
                file = _file(about, batch, records)
                self._put(tx, _writer(tx, about, file, now), file)
                tx.pending.delivered(batch)
            self._failed.pop(batch, None)
        except Fault as fault:
            failed = time.monotonic()
            first, _ = self._failed.get(batch, (failed, failed))
            self._failed[batch] = first, failed + RETRY_SECONDS
            log.warning("records for %s cannot be delivered, and are kept: %s", destination, fault.message)
            if failed - first >= TRIED_SECONDS:
                self._give_up(destination, batch, now)

    def _put(self, tx: Transaction, caller: Caller, file: File) -> None:
        self._app.call_within(tx, caller, "s3:PutObject", {"Bucket": file.bucket, "Key": file.key, "Body": file.content, **file.members})

    def _give_up(self, destination: str, batch: str, now: datetime) -> None:
        with self._app.store.write("latticewall", "log delivery") as tx:
            records = tx.pending.records(batch)
            if records and now.timestamp() - records[0][0] / 1000 > GIVEN_UP_HOURS * 3600:
                tx.pending.delivered(batch)
                self._failed.pop(batch, None)
                log.error("%d records for %s are given up after %d hours", len(records), destination, GIVEN_UP_HOURS)


def _file(about: Mapping[str, Any], batch: str, records: Sequence[tuple[int, bytes]]) -> File:
    if "LoadBalancer" in about:
        return balancer_log.file(about, batch, records)
    return stream_file(about, batch, records) if "RoleARN" in about else access_log_file(about, batch, records)


def _writer(snapshot: Snapshot, about: Mapping[str, Any], file: File, now: datetime) -> Caller:
    """As whom the file is put: Firehose as its role, access logs as the bucket's own account where its policy lets the delivery service in.

    Raises Denied and NotFound.
    """
    if "LoadBalancer" in about:
        return balancer_logs.writer(snapshot, about, file)
    if role_arn := about.get("RoleARN"):
        role = snapshot.by_arn(str(role_arn))
        if role is None:
            raise NotFound(f"the role {role_arn} does not exist")
        if not lets_firehose_in(snapshot, role, now):
            raise Denied(f"the role {role_arn} does not let {SERVICE_PRINCIPAL} in")
        return Caller(role.account, about["Region"], role.arn, role.id, "AssumedRole", tags=dict(role.tags), user_agent=SERVICE_PRINCIPAL)
    bucket = snapshot.get("s3:Bucket", file.bucket)
    if bucket is None:
        raise NotFound(f"the bucket {file.bucket} does not exist")
    if not delivery_allowed(bucket, f"{bucket.arn}/{file.key}", about["Account"], about["Region"]):
        raise Denied(f"the policy of the bucket {file.bucket} does not allow {DELIVERY_PRINCIPAL} to put objects")
    return root(bucket.account, bucket.region)
