"""Access logs of load balancers on their way into buckets: what becomes of Envoy's lines, and as whom a file is put."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from latticewall.auth.balancer_logs import PRINCIPAL, balancer_logs_allowed, folder
from latticewall.auth.callers import root
from latticewall.auth.log_delivery import DEFAULT_INTERVAL, INTERVAL_TAG
from latticewall.base.caller import Caller
from latticewall.base.faults import Denied, NotFound
from latticewall.base.rows import Row
from latticewall.store import Snapshot
from latticewall.telemetry import balancer_log
from latticewall.telemetry.batches import File
from latticewall.telemetry.followed_file import Block


class Entry(NamedTuple):
    """An entry for one node's file. at: epoch milliseconds. about: what delivering it takes."""

    destination: str
    at: int
    line: str
    about: Mapping[str, Any]


def entries(snapshot: Snapshot, block: Block) -> Iterator[Entry]:
    """The entries that a block of Envoy's log has for load balancers with access logs."""
    balancers = {row.id: row for row in snapshot.rows("elbv2:LoadBalancer") if row.document["_attributes"]["access_logs.s3.enabled"] == "true"}
    for line in block.lines(balancers.keys()) if balancers else ():
        try:
            found = balancer_log.read(line.text)
            row = balancers.get(str(found["balancer"]))
            if row is not None:
                at = int(datetime.fromisoformat(found["time"]).timestamp() * 1000)
                yield Entry(f"{row.arn} {found['node']}", at, balancer_log.entry(found), _about(row, str(found["node"])))
        except (ValueError, KeyError, TypeError):
            continue  # a line about something else, in which the id of a load balancer stands


def _about(row: Row, node: str) -> dict[str, Any]:
    attributes = row.document["_attributes"]
    return {
        "Bucket": attributes["access_logs.s3.bucket"], "Folder": folder(attributes["access_logs.s3.prefix"], row.account), "Account": row.account,
        "Region": row.region, "LoadBalancer": row.id, "LoadBalancerArn": row.arn, "Node": node, "Interval": int(row.tags.get(INTERVAL_TAG, DEFAULT_INTERVAL)),
    }  # fmt: skip


def writer(snapshot: Snapshot, about: Mapping[str, Any], file: File) -> Caller:
    """As whom the file is put: the bucket's own account, where its policy lets the service in. Raises Denied and NotFound."""
    bucket = snapshot.get("s3:Bucket", file.bucket)
    if bucket is None:
        raise NotFound(f"the bucket {file.bucket} does not exist")
    if not balancer_logs_allowed(bucket, file.key, about["LoadBalancerArn"]):
        raise Denied(f"the policy of the bucket {file.bucket} does not allow {PRINCIPAL} to put objects")
    return root(bucket.account, bucket.region)
