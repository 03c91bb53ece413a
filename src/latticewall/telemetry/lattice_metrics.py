"""The metrics of VPC Lattice, out of Envoy's access log and counters. Pure.

Page followed: "CloudWatch metrics for Amazon VPC Lattice". What it leaves open is decided here: the values of the dimensions Service and TargetGroup are ids;
the Availability Zone is the target's for a target group and the client's for a service; a series without zone counts everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latticewall.base.lattice_metrics import BYTES, COUNT, MILLISECONDS, NAMESPACE, OWN_CODES, SERVICE, TARGET_GROUP, ZONE, metrics_of
from latticewall.base.metrics import Series, Statistics
from latticewall.plan.access_log import BEGINNING, COUNTED_MEMBERS, END_OF_MEMBER, END_OF_PART, JOINED, TIME_LENGTH, target_of
from latticewall.telemetry.access_log import whole

TIMED_OUT = frozenset({"UT", "SI"})
"""Envoy's flags of a request whose target did not answer in time."""
NO_FLAGS = "-"
"""Envoy's flags of a request that went well: its target answered, or nothing was to be reached. Otherwise it is Envoy that answers."""
Points = dict[tuple[Series, int], Statistics]
Zone = Callable[[str, str], str]
"""(VPC id, address) -> Availability Zone, "" where it is not known."""

_AT = {name: position for position, name in enumerate(COUNTED_MEMBERS)}
_START, _SERVICE, _CLUSTER, _VPC, _FROM, _TO, _CODE, _FLAGS = (
    _AT[name] for name in ("startTime", "service", "cluster", "source", "sourceIpPort", "targetIpPort", "responseCode", "responseFlags")
)
_RECEIVED, _SENT, _DURATION = (_AT[name] for name in ("bytesReceived", "bytesSent", "duration"))
_TLS = b'"kind":"tls"'
_BEGINNING, _END = BEGINNING.encode(), END_OF_PART.encode()
_MINUTE = len("2026-01-02T03:04")


@dataclass
class _Alike:
    """Requests that differ in nothing that a metric tells apart. durations: milliseconds -> how many."""

    received: int = 0
    sent: int = 0
    durations: dict[int, int] = field(default_factory=dict)


def of_requests(blocks: Iterable[bytes], zone: Zone) -> Points:
    """The points of the lines about requests; lines that cannot be read are nobody's. A line is read only if no other one began like it in the same minute."""
    beginnings: Counter[bytes] = Counter()
    for block in blocks:
        # apart by how they begin, not by ends of lines: a disk that ran full leaves the beginning of an entry on the line of the next one
        entries = ((entry, end) for entry in block.split(_BEGINNING)[1:] if (end := entry.find(_END)) > 0)
        # without the seconds, and without the client's port, which ends what is counted
        beginnings.update([entry[:_MINUTE] + entry[TIME_LENGTH : entry.rfind(b":", 0, end)] for entry, end in entries])
    groups: dict[tuple[Any, ...], _Alike] = {}
    for beginning, count in beginnings.items():
        try:
            values = beginning.decode().split(END_OF_MEMBER)
            if len(values) != len(COUNTED_MEMBERS):
                continue
            received, sent, duration, code = (int(values[at]) for at in (_RECEIVED, _SENT, _DURATION, _CODE))
            target, service = values[_TO].rpartition(":")[0], (values[_SERVICE], values[_CLUSTER])
            alike = groups.setdefault((_minute(values[_START]), *service, values[_VPC], values[_FROM], target, code, values[_FLAGS]), _Alike())
            alike.received += received * count
            alike.sent += sent * count
            alike.durations[duration] = alike.durations.get(duration, 0) + count
        except ValueError:
            continue
    points: Points = {}
    for (minute, service, cluster, vpc, source, reached, code, flags), alike in groups.items():
        _add(points, minute, service, cluster, (vpc, source, reached), code, flags, alike, zone)
    return points


