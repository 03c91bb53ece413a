"""What a real Envoy does with the rendered configuration: routing, headers, failures, changes under load, TCP resources."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from envoy_lab import HOST, NETWORK_ARN, Lab, also, cluster, forward, group_arn, http_listener, plan, service_arn, tcp_listener, virtual_host
from envoy_rig import GATEWAY, INSTANCE, RESOURCE, UPSTREAM, until

from latticewall.dataplane.envoy.admin import counters, target_health
from latticewall.plan.proxy import NOWHERE, Endpoint, HeaderMatch, HealthCheck, HttpRoute, ProxyPlan, RouteMatch
from latticewall.telemetry import access_log

pytestmark = [pytest.mark.netns, pytest.mark.engines]


@pytest.fixture(scope="module", autouse=True)
def servers(lab: Lab) -> None:
    lab.rig.serve(8081, "b")
    lab.rig.serve(6379, "resource")
    for name in ("tg-b", "tg-a"):
        lab.publish(plan(virtual_host(routes=[forward(None, "ready", [(name, 1)])]), clusters=[cluster(), cluster("tg-b", 8081)]))
        until(lambda: lab.rig.request(host=HOST, path="/ready").status == 200, f"{name} is ready")


def test_the_target_sees_the_service_network_and_the_request_as_sent(lab: Lab) -> None:
    lab.publish(plan())
    sent = [("X-Request-Id", "mine"), ("x-envoy-retry-on", "5xx"), ("x-envoy-upstream-rq-timeout-ms", "1"), ("X-Double", "1"), ("X-Double", "2")]
    answer = lab.rig.request("/A//b/%2f/./c?q=%20&q=2", host="Orders.Example.com:80", method="POST", headers=sent, body="hello")
    assert (answer.status, answer.echo["method"], answer.echo["body"]) == (200, "POST", "hello")
    assert answer.echo["path"] == "/A//b/%2f/./c?q=%20&q=2"
    assert answer.echo["client"] == UPSTREAM
    assert answer.seen("host") == ["Orders.Example.com:80"]
    assert answer.seen("x-request-id") == ["mine"]
    assert answer.seen("x-double") == ["1", "2"]
    assert answer.seen("x-forwarded-for") == ["10.0.0.10"]
    assert answer.seen("x-forwarded-port") == ["80"]
    assert answer.seen("x-forwarded-proto") == ["http"]
    assert answer.seen("x-amzn-source-vpc") == ["vpc-client"]
    assert answer.seen("x-amzn-lattice-network")[0].startswith("SourceVpcArn=arn:aws:ec2:")
    target = f"ServiceArn={service_arn('svc-orders')}; ServiceNetworkArn={NETWORK_ARN}; TargetGroupArn={group_arn('tg-a')}"
    assert answer.seen("x-amzn-lattice-target") == [target]
    assert "envoy" not in json.dumps([answer.echo["headers"], answer.headers]).lower()


def test_request_ids_are_kept_cut_or_made(lab: Lab) -> None:
    lab.publish(plan())
    made = lab.rig.request(host=HOST)
    assert made.seen("x-amzn-requestid") == [made.header("x-amzn-requestid")]
    assert len(made.seen("x-amzn-requestid")[0]) == 36
    kept = lab.rig.request(host=HOST, headers=[("x-amzn-RequestId", "mine")])
    assert (kept.seen("x-amzn-requestid"), kept.header("x-amzn-requestid")) == (["mine"], "mine")
    cut = lab.rig.request(host=HOST, headers=[("x-amzn-requestid", "z" * 600)])
    assert cut.seen("x-amzn-requestid") == ["z" * 512]
    for empty in ([""], ["", "second"], ["", ""]):
        answer = lab.rig.request(host=HOST, headers=[("x-amzn-requestid", value) for value in empty])
        assert answer.seen("x-amzn-requestid") == [answer.header("x-amzn-requestid")], empty
        assert len(answer.seen("x-amzn-requestid")[0]) == 36


def test_rules_match_in_order_and_the_default_rule_last(lab: Lab) -> None:
    to_a, to_b = [("tg-a", 1)], [("tg-b", 1)]
    rules = [
        forward(RouteMatch("/exact", "exact"), "r1", to_b),
        forward(RouteMatch("/Prefix", "prefix", case_sensitive=False), "r2", to_b),
        forward(RouteMatch(method="PATCH"), "r3", to_b),
        HttpRoute(RouteMatch(method="DESCRIBE-IT"), "own", fixed_status=404),
        forward(RouteMatch(headers=(HeaderMatch("x-version", "V2"), HeaderMatch("x-tier", "Gold", "prefix", case_sensitive=True))), "r4", to_b),
        forward(RouteMatch("/h", "prefix", headers=(HeaderMatch("host", "orders.", "prefix"), HeaderMatch("x-h", "1"))), "r4h", to_b),
        forward(RouteMatch("/c", "prefix", headers=(HeaderMatch("x-note", "needle", "contains"),)), "r5", to_b),
        HttpRoute(RouteMatch("/gone", "prefix"), "r6", fixed_status=404),
        HttpRoute(RouteMatch("/broken", "exact"), "r7", fixed_status=500),
        forward(RouteMatch("/none", "exact"), "r8", [("tg-a", 0), ("tg-b", 0)]),
        forward(RouteMatch("/drained", "exact"), "r9", [("tg-a", 0), ("tg-b", 7)]),
        forward(None, "default", to_a),
    ]
    lab.publish(plan(virtual_host(routes=rules), clusters=[cluster(), cluster("tg-b", 8081)]))

    def served_by(path: str = "/", *, method: str = "GET", **headers: str) -> str:
        answer = lab.rig.request(path, host=HOST, method=method, headers=[(name.replace("_", "-"), value) for name, value in headers.items()])
        return str(answer.echo["name"]) if answer.status == 200 else str(answer.status)

    assert [served_by(path) for path in ("/exact", "/exact?x=/", "/exact/", "/EXACT")] == ["b", "b", "a", "a"]
    assert [served_by(path) for path in ("/prefix/x", "/PREFIXES", "/pre", "/x?/prefix")] == ["b", "b", "a", "a"]
    assert [served_by(method=method) for method in ("PATCH", "GET", "DELETE")] == ["b", "a", "a"]
    assert [served_by(method=method) for method in ("DESCRIBE-IT", "describe-it")] == ["404", "501"]  # the target's: it does not know such a method
    assert served_by(x_version="v2", x_tier="Golden") == "b"
    assert served_by(x_version="v2", x_tier="golden") == "a"
    assert served_by(x_version="v21", x_tier="Gold") == "a"
    assert served_by(x_version="v2") == "a"
    hosts = (HOST, f"{HOST}:80", f"{HOST}:8443", HOST.upper())
    assert [lab.rig.request("/h", host=host, headers=[("x-h", "1")]).echo["name"] for host in hosts] == ["b"] * 4
    assert served_by("/h") == "a"
    assert [served_by("/c", x_note=text) for text in ("a NEEDLE b", "hay")] == ["b", "a"]
    assert [served_by(path) for path in ("/gone/x", "/broken", "/none", "/drained")] == ["404", "500", "500", "b"]


def test_weights_share_the_traffic(lab: Lab) -> None:
    shared = [forward(None, "default", [("tg-a", 50), ("tg-b", 50)])]
    lab.publish(plan(virtual_host(routes=shared), clusters=[cluster(), cluster("tg-b", 8081)]))
    names = {lab.rig.request(host=HOST).echo["name"] for _ in range(40)}
    assert names == {"a", "b"}


def test_services_are_told_apart_by_host_and_unknown_ones_do_not_exist(lab: Lab) -> None:
    other = virtual_host("svc-b", ("b.example.com",), [forward(None, "default", [("tg-b", 1)])])
    lab.publish(plan(virtual_host(), other, clusters=[cluster(), cluster("tg-b", 8081)]))
    assert lab.rig.request(host=HOST).echo["name"] == "a"
    assert lab.rig.request(host="B.example.com:80").echo["name"] == "b"
    assert lab.rig.request(host="c.example.com").status == 404
    assert lab.rig.request(host="169.254.171.32").status == 404


def test_a_service_is_reached_through_the_listeners_of_its_own_network_only(lab: Lab) -> None:
    """Also when a client says where it would like to be, and in capitals, which find their service another way; and no more once it is gone."""
    other = virtual_host("svc-b", ("b.example.com",), [forward(None, "default", [("tg-b", 1)])])
    clusters = [cluster(), cluster("tg-b", 8081)]
    both = also(plan(clusters=clusters), http_listener(other, port=8088))
    lab.publish(both)
    until(lambda: not isinstance(lab.rig.try_request(host="b.example.com", port=8088), str), "the other listener listens")
    places = {80: (HOST, "http-vpc-client-80"), 8088: ("b.example.com", "http-vpc-client-8088")}
    for port, foreign in ((80, 8088), (8088, 80)):
        host, (other_host, other_place) = places[port][0], places[foreign]
        for spelt in (host, host.upper(), f"{host.title()}:{port}"):
            answer = lab.rig.request(host=spelt, port=port)
            assert (answer.status, answer.seen("host")) == (200, [spelt])
            assert not answer.seen("x-amzn-lattice-services")
        for spelt in (other_host, other_host.upper(), f"{other_host}.", f"{other_host}:80:80", f"{host}.{other_host}", "[::1]:80", ":80"):
            headers = [("x-amzn-lattice-services", other_place), ("x_amzn_lattice_services", other_place)]
            answer = lab.rig.request(host=spelt, port=port, headers=headers, connection=f"steady-{port}")
            assert answer.status in (400, 404), spelt
    lab.publish(also(plan(other, clusters=clusters), http_listener(other, port=8088)))
    assert [lab.rig.request(host=spelt, connection="steady-80").status for spelt in ("b.example.com", HOST, HOST.upper())] == [200, 404, 404]
    lab.publish(plan())


def test_oversized_heads_are_bad_requests(lab: Lab) -> None:
    many = [(f"x-{number}", "1") for number in range(120)]
    assert lab.rig.request(host=HOST, headers=many).status == 400
    assert lab.rig.request(host=HOST, headers=[("x-long", "1" * 61_500)]).status == 400
    assert lab.rig.request(host=HOST, headers=[("x-long", "1" * 50_000)]).status == 200


def test_failures_of_targets_have_their_codes_and_reasons(lab: Lab) -> None:
    routes = [
        forward(RouteMatch("/refused", "exact"), "r1", [("tg-closed", 1)]),
        forward(RouteMatch("/empty", "exact"), "r2", [("tg-empty", 1)]),
        forward(),
    ]
    lab.publish(plan(virtual_host(routes=routes), clusters=[cluster(), cluster("tg-closed", 9), cluster("tg-empty", 0)]))
    answers = {path: lab.rig.request(path, host=HOST) for path in ("/refused", "/empty", "/close")}
    assert {path: answer.status for path, answer in answers.items()} == {"/refused": 500, "/empty": 503, "/close": 502}
    assert not [answer.body for answer in answers.values() if INSTANCE in answer.body]

    def reasons() -> dict[str, str]:
        found = (access_log.read(json.dumps(line)) for line in lab.rig.log_lines())
        return {item.record["requestPath"]: item.record["failureReason"] for item in found if item is not None}

    until(lambda: {"/refused", "/empty", "/close"} <= reasons().keys(), "the failures are logged")
    wanted = {"/refused": "TargetConnectionError", "/empty": "TargetConnectionError", "/close": "TargetConnectionClosed"}
    assert wanted.items() <= reasons().items()


def test_changes_of_rules_targets_and_other_listeners_drop_no_connection(lab: Lab) -> None:
    lab.publish(plan(clusters=[cluster(), cluster("tg-b", 8081)]))
    ports = {lab.rig.request(host=HOST, connection="steady").port}
    base = plan(virtual_host(routes=[forward(None, "default", [("tg-b", 1)])]), clusters=[cluster(), cluster("tg-b", 8081)])
    lab.publish(base)
    answer = lab.rig.request(host=HOST, connection="steady")
    assert answer.echo["name"] == "b"
    ports.add(answer.port)
    moved = replace(base, clusters=(cluster(), replace(cluster("tg-b", 8081), endpoints=(Endpoint(INSTANCE, 8080),))))
    lab.publish(moved)
    assert until(lambda: lab.rig.request(host=HOST, connection="steady").echo["name"] == "a", "the new target is used")
    lab.publish(also(moved, http_listener(port=8088)))
    until(lambda: not isinstance(lab.rig.try_request(host=HOST, port=8088), str), "the new listener listens")
    lab.publish(moved)
    until(lambda: isinstance(lab.rig.try_request(host=HOST, port=8088), str), "the removed listener is gone")
    lab.publish(replace(moved, clusters=(*moved.clusters, cluster("tg-c", 8082))))
    answer = lab.rig.request(host=HOST, connection="steady")
    ports.add(answer.port)
    assert len(ports) == 1


def test_a_changed_cluster_keeps_its_targets(lab: Lab) -> None:
    lab.publish(plan())
    lab.publish(plan(clusters=[cluster(connect_timeout=3)]))
    assert lab.rig.request(host=HOST).status == 200


def test_a_resource_that_envoy_refuses_is_named_and_harms_no_other(lab: Lab) -> None:
    nowhere = http_listener(port=8089, name="http-nowhere", address="192.0.2.77")
    lab.publish(plan())
    outcome = lab.publish(also(plan(), nowhere, http_listener(port=8090)))
    assert [(refusal.kind, refusal.name) for refusal in outcome.refusals] == [("listeners", "http-nowhere")]
    assert "192.0.2.77" in outcome.refusals[0].message
    until(lambda: not isinstance(lab.rig.try_request(host=HOST, port=8090), str), "its neighbour listens")
    # the reason may pass: publishing again offers it again
    adding = lab.rig.spawn("", ["ip", "-n", "vpc-client", "address", "add", "192.0.2.77/32", "dev", "lo"], stderr=subprocess.PIPE)
    assert adding.wait(10) == 0
    assert adding.stderr is not None
    adding.stderr.close()
    assert lab.publish(also(plan(), nowhere)).refusals == ()
    assert lab.publish(plan()).refusals == ()


def test_a_namespace_that_is_not_there_harms_nobody_else(lab: Lab) -> None:
    nowhere = http_listener(port=8091, name="http-no-namespace", namespace="vpc-none")
    lost = [forward(RouteMatch("/lost", "prefix"), "lost", [("tg-lost", 1)]), forward()]
    clusters = (cluster(), replace(cluster("tg-lost"), namespace="vpc-none"))
    outcome = lab.publish(also(plan(virtual_host(routes=lost), clusters=clusters), nowhere))
    assert [refusal.name for refusal in outcome.refusals] == ["http-no-namespace"]
    assert [lab.rig.request(path, host=HOST).status for path in ("/", "/lost", "/")] == [200, 500, 200]


def test_all_targets_unhealthy_means_all_are_tried_and_health_is_reported(lab: Lab) -> None:
    check = HealthCheck("/", 1, 1, 2, 2, codes=((201, 204),))
    good = HealthCheck("/", 1, 1, 2, 2)
    clusters = [cluster("tg-a", health_check=check), cluster("tg-b", 8081, health_check=good)]
    lab.publish(plan(virtual_host(routes=[forward()]), clusters=clusters))
    wanted = {"tg-a": {(INSTANCE, 8080): False}, "tg-b": {(INSTANCE, 8081): True}, "tg-": {}, "tg-.": {}}
    until(lambda: {name: target_health(lab.rig.sockets.admin, name) for name in wanted} == wanted, "both checks have run")
    before = {(cluster, name): value for cluster, address, name, value in counters(lab.rig.sockets.admin, ("upstream_cx_total",), ("cx_total",)) if address}
    assert lab.rig.request(host=HOST).echo["name"] == "a"
    readings = counters(lab.rig.sockets.admin, ("upstream_cx_total",), ("cx_total", "cx_active"))
    assert ("tg-a", INSTANCE, "cx_total", before.get(("tg-a", "cx_total"), 0) + 1) in readings
    assert {cluster for cluster, address, *_ in readings if not address} >= {"tg-a", "tg-b"}


WAVERING = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    count = 0
    def do_GET(self):
        Handler.count += 1
        self.send_response(200 if Handler.count % 2 else 500)
        self.end_headers()
        print(flush=True)
    def log_message(self, *said):
        pass
server = http.server.HTTPServer(("", 8098), Handler)
print(flush=True)
server.serve_forever()
"""
"""Passes every other check, and writes a line for each, after one for being there."""


