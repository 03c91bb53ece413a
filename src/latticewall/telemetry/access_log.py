"""Envoy's access-log lines -> the access-log records of VPC Lattice, and whose subscriptions get them.

Pure. Pages followed: "Access logs for VPC Lattice" (fields, failure reasons). Members without a value are `-`, numbers stay numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

NONE = "-"

_FAILURE_REASONS = {
    "UAEX": "ClientAccessDenied",
    "UF": "TargetConnectionError",
    "UH": "TargetConnectionError",
    "UPE": "TargetProtocolError",
    "UT": "TargetDataTimeout",
    "SI": "TargetDataTimeout",
    "UC": "TargetConnectionClosed",
    "UR": "TargetConnectionClosed",
    "DC": "ClientConnectionClosed",
    "DR": "ClientConnectionClosed",
    "RL": "ClientRateLimited",
    "DPE": "ClientProtocolError",
    "DT": "ConnectionDurationExceeded",
}
"""Envoy's response flag -> failureReason; the first that applies, in this order."""

_IGNORED_FLAGS = frozenset({NONE, "URX", "NR"})
"""Not a failure of their own: retries were used up (there are none), no route."""

_X509_MEMBERS = ("callerX509IssuerOU", "callerX509SubjectCN", "callerX509SANNameCN", "callerX509SANDNS", "callerX509SANURI")
_TLS_MEMBERS = ("serverNameIndication", "sslCipher", "tlsVersion")


@dataclass(frozen=True)
class Subscribed:
    """A resource whose access-log subscriptions get a record. log_type: the serviceNetworkLogType of those of a service network."""

    arn: str
    log_type: str


@dataclass(frozen=True)
class AccessRecord:
    """One record as AWS writes it, and for whom."""

    subscribed: tuple[Subscribed, ...]
    record: dict[str, Any]

    @property
    def line(self) -> str:
        """The record as one line of JSON without spaces, as AWS delivers it."""
        return json.dumps(self.record, separators=(",", ":"), ensure_ascii=False)


def read(line: str) -> AccessRecord | None:
    """The record of one line of Envoy's log; None for a request that concerned no service. Raises ValueError for anything but such a line."""
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise ValueError("an access-log line is a JSON object")
    match entry.get("kind"):
        case "http":
            return _service_record(entry) if entry.get("serviceArn") else None
        case "tcp":
            return _resource_record(entry)
        case other:
            raise ValueError(f"`{other}` is not a kind of access-log line")


def _service_record(entry: dict[str, Any]) -> AccessRecord:
    """A request to a service."""

    def value(name: str) -> Any:
        found = entry.get(name)
        return NONE if found is None or found == "" else found

    denied = _failure_reason(entry) == "ClientAccessDenied"
    namespace = NONE if denied else str(value("targetNamespace"))
    record = {
        "startTime": value("startTime"),
        "requestId": value("requestId"),
        "serviceNetworkArn": value("serviceNetworkArn"),
        "serviceArn": value("serviceArn"),
        "targetGroupArn": NONE if denied else value("targetGroupArn"),
        "listenerId": value("listenerId"),
        "listenerType": "HTTP",
        "sourceVpcArn": value("sourceVpcArn"),
        "sourceVpcId": value("sourceVpcId"),
        "destinationVpcId": namespace if namespace.startswith("vpc-") else NONE,
        "sourceIpPort": value("sourceIpPort"),
        "targetIpPort": value("targetIpPort"),
        "resolvedUser": value("resolvedUser"),
        "authDeniedReason": value("authDeniedReason"),
        "callerPrincipal": value("callerPrincipal"),
        "callerPrincipalOrgID": value("callerPrincipalOrgID"),
        "callerPrincipalTags": value("callerPrincipalTags"),
        **dict.fromkeys(_X509_MEMBERS, NONE),
        "requestMethod": value("requestMethod"),
        "requestPath": value("requestPath"),
        "hostHeader": value("hostHeader"),
        "userAgent": value("userAgent"),
        "protocol": value("protocol"),
        "responseCode": value("responseCode"),
        "grpcResponseCode": value("grpcResponseCode"),
        "bytesReceived": value("bytesReceived"),
        "bytesSent": value("bytesSent"),
        "duration": value("duration"),
        "requestToTargetDuration": entry.get("requestToTargetDuration") or 0,
        "responseFromTargetDuration": entry.get("responseFromTargetDuration") or 0,
        **dict.fromkeys(_TLS_MEMBERS, NONE),
        "failureReason": _failure_reason(entry),
    }
    arns = (str(entry[name]) for name in ("serviceNetworkArn", "serviceArn") if entry.get(name))
    return AccessRecord(tuple(Subscribed(arn, "SERVICE") for arn in arns), record)


def _failure_reason(entry: dict[str, Any]) -> str:
    flags = set(str(entry.get("responseFlags") or NONE).split(",")) - _IGNORED_FLAGS
    if "UAEX" in flags and entry.get("responseCodeDetails") == "ext_authz_error":
        # nobody decided: the authorizer did not answer
        return "InternalError"
    known = next((reason for flag, reason in _FAILURE_REASONS.items() if flag in flags), "")
    return known or ("InternalError" if flags else NONE)


_RESOURCE_MEMBERS = (
    "eventTimestamp",
    "serviceNetworkArn",
    "serviceNetworkResourceAssociationId",
    "vpcEndpointId",
    "sourceVpcArn",
    "resourceConfigurationArn",
    "protocol",
    "sourceIpPort",
    "destinationIpPort",
    "gatewayIpPort",
    "resourceIpPort",
)


def _resource_record(entry: dict[str, Any]) -> AccessRecord:
    """A connection to a TCP resource."""
    known = {**entry, "protocol": "tcp"}
    record = {name: known.get(name) or NONE for name in _RESOURCE_MEMBERS}
    arns = (str(entry[name]) for name in ("serviceNetworkArn", "resourceConfigurationArn") if entry.get(name))
    return AccessRecord(tuple(Subscribed(arn, "RESOURCE") for arn in arns), record)
