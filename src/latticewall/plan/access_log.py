"""The order of members in a line of Envoy's access log about a request: who renders the format and who reads the lines must agree on it.

A line is a list without names, because a line's length is most of its cost.
"""

from __future__ import annotations

HTTP_MEMBERS = (
    "startTime",
    "requestId",
    "service",
    "ruleId",
    "target",
    "source",
    "sourceIpPort",
    "targetIpPort",
    "identity",
    "identityTags",
    "decision",
    "requestMethod",
    "requestPath",
    "hostHeader",
    "userAgent",
    "protocol",
    "responseCode",
    "grpcResponseCode",
    "bytesReceived",
    "bytesSent",
    "duration",
    "requestToTargetDuration",
    "responseFromTargetDuration",
    "serverNameIndication",
    "sslCipher",
    "tlsVersion",
    "responseFlags",
    "responseCodeDetails",
)
JOINED = {
    "service": ("serviceNetworkArn", "serviceArn", "listenerId", "authorized"),
    "target": ("targetGroupArn", "targetNamespace"),
    "source": ("sourceVpcArn", "vpcEndpointId"),
}
"""Members that are several texts with spaces between: looking up metadata costs most after the length. authorized: `yes` when requests to the service are.
vpcEndpointId: only of what came in by one."""
