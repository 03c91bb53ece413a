"""Envoy's lines -> the records AWS documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latticewall.plan.access_log import BEGINNING, COUNTED_MEMBERS, END_OF_MEMBER, END_OF_PART, TOLD_MEMBERS, targets_of_route
from latticewall.plan.proxy import NOWHERE
from latticewall.telemetry.access_log import Subscribed, parse, read

SERVICE = "arn:aws:vpc-lattice:us-west-2:111122223333:service/svc-1"
NETWORK = "arn:aws:vpc-lattice:us-west-2:111122223333:servicenetwork/sn-1"

HTTP: dict[str, Any] = {
    "kind": "http",
    "startTime": "2026-01-02T03:04:05Z",
    "requestId": "r-1",
    "serviceNetworkArn": NETWORK,
    "serviceArn": SERVICE,
    "listenerId": "listener-1",
    "ruleId": "rule-1",
    "targetGroupArn": "arn:tg",
    "targetNamespace": "vpc-0b",
    "sourceVpcArn": "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-0a",
    "sourceVpcId": "vpc-0a",
    "sourceIpPort": "10.0.0.10:40000",
    "targetIpPort": "10.0.0.11:8080",
    "resolvedUser": None,
    "authDeniedReason": None,
    "callerPrincipal": None,
    "callerPrincipalOrgID": None,
    "callerPrincipalTags": None,
    "requestMethod": "GET",
    "requestPath": "/a",
    "hostHeader": "orders.example.com:80",
    "userAgent": None,
    "protocol": "HTTP/1.1",
    "responseCode": 200,
    "grpcResponseCode": None,
    "bytesReceived": 40,
    "bytesSent": 138,
    "duration": 3,
    "requestToTargetDuration": 1,
    "responseFromTargetDuration": 2,
    "responseFlags": "-",
    "responseCodeDetails": "via_upstream",
}

TCP: dict[str, Any] = {
    "kind": "tcp",
    "eventTimestamp": "2026-01-02T03:04:05.678Z",
    "serviceNetworkArn": NETWORK,
    "serviceNetworkResourceAssociationId": "snra-1",
    "sourceVpcArn": "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-0a",
    "resourceConfigurationArn": "arn:rcfg",
    "sourceIpPort": "10.0.0.10:40000",
    "destinationIpPort": "129.224.0.7:6379",
    "gatewayIpPort": "10.3.0.20:50000",
    "resourceIpPort": "10.3.0.9:6379",
    "responseFlags": "-",
}


def line(**changes: str) -> str:
    """Of a request, as Envoy writes it: the same as HTTP says by names."""
    targets = targets_of_route([("tg-0", "arn:other", ""), ("tg-1", "arn:tg", "vpc-0b")])
    told = {name: "" if value is None else str(value) for name, value in HTTP.items()}
    told |= {"service": f"{NETWORK} {SERVICE} listener-1 no {targets} rule-1", "cluster": "tg-1", "source": HTTP["sourceVpcArn"]} | changes
    parts = (END_OF_MEMBER.join(told.get(name, "") for name in names) + END_OF_PART for names in (COUNTED_MEMBERS, TOLD_MEMBERS))
    return BEGINNING + "".join(parts)


def record(entry: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = read(json.dumps(entry | changes))
    assert found is not None
    return found.record


def test_a_request_has_exactly_the_documented_fields() -> None:
    assert record(HTTP) == {
        "startTime": "2026-01-02T03:04:05Z",
        "requestId": "r-1",
        "serviceNetworkArn": NETWORK,
        "serviceArn": SERVICE,
        "targetGroupArn": "arn:tg",
        "listenerId": "listener-1",
        "listenerType": "HTTP",
        "sourceVpcArn": "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-0a",
        "sourceVpcId": "vpc-0a",
        "destinationVpcId": "vpc-0b",
        "sourceIpPort": "10.0.0.10:40000",
        "targetIpPort": "10.0.0.11:8080",
        "resolvedUser": "-",
        "authDeniedReason": "-",
        "callerPrincipal": "-",
        "callerPrincipalOrgID": "-",
        "callerPrincipalTags": "-",
        "callerX509IssuerOU": "-",
        "callerX509SubjectCN": "-",
        "callerX509SANNameCN": "-",
        "callerX509SANDNS": "-",
        "callerX509SANURI": "-",
        "requestMethod": "GET",
        "requestPath": "/a",
        "hostHeader": "orders.example.com:80",
        "userAgent": "-",
        "protocol": "HTTP/1.1",
        "responseCode": 200,
        "grpcResponseCode": "-",
        "bytesReceived": 40,
        "bytesSent": 138,
        "duration": 3,
        "requestToTargetDuration": 1,
        "responseFromTargetDuration": 2,
        "serverNameIndication": "-",
        "sslCipher": "-",
        "tlsVersion": "-",
        "failureReason": "-",
    }


def test_a_request_is_told_by_a_line_of_text() -> None:
    assert read(line()) == read(json.dumps(HTTP))
    noted = '{"authDeniedReason":"Network","resolvedUser":"Anonymous"}'
    denied = read(line(decision=noted, responseCode="403", responseCodeDetails="lua_response"))
    assert denied == read(json.dumps(HTTP | json.loads(noted) | {"responseCode": 403, "responseCodeDetails": "lua_response"}))
    found = parse(line(sourceIpPort="[fd00::1]:40000", source=f"{HTTP['sourceVpcArn']} vpce-1", grpcResponseCode="5", cluster="tg-0"))
    members = ("sourceIpPort", "vpcEndpointId", "grpcResponseCode", "ruleId", "authorized")
    assert [found[name] for name in members] == ["[fd00::1]:40000", "vpce-1", 5, "rule-1", "no"]
    assert (found["targetGroupArn"], found["targetNamespace"]) == ("arn:other", "")
    for nowhere in (line(cluster=""), line(cluster="tg-2"), line(service=f"{NETWORK} {SERVICE} listener-1 no - rule-1")):
        assert record(parse(nowhere))["targetGroupArn"] == "-"


def test_a_request_for_no_route_has_no_service() -> None:
    assert read(line(service="", cluster="", responseCode="404")) is None


def test_the_network_and_the_service_are_told() -> None:
    found = read(json.dumps(HTTP))
    assert found is not None
    assert found.subscribed == (Subscribed(NETWORK, "SERVICE"), Subscribed(SERVICE, "SERVICE"))
    assert json.loads(found.line) == found.record
    assert "\n" not in found.line


def test_a_denied_request_never_had_a_target() -> None:
    changes = {"responseCode": 403, "responseFlags": "-", "responseCodeDetails": "lua_response", "targetIpPort": None}
    found = record(HTTP, **changes, resolvedUser="Anonymous", authDeniedReason="Network", requestToTargetDuration=None)
    assert (found["failureReason"], found["authDeniedReason"], found["resolvedUser"]) == ("ClientAccessDenied", "Network", "Anonymous")
    assert (found["targetGroupArn"], found["targetIpPort"], found["destinationVpcId"]) == ("-", "-", "-")
    assert (found["responseCode"], found["requestToTargetDuration"]) == (403, 0)


def test_a_request_of_a_shape_that_nobody_judges_is_malformed() -> None:
    found = record(HTTP, responseCode=400, responseFlags="-", responseCodeDetails="lua_response", targetIpPort=None, resolvedUser="Unknown")
    assert (found["failureReason"], found["targetGroupArn"]) == ("ClientProtocolError", "-")


def test_an_allowed_caller_is_read_from_the_headers_for_targets() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/web/i-1"
    identity = f"Principal={arn}; PrincipalOrgID=o-1; PrincipalOrgPaths=o-1/r-1/; SessionName=i-1; Type=AWS_IAM"
    tags = rf"principal={arn};principalorgid=o-1;principalorgpath=o-1/r-1/;team=a\;b=c;empty="
    found = record(HTTP, authorized="yes", identity=identity, identityTags=tags)
    assert found["resolvedUser"] == found["callerPrincipal"] == arn
    assert (found["callerPrincipalOrgID"], found["callerPrincipalTags"]) == ("o-1", '{"team":"a;b=c","empty":""}')
    assert record(HTTP, authorized="yes", identity=None)["resolvedUser"] == "Anonymous"
    described = f"{identity}; X509Issuer/OU=; X509SAN/DNS=; X509SAN/NameCN=; X509SAN/URI=spiffe://a/b; X509Subject/CN=b"
    certified = record(HTTP, authorized="yes", identity=described)
    assert (certified["callerX509SANURI"], certified["callerX509SubjectCN"], certified["callerX509IssuerOU"]) == ("spiffe://a/b", "b", "-")
    assert record(HTTP, authorized="no", identity=identity)["resolvedUser"] == "-"


@pytest.mark.parametrize(
    ("flags", "details", "reason"),
    [
        ("UF,URX", "x", "TargetConnectionError"),
        ("UH", "no_healthy_upstream", "TargetConnectionError"),
        ("UPE", "x", "TargetProtocolError"),
        ("UT", "x", "TargetDataTimeout"),
        ("UC", "x", "TargetConnectionClosed"),
        ("DC", "downstream_remote_disconnect", "ClientConnectionClosed"),
        ("DPE", "http1.codec_error", "ClientProtocolError"),
        ("DT", "max_duration_timeout", "ConnectionDurationExceeded"),
        ("-", "fault_filter_abort", "InternalError"),
        ("OM", "overload", "InternalError"),
        ("NR", "route_not_found", "-"),
        ("-", "via_upstream", "-"),
    ],
)
def test_failures_have_awss_names(flags: str, details: str, reason: str) -> None:
    assert record(HTTP, responseFlags=flags, responseCodeDetails=details)["failureReason"] == reason


def test_a_request_for_no_service_concerns_nobody() -> None:
    assert read(json.dumps(HTTP | {"serviceArn": None})) is None


def test_a_connection_to_a_resource_has_exactly_the_documented_fields() -> None:
    found = read(json.dumps(TCP))
    assert found is not None
    assert found.record == {
        "eventTimestamp": "2026-01-02T03:04:05.678Z",
        "serviceNetworkArn": NETWORK,
        "serviceNetworkResourceAssociationId": "snra-1",
        "vpcEndpointId": "-",
        "sourceVpcArn": "arn:aws:ec2:us-west-2:111122223333:vpc/vpc-0a",
        "resourceConfigurationArn": "arn:rcfg",
        "protocol": "tcp",
        "sourceIpPort": "10.0.0.10:40000",
        "destinationIpPort": "129.224.0.7:6379",
        "gatewayIpPort": "10.3.0.20:50000",
        "resourceIpPort": "10.3.0.9:6379",
    }
    assert found.subscribed == (Subscribed(NETWORK, "RESOURCE"), Subscribed("arn:rcfg", "RESOURCE"))


def test_a_group_s_subscribers_get_what_its_children_are_asked() -> None:
    found = read(json.dumps({**TCP, "resourceConfigurationGroupArn": "arn:group"}))
    assert found is not None
    assert "resourceConfigurationGroupArn" not in found.record
    assert [item.arn for item in found.subscribed] == [NETWORK, "arn:rcfg", "arn:group"]


def test_a_connection_that_failed_has_no_gateway_address() -> None:
    assert record(TCP, gatewayIpPort=None, responseFlags="UF")["gatewayIpPort"] == "-"
    assert record(TCP, gatewayIpPort=None, resourceIpPort=f"{NOWHERE}:6379", responseFlags="UF")["resourceIpPort"] == "-"


def test_what_a_full_disk_has_cut_off_spoils_no_other_entry() -> None:
    connection, request = json.dumps(TCP), line(requestPath='/{"kind":"tcp"}', hostHeader='{"kind":"tcp","a":', userAgent='{"a":"')
    for cut in (connection, request):
        for end in range(len(cut)):
            assert read(cut[:end] + connection) == read(connection)
            assert read(cut[:end] + request) == read(request)


TORN = ["", "{", "[]", '"x"', "{}", '{"kind":"udp"}', END_OF_PART, END_OF_PART * 2, line(duration="x"), line(userAgent=END_OF_MEMBER), line(decision="{")]


@pytest.mark.parametrize("torn", TORN, ids=range(len(TORN)))
def test_anything_else_is_refused(torn: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(torn)