def test_one_failed_check_is_within_the_threshold(lab: Lab) -> None:
    wavering = lab.rig.spawn("i-target", [sys.executable, "-c", WAVERING], stdout=subprocess.PIPE)
    assert wavering.stdout is not None
    with wavering.stdout:
        assert wavering.stdout.readline(), "it listens"
        lab.publish(plan(virtual_host(routes=[forward()]), clusters=[cluster("tg-a", 8098, health_check=HealthCheck("/", 1, 1, 2, 2))]))
        assert [wavering.stdout.readline() for _ in range(3)] == ["\n"] * 3, "the third check has begun, so the second has failed"
    assert target_health(lab.rig.sockets.admin, "tg-a") == {(INSTANCE, 8098): True}
    lab.rig.stop(wavering)


def test_a_target_that_is_healthy_gets_requests_from_then_on(lab: Lab) -> None:
    """Not only once changes of health have been gathered for a second, as is Envoy's way otherwise."""
    alone = cluster(health_check=HealthCheck("/", 1, 1, 2, 2))
    both = replace(alone, endpoints=(*alone.endpoints, Endpoint(INSTANCE, 8081)))
    lab.publish(plan(virtual_host(routes=[forward()]), clusters=[alone]))
    until(lambda: target_health(lab.rig.sockets.admin, "tg-a") == {(INSTANCE, 8080): True}, "the first target is healthy")
    lab.publish(plan(virtual_host(routes=[forward()]), clusters=[both]))
    until(lambda: target_health(lab.rig.sockets.admin, "tg-a") == {(INSTANCE, 8080): True, (INSTANCE, 8081): True}, "the second one is")
    assert {lab.rig.request(host=HOST).echo["name"] for _ in range(8)} == {"a", "b"}


