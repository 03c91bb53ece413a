"""What Envoy writes for every request to a load balancer that has access logs: one JSON object per line, read by `telemetry.balancer_log`.

Durations are microseconds, null where there was no target.
"""

from __future__ import annotations

from typing import Any

from latticewall.compile.render.envoy_clusters import METADATA_NAMESPACE
from latticewall.compile.render.envoy_log import file_log, literal
from latticewall.plan.load_balancers import BalancerSocket, CertificateChoice

Document = dict[str, Any]
KIND = "load-balancer"
_MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%6fZ"


def access_log(plan: BalancerSocket, path: str, choice: CertificateChoice | None) -> Document:
    """balancer: its id; node: the address it has there; certificate: the ARN of the best of those that the client may have been shown. The default one's
    comes from the route, so that another one in its place closes no connection."""
    return file_log(path, {
        "kind": KIND,
        "balancer": literal(plan.load_balancer_id),
        "node": plan.node or plan.address,
        "port": str(plan.port),
        "certificate": literal(choice.arn) if choice else f"%METADATA(ROUTE:{METADATA_NAMESPACE}:certificate)%",
        "created": f"%START_TIME({_MICROSECONDS})%",
        "time": f"%EMIT_TIME({_MICROSECONDS})%",
        "connection": "%CONNECTION_ID%",
        "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
        "target": "%UPSTREAM_HOST%",
        "toTarget": "%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%",
        "atTarget": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
        "toClient": "%COMMON_DURATION(US_RX_BEG:DS_TX_BEG:us)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "received": "%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
        "sent": "%DOWNSTREAM_WIRE_BYTES_SENT%",
        "method": "%REQ(:METHOD)%",
        "host": "%REQ(:AUTHORITY)%",
        "path": "%REQ(:PATH)%",
        "protocol": "%PROTOCOL%",
        "agent": "%REQ(USER-AGENT)%",
        "contentType": "%REQ(CONTENT-TYPE)%",
        "upgrade": "%REQ(UPGRADE)%",
        "cipher": "%DOWNSTREAM_TLS_CIPHER%",
        "version": "%DOWNSTREAM_TLS_VERSION%",
        "serverName": "%REQUESTED_SERVER_NAME%",
        "group": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:targetGroupArn)%",
        "trace": "%REQ(X-AMZN-TRACE-ID)%",
        "rule": f"%METADATA(ROUTE:{METADATA_NAMESPACE}:rule)%",
        "location": "%RESP(LOCATION)%",
    })  # fmt: skip


def of_rule(priority: int, action: str, certificate: str) -> Document:
    """What a route says to the log: its rule's priority (0 = the default rule) and what it does, and the listener's default certificate."""
    return {"filter_metadata": {METADATA_NAMESPACE: {"rule": f"{priority} {action}", "certificate": certificate}}}
