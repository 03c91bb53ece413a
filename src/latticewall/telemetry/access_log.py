"""Envoy's access-log lines -> the access-log records of VPC Lattice, and whose subscriptions get them.

Pure. Pages followed: "Access logs for VPC Lattice" (fields, failure reasons). Members without a value are `-`, numbers stay numbers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from latticewall.base.x509_attributes import X509_ATTRIBUTES
from latticewall.plan.access_log import BEGINNING, COUNTED_MEMBERS, END_OF_MEMBER, END_OF_PART, JOINED, NUMBERS, TOLD_MEMBERS, target_of
from latticewall.plan.proxy import NOWHERE

NONE = "-"

_FAILURE_REASONS = {
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

WRONG_VERSION = " version"
"""How the name of a route ends that refuses requests of a protocol version that the target group does not take."""
DECIDED = "lua_response"
UNDECIDED = "fault_filter_abort"
"""How Envoy's response code details begin for a request that the authorization filter refused, and for one that nobody decided about."""
UPGRADE = "upgrade_failed"
"""The same for one that asks for another protocol, such as WebSocket."""


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


def parse(line: str) -> dict[str, Any]:
    """One line of Envoy's log with every member under a name of its own; of a request "" or None where there is nothing to say. Raises ValueError for anything
    but such a line."""
    if line.endswith(END_OF_PART):
        return _request(line.rpartition(BEGINNING)[2])  # a disk that ran full leaves the beginning of an entry, and the next one whole behind it
    entry = whole(line)
    if not isinstance(entry, dict):
        raise ValueError("an access-log line about a connection is a JSON object")
    return entry


def _request(entry: str) -> dict[str, Any]:
    parts = [part.split(END_OF_MEMBER) for part in entry.split(END_OF_PART)]
    if [len(part) for part in parts] != [len(COUNTED_MEMBERS), len(TOLD_MEMBERS), 1]:
        raise ValueError(f"an access-log line about a request has {len(COUNTED_MEMBERS)} and {len(TOLD_MEMBERS)} members")
    found: dict[str, Any] = dict(zip(COUNTED_MEMBERS + TOLD_MEMBERS, parts[0] + parts[1], strict=True))
    found |= {name: int(found[name]) if found[name] else None for name in NUMBERS}
    for joined, names in JOINED.items():
        text = found.pop(joined)
        found |= zip(names, text.split(" ", len(names) - 1), strict=False) if text else ()
    found["targetGroupArn"], found["targetNamespace"] = target_of(found.pop("targets", ""), found.pop("cluster"))
    decision = found.pop("decision")
    return {"kind": "http", **found, "sourceVpcId": found.get("sourceVpcArn", "").rpartition("/")[2], **(json.loads(decision) if decision else {})}


def whole(line: str | bytes) -> Any:
    """What a line about a connection says; here, too, the entry that was written behind the beginning of another is whole. Raises ValueError."""
    text = line if isinstance(line, str) else line.decode()
    try:
        return json.loads(text)
    except ValueError:
        # what clients send is escaped in an entry about a connection; a brace that they open in one about a request is one too many for what follows
        for beginning in re.finditer(r'(?<=.)\{"', text):
            try:
                return json.loads(text[beginning.start() :])
            except ValueError:
                continue
        raise


def read(line: str, record_id: str = "") -> AccessRecord | None:
    """The record of one line of Envoy's log; None for a request that concerned no service. record_id: goes into it as `recordId`, which is latticewall's own.
    Raises ValueError for anything but such a line."""
    entry = parse(line)
    match entry.get("kind"):
        case "http" | "tls":
            found = _service_record(entry) if entry.get("serviceArn") else None
        case "tcp":
            found = _resource_record(entry)
        case "load-balancer":  # it has entries of its own (telemetry.balancer_log)
            found = None
        case other:
            raise ValueError(f"`{other}` is not a kind of access-log line")
    if found and record_id:
        found.record["recordId"] = record_id
    return found


