"""Which service a request is for, by all the ways of saying it: Host headers, request lines, HTTP/2. What is ambiguous is refused, and leads to no service.

AWS documents that malformed requests are answered with 400, names that are no services with 404, and that listeners speak HTTP/1.1 and HTTP/2.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from envoy_lab import ALLOW_ALL, ALLOW_ORGANIZATION, HOST, WEB, Lab, authorization, cluster, forward, plan, service_arn, virtual_host
from envoy_rig import SERVICES, until

from latticewall.plan.authorization import AuthLayer

pytestmark = [pytest.mark.netns, pytest.mark.engines]
OTHER = "b.example.com"
HEADS = {
    "a port that is the listener's": (f"GET / HTTP/1.1|Host: {HOST}:80", "a"),
    "another port": (f"GET / HTTP/1.1|Host: {HOST}:8443", "a"),
    "no port after the colon": (f"GET / HTTP/1.1|Host: {HOST}:", "a"),
    "capitals and a port": (f"GET / HTTP/1.1|Host: {HOST.upper()}:8443", "a"),
    "a port that is none": (f"GET / HTTP/1.1|Host: {HOST}:http", "400"),
    "a port too high": (f"GET / HTTP/1.1|Host: {HOST}:65536", "400"),
    "two ports": (f"GET / HTTP/1.1|Host: {HOST}:80:81", "400"),
    "a name's last dot": (f"GET / HTTP/1.1|Host: {HOST}.", "404"),
    "an unknown name": ("GET / HTTP/1.1|Host: nobody.example.com", "404"),
    "an address": (f"GET / HTTP/1.1|Host: {SERVICES}", "404"),
    "an IPv6 address": ("GET / HTTP/1.1|Host: [fd00:ec2:80::a9fe:ab20]:80", "404"),
    "nothing": ("GET / HTTP/1.1|Host:", "400"),
    "no Host": ("GET / HTTP/1.1", "400"),
    "the same Host twice": (f"GET / HTTP/1.1|Host: {HOST}|Host: {HOST}", "400"),
    "two Hosts": (f"GET / HTTP/1.1|Host: {HOST}|Host: {OTHER}", "400"),
    "two Hosts, one with a port": (f"GET / HTTP/1.1|Host: {HOST}:80|Host: {OTHER}", "400"),
    "two names": (f"GET / HTTP/1.1|Host: {HOST},{OTHER}", "400"),
    "somebody at a host": (f"GET / HTTP/1.1|Host: u@{HOST}", "400"),
    "a host at a host": (f"GET / HTTP/1.1|Host: {HOST}:x@{OTHER}", "400"),
    "a host with a path": (f"GET / HTTP/1.1|Host: {HOST}/x", "400"),
    "a space before the colon": (f"GET / HTTP/1.1|Host : {HOST}", "400"),
    "a pseudo-header of HTTP/2": (f"GET / HTTP/1.1|Host: {HOST}|:authority: {OTHER}", "400"),
    "a whole URL": (f"GET http://{HOST}/x HTTP/1.1|Host: {HOST}", "a"),
    "a whole URL, whose host counts": (f"GET http://{OTHER}/x HTTP/1.1|Host: {HOST}", "b"),
    "a whole URL without a Host": (f"GET http://{OTHER}/x HTTP/1.1", "b"),
    "a whole URL of nobody's": (f"GET http://nobody.example.com/x HTTP/1.1|Host: {HOST}", "404"),
    "a whole URL in capitals": (f"GET HTTP://{HOST.upper()}:80/x HTTP/1.1|Host: {OTHER}", "a"),
    "a whole URL, encrypted": (f"GET https://{HOST}/x HTTP/1.1|Host: {HOST}", "400"),
    "a whole URL of another kind": (f"GET ftp://{HOST}/x HTTP/1.1|Host: {HOST}", "400"),
    "the server itself": (f"OPTIONS * HTTP/1.1|Host: {HOST}", "404"),
    "the server itself, to get": (f"GET * HTTP/1.1|Host: {HOST}", "400"),
    "a path that begins nowhere": (f"GET x HTTP/1.1|Host: {HOST}", "400"),
    "HTTP/1.0": (f"GET / HTTP/1.0|Host: {HOST}", "426"),
    "HTTP/0.9": ("GET /", "400"),
    "HTTP/3.0": (f"GET / HTTP/3.0|Host: {HOST}", "426"),
    "lengths that differ": (f"POST / HTTP/1.1|Host: {HOST}|Content-Length: 0|Content-Length: 1", "400"),
    "a length and chunks": (f"POST / HTTP/1.1|Host: {HOST}|Content-Length: 5|Transfer-Encoding: chunked", "400"),
}
"""Head -> the target that answers, or the status. A bar ends a line."""


@pytest.fixture(scope="module", autouse=True)
def other(lab: Lab) -> None:
    lab.rig.serve(8081, "b")


def publish(lab: Lab, *, authorize: bool) -> None:
    """Two services, beside each other on one port."""
    second = virtual_host("svc-b", (OTHER,), [forward(None, "default", [("tg-b", 1)])], authorize=authorize)
    lab.publish(plan(virtual_host(authorize=authorize), second, clusters=[cluster(), cluster("tg-b", 8081)]))
    both = authorization(ALLOW_ALL)
    lab.authorize(replace(both, services=(*both.services, AuthLayer("svc-b", service_arn("svc-b"), "NONE"))))
    until(lambda: lab.rig.request(host=OTHER).status == 200, "the other service is there")


LINES = """
import concurrent.futures, json, socket, sys
def answer(head):
    with socket.create_connection((sys.argv[1], 80), timeout=10) as connection:
        connection.sendall(head.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
heads = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(len(heads)) as pool:
    print(json.dumps(list(pool.map(answer, heads))))
"""
"""All that comes back for each of several heads, sent as they are."""


def answered(lab: Lab, *heads: str) -> list[str]:
    """Who answers each head, or with which status."""
    asking = lab.rig.spawn("i-client", [sys.executable, "-c", LINES, SERVICES], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, _ = asking.communicate(json.dumps(["\r\n".join([*head.split("|"), "Connection: close", "", ""]) for head in heads]), timeout=30)
    found = [received.partition("\r\n\r\n") for received in json.loads(output)]
    return [json.loads(body)["name"] if status.startswith("HTTP/1.1 200") else status[9:12] for status, _, body in found]


@pytest.mark.parametrize("authorize", [False, True], ids=["open", "authorized"])
def test_every_way_of_naming_a_service(lab: Lab, authorize: bool) -> None:
    publish(lab, authorize=authorize)
    found = answered(lab, *(head for head, _ in HEADS.values()))
    assert dict(zip(HEADS, found, strict=True)) == {words: expected for words, (_, expected) in HEADS.items()}


def test_a_signature_covers_the_host_as_it_was_sent(lab: Lab) -> None:
    """With a port that is not the listener's, which a signer includes; not the Host beside a whole URL."""
    publish(lab, authorize=True)
    lab.authorize(authorization(ALLOW_ORGANIZATION))
    for host in (HOST, f"{HOST}:8443"):
        signed = WEB.sign(host=host)
        assert [lab.rig.request(host=asked, headers=signed).status for asked in (host, f"{HOST}:81")] == [200, 403]
    lines = [f"{name}: {value}" for name, value in WEB.sign(host=OTHER)]
    assert answered(lab, "|".join([f"GET http://{HOST}/ HTTP/1.1", f"Host: {OTHER}", *lines])) == ["403"]


FRAMES = """
import socket, struct, sys
def text(value): return bytes([len(value)]) + value.encode()
def frame(kind, flags, stream, payload): return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
fields = [pair.split("=") for pair in sys.argv[2:]]
block = bytes([0x82, 0x84, 0x86]) + b"".join(bytes([0]) + text(name) + text(value) for name, value in fields)  # GET, /, http
with socket.create_connection((sys.argv[1], 80), timeout=5) as connection:
    connection.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, block))
    stream, found = connection.makefile("rb"), {}
    while head := stream.read(9):
        payload = stream.read(int.from_bytes(head[:3], "big"))
        found[head[3]] = found.get(head[3], b"") + payload
        if head[3] in (0, 1) and head[4] & 1 or head[3] in (3, 7):
            break
status = {0x88: "200", 0x8C: "400", 0x8D: "404"}.get((found.get(1) or b" ")[0], "reset")
print("reset" if 3 in found or 7 in found else status, found.get(0, b"").decode())
"""
"""One request over HTTP/2 with the given fields, unpacked: the status and body of its answer, or that the stream or the connection was ended."""


@pytest.mark.parametrize("authorize", [False, True], ids=["open", "authorized"])
def test_over_http_2_the_authority_counts(lab: Lab, authorize: bool) -> None:
    """A Host beside it is dropped, one in its place is taken for it, and two authorities are no request."""
    publish(lab, authorize=authorize)

    def asked(*fields: str) -> str:
        command = [sys.executable, "-c", FRAMES, SERVICES, *fields]
        output, _ = lab.rig.spawn("i-client", command, stdout=subprocess.PIPE).communicate(timeout=20)
        status, _, body = str(output).strip().partition(" ")
        return f"{json.loads(body)['name']} {[value for name, value in json.loads(body)['headers'] if name == 'host']}" if body[:1] == "{" else status

    assert asked(f":authority={HOST}", f"host={OTHER}") == f"a ['{HOST}']"
    assert asked(f":authority={OTHER}", f"host={HOST}") == f"b ['{OTHER}']"
    assert asked(f"host={OTHER}") == f"b ['{OTHER}']"
    assert asked(f":authority={HOST},{OTHER}") == "400"
    assert asked(":authority=nobody.example.com") == "404"
    for fields in ([f":authority={HOST}", f":authority={OTHER}"], [f"host={HOST}", f"host={OTHER}"], [f":authority=u@{HOST}"], [":authority="]):
        assert asked(*fields) in ("400", "reset"), fields
