"""TLS_PASSTHROUGH listeners in a real Envoy: server names, certificates of targets, who may connect, what is logged."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy_lab import HOST, NETWORK_ARN, VPC_ARN, Lab, cluster, group_arn, plan, service_arn
from envoy_rig import HERE, INSTANCE, SERVICES, UPSTREAM, until

from latticewall.plan.proxy import ProxyPlan
from latticewall.plan.tls_passthrough import TlsDecision, TlsListener, TlsService
from latticewall.telemetry import access_log
from latticewall.telemetry.lattice_metrics import of_tls_connections

pytestmark = [pytest.mark.netns, pytest.mark.engines]

SHOP, STOCK = "shop.example.com", "stock.example.com"
OTHER = "10.0.0.11"
"""A second address of the client's."""
CLIENT = """
import json, socket, ssl, sys
source, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    plain = socket.create_connection(("169.254.171.32", port), 10, source_address=(source, 0))
    with context.wrap_socket(plain, server_hostname=name or None) as secure:
        answer = json.loads(secure.makefile().readline())
        answer["certificate"] = len(secure.getpeercert(binary_form=True))
        print(json.dumps(answer))
except (OSError, ValueError) as error:
    print(json.dumps({"error": type(error).__name__}))
"""


def service(name: str, server_name: str, *clusters: tuple[str, int], decisions: Sequence[TlsDecision] = ()) -> TlsService:
    return TlsService(service_arn(name), name, NETWORK_ARN, f"listener-{name}", server_name, clusters or (("tg-tls", 100),), tuple(decisions))


def tls_plan(*services: TlsService, port: int = 443, http_port: int = 80) -> ProxyPlan:
    listener = TlsListener(f"tls-vpc-client-{port}", "vpc-client", SERVICES, port, "vpc-client", VPC_ARN, services)
    clusters = [cluster(), cluster("tg-tls", 8443, protocol="TCP"), cluster("tg-stock", 9443, protocol="TCP")]
    return replace(plan(port=http_port, clusters=clusters), tls_listeners=(listener,))