def test_a_tcp_resource_is_reached_from_the_gateway_and_logged(lab: Lab) -> None:
    lab.publish(plan(tcp=[tcp_listener((6379, 6380))]))
    said = until(lambda: lab.rig.tcp(RESOURCE, 6379, "GET /tcp HTTP/1.0\r\n\r\n"), "the resource answers")
    assert json.loads(said.partition("\r\n\r\n")[2])["client"] == GATEWAY

    def records() -> list[access_log.AccessRecord]:
        found = (access_log.read(json.dumps(line)) for line in lab.rig.log_lines() if line["kind"] == "tcp")
        return [item for item in found if item is not None]

    record = until(records, "the connection is logged")[0]
    assert record.record["sourceIpPort"].startswith("10.0.0.10:")
    assert (record.record["destinationIpPort"], record.record["resourceIpPort"]) == (f"{RESOURCE}:6379", f"{INSTANCE}:6379")
    assert record.record["gatewayIpPort"].startswith(f"{GATEWAY}:")
    assert record.record["serviceNetworkResourceAssociationId"] == "snra-1"
    assert [item.log_type for item in record.subscribed] == ["RESOURCE", "RESOURCE"]


TPROXY = f"""
table inet test {{
  chain capture {{
    type filter hook prerouting priority mangle
    ip daddr {RESOURCE} tcp dport {{ 1-9999 }} tproxy ip to {RESOURCE}:15001 accept
  }}
}}
"""


