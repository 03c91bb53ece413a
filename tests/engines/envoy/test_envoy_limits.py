"""Published limits and what is not supported: sizes of heads, idle time and life of connections, WebSockets, HTTP/2 in clear text."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from envoy_lab import HOST, Lab, authorization, cluster, forward, plan, tcp_listener, virtual_host
from envoy_rig import SERVICES, until

from latticewall.compile.render import envoy_http, envoy_tls
from latticewall.compile.render.envoy import render
from latticewall.compile.render.envoy_http import NO_TRAILERS
from latticewall.plan.access_log import BEGINNING, END_OF_MEMBER, END_OF_PART
from latticewall.plan.proxy import HttpRoute, ProxyPlan, RouteMatch
from latticewall.telemetry import access_log

pytestmark = [pytest.mark.netns, pytest.mark.engines]

FIXED = virtual_host(routes=[HttpRoute(RouteMatch(), "fixed", fixed_status=500)])
"""Answers by itself: a target's own limits play no part."""
HEADS = 60 * 1024
WEBSOCKET = (
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
)


def reason(lab: Lab, path: str) -> str:
    """The failureReason of the last request for a path, once it is logged."""

    def found() -> list[str]:
        records = [access_log.read(json.dumps(line)) for line in lab.rig.log_lines() if line.get("requestPath") == path]
        return [str(item.record["failureReason"]) for item in records if item is not None]

    return until(found, "the request is logged")[-1]


def test_a_hundred_headers_and_no_more(lab: Lab) -> None:
    """The `Host` is one of them."""
    lab.publish(plan(FIXED))
    for count, status in ((99, 500), (100, 400)):
        assert lab.rig.request(host=HOST, headers=[(f"x-{number}", "1") for number in range(count)]).status == status