@pytest.fixture(scope="module", autouse=True)
def servers(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two targets with self-signed certificates; the folder with the certificates."""
    folder = tmp_path_factory.mktemp("tls")
    for name, port, host in (("shop", 8443, SHOP), ("stock", 9443, STOCK)):
        made = [folder / f"{name}.pem", folder / f"{name}.key"]
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}"]
        subprocess.run(["openssl", "req", *options, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
        lab.rig.spawn("i-target", [sys.executable, str(HERE / "tls_server.py"), str(port), name, *map(str, made)])
    lab.rig.spawn("i-client", ["ip", "address", "add", f"{OTHER}/24", "dev", "eth0"]).wait(10)
    lab.publish(tls_plan(service("svc-shop", SHOP)))
    until(lambda: connect(lab, SHOP).get("name"), "the target answers")
    return folder


def connect(lab: Lab, name: str, *, source: str = INSTANCE, port: int = 443) -> dict[str, Any]:
    """What the target says to a client from that address, or {"error": kind}."""
    client = lab.rig.spawn("i-client", [sys.executable, "-c", CLIENT, source, str(port), name], stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(client.communicate(timeout=30)[0])
    return found


def records(lab: Lab, server_name: str, count: int) -> list[dict[str, Any]]:
    """The access-log records of so many connections with that server name, once they are written."""

    def lines() -> list[str]:
        return [json.dumps(line) for line in lab.rig.log_lines() if line.get("serverNameIndication") == server_name]

    until(lambda: len(lines()) >= count, "the connections are logged")
    found = [access_log.read(line) for line in lines()]
    return [item.record for item in found if item is not None]


def test_server_names_choose_the_service_and_targets_show_their_own_certificate(lab: Lab, servers: Path) -> None:
    lab.publish(tls_plan(service("svc-shop", SHOP), service("svc-stock", STOCK, ("tg-stock", 1))))
    for name, wanted in ((SHOP, "shop"), ("Shop.EXAMPLE.com", "shop"), (STOCK, "stock")):
        answer = connect(lab, name)
        assert (answer["name"], answer["client"]) == (wanted, UPSTREAM)
    verify = ["openssl", "s_client", "-connect", f"{SERVICES}:443", "-servername", STOCK, "-CAfile", str(servers / "stock.pem"), "-verify_return_error"]
    checked = lab.rig.spawn("i-client", verify, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, _ = checked.communicate("Q\n", timeout=30)
    assert "Verify return code: 0 (ok)" in printed


@pytest.mark.parametrize("name", ["", "example.com", "x.shop.example.com", f"svc-shop.{HOST}"])
def test_other_names_lead_nowhere(lab: Lab, name: str) -> None:
    lab.publish(tls_plan(service("svc-shop", SHOP)))
    assert "error" in connect(lab, name)


def test_what_is_no_tls_is_closed(lab: Lab) -> None:
    lab.publish(tls_plan(service("svc-shop", SHOP)))
    assert lab.rig.tcp(SERVICES, 443, "GET / HTTP/1.0\r\n\r\n") == ""


def test_http_and_tls_services_share_a_port(lab: Lab) -> None:
    lab.publish(tls_plan(service("svc-shop", SHOP), port=443, http_port=443))
    assert connect(lab, SHOP)["name"] == "shop"
    answer = lab.rig.request(host=HOST, port=443)
    assert (answer.status, answer.seen("x-forwarded-port")) == (200, ["443"])
    assert "error" in connect(lab, HOST)


def test_weights(lab: Lab) -> None:
    lab.publish(tls_plan(service("svc-shop", SHOP, ("tg-tls", 0), ("tg-stock", 1))))
    assert {connect(lab, SHOP)["name"] for _ in range(4)} == {"stock"}
    lab.publish(tls_plan(service("svc-shop", SHOP, ("tg-tls", 0))))
    assert "error" in connect(lab, SHOP)


def test_a_connection_is_logged_when_it_ends(lab: Lab) -> None:
    name = "logged.example.com"
    lab.publish(tls_plan(service("svc-logged", name)))
    assert connect(lab, name)["name"] == "shop"
    (record,) = records(lab, name, 1)
    assert record["bytesReceived"] > 100 < record["bytesSent"]
    points = of_tls_connections([Path(lab.rig.paths.access_log).read_bytes()], lambda *_: "")
    measured = {series.name: found.sum for (series, _), found in points.items() if series.dimensions == (("TargetGroup", "tg-tls"),)}
    assert measured["TotalReceivedConnectionBytes"] >= record["bytesReceived"]
    assert measured["TotalSentConnectionBytes"] >= record["bytesSent"]
    shown = {member: record[member] for member in ("listenerType", "listenerId", "serviceArn", "serviceNetworkArn", "targetGroupArn", "targetIpPort")}
    assert shown == {
        "listenerType": "TLS_PASSTHROUGH", "listenerId": "listener-svc-logged", "serviceArn": service_arn("svc-logged"), "serviceNetworkArn": NETWORK_ARN,
        "targetGroupArn": group_arn("tg-tls"), "targetIpPort": f"{INSTANCE}:8443",
    }  # fmt: skip
    assert record["sourceIpPort"].startswith(f"{INSTANCE}:")
    for member in ("requestMethod", "requestPath", "hostHeader", "responseCode", "protocol", "resolvedUser", "authDeniedReason", "failureReason", "requestId"):
        assert record[member] == "-"


def test_who_may_connect_is_decided_by_source_address(lab: Lab) -> None:
    """A denied client's connection never reaches a target."""
    name = "private.example.com"
    decisions = (
        TlsDecision((INSTANCE,), allowed=True),
        TlsDecision((OTHER,), allowed=False, layer="Service", explicit=True, statement=2),
        TlsDecision((), allowed=False, layer="Network"),
    )
    lab.publish(tls_plan(service("svc-private", name, decisions=decisions)))
    before = connect(lab, name)["count"]
    assert connect(lab, name, source=OTHER) == {"error": connect(lab, name, source=OTHER)["error"]}
    assert connect(lab, name)["count"] == before + 1
    unknown = (replace(decisions[0], addresses=("10.0.0.99",)), decisions[2])
    lab.publish(tls_plan(service("svc-private", name, decisions=unknown)))
    assert "error" in connect(lab, name)
    found = records(lab, name, 5)
    seen = {(record["resolvedUser"], record["authDeniedReason"], record["failureReason"], record["targetIpPort"] == "-") for record in found}
    assert seen == {
        ("Anonymous", "-", "-", False), ("Anonymous", "Service", "ClientAccessDenied", True), ("Anonymous", "Network", "ClientAccessDenied", True),
    }  # fmt: skip
    noted = [json.loads(line["authDetail"]) for line in lab.rig.log_lines() if line.get("authDeniedReason") == "Service" and line["kind"] == "tls"]
    assert noted[0] == {"layer": "Service", "policy": "service-based policy", "explicit": True, "statement": 2}


def test_audit_mode_lets_pass_and_says_what_would_have_been(lab: Lab) -> None:
    name = "audited.example.com"
    lab.publish(tls_plan(service("svc-audited", name, decisions=[TlsDecision((), allowed=True, layer="Network")])))
    assert connect(lab, name)["name"] == "shop"
    (record,) = records(lab, name, 1)
    assert (record["authDeniedReason"], record["failureReason"], record["targetIpPort"]) == ("Network", "-", f"{INSTANCE}:8443")


def test_another_service_coming_and_going_disturbs_nobody(lab: Lab) -> None:
    """A connection stays open while the listener gets another filter chain."""
    shop = service("svc-shop", SHOP)
    lab.publish(tls_plan(shop))
    stays = "print(json.dumps(answer), flush=True); sys.stdin.readline(); secure.sendall(b'x'); print(secure.recv(1))"
    program = CLIENT.replace("print(json.dumps(answer))", stays)
    client = lab.rig.spawn("i-client", [sys.executable, "-c", program, INSTANCE, "443", SHOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout is not None
    assert json.loads(client.stdout.readline())["name"] == "shop"
    lab.publish(tls_plan(shop, service("svc-stock", STOCK, ("tg-stock", 1))))
    assert connect(lab, STOCK)["name"] == "stock"
    lab.publish(tls_plan(shop))
    printed, _ = client.communicate("\n", timeout=30)
    assert printed == "b''\n"  # the target's own end of the connection, after it got the byte
