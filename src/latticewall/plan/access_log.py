"""A line of Envoy's access log about a request: who renders its format and who reads the lines must agree on it.

A line is members without names, in two parts. The first has all that metrics tell apart, and nothing that differs from one request to the next without need:
lines that begin alike are counted without being read one by one. What begins a line and ends a member or a part is a control character: no header, path or
method that Envoy takes from a client has one, so that nothing needs quoting.
"""

from __future__ import annotations

from collections.abc import Iterable

COUNTED_MEMBERS = (
    "startTime",
    "service",
    "cluster",
    "source",
    "targetIpPort",
    "responseCode",
    "bytesReceived",
    "bytesSent",
    "duration",
    "responseFlags",
    "sourceIpPort",
)
"""The first has a fixed length; the port of the last is what metrics do not tell apart."""
TOLD_MEMBERS = (
    "requestId",
    "identity",
    "identityTags",
    "decision",
    "requestMethod",
    "requestPath",
    "hostHeader",
    "userAgent",
    "protocol",
    "grpcResponseCode",
    "requestToTargetDuration",
    "responseFromTargetDuration",
    "serverNameIndication",
    "sslCipher",
    "tlsVersion",
    "responseCodeDetails",
)
NUMBERS = frozenset(
    {"responseCode", "bytesReceived", "bytesSent", "duration", "grpcResponseCode", "requestToTargetDuration", "responseFromTargetDuration"}
)
JOINED = {
    "service": ("serviceNetworkArn", "serviceArn", "listenerId", "authorized", "targets", "ruleId"),
    "source": ("sourceVpcArn", "vpcEndpointId"),
}
"""Members that are several texts with spaces between, the last one with all that follows: looking things up costs most. authorized: `yes` when requests to the
service are. vpcEndpointId: only of what came in by one."""
NO_RULE = "-"
"""The ruleId of a request that its service answers whatever its rules are: one of HTTP/1.0."""
BEGINNING, END_OF_MEMBER, END_OF_PART = "\x01", "\x1f", "\x17"
TIME_LENGTH = len("2026-01-02T03:04:05Z")


def targets_of_route(groups: Iterable[tuple[str, str, str]]) -> str:
    """What the name of a route says of where it leads: (cluster name, target group ARN, its VPC or "") of each. Said there, because it costs nothing there, and
    because the line means the same when the group has been deleted before it is read."""
    return ";".join(",".join(group) for group in groups) or "-"


def target_of(targets: str, cluster: str) -> tuple[str, str]:
    """(target group ARN, VPC) of the cluster that a request was for; ("", "") without one."""
    for group in targets.split(";"):
        name, _, known = group.partition(",")
        if name == cluster and known:
            arn, _, vpc = known.partition(",")
            return arn, vpc
    return "", ""