def test_sixty_kilobytes_of_headers_and_no_more(lab: Lab) -> None:
    """As they are sent, with what separates them; in one header or in many."""
    lab.publish(plan(FIXED))
    for count in (1, 50):
        room = (HEADS - len("host" + HOST) - 100) // count
        for more, status in ((0, 500), (200, 400)):
            headers = [(f"x-{number:02}", "1" * (room + more // count - len("x-00: \r\n"))) for number in range(count)]
            assert lab.rig.request(host=HOST, headers=headers).status == status, (count, more)


def test_an_idle_connection_ends_and_a_busy_one_does_not(lab: Lab) -> None:
    """Of a service with an idle timeout of one second. Who asks within the five seconds after it is answered, and told that the connection closes."""
    lab.publish(plan(replace(virtual_host(), idle_timeout=1)))
    busy = [lab.rig.request("/slow", host=HOST, connection="kept") for _ in range(4)]
    assert ({answer.port for answer in busy}, {answer.header("connection") for answer in busy}) == ({busy[0].port}, {None})
    time.sleep(1.2)
    last = lab.rig.request(host=HOST, connection="kept")
    assert (last.port, last.header("connection")) == (busy[0].port, "close")
    started = time.monotonic()
    assert lab.rig.tcp(SERVICES, 80, f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").startswith("HTTP/1.1 200")
    assert 1 <= time.monotonic() - started < 30  # without the service's own, a minute


def test_a_silent_target_ends_the_request(lab: Lab) -> None:
    """After the idle timeout too: there is no other limit on how long an answer takes."""
    lab.publish(plan(replace(virtual_host(), idle_timeout=1)))
    assert lab.rig.request("/silent", host=HOST).status == 504
    assert reason(lab, "/silent") == "TargetDataTimeout"


def test_a_head_that_does_not_end_ends_the_connection(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the usual silence (here a second), whatever else the services allow."""
    monkeypatch.setattr(envoy_http, "DEFAULT_IDLE", 1)
    lab.publish(plan(replace(virtual_host(), idle_timeout=600)))
    assert lab.rig.tcp(SERVICES, 80, f"GET / HTTP/1.1\r\nhost: {HOST}\r\n").startswith("HTTP/1.1 408 ")


def test_a_connection_has_an_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its life (here two seconds) a request under way is answered, with the word that the connection closes; the next one needs another."""
    monkeypatch.setattr(envoy_http, "MAX_CONNECTION_DURATION", 2)
    lab.publish(plan(virtual_host()))
    started = time.monotonic()
    answers = [lab.rig.request("/slow", host=HOST, connection="old")]
    while answers[-1].header("connection") != "close":
        assert time.monotonic() - started < 30
        answers.append(lab.rig.request("/slow", host=HOST, connection="old"))
    assert time.monotonic() - started >= 2
    assert {answer.status for answer in answers} == {200}
    assert {answer.port for answer in answers} == {answers[0].port}
    assert lab.rig.request(host=HOST, connection="old").port != answers[0].port


def test_ten_minutes_a_minute_and_350_seconds(lab: Lab) -> None:
    """As configured: connections to services have an end, those to resources none but silence ("Quotas for Amazon VPC Lattice")."""
    assert (envoy_http.MAX_CONNECTION_DURATION, envoy_tls.MAX_CONNECTION_DURATION) == (600, 600)
    text = json.dumps(_resources(lab, plan(replace(virtual_host(), idle_timeout=600))))
    assert '"max_connection_duration": "600s"' in text
    assert '"idle_timeout": "600s"' in text
    text = json.dumps(_resources(lab, ProxyPlan(tcp_listeners=(tcp_listener((6379, 6379)),))))
    assert '"idle_timeout": "350s"' in text
    assert "connection_duration" not in text


def _resources(lab: Lab, proxy: ProxyPlan) -> list[Any]:
    snapshot = render(proxy, lab.rig.paths)
    return [resource for kind in (snapshot.listeners, snapshot.clusters, snapshot.routes) for resource in kind.values()]


@pytest.mark.parametrize("authorized", [False, True])
def test_websockets_are_not_spoken(lab: Lab, authorized: bool) -> None:
    """A 400, whoever asks: it is not that the caller may not. No target hears of it."""
    path = f"/websocket/{authorized}"
    lab.publish(plan(virtual_host(authorize=authorized)))
    lab.authorize(authorization())
    answer = lab.rig.request(path, host=HOST, headers=WEBSOCKET)
    assert (answer.status, answer.body) == (400, "Bad Request")
    assert reason(lab, path) == "ClientProtocolError"
    plain = lab.rig.request(path, host=HOST, headers=[("Upgrade", "websocket")])
    assert plain.status == 200


def test_a_denied_request_that_only_speaks_of_another_protocol_stays_denied(lab: Lab) -> None:
    lab.publish(plan(virtual_host(authorize=True)))
    lab.authorize(authorization('{"Version":"2012-10-17","Statement":[]}'))
    for headers in ([], [("Upgrade", "websocket")], [("Connection", "x-upgrade"), ("Upgrade", "websocket")]):
        assert lab.rig.request(host=HOST, headers=headers).status == 403
    lab.authorize(authorization())


def curl(lab: Lab, *words: str) -> str:
    command = ["curl", "-s", "--max-time", "10", "--resolve", f"{HOST}:80:{SERVICES}", "-w", " %{http_version} %{http_code}", *words]
    output, _ = lab.rig.spawn("i-client", command, stdout=subprocess.PIPE).communicate(timeout=20)
    return str(output)


def test_http_2_in_clear_text_is_spoken_to_who_begins_with_it(lab: Lab) -> None:
    """With prior knowledge; an upgrade from HTTP/1.1 (`h2c`) is left aside, and the request answered as it is. AWS documents neither."""
    lab.publish(plan(virtual_host(), clusters=[cluster()]))
    assert curl(lab, "--http2-prior-knowledge", f"http://{HOST}/").endswith(" 2 200")
    assert curl(lab, "--http2", f"http://{HOST}/").endswith(" 1.1 200")
    assert curl(lab, "--http2-prior-knowledge", f"http://{HOST}/", "-H", "Host: nobody.example.com").endswith(" 2 404")
    many = [word for number in range(120) for word in ("-H", f"x-{number}: 1")]
    assert curl(lab, "--http2-prior-knowledge", f"http://{HOST}/", *many).endswith(" 000")  # Envoy resets the stream
    assert curl(lab, "--http2-prior-knowledge", f"http://{HOST}/", *many[:100]).endswith(" 2 200")


def test_grpc_is_refused_where_the_target_speaks_http_1(lab: Lab) -> None:
    """Also on an HTTP listener: known by its content type, over HTTP/2. The answer is gRPC's own way of saying 400."""
    lab.publish(plan(virtual_host(routes=[replace(forward(), versions=("HTTP1",))]), clusters=[cluster()]))
    asked = ("-X", "POST", "-H", "content-type: application/grpc", "-w", " %{header_json} %{http_code}")
    assert '"grpc-status":["13"]' in curl(lab, "--http2-prior-knowledge", f"http://{HOST}/grpc", *asked)
    assert reason(lab, "/grpc") == "ClientProtocolError"
    assert curl(lab, "--http2-prior-knowledge", f"http://{HOST}/", "-X", "POST", "-H", "content-type: text/plain").endswith(" 2 200")
    assert curl(lab, "--http1.1", f"http://{HOST}/", "-X", "POST", "-H", "content-type: application/grpc").endswith(" 1.1 200")


def test_http_1_0_is_refused_and_logged(lab: Lab) -> None:
    """Whoever asks, and whatever the rule."""
    lab.publish(plan(virtual_host(authorize=True), clusters=[cluster()]))
    lab.authorize(authorization())
    assert lab.rig.tcp(SERVICES, 80, f"GET /old HTTP/1.0\r\nHost: {HOST}\r\n\r\n").startswith("HTTP/1.0 426")
    assert reason(lab, "/old") == "ClientProtocolError"
    (line,) = (line for line in lab.rig.log_lines() if line.get("requestPath") == "/old")
    found = access_log.read(json.dumps(line))
    assert found is not None
    assert [found.record[name] for name in ("responseCode", "protocol", "targetIpPort", "resolvedUser")] == [426, "HTTP/1.0", "-", "-"]


SENDER = """
import json, socket, sys
texts = json.load(sys.stdin)
connections = [socket.create_connection((sys.argv[1], 80), timeout=10) for _ in texts]
for connection, text in zip(connections, texts):
    connection.sendall(text.encode("latin-1"))
connections[-1].recv(1)
"""
"""Each on a connection of its own, and the last one answered."""


def by_http_1(fields: dict[str, str]) -> str:
    lines = [f"{fields[':method']} {fields[':path']} HTTP/1.1", f"Host: {fields[':authority']}", "Connection: close"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in fields.items() if not name.startswith(":"))]) + "\r\n\r\n"


def by_http_2(fields: dict[str, str]) -> str:
    sent = {":scheme": "http", **fields}
    block = "".join(f"\x10{chr(len(name))}{name}{chr(len(value))}{value}" for name, value in sent.items())
    return f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{_frame(4)}{_frame(1, 5, 1, block)}"


def _frame(kind: int, flags: int = 0, stream: int = 0, payload: str = "") -> str:
    return f"\x00\x00{chr(len(payload))}{chr(kind)}{chr(flags)}\x00\x00\x00{chr(stream)}{payload}"


@pytest.mark.parametrize("sent", [by_http_1, by_http_2])
def test_no_client_brings_a_control_character_into_the_log(lab: Lab, sent: Callable[[dict[str, str]], str]) -> None:
    """They are what its lines are made of, unquoted."""
    lab.publish(plan(FIXED))
    honest = {":method": "GET", ":path": "/x", ":authority": HOST, "user-agent": "x", "x-amzn-requestid": "x"}
    last = f"/last-{sent.__name__}"
    shapes = [{**honest, name: f"{value}{chr(code)}{value}"} for code in (*range(1, 32), 127) for name, value in honest.items()]
    sender = lab.rig.spawn("i-client", [sys.executable, "-c", SENDER, SERVICES], stdin=subprocess.PIPE)
    sender.communicate(json.dumps([sent(fields) for fields in (*shapes, {**honest, ":path": last})]), timeout=60)
    assert sender.returncode == 0
    until(lambda: [line for line in lab.rig.log_lines() if line.get("requestPath") == last], "the last request is logged, and every line can be read")
    ours = {ord(BEGINNING), ord(END_OF_MEMBER), ord(END_OF_PART)}
    for line in Path(lab.rig.paths.access_log).read_bytes().split(b"\n"):
        assert {byte for byte in line if byte < 32 and byte != 9} in (ours, set())


TRAILING = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        lines = list(iter(lambda: self.rfile.readline().decode().strip(), ""))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "x-sum")
        self.end_headers()
        told = ";".join(lines).encode()
        self.wfile.write(b"%x\\r\\n%s\\r\\n0\\r\\nx-sum: theirs\\r\\n\\r\\n" % (len(told), told))
http.server.HTTPServer(("0.0.0.0", 8086), Handler).serve_forever()
"""
"""Answers with the trailers that it gets, and one of its own."""


@pytest.mark.parametrize("authorize", [False, True], ids=["open", "authorized"])
def test_trailers_reach_both_sides(lab: Lab, authorize: bool) -> None:
    """Not those that only the service network may say, nor what frames, routes or vouches for a message."""
    server = lab.rig.spawn("i-target", [sys.executable, "-c", TRAILING])
    lab.publish(plan(virtual_host(authorize=authorize), clusters=[cluster(port=8086)]))
    lab.authorize(authorization())
    misplaced = "".join(f"{name.title()}: 5\r\n" for name in (*NO_TRAILERS, "x-forwarded-for"))
    body = f"3\r\nabc\r\n0\r\nx-sum: ours\r\nX-Amzn-Lattice-Identity: Principal=me\r\n{misplaced}x_amzn_source_vpc: vpc-1\r\n\r\n"
    head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\nTE: trailers\r\nConnection: close\r\n\r\n"
    said = until(lambda: (text := lab.rig.tcp(SERVICES, 80, head + body)).startswith("HTTP/1.1 200") and text, "the target answers")
    assert said.endswith("\r\nb\r\nx-sum: ours\r\n0\r\nx-sum: theirs\r\n\r\n"), said
    lab.rig.stop(server)