def test_all_ports_of_a_resource_share_one_socket(lab: Lab) -> None:
    loading = lab.rig.spawn("vpc-client", ["nft", "-f", "-"], stdin=subprocess.PIPE)
    loading.communicate(TPROXY, timeout=10)
    assert loading.returncode == 0
    lab.publish(plan(tcp=[tcp_listener((1, 9999), capture_port=15001)]))
    assert list(lab.snapshot.listeners) == ["http-vpc-client-80", "tcp-vpc-client-snra-1"]
    for port in (6379, 8081):
        said = until(lambda port=port: lab.rig.tcp(RESOURCE, port, "GET /wide HTTP/1.0\r\n\r\n"), "the resource answers")  # type: ignore[misc]
        assert json.loads(said.partition("\r\n\r\n")[2])["name"] == {6379: "resource", 8081: "b"}[port]
    assert lab.rig.tcp(RESOURCE, 4444, "x") == ""
    wanted = (f"{RESOURCE}:8081", f"{INSTANCE}:8081")
    until(lambda: wanted in [(line.get("destinationIpPort"), line.get("resourceIpPort")) for line in lab.rig.log_lines()], "the connection is logged")
    lab.publish(plan(tcp=[tcp_listener((1, 9999), capture_port=15001, targets=())]))
    assert lab.rig.tcp(RESOURCE, 8081, "GET / HTTP/1.0\r\n\r\n") == ""
    nowhere = (f"{NOWHERE}:8081", "UF")
    until(lambda: nowhere in [(line.get("resourceIpPort"), str(line["responseFlags"])[:2]) for line in lab.rig.log_lines()], "the attempt is logged")
    lab.publish(plan(tcp=[tcp_listener((1, 9999), capture_port=15001)]))
    assert until(lambda: lab.rig.tcp(RESOURCE, 8081, "GET / HTTP/1.0\r\n\r\n"), "the resource is back")


