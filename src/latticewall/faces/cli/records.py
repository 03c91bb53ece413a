"""One line out of one log record: VPC Lattice's access logs, Network Firewall's alert and flow logs; anything else stays as it is."""

from __future__ import annotations

import json
from typing import Any

_EMPTY = (None, "", "-")


def summary(message: str) -> str:
    """A line to read; unknown formats are shown whole."""
    try:
        record = json.loads(message)
    except ValueError:
        return message.rstrip("\n")
    if isinstance(record, dict):
        if isinstance(record.get("event"), dict):
            return _firewall(record)
        if "requestMethod" in record:
            return _request(record)
        if "resourceConfigurationArn" in record:
            return _connection(record)
    return message.rstrip("\n")


def _firewall(record: dict[str, Any]) -> str:
    """ "Contents of an AWS Network Firewall log": an alert names its rule, a flow its size."""
    event = record["event"]
    way = f"{event.get('proto', '')} {_place(event, 'src')} -> {_place(event, 'dest')}"
    words = [str(record.get("firewall_name", "")), str(event.get("event_type", ""))]
    if isinstance(alert := event.get("alert"), dict):
        return " ".join((*words, str(alert.get("action", "")), way, f'"{alert.get("signature", "")}" (sid {alert.get("signature_id", "")})'))
    if isinstance(flow := event.get("netflow"), dict):
        return " ".join((*words, way, f"{flow.get('pkts', 0)} packets, {flow.get('bytes', 0)} bytes"))
    return " ".join((*words, way))


def _place(event: dict[str, Any], side: str) -> str:
    address, port = event.get(f"{side}_ip", "?"), event.get(f"{side}_port")
    return f"{address}:{port}" if port else str(address)


def _request(record: dict[str, Any]) -> str:
    """ "Access logs for VPC Lattice", a request to a service."""
    who = record.get("callerPrincipal")
    words = [
        f"{record.get('sourceIpPort')} ({record.get('sourceVpcId')})",
        f"{record['requestMethod']} {record.get('hostHeader')}{record.get('requestPath')}",
        f"-> {record.get('responseCode')}",
        *([f"by {who}"] if who not in _EMPTY else []),
        *_denial(record),
        *([f"failureReason: {record['failureReason']}"] if record.get("failureReason") not in _EMPTY else []),
    ]
    return " ".join(words)


def _denial(record: dict[str, Any]) -> list[str]:
    """Who denied the request; who would have, where audit mode let it pass."""
    if record.get("failureReason") != "ClientAccessDenied":
        return [f"would be denied: {layer}"] if (layer := denied_by(record)) else []
    return [f"authDeniedReason: {record['authDeniedReason']}"] if record.get("authDeniedReason") not in _EMPTY else []


def denied_by(record: Any) -> str:
    """Which layer denied a request to a service, or in audit mode would have: Network, Service, Identity, Signature; of a connection to a resource, Resource or
    Identity; "" for any other record."""
    if not isinstance(record, dict) or not record.keys() & {"requestMethod", "resourceConfigurationArn"}:
        return ""
    reason = record.get("authDeniedReason")
    if reason not in _EMPTY:
        return str(reason)
    return "Signature" if record.get("resolvedUser") == "Unknown" and record.get("failureReason") != "ClientProtocolError" else ""


def _connection(record: dict[str, Any]) -> str:
    """ "Access logs for VPC Lattice", a connection to a resource."""
    resource = str(record["resourceConfigurationArn"]).rpartition("/")[2]
    words = f"connection {record.get('sourceIpPort')} -> {record.get('destinationIpPort')} {resource} ({record.get('resourceIpPort')})"
    return " ".join((words, *_denial(record)))
