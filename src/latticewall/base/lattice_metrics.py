"""The metrics of VPC Lattice by name: what counts them and what answers questions about them must agree.

Page followed: "CloudWatch metrics for Amazon VPC Lattice". Each is reported in every minute from the first in which its service or target group has received
traffic, as zero where there was nothing to count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

NAMESPACE = "AWS/VpcLattice"
COUNT, MILLISECONDS, BYTES = "Count", "Milliseconds", "Bytes"
SERVICE, TARGET_GROUP, ZONE = "Service", "TargetGroup", "AvailabilityZone"
"""The dimensions. A series has one of the first two, and the zone or not."""
ANY, HTTP, NO_PROTOCOL = frozenset({"HTTP", "HTTPS", "TCP"}), frozenset({"HTTP", "HTTPS"}), frozenset({""})
OWN_CODES = (400, 403, 404, 429, 500, 502, 504)
"""Status codes that are counted by themselves where VPC Lattice, not a target, answers with them."""


class Metric(NamedTuple):
    """protocols: of the target groups that have it, "" for functions, which have none. zoned: whether there is a series for each Availability Zone."""

    unit: str = COUNT
    protocols: frozenset[str] = ANY
    zoned: bool = True


_REQUESTS: Mapping[str, Metric] = {
    "TotalRequestCount": Metric(protocols=HTTP | NO_PROTOCOL),
    "RequestTime": Metric(MILLISECONDS, HTTP | NO_PROTOCOL),
    **{f"HTTPCode_{hundreds}XX_Count": Metric(protocols=HTTP | NO_PROTOCOL) for hundreds in (2, 3, 4, 5)},
}
OF_SERVICES: Mapping[str, Metric] = {
    **_REQUESTS,
    "RequestTimeoutCount": Metric(),
    **{f"HTTPCode_VpcLattice_{code}_Count": Metric() for code in OWN_CODES},
}
OF_TARGET_GROUPS: Mapping[str, Metric] = {
    **_REQUESTS,
    "TotalReceivedConnectionBytes": Metric(BYTES, ANY | NO_PROTOCOL),
    "TotalSentConnectionBytes": Metric(BYTES, ANY | NO_PROTOCOL),
    "TotalConnectionCount": Metric(),
    "ActiveConnectionCount": Metric(),
    "ConnectionErrorCount": Metric(),
    "HTTP1_ConnectionCount": Metric(protocols=HTTP),
    "HTTP2_ConnectionCount": Metric(protocols=HTTP),
    "ActiveRequestCount": Metric(protocols=HTTP),
    "ConnectionTimeoutCount": Metric(zoned=False),
    "TLSConnectionErrorCount": Metric(zoned=False),
    "TotalTLSConnectionHandshakeCount": Metric(zoned=False),
}


def metrics_of(dimensions: tuple[tuple[str, str], ...], protocol: str | None) -> Mapping[str, Metric]:
    """The metrics that are always reported of what has these dimensions. protocol: the target group's ("" for functions); None: not known, so all are meant."""
    names = [name for name, _ in dimensions]
    if TARGET_GROUP in names:
        return {
            name: one for name, one in OF_TARGET_GROUPS.items() if (one.zoned or ZONE not in names) and (protocol is None or protocol in one.protocols)
        }  # fmt: skip
    return OF_SERVICES if SERVICE in names else {}