def test_an_envoy_that_starts_late_gets_everything_and_an_empty_network_is_fine(lab: Lab) -> None:
    lab.publish(ProxyPlan())
    assert isinstance(lab.rig.try_request(host=HOST), str)
    assert lab.rig.envoy is not None
    lab.rig.stop(lab.rig.envoy)
    until(lambda: not lab.xds.observed(), "the old one is gone")
    lab.rig.start_envoy()
    outcome = lab.xds.wait_settled(10)
    assert (outcome.settled, outcome.connected) == (True, True)
    lab.publish(plan())
    until(lambda: not isinstance(lab.rig.try_request(host=HOST), str), "requests pass")


def test_services_come_back_after_the_last_listener_has_gone_for_good(lab: Lab) -> None:
    """For an Envoy that forgets a listener a second after it has been taken away."""
    assert lab.rig.envoy is not None
    lab.rig.stop(lab.rig.envoy)
    until(lambda: not lab.xds.observed(), "the old one is gone")
    lab.rig.start_envoy(drain_seconds=1)
    lab.publish(plan())
    until(lambda: not isinstance(lab.rig.try_request(host=HOST), str), "requests pass")
    lab.publish(ProxyPlan())
    until(lambda: lab.rig.draining_listeners() == 0, "the listener is forgotten")
    lab.publish(plan())
    until(lambda: not isinstance(lab.rig.try_request(host=HOST), str), "requests pass")
    assert lab.rig.request(host=HOST).status == 200


