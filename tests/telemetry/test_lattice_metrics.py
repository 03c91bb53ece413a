"""The metrics of VPC Lattice out of log lines and counters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.base.lattice_metrics import OWN_CODES, metrics_of
from latticewall.base.metrics import Series
from latticewall.plan.access_log import BEGINNING, COUNTED_MEMBERS, END_OF_MEMBER, END_OF_PART, TOLD_MEMBERS, targets_of_route
from latticewall.telemetry.lattice_metrics import (
    CLUSTER_COUNTERS,
    HOST_COUNTERS,
    HOST_GAUGES,
    NAMESPACE,
    Group,
    Reading,
    exposition,
    of_connections,
    of_requests,
    of_tls_connections,
)

SERVICE = "arn:aws:vpc-lattice:eu-north-7:111122223333:service/svc-1"
GROUP = "arn:aws:vpc-lattice:eu-north-7:111122223333:targetgroup/tg-1"
MINUTE = 29_455_384
"""2026-01-02T03:04."""
ZONES = {("vpc-1", "10.0.0.5"): "eu-north-7a", ("vpc-2", "10.1.0.9"): "eu-north-7b"}


def zone(vpc: str, address: str) -> str:
    return ZONES.get((vpc, address), "")


def line(**change: Any) -> bytes:
    targets = targets_of_route([("tg-0", "arn:aws:vpc-lattice:eu-north-7:111122223333:targetgroup/tg-0", ""), ("tg-1", GROUP, "vpc-2")])
    about = {
        "startTime": "2026-01-02T03:04:05Z", "service": f"sn-arn {SERVICE} listener-1 no {targets} rule-1", "cluster": "tg-1", "responseCode": 200,
        "source": "arn:aws:ec2:eu-north-7:111122223333:vpc/vpc-1", "sourceIpPort": "10.0.0.5:40000", "targetIpPort": "10.1.0.9:80",
        "bytesReceived": 100, "bytesSent": 1000, "duration": 7, "responseFlags": "-",
    }  # fmt: skip
    parts = [END_OF_MEMBER.join(str({**about, **change}.get(name, "")) for name in names) for names in (COUNTED_MEMBERS, TOLD_MEMBERS)]
    return (BEGINNING + "".join(part + END_OF_PART for part in parts)).encode() + b"\n"


def sums(points: Any, *dimensions: tuple[str, str]) -> dict[str, float]:
    return {series.name: found.sum for (series, minute), found in points.items() if series.dimensions == dimensions and minute == MINUTE}


def test_requests_by_service_and_target_group() -> None:
    points = of_requests([line() + line(responseCode=503, duration=9), line(responseCode=301, startTime="2026-01-02T03:04:59Z")], zone)
    alike = {"TotalRequestCount": 3, "RequestTime": 23, "HTTPCode_2XX_Count": 1, "HTTPCode_3XX_Count": 1, "HTTPCode_5XX_Count": 1}
    bytes_ = {"TotalReceivedConnectionBytes": 300, "TotalSentConnectionBytes": 3000}
    assert sums(points, ("Service", "svc-1")) == alike
    assert sums(points, ("AvailabilityZone", "eu-north-7a"), ("Service", "svc-1")) == alike
    assert sums(points, ("TargetGroup", "tg-1")) == alike | bytes_
    assert sums(points, ("AvailabilityZone", "eu-north-7b"), ("TargetGroup", "tg-1")) == alike | bytes_


def test_a_denied_request_reaches_no_target() -> None:
    points = of_requests([line(responseCode=403, cluster="", targetIpPort="")], zone)
    assert sums(points, ("Service", "svc-1"))["HTTPCode_4XX_Count"] == 1
    assert not sums(points, ("TargetGroup", "tg-1"))


def test_a_target_that_does_not_answer() -> None:
    points = of_requests([line(responseCode=504, responseFlags="UT")], zone)
    assert sums(points, ("Service", "svc-1"))["RequestTimeoutCount"] == 1


def test_alike_lines_count_as_often_as_they_are_there() -> None:
    block = b"".join(line(requestId=f"r-{number}", requestPath='/:"\u00e9', sourceIpPort=f"10.0.0.5:{number}") for number in range(50))
    assert sums(of_requests([block, block], zone), ("Service", "svc-1"))["RequestTime"] == 700


def test_lines_that_are_none() -> None:
    torn = [b"", b"{", b'{"kind":"tcp"}', END_OF_PART.encode() * 3, line(startTime=None), line(duration=[]), line()[:200], line().replace(b"svc-1", b"\xff")]
    assert of_requests([b"\n".join(torn), *torn], zone) == {}


def tls_line(**change: Any) -> bytes:
    about = {
        "kind": "tls", "startTime": "2026-01-02T03:04:05Z", "serviceArn": SERVICE, "targetGroupArn": GROUP, "targetNamespace": "vpc-2",
        "targetIpPort": "10.1.0.9:443", "bytesReceived": 100, "bytesSent": 1000, "duration": 7,
    }  # fmt: skip
    return json.dumps({**about, **change}, separators=(",", ":")).encode() + b"\n"


def test_what_a_full_disk_has_cut_off_hides_no_other_entry() -> None:
    """The beginning that it left stands before the next entry, on the same line."""
    entry, tls = line(requestPath="/x"), tls_line()
    counted, received = ({"TotalRequestCount": 1, "RequestTime": 7}, {"TotalReceivedConnectionBytes": 100, "TotalSentConnectionBytes": 1000})
    for end in range(1, entry.index(END_OF_PART.encode())):
        assert sums(of_requests([entry[:end] + entry], zone), ("Service", "svc-1")).items() >= counted.items(), entry[:end]
        assert sums(of_tls_connections([entry[:end] + tls], zone), ("TargetGroup", "tg-1")) == received, entry[:end]
    for end in range(1, len(tls)):
        assert sums(of_tls_connections([tls[:end].rstrip() + tls], zone), ("TargetGroup", "tg-1")) == received, tls[:end]
        assert sums(of_requests([tls[:end] + entry], zone), ("Service", "svc-1")).items() >= counted.items(), tls[:end]
    assert sums(of_requests([entry.rstrip() + entry], zone), ("Service", "svc-1"))["TotalRequestCount"] == 2, "only the end of the line is missing"


def test_bytes_of_tls_connections_are_the_target_group_s() -> None:
    denied = tls_line(targetGroupArn=None, targetNamespace=None, targetIpPort=None)
    torn = [tls_line()[:90], tls_line(startTime=None), tls_line(bytesSent=[]), line(userAgent='"kind":"tls"')]
    points = of_tls_connections([tls_line() + denied + tls_line(bytesReceived=1), *torn], zone)
    bytes_ = {"TotalReceivedConnectionBytes": 101, "TotalSentConnectionBytes": 2000}
    assert sums(points, ("TargetGroup", "tg-1")) == sums(points, ("AvailabilityZone", "eu-north-7b"), ("TargetGroup", "tg-1")) == bytes_
    assert not sums(points, ("Service", "svc-1"))


def readings(total: int, failed: int = 0, active: int = 0, handshakes: int = 0) -> list[Reading]:
    host = [Reading("tg-1", "10.1.0.9", name, value) for name, value in (("cx_total", total), ("cx_connect_fail", failed), ("cx_active", active))]
    return [*host, Reading("tg-1", "", "ssl.handshake", handshakes), Reading("xds", "", "ssl.handshake", 5)]


def test_connections_are_what_the_counters_grew_by() -> None:
    groups = {"tg-1": Group(GROUP, "vpc-2", "HTTP2")}
    points, after = of_connections(readings(5, failed=1, active=2, handshakes=4), {}, groups, MINUTE, zone)
    own = sums(points, ("TargetGroup", "tg-1"))
    assert own == {
        "TotalConnectionCount": 5, "HTTP2_ConnectionCount": 5, "ConnectionErrorCount": 1, "ActiveConnectionCount": 2, "TotalTLSConnectionHandshakeCount": 4,
    }  # fmt: skip
    assert "TotalTLSConnectionHandshakeCount" not in sums(points, ("AvailabilityZone", "eu-north-7b"), ("TargetGroup", "tg-1"))
    points, _ = of_connections(readings(7, failed=1, handshakes=4), after, groups, MINUTE, zone)
    assert sums(points, ("TargetGroup", "tg-1")) == {"TotalConnectionCount": 2, "HTTP2_ConnectionCount": 2}


def test_prometheus_text() -> None:
    def series(name: str, unit: str, *zones: tuple[str, str]) -> Series:
        return Series("111122223333", "eu-north-7", NAMESPACE, name, (*zones, ("Service", "svc-1")), unit)

    totals = {
        series("TotalRequestCount", "Count"): (3.0, 3.0), series("TotalRequestCount", "Count", ("AvailabilityZone", "eu-north-7a")): (3.0, 3.0),
        series("RequestTime", "Milliseconds"): (3.0, 23.0), series("HTTPCode_2XX_Count", "Count"): (1.0, 1.0),
    }  # fmt: skip
    labels = 'service="svc-1",account="111122223333",region="eu-north-7"'
    lines = exposition(totals).splitlines()
    told = [
        "# TYPE vpc_lattice_httpcode_2xx_count_total counter", f"vpc_lattice_httpcode_2xx_count_total{{{labels}}} 1",
        "# TYPE vpc_lattice_request_time_milliseconds summary", f"vpc_lattice_request_time_milliseconds_sum{{{labels}}} 23",
        f"vpc_lattice_request_time_milliseconds_count{{{labels}}} 3", "# TYPE vpc_lattice_total_request_count_total counter",
        f"vpc_lattice_total_request_count_total{{{labels}}} 3",
    ]  # fmt: skip
    assert [line for line in lines if line in told] == told
    silent = [line for line in lines if line not in told and not line.startswith("#")]
    names = ["httpcode_3xx", "httpcode_4xx", "httpcode_5xx", *(f"httpcode_vpc_lattice_{code}" for code in OWN_CODES), "request_timeout"]
    assert silent == [f"vpc_lattice_{name}_count_total{{{labels}}} 0" for name in names]


@pytest.mark.parametrize(
    ("change", "own"),
    [
        ({"responseCode": 403, "cluster": "", "targetIpPort": ""}, True), ({"responseCode": 404, "targetIpPort": ""}, True),
        ({"responseCode": 504, "responseFlags": "UT"}, True), ({"responseCode": 404}, False), ({"responseCode": 200}, False),
        ({"responseCode": 503, "targetIpPort": ""}, False),
    ],
)  # fmt: skip
def test_codes_of_vpc_lattice_itself(change: dict[str, Any], own: bool) -> None:
    counted = sums(of_requests([line(**change)], zone), ("Service", "svc-1"))
    assert (f"HTTPCode_VpcLattice_{change['responseCode']}_Count" in counted) == own


def test_all_that_is_counted_is_declared() -> None:
    """What is counted and not declared would be reported in some minutes only."""
    groups = {"tg-1": Group(GROUP, "vpc-2", "HTTP1"), "tg-2": Group(GROUP, "vpc-2", "HTTP2")}
    counters = [*HOST_COUNTERS, *HOST_GAUGES]
    read = [Reading(name, "10.1.0.9", counter, 1) for name in groups for counter in counters]
    read += [Reading("tg-1", "", counter, 1) for counter in CLUSTER_COUNTERS]
    requests = of_requests([line(responseCode=code, responseFlags="UT") for code in (200, 300, *OWN_CODES)], zone)
    points = requests | of_connections(read, {}, groups, MINUTE, zone)[0]
    counted = {(series.dimensions, series.name, series.unit) for series, _ in points}
    owners = {series.dimensions for series, _ in points}
    assert counted == {(owner, name, one.unit) for owner in owners for name, one in metrics_of(owner, None).items()}
