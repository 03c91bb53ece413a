"""The region's logs, as a user finds them: by FilterLogEvents, and by `latticewall logs`.

Pages followed: "Access logs for VPC Lattice" and "Contents of an AWS Network Firewall log", for the fields.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from latticewall.faces.cli.session import Session
from latticewall.faces.walkthrough.stacks import until

Record = Mapping[str, Any]

_SERVICE_FIELDS = frozenset((
    "startTime", "requestId", "serviceNetworkArn", "serviceArn", "targetGroupArn", "listenerId", "listenerType", "sourceVpcArn", "sourceVpcId",
    "destinationVpcId", "sourceIpPort", "targetIpPort", "resolvedUser", "authDeniedReason", "callerPrincipal", "callerPrincipalOrgID",
    "callerPrincipalTags", "callerX509IssuerOU", "callerX509SubjectCN", "callerX509SANNameCN", "callerX509SANDNS", "callerX509SANURI",
    "requestMethod", "requestPath", "hostHeader", "userAgent", "protocol", "responseCode", "grpcResponseCode", "bytesReceived", "bytesSent",
    "duration", "requestToTargetDuration", "responseFromTargetDuration", "serverNameIndication", "sslCipher", "tlsVersion", "failureReason",
))  # fmt: skip
_RESOURCE_FIELDS = frozenset((
    "eventTimestamp", "serviceNetworkArn", "serviceNetworkResourceAssociationId", "vpcEndpointId", "sourceVpcArn", "resourceConfigurationArn",
    "protocol", "sourceIpPort", "destinationIpPort", "gatewayIpPort", "resourceIpPort",
))  # fmt: skip
_FIREWALL_FIELDS = frozenset(("firewall_name", "availability_zone", "event_timestamp", "event"))
_EVENT_FIELDS = frozenset(("timestamp", "flow_id", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto"))
_ALERT_FIELDS = frozenset(("action", "signature_id", "rev", "signature", "category", "severity"))
_FLOW_FIELDS = frozenset(("pkts", "bytes", "start", "end", "age", "min_ttl", "max_ttl"))

LOG_SECONDS = 20.0
"""How long a record may take to its log group from what it tells of. The engine looks for flows that have ended only now and then."""


def service_fields(record: Record) -> frozenset[str]:
    """Documented fields that a request's record lacks."""
    return _SERVICE_FIELDS - record.keys()


def resource_fields(record: Record) -> frozenset[str]:
    """Documented fields that a connection's record lacks."""
    return _RESOURCE_FIELDS - record.keys()


def alert_fields(record: Record) -> frozenset[str]:
    """Documented fields that an alert's record lacks."""
    return _firewall_fields(record, "alert", _ALERT_FIELDS)


def flow_fields(record: Record) -> frozenset[str]:
    """Documented fields that a flow's record lacks."""
    return _firewall_fields(record, "netflow", _FLOW_FIELDS)


def _matches(wanted: Callable[[Record], bool], record: Record) -> bool:
    """A record that lacks a field that is asked for is another one."""
    try:
        return wanted(record)
    except KeyError:
        return False


def _firewall_fields(record: Record, detail: str, wanted: frozenset[str]) -> frozenset[str]:
    event = record.get("event") or {}
    return (_FIREWALL_FIELDS - record.keys()) | (_EVENT_FIELDS - event.keys()) | (wanted - (event.get(detail) or {}).keys())


class Logs:
    """The region's log groups. since: epoch milliseconds; nothing older is looked at."""

    def __init__(self, session: Session, since: int) -> None:
        self._session = session
        self._since = since

    def read(self, group: str) -> list[Record]:
        """All records of a group, oldest first."""
        events = self._session.pages("logs:FilterLogEvents", {"logGroupName": group, "startTime": self._since}, "events")
        return [json.loads(event["message"]) for event in events]

    def missing(self, group: str, wanted: Mapping[str, Callable[[Record], bool]], seconds: float = LOG_SECONDS) -> list[str]:
        """Waits until there is a record for each; the names of those there is none for."""

        left = list(wanted)

        def nothing_left() -> bool:
            records = self.read(group)
            left[:] = [name for name in left if not any(_matches(wanted[name], record) for record in records)]
            return not left

        until(nothing_left, seconds, pause=0.2)
        return left

    def shown(self, groups: Iterable[str]) -> str:
        """What `latticewall logs` prints for these groups."""
        chosen = [word for group in groups for word in ("--group", group)]
        return command(self._session, "logs", *chosen).stdout


def command(session: Session, *words: str) -> subprocess.CompletedProcess[str]:
    """`latticewall ...` for the same region, as a user calls it."""
    program = [sys.executable, "-P", "-m", "latticewall.faces.cli.main", "--state", str(session.state)]
    return subprocess.run([*program, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