def _service_record(entry: dict[str, Any]) -> AccessRecord:
    """A request to a service, or a connection to its TLS listener: there what only a request has is missing."""

    def value(name: str) -> Any:
        found = entry.get(name)
        return NONE if found is None or found == "" else found

    denied = _is_refused(entry)
    namespace = NONE if denied else str(value("targetNamespace"))
    caller = _caller(entry)
    record = {
        "startTime": value("startTime"),
        "requestId": value("requestId"),
        "serviceNetworkArn": value("serviceNetworkArn"),
        "serviceArn": value("serviceArn"),
        "targetGroupArn": NONE if denied else value("targetGroupArn"),
        "listenerId": value("listenerId"),
        "listenerType": _listener_type(entry),
        "sourceVpcArn": value("sourceVpcArn"),
        "sourceVpcId": value("sourceVpcId"),
        "destinationVpcId": namespace if namespace.startswith("vpc-") else NONE,
        "sourceIpPort": value("sourceIpPort"),
        "targetIpPort": NONE if str(value("targetIpPort")).startswith("/") else value("targetIpPort"),
        "resolvedUser": caller.get("resolvedUser") or NONE,
        "authDeniedReason": value("authDeniedReason"),
        "callerPrincipal": caller.get("callerPrincipal") or NONE,
        "callerPrincipalOrgID": caller.get("callerPrincipalOrgID") or NONE,
        "callerPrincipalTags": caller.get("callerPrincipalTags") or NONE,
        **{member: caller.get(member) or NONE for _, _, member in X509_ATTRIBUTES},
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
        "serverNameIndication": value("serverNameIndication"),
        "sslCipher": value("sslCipher"),
        "tlsVersion": value("tlsVersion"),
        "failureReason": _failure_reason(entry),
    }
    arns = (str(entry[name]) for name in ("serviceNetworkArn", "serviceArn") if entry.get(name))
    return AccessRecord(tuple(Subscribed(arn, "SERVICE") for arn in arns), record)


def _listener_type(entry: dict[str, Any]) -> str:
    if entry["kind"] == "tls":
        return "TLS_PASSTHROUGH"
    return "HTTPS" if entry.get("tlsVersion") else "HTTP"


def _caller(entry: dict[str, Any]) -> dict[str, str]:
    """Who asked: as the filter reports it for a request it denies, else out of the identity headers that targets get."""
    if entry.get("resolvedUser"):
        return entry
    if entry.get("authorized") != "yes":
        return {}
    identity = dict(pair.partition("=")[::2] for pair in str(entry.get("identity") or "").split("; "))
    arn = identity.get("Principal", "")
    if not arn:
        return {"resolvedUser": "Anonymous"}
    tags = _tags(str(entry.get("identityTags") or ""))
    shown = json.dumps(tags, separators=(",", ":"), ensure_ascii=False) if tags else ""
    certificate = {member: identity.get(name, "") for _, name, member in X509_ATTRIBUTES}
    return {
        "resolvedUser": arn, "callerPrincipal": arn, "callerPrincipalOrgID": identity.get("PrincipalOrgID", ""), "callerPrincipalTags": shown, **certificate,
    }  # fmt: skip


_IN_TAGS_HEADER = ("principal", "principalorgid", "principalorgpath")
"""What the header says before the tags."""


def _tags(header: str) -> dict[str, str]:
    """The caller's tags out of the header for targets, where a semicolon in a name or value is escaped."""
    pairs = [pair.replace("\\;", ";").partition("=") for pair in re.split(r"(?<!\\);", header) if pair]
    return {name: value for name, _, value in pairs[len(_IN_TAGS_HEADER) :]}


def _is_refused(entry: dict[str, Any]) -> bool:
    """Whether the filter answered itself, or closed the connection."""
    return str(entry.get("responseCodeDetails") or "").startswith(DECIDED) or entry.get("enforced") == "yes"


def _failure_reason(entry: dict[str, Any]) -> str:
    """A request whose shape nobody can judge (its answer is 400) is malformed, not denied."""
    details = str(entry.get("responseCodeDetails") or "")
    if str(entry.get("ruleId") or "").endswith(WRONG_VERSION) or details == UPGRADE:
        return "ClientProtocolError"
    if _is_refused(entry):
        return "ClientProtocolError" if entry.get("responseCode") == 400 else "ClientAccessDenied"
    if details.startswith(UNDECIDED):
        return "InternalError"
    flags = set(str(entry.get("responseFlags") or NONE).split(",")) - _IGNORED_FLAGS
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
    """A connection to a TCP resource; who subscribes to a group gets those to its children."""
    known = {**entry, "protocol": "tcp"}
    if str(entry.get("resourceIpPort")).startswith(f"{NOWHERE}:"):
        known["resourceIpPort"] = NONE
    record = {name: known.get(name) or NONE for name in _RESOURCE_MEMBERS}
    if entry.get("authDeniedReason"):
        record["authDeniedReason"] = str(entry["authDeniedReason"])  # latticewall's own: audit mode let it pass
    arns = (str(entry[name]) for name in ("serviceNetworkArn", "resourceConfigurationArn", "resourceConfigurationGroupArn") if entry.get(name))
    return AccessRecord(tuple(Subscribed(arn, "RESOURCE") for arn in arns), record)