def of_tls_connections(blocks: Iterable[bytes], zone: Zone) -> Points:
    """The points of the lines about connections to TLS_PASSTHROUGH listeners: what TCP target groups have received and sent, which no other lines are about.
    Lines that cannot be read are nobody's."""
    points: Points = {}
    for line in (line for block in blocks if _TLS in block for line in block.split(b"\n") if _TLS in line):
        try:
            entry = whole(line)
            arn, reached, minute = str(entry["targetGroupArn"]), str(entry["targetIpPort"] or ""), _minute(str(entry["startTime"])[:_MINUTE])
            received, sent = int(entry["bytesReceived"]), int(entry["bytesSent"])
        except (ValueError, KeyError, TypeError):
            continue
        if arn.startswith("arn:") and reached:
            dimensions = list(_series_of(TARGET_GROUP, arn, zone(str(entry.get("targetNamespace") or ""), reached.rpartition(":")[0])))
            _put_bytes(points, minute, dimensions, received, sent)
    return points


def _put_bytes(points: Points, minute: int, owners: list[Series], received: int, sent: int) -> None:
    _put(points, minute, owners, "TotalReceivedConnectionBytes", BYTES, {received: 1})
    _put(points, minute, owners, "TotalSentConnectionBytes", BYTES, {sent: 1})


def _minute(start: str) -> int:
    return int(datetime.fromisoformat(f"{start}:00+00:00").timestamp()) // 60


def _add(
    points: Points, minute: int, service: str, cluster: str, addresses: tuple[str, str, str], code: int, flags: str, alike: _Alike, zone: Zone
) -> None:
    vpc, source, reached = addresses
    about = dict(zip(JOINED["service"], service.split(" "), strict=False))
    service_arn = about.get("serviceArn", "")
    target_arn, namespace = target_of(about.get("targets", ""), cluster)
    if service_arn.startswith("arn:"):
        dimensions = list(_series_of(SERVICE, service_arn, zone(vpc.partition(" ")[0].rpartition("/")[2], source)))
        _requests(points, minute, dimensions, code, alike)
        if TIMED_OUT & set(flags.split(",")):
            _put(points, minute, dimensions, "RequestTimeoutCount", COUNT, {1: sum(alike.durations.values())})
        if code in OWN_CODES and (not reached or flags not in ("", NO_FLAGS)):
            _put(points, minute, dimensions, f"HTTPCode_VpcLattice_{code}_Count", COUNT, {1: sum(alike.durations.values())})
    if target_arn.startswith("arn:") and reached:
        dimensions = list(_series_of(TARGET_GROUP, target_arn, zone(namespace, reached)))
        _requests(points, minute, dimensions, code, alike)
        _put_bytes(points, minute, dimensions, alike.received, alike.sent)


def _requests(points: Points, minute: int, owners: list[Series], code: int, alike: _Alike) -> None:
    count = sum(alike.durations.values())
    _put(points, minute, owners, "TotalRequestCount", COUNT, {1: count})
    _put(points, minute, owners, "RequestTime", MILLISECONDS, alike.durations)
    if 200 <= code < 600:
        _put(points, minute, owners, f"HTTPCode_{code // 100}XX_Count", COUNT, {1: count})


def _series_of(dimension: str, arn: str, zone: str) -> Iterator[Series]:
    """Whose metrics are meant, without the zone and, where one is known, with it."""
    _, _, _, region, account, resource = arn.split(":", 5)
    own = (dimension, resource.rpartition("/")[2])
    yield Series(account, region, NAMESPACE, "", (own,), "")
    if zone:
        yield Series(account, region, NAMESPACE, "", tuple(sorted((own, (ZONE, zone)))), "")


def _put(points: Points, minute: int, owners: Iterable[Series], name: str, unit: str, values: Mapping[int, int]) -> None:
    for owner in owners:
        found = points.setdefault((owner._replace(name=name, unit=unit), minute), Statistics())
        for value, count in values.items():
            found.add(value, count)


# -- connections ------------------------------------------------------------------------------------------------------------------------------------------

