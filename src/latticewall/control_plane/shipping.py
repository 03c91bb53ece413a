"""Takes access logs and firewall logs to whom they are for: each line once, also across restarts.

The position in each file, and what a reader holds back, are stored in the same transaction as the events of log groups and as the records that wait for
buckets and streams (`delivery`): nothing is lost and nothing accepted twice.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from latticewall.app import App
from latticewall.auth.callers import root
from latticewall.base.rows import Row
from latticewall.control_plane import balancer_logs
from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.delivery import Batches, subscription_destination
from latticewall.control_plane.measuring import LOG_CURSOR
from latticewall.control_plane.object_files import ObjectFiles, remove_discarded
from latticewall.control_plane.record_ids import ACCESS_CURSOR, RecordIds
from latticewall.reconcile.loop import Loop
from latticewall.services.firehose.streams import destination_of
from latticewall.store import Snapshot, Transaction
from latticewall.telemetry import access_log
from latticewall.telemetry.eve import EveReader, Source, index_signatures
from latticewall.telemetry.followed_file import Block, Position, read_block, rotate

log = logging.getLogger(__name__)
POLL_SECONDS = 0.2
BATCH_SECONDS = 1.0
"""How often what waits for buckets and streams is looked at: all of it has to be counted for that."""
MOST_CHUNKS = 32
"""Pieces of the access log that are taken over before the other logs have their turn."""


@dataclass(frozen=True)
class Delivery:
    """One record for one log stream, or without one for the bucket or Firehose stream with this destination. at: epoch milliseconds."""

    arn: str
    stream: str
    at: int
    line: str
    about: Mapping[str, Any] | None = None
    """Of a destination that takes batches: what delivering to it takes."""


class Shipper:
    """One thread that follows Envoy's access log and every engine's EVE file."""

    def __init__(self, app: App, appliers: Appliers, loop: Loop, objects: ObjectFiles) -> None:
        self._app = app
        self._objects = objects
        self._batches = Batches(app)
        self._next_batches = 0.0
        self._appliers = appliers
        self._loop = loop
        self._stop = threading.Event()
        self._readers: dict[str, EveReader] = {}
        self._record_ids = RecordIds(app)

    def run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.step()
            except Exception:
                log.exception("logs could not be delivered")
        self.step()

    def stop(self) -> None:
        self._stop.set()

    def step(self) -> None:
        """Take over what has been appended since the last time, and deliver what is due."""
        remove_discarded(self._app.store, self._objects)
        for _ in range(MOST_CHUNKS):
            if not self._follow(ACCESS_CURSOR, self._appliers.access_log, self._access_deliveries):
                break
        self._rotate(ACCESS_CURSOR, self._appliers.access_log, self._appliers.reopen_access_log, LOG_CURSOR)
        plan = self._loop.plan
        for endpoint in plan.firewalls if plan else ():
            path = self._appliers.engine_logs / endpoint.endpoint_id / "eve.json"
            name = endpoint.endpoint_id
            try:
                self._follow(f"eve {name}", path, partial(self._engine_deliveries, name), partial(self._held, name))
                self._rotate(f"eve {name}", path, partial(self._appliers.reopen_engine_log, name))
            except BaseException:
                self._readers.pop(name, None)  # it has read what is not delivered: another one begins where the store says
                raise
        if time.monotonic() >= self._next_batches:
            self._next_batches = time.monotonic() + BATCH_SECONDS
            self._batches.step()

    def _follow(
        self, name: str, path: Path, deliveries: Callable[[Snapshot, Block], list[Delivery]], held: Callable[[], str] = lambda: ""
    ) -> bool:
        """Whether there was something new, and so may be more."""
        with self._app.store.read() as snapshot:
            start = Position.parse(snapshot.cursor(name))
            block, end = read_block(path, start)
            found = deliveries(snapshot, block)
            if end == start and not found and snapshot.cursor(_held_by(name)) == held():
                return False
        with self._app.store.write("latticewall", "log delivery") as tx:
            self._deliver(tx, found)
            tx.move_cursor(name, str(end))
            tx.move_cursor(_held_by(name), held())
        return end != start

    def _rotate(self, name: str, path: Path, reopen: Callable[[], None], reader: str = "") -> None:
        """reader: the cursor of another follower of the same log, who must have left the file before it too."""
        with self._app.store.read() as snapshot:
            position = Position.parse(snapshot.cursor(name))
            if reader and Position.parse(snapshot.cursor(reader)).inode != position.inode:
                return
        try:
            rotate(path, position, reopen)
        except OSError as error:
            log.warning("the writer of %s cannot be told to open it anew, and is told again: %s", path, error)

    def _deliver(self, tx: Transaction, found: Iterable[Delivery]) -> None:
        by_stream: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
        for delivery in found:
            by_stream[(delivery.arn, delivery.stream)].append(delivery)
        now = int(datetime.fromisoformat(tx.now).timestamp() * 1000)
        for (group_arn, stream), items in by_stream.items():
            if items[0].about is not None:
                tx.pending.describe(group_arn, items[0].about)
                tx.pending.add(group_arn, now, [item.line.encode() for item in items])
                continue
            group = tx.by_arn(group_arn)
            if group is None:
                continue
            if not any(row.name == stream for row in tx.rows("logs:LogStream", parent=group.id)):
                ctx = self._app.context(tx, root(group.account, group.region), "logs", "CreateLogStream", "log delivery")
                ctx.call("logs:CreateLogStream", {"logGroupName": group.name, "logStreamName": stream})
            tx.add_log_events(group.id, stream, [(item.at, now, item.line) for item in items])

    # -- access logs --------------------------------------------------------------------------------------------------------------------

    def _access_deliveries(self, snapshot: Snapshot, block: Block) -> list[Delivery]:
        """VPC Lattice's records, one for each subscription of the network, the service or the resource configuration; load balancers' entries."""
        if not block.data:
            return []
        subscriptions = [row for row in snapshot.rows("vpc-lattice:AccessLogSubscription") if row.status != "deleted"]
        found = []
        # reading a line costs a hundred times as much as seeing that nobody has subscribed to it, and there is one for every request
        for line in block.lines({str(row.document["resourceArn"]) for row in subscriptions}):
            try:
                record = access_log.read(line.text, self._record_ids.of(line.file, line.offset))
            except ValueError:
                log.warning("an access-log line cannot be read: %.200s", line.text)
                continue
            for row in subscriptions if record else ():
                assert record is not None
                if any(_subscribes(row, item) for item in record.subscribed):
                    found += _deliveries(snapshot, row, _milliseconds(record.record), record.line)
        return [*found, *(Delivery(item.destination, "", item.at, item.line, item.about) for item in balancer_logs.entries(snapshot, block))]

    # -- firewall logs ------------------------------------------------------------------------------------------------------------------

    def _engine_deliveries(self, endpoint_id: str, snapshot: Snapshot, block: Block) -> list[Delivery]:
        plan = self._loop.plan
        endpoint = next((item for item in plan.firewalls if item.endpoint_id == endpoint_id), None) if plan else None
        row = snapshot.by_arn(endpoint.firewall_arn) if endpoint else None
        if endpoint is None or row is None:
            return []
        source = Source(endpoint.firewall_name, endpoint.availability_zone, index_signatures(endpoint.engine.signatures))
        reader = self._readers.get(endpoint_id)
        if reader is None:
            reader = self._readers[endpoint_id] = EveReader(source)
            reader.feed(snapshot.cursor(_held_by(f"eve {endpoint_id}")).splitlines())
        reader.source = source
        records = reader.feed(line.text for line in block.lines()) if block.data else reader.flush()
        groups = {item["LogType"]: item["LogDestination"]["logGroup"] for item in row.document.get("_logging") or ()}
        found = []
        for record in records:
            if record.log_type in groups:
                arn = f"arn:aws:logs:{row.region}:{row.account}:log-group:{groups[record.log_type]}"
                hour = datetime.fromtimestamp(record.timestamp, UTC).strftime("%Y-%m-%d-%H")
                stream = f"/aws/network-firewall/{record.log_type.lower()}/{row.name}_{hour}"
                found.append(Delivery(arn, stream, int(record.timestamp * 1000), _json_line(record.document)))
        return found

    def _held(self, endpoint_id: str) -> str:
        reader = self._readers.get(endpoint_id)
        return "\n".join(reader.held) if reader else ""


def _held_by(name: str) -> str:
    """The cursor that keeps the lines a file's reader holds back."""
    return f"{name} held"


def _subscribes(row: Row, subscribed: access_log.Subscribed) -> bool:
    """A service network's subscription is for service or for resource traffic (SERVICE unless it says RESOURCE)."""
    if row.document["resourceArn"] != subscribed.arn:
        return False
    of_network = row.document["resourceId"].startswith("sn-")
    return not of_network or (row.document.get("serviceNetworkLogType") or "SERVICE") == subscribed.log_type


def _deliveries(snapshot: Snapshot, row: Row, at: int, line: str) -> list[Delivery]:
    """The record on its way to the destination of a subscription; none when that is gone."""
    arn = str(row.document["destinationArn"]).removesuffix(":*")
    service = arn.split(":")[2]
    if service == "logs":
        return [Delivery(arn, _stream(row), at, line)]
    if service == "s3":
        return [Delivery(row.arn, "", at, line, subscription_destination(row))]
    stream = snapshot.by_arn(arn)
    return [Delivery(arn, "", at, line + "\n", destination_of(stream))] if stream else []


def _stream(row: Row) -> str:
    return f"{row.document['resourceId']}/{row.id}"


def _milliseconds(record: Mapping[str, Any]) -> int:
    at = str(record.get("startTime") or record.get("eventTimestamp"))
    return int(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000)


def _json_line(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
