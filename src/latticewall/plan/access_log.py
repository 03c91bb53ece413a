"""The order of members in a line of Envoy's access log about a request: who renders the format and who reads the lines must agree on it.

A line is two lists without names, because a line's length is most of its cost. The first has all that metrics tell apart, and nothing that differs from one
request to the next without need: lines that begin alike are counted without being read one by one.
"""

from __future__ import annotations

COUNTED_MEMBERS = (
    "startTime",
    "service",
    "target",
    "source",
    "sourceAddress",
    "targetIpPort",
    "responseCode",
    "bytesReceived",
    "bytesSent",
    "duration",
    "responseFlags",
)
TOLD_MEMBERS = (
    "requestId",
    "sourcePort",
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
JOINED = {
    "service": ("serviceNetworkArn", "serviceArn", "listenerId", "authorized", "ruleId"),
    "target": ("targetGroupArn", "targetNamespace"),
    "source": ("sourceVpcArn", "vpcEndpointId"),
}
"""Members that are several texts with spaces between, the last one with all that follows: looking things up costs most after the length. authorized: `yes`
when requests to the service are. vpcEndpointId: only of what came in by one."""
NO_RULE = "-"
"""The ruleId of a request that its service answers whatever its rules are: one of HTTP/1.0."""