HOST_COUNTERS = {"cx_total": "TotalConnectionCount", "cx_connect_fail": "ConnectionErrorCount"}
HOST_GAUGES = {"cx_active": "ActiveConnectionCount", "rq_active": "ActiveRequestCount"}
CLUSTER_COUNTERS = {
    "upstream_cx_connect_timeout": "ConnectionTimeoutCount", "ssl.handshake": "TotalTLSConnectionHandshakeCount",
    "ssl.connection_error": "TLSConnectionErrorCount",
}  # fmt: skip
"""Envoy's names -> the metrics' names: of each target, and of all targets together."""


@dataclass(frozen=True)
class Group:
    """What Envoy's cluster stands for. arn: of the target group. namespace: of its targets' VPC. protocol: HTTP1, HTTP2, GRPC or TCP."""

    arn: str
    namespace: str
    protocol: str


@dataclass(frozen=True)
class Reading:
    """One value of Envoy's. address: of the target, "" for the whole cluster."""

    cluster: str
    address: str
    name: str
    value: int

    @property
    def key(self) -> str:
        return f"{self.cluster} {self.address} {self.name}"


def of_connections(
    readings: Iterable[Reading], before: Mapping[str, int], groups: Mapping[str, Group], minute: int, zone: Zone
) -> tuple[Points, dict[str, int]]:
    """(points, counters to compare the next readings with). before: those of the last readings of the same Envoy process, empty for a new one."""
    points: Points = {}
    after: dict[str, int] = {}
    for reading in readings:
        group = groups.get(reading.cluster)
        if group is None:
            continue
        owners = list(_series_of(TARGET_GROUP, group.arn, zone(group.namespace, reading.address) if reading.address else ""))
        if name := HOST_GAUGES.get(reading.name):
            if reading.value:
                _put(points, minute, owners, name, COUNT, {reading.value: 1})
            continue
        if reading.value:
            after[reading.key] = reading.value
        grown = reading.value - before.get(reading.key, 0)
        if grown > 0:
            metric = HOST_COUNTERS.get(reading.name) or CLUSTER_COUNTERS[reading.name]
            _put(points, minute, owners, metric, COUNT, {grown: 1})
            if reading.name == "cx_total" and group.protocol in ("HTTP1", "HTTP2", "GRPC"):
                _put(points, minute, owners, "HTTP1_ConnectionCount" if group.protocol == "HTTP1" else "HTTP2_ConnectionCount", COUNT, {grown: 1})
    return points, after


# -- Prometheus ---------------------------------------------------------------------------------------------------------------------------------------------


def exposition(totals: Mapping[Series, tuple[float, float]]) -> str:
    """Series without zone as Prometheus's text ("Exposition formats"). totals: (count, sum) since the process began; all metrics of whatever has one."""
    lines: list[str] = []
    last = ""
    whole = {series: found for series, found in totals.items() if not any(name == ZONE for name, _ in series.dimensions)}
    owners = {series._replace(name="", unit="") for series in whole}
    silent = {owner._replace(name=name, unit=one.unit): (0.0, 0.0) for owner in owners for name, one in metrics_of(owner.dimensions, None).items()}
    for series, (count, total) in sorted((silent | whole).items(), key=lambda item: (item[0].name, item[0])):
        gauge, summary = series.name in HOST_GAUGES.values(), series.unit == MILLISECONDS
        name = f"vpc_lattice_{_snake(series.name)}" + ("_milliseconds" if summary else "" if gauge else "_total")
        if name != last:
            lines.append(f"# TYPE {name} {'summary' if summary else 'gauge' if gauge else 'counter'}")
            last = name
        labels = ",".join(f'{_snake(key)}="{value}"' for key, value in (*series.dimensions, ("account", series.account), ("region", series.region)))
        if summary:
            lines += [f"{name}_sum{{{labels}}} {total:g}", f"{name}_count{{{labels}}} {count:g}"]
        else:
            lines.append(f"{name}{{{labels}}} {total:.17g}")
    return "".join(f"{line}\n" for line in lines)


def _snake(name: str) -> str:
    """ "HTTPCode_2XX_Count" -> "httpcode_2xx_count", "TotalRequestCount" -> "total_request_count"."""
    parts = []
    for position, letter in enumerate(name):
        if letter.isupper() and position and name[position - 1].islower():
            parts.append("_")
        parts.append(letter.lower())
    return "".join(parts).replace("__", "_")
