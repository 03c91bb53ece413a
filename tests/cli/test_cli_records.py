"""One line out of one log record."""

from __future__ import annotations

import json

import pytest

from latticewall.faces.cli.records import denied_by, summary

ALERT = {
    "firewall_name": "inspection",
    "availability_zone": "us-east-1a",
    "event_timestamp": "1767323045",
    "event": {
        "event_type": "alert", "proto": "TCP", "src_ip": "10.1.0.4", "src_port": 40000, "dest_ip": "10.3.0.4", "dest_port": 27017,
        "alert": {"action": "blocked", "signature": "card number", "signature_id": 100},
    },
}  # fmt: skip
FLOW = {**ALERT, "event": {**ALERT["event"], "event_type": "netflow", "netflow": {"pkts": 7, "bytes": 900}}}  # type: ignore[dict-item]
del FLOW["event"]["alert"]  # type: ignore[attr-defined]
REQUEST = {
    "sourceIpPort": "10.1.0.4:40000", "sourceVpcId": "vpc-1", "requestMethod": "GET", "hostHeader": "logging.example.com", "requestPath": "/x",
    "responseCode": 403, "callerPrincipal": "-", "authDeniedReason": "Service", "failureReason": "ClientAccessDenied",
}  # fmt: skip
CONNECTION = {
    "sourceIpPort": "10.1.0.4:40000", "destinationIpPort": "129.224.0.1:6379", "resourceIpPort": "10.3.0.5:6379",
    "resourceConfigurationArn": "arn:aws:vpc-lattice:us-east-1:111122223333:resourceconfiguration/rcfg-0a",
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (ALERT, 'inspection alert blocked TCP 10.1.0.4:40000 -> 10.3.0.4:27017 "card number" (sid 100)'),
        (FLOW, "inspection netflow TCP 10.1.0.4:40000 -> 10.3.0.4:27017 7 packets, 900 bytes"),
        (REQUEST, "10.1.0.4:40000 (vpc-1) GET logging.example.com/x -> 403 authDeniedReason: Service failureReason: ClientAccessDenied"),
        (
            {**REQUEST, "callerPrincipal": "arn:aws:sts::1:assumed-role/web/i-1", "authDeniedReason": "-", "failureReason": "-", "responseCode": 200},
            "10.1.0.4:40000 (vpc-1) GET logging.example.com/x -> 200 by arn:aws:sts::1:assumed-role/web/i-1",
        ),
        (
            {**REQUEST, "responseCode": 200, "failureReason": "-"},
            "10.1.0.4:40000 (vpc-1) GET logging.example.com/x -> 200 would be denied: Service",
        ),
        (
            {**REQUEST, "responseCode": 200, "failureReason": "-", "authDeniedReason": "-", "resolvedUser": "Unknown"},
            "10.1.0.4:40000 (vpc-1) GET logging.example.com/x -> 200 would be denied: Signature",
        ),
        (CONNECTION, "connection 10.1.0.4:40000 -> 129.224.0.1:6379 rcfg-0a (10.3.0.5:6379)"),
    ],
)
def test_known_records(record: dict[str, object], line: str) -> None:
    assert summary(json.dumps(record)) == line


@pytest.mark.parametrize("message", ["plain words", "[1]", '{"a": 1}', '"x"', '{"event": 1}', "{"])
def test_other_messages_stay_as_they_are(message: str) -> None:
    assert summary(message + "\n") == message


@pytest.mark.parametrize(
    ("record", "layer"),
    [
        (REQUEST, "Service"),
        ({**REQUEST, "authDeniedReason": "-", "resolvedUser": "Unknown"}, "Signature"),
        ({**REQUEST, "authDeniedReason": "-", "resolvedUser": "Anonymous"}, ""),
        (ALERT, ""),
        (CONNECTION, ""),
        ([1], ""),
    ],
)
def test_who_denied_a_request(record: object, layer: str) -> None:
    assert denied_by(record) == layer
