"""Connections that were made, explained by the id of their access-log record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME

from latticewall.control_plane.record_ids import ACCESS_CURSOR, RecordIds
from latticewall.telemetry.followed_file import rotated

from .lab import ALLOW_ALL, Lab, gate, outcomes, policy
from .test_connections import CONNECT, resource, tls_service

TLS = {"authorized": "yes", "resolvedUser": "Anonymous"}
DENIED = {"authDeniedReason": "Service", "authDetail": '{"layer":"Service","policy":"service-based policy","explicit":false,"statement":-1}'}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def made(lab: Lab, **members: Any) -> dict[str, Any]:
    """The explanation of a connection whose line is appended, after others."""
    lab.logged()
    offset = lab.log.stat().st_size
    vpc = f"arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/{lab.vpc}"
    line = {"sourceVpcArn": vpc, "sourceIpPort": f"{lab.address}:41000", "responseFlags": "-", **members}
    with lab.log.open("a") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
    with lab.region.store.write() as tx:
        tx.move_cursor(ACCESS_CURSOR, f"{lab.log.stat().st_ino}:{lab.log.stat().st_size}:3")
    return lab.explained(RecordIds(lab.region.app).of(3, offset))


def tcp(lab: Lab, configuration: str, **members: Any) -> dict[str, Any]:
    arn = lab.lattice.get_resource_configuration(resourceConfigurationIdentifier=configuration)["arn"]
    line = {"kind": "tcp", "eventTimestamp": "2026-01-02T03:04:05.678Z", "serviceNetworkArn": lab.network_arn, "resourceConfigurationArn": arn,
            "serviceNetworkResourceAssociationId": "snra-1", "destinationIpPort": "129.224.0.7:6379", "gatewayIpPort": "10.0.1.5:50000"}  # fmt: skip
    return made(lab, **{**line, "resourceIpPort": "10.0.1.88:6379", **members})


def tls(lab: Lab, service: str, **members: Any) -> dict[str, Any]:
    (listener,) = lab.lattice.list_listeners(serviceIdentifier=service)["items"]
    arn = lab.lattice.get_service(serviceIdentifier=service)["arn"]
    line = {"kind": "tls", "startTime": "2026-01-02T03:04:05Z", "serviceNetworkArn": lab.network_arn, "serviceArn": arn, "listenerId": listener["id"],
            "sourceVpcId": lab.vpc, "targetIpPort": "10.0.1.99:8443", "serverNameIndication": "secure.example.com"}  # fmt: skip
    return made(lab, **line, **members)


def test_a_connection_to_a_resource(lab: Lab) -> None:
    configuration, _ = resource(lab, "6379")
    answer = tcp(lab, configuration)
    assert answer["verdict"] == "allowed", answer
    assert answer["request"]["instance"] == lab.web
    assert gate(answer, "target")["detail"] == "reached 10.0.1.88:6379"
    assert outcomes(answer)["resource-policy"] == "skip"
    failed = tcp(lab, configuration, responseFlags="UF")
    assert (failed["verdict"], gate(failed, "target")["detail"]) == ("denied", "reached 10.0.1.88:6379: UF")


def test_a_policy_that_would_deny_it_now(lab: Lab) -> None:
    configuration, _ = resource(lab, "6379")
    lab.put_policy(configuration, policy({**CONNECT, "Effect": "Deny"}))
    answer = tcp(lab, configuration, vpcEndpointId="vpce-1")
    assert (answer["verdict"], outcomes(answer)["vpc-endpoint"], outcomes(answer)["resource-policy"]) == ("allowed", "pass", "pass")
    assert answer["notes"][0] == "the connection passed resource-policy then; as of now, a statement denies it"


def test_a_connection_to_a_tls_listener(lab: Lab) -> None:
    service = tls_service(lab, authType="AWS_IAM")
    lab.put_policy(lab.network, policy(CONNECT, ALLOW_ALL))
    lab.put_policy(service, policy({**CONNECT, "Condition": {"IpAddress": {"aws:SourceIp": "10.9.0.0/16"}}}))
    answer = tls(lab, service, **TLS, **DENIED, enforced="yes", targetIpPort_="-")
    assert answer["summary"].startswith("denied at service-policy"), answer
    assert gate(answer, "service-policy")["failed"] == [f"IpAddress: aws:SourceIp [10.9.0.0/16], the request has '{lab.address}'"]
    assert (outcomes(answer)["network-policy"], outcomes(answer)["target"], answer["request"]["port"]) == ("pass", "skip", 443)
    audited = tls(lab, service, **TLS, **DENIED, enforced="no")
    assert (audited["verdict"], outcomes(audited)["service-policy"]) == ("allowed", "audit")
    lab.put_policy(lab.network, policy(ALLOW_ALL))
    audited = tls(lab, service, **TLS, **DENIED, enforced="no")
    assert (audited["verdict"], outcomes(audited)["network-policy"]) == ("allowed", "audit")
    lab.put_policy(lab.network, policy(CONNECT, ALLOW_ALL))
    lab.put_policy(service, policy(CONNECT))
    assert "as of now service-policy would not deny it" in tls(lab, service, **TLS, **DENIED, enforced="yes")["notes"][0]
    assert tls(lab, service, **TLS)["verdict"] == "allowed"
    assert outcomes(tls(lab, service))["service-policy"] == "skip"


def test_a_log_that_was_put_aside(lab: Lab) -> None:
    """Its lines keep their ids, whichever file was followed last."""
    configuration, _ = resource(lab, "6379")
    answer = tcp(lab, configuration)
    record = answer["request"]["id"]
    lab.log.rename(rotated(lab.log))
    assert lab.explained(record)["verdict"] == "allowed", "the new file is not there yet"
    lab.logged(requestId=record)
    assert lab.explained(record)["request"]["scheme"] == "tcp", "a client cannot take a record's place"
    with lab.region.store.write() as tx:
        tx.move_cursor(ACCESS_CURSOR, f"{lab.log.stat().st_ino}:0:4")
    assert lab.explained(record)["verdict"] == "allowed"
    assert lab.explained("0" * 32)["verdict"] == "unknown"