MUTE = "import socket, time; s = socket.create_server(('', 8099), backlog=64); print(flush=True); time.sleep(1e6)"


def test_a_target_that_never_answers_its_health_check_does_not_hold_up_the_start(lab: Lab) -> None:
    mute = lab.rig.spawn("i-target", [sys.executable, "-c", MUTE], stdout=subprocess.PIPE)
    assert mute.stdout is not None
    with mute.stdout:
        assert mute.stdout.readline(), "it listens"
    patient = HealthCheck("/", 60, 60, 2, 2)
    routes = [forward(RouteMatch("/mute", "prefix"), "mute", [("tg-mute", 1)]), forward(RouteMatch("/new", "prefix"), "new", [("tg-new", 1)]), forward()]
    checked = [cluster("tg-mute", 8099, health_check=patient), cluster("tg-new", health_check=replace(patient, port=8099))]
    lab.publish(plan(virtual_host(routes=routes), clusters=[cluster(), *checked]))
    assert lab.rig.request(host=HOST).status == 200
    assert target_health(lab.rig.sockets.admin, "tg-mute") == {}, "it has not been checked, which is not unhealthy"
    assert lab.rig.request("/new", host=HOST).status == 200, "while there are no others it is used"
    assert lab.rig.envoy is not None
    lab.rig.stop(lab.rig.envoy)
    until(lambda: not lab.xds.observed(), "the old one is gone")
    lab.rig.start_envoy()
    assert lab.xds.wait_settled(10).settled
    until(lambda: not isinstance(lab.rig.try_request(host=HOST), str), "the others are served")
