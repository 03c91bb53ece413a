"""Keeps the region's metrics: every few seconds the access log's new lines and Envoy's counters become points of the minute they belong to.

Points and the place up to which the log is counted are stored in one transaction, so that a request is counted once whatever ends meanwhile.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from latticewall.app import App
from latticewall.base.metrics import Series
from latticewall.control_plane.appliers import Appliers
from latticewall.reconcile.loop import Loop
from latticewall.store import Snapshot
from latticewall.store.metrics import RETENTION_MINUTES
from latticewall.telemetry.followed_file import Position, read_block
from latticewall.telemetry.lattice_metrics import HOST_GAUGES, Group, Points, exposition, of_connections, of_requests, of_tls_connections

log = logging.getLogger(__name__)
MEASURE_SECONDS = 5.0
LOG_CURSOR, COUNTERS_CURSOR = "metrics", "envoy counters"
MOST_BLOCKS = 16
"""Pieces of the access log that are counted together: a point is stored once for all of them."""
OFTEN = 720
"""Every so many measurements (an hour) old points are forgotten."""


class Zones:
    """Availability Zones of addresses: of network interfaces, else of the subnet that holds the address."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._known: dict[tuple[str, str], str] = {}
        for row in snapshot.rows("ec2:NetworkInterface"):
            held = [row.document.get("PrivateIpAddress"), *(item["Ipv6Address"] for item in row.document.get("Ipv6Addresses") or ())]
            self._known |= {(str(row.document["VpcId"]), address): str(row.document.get("AvailabilityZone", "")) for address in held if address}
        self._subnets: dict[str, list[tuple[IPv4Network | IPv6Network, str]]] = defaultdict(list)
        for row in snapshot.rows("ec2:Subnet"):
            blocks = [row.document.get("CidrBlock"), *(item["Ipv6CidrBlock"] for item in row.document.get("Ipv6CidrBlockAssociationSet") or ())]
            self._subnets[str(row.document["VpcId"])] += [(ip_network(block), str(row.document["AvailabilityZone"])) for block in blocks if block]

    def __call__(self, vpc: str, address: str) -> str:
        """address: as in the access log, of IPv6 in brackets."""
        key = (vpc, address.strip("[]"))
        if key not in self._known:
            self._known[key] = self._of_subnet(*key)
        return self._known[key]

    def _of_subnet(self, vpc: str, address: str) -> str:
        try:
            parsed = ip_address(address)
        except ValueError:
            return ""
        return next((zone for network, zone in self._subnets.get(vpc, ()) if parsed in network), "")


class Measurer:
    """One thread."""

    def __init__(self, app: App, appliers: Appliers, loop: Loop) -> None:
        self._app = app
        self._appliers = appliers
        self._loop = loop
        self._stop = threading.Event()
        self._zones: tuple[int, Zones] | None = None
        self._totals: dict[Series, tuple[float, float]] = {}
        self._rounds = 0

    def run(self) -> None:
        while not self._stop.wait(MEASURE_SECONDS):
            try:
                self.step()
            except Exception:
                log.exception("metrics could not be kept")
        self._count_requests()

    def stop(self) -> None:
        self._stop.set()

    def step(self) -> None:
        """Count what has happened since the last time."""
        self._count_requests()
        if self._rounds % 2 == 0:  # with thousands of targets Envoy's answer is megabytes
            self._count_connections()
        self._rounds += 1
        if self._rounds % OFTEN == 1:
            with self._app.store.write("latticewall", "old metrics") as tx:
                tx.metrics.forget_before(self._minute() - RETENTION_MINUTES)

    def prometheus(self) -> str:
        """What was counted since the process began, as Prometheus reads it."""
        return exposition(dict(self._totals))

    def _minute(self) -> int:
        return int(self._app.clock.now().timestamp()) // 60

    def _zones_now(self) -> Zones:
        """As of the newest revision; read again only when something has changed."""
        with self._app.store.read() as snapshot:
            if self._zones is None or self._zones[0] != snapshot.revision:
                self._zones = snapshot.revision, Zones(snapshot)
            return self._zones[1]

    def _count_requests(self) -> None:
        while True:
            with self._app.store.read() as snapshot:
                start = end = Position.parse(snapshot.cursor(LOG_CURSOR))
            blocks: list[bytes] = []
            while len(blocks) < MOST_BLOCKS:
                block, after = read_block(self._appliers.access_log, end)
                if after == end:
                    break
                blocks.append(block.data)
                end = after
            if end == start:
                return
            zones = self._zones_now()
            self._keep(of_requests(blocks, zones) | of_tls_connections(blocks, zones), LOG_CURSOR, str(end))

    def _count_connections(self) -> None:
        plan = self._loop.plan
        if plan is None:
            return
        groups = {one.name: Group(one.arn, one.namespace, one.protocol) for one in plan.proxy.clusters if ":targetgroup/tg-" in one.arn}
        try:
            process, readings = self._appliers.read_proxy_counters()
        except OSError:
            return  # Envoy is being started, or is not needed
        with self._app.store.read() as snapshot:
            kept: dict[str, Any] = json.loads(snapshot.cursor(COUNTERS_CURSOR) or "{}")
        before = kept.get("values", {}) if kept.get("process") == process else {}
        points, after = of_connections(readings, before, groups, self._minute(), self._zones_now())
        self._totals |= {series: (1.0, 0.0) for series in self._totals if series.name in HOST_GAUGES.values()}  # those that are not read now have ended
        if points or after != before:
            self._keep(points, COUNTERS_CURSOR, json.dumps({"process": process, "values": after}))

    def _keep(self, points: Points, cursor: str, position: str) -> None:
        gauges = {key: found for key, found in points.items() if key[0].name in HOST_GAUGES.values()}
        with self._app.store.write("latticewall", "metrics") as tx:
            tx.metrics.add({key: found for key, found in points.items() if key not in gauges})
            tx.metrics.raise_to(gauges)
            tx.move_cursor(cursor, position)
        for (series, minute), found in points.items():
            count, total = self._totals.get(series, (0.0, 0.0))
            self._totals[series] = (1.0, found.sum) if (series, minute) in gauges else (count + found.count, total + found.sum)
