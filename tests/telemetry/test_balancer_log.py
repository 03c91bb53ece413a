"""Entries of load balancers' access logs, as documented, whatever clients send."""

from __future__ import annotations

import gzip
import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latticewall.telemetry.balancer_log import entry, file, read

ARN = "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067"
LINE: dict[str, Any] = {
    "kind": "load-balancer", "balancer": "app/my-loadbalancer/50dc6c495c0c9188", "node": "10.0.0.9", "port": "80", "certificate": "",
    "created": "2018-07-02T22:22:48.364000Z", "time": "2018-07-02T22:23:00.186641Z", "connection": 7, "client": "192.168.131.39:2817",
    "target": "10.0.0.1:80", "toTarget": 499, "atTarget": 1200, "toClient": 20, "status": 200, "details": "via_upstream", "received": 34, "sent": 366,
    "method": "GET", "host": "www.example.com", "path": "/", "protocol": "HTTP/1.1", "agent": "curl/7.46.0", "contentType": None, "upgrade": None,
    "cipher": None, "version": None, "serverName": None, "group": ARN, "trace": "Root=1-58337262-36d228ad5d99923122bbe354", "rule": "0 forward",
    "location": None,
}  # fmt: skip
"""What AWS's example of an HTTP entry is about."""
TLS = {"cipher": "ECDHE-RSA-AES128-GCM-SHA256", "version": "TLSv1.2", "serverName": "www.example.com", "certificate": "arn:aws:acm:x", "port": "443"}


def test_the_documented_example() -> None:
    words = entry(LINE)
    begins = (
        "http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "
        f'"GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - {ARN} "Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 '
        '2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_'
    )
    assert words.startswith(begins)
    assert words.endswith(' "-" "-" "-"')
    assert len(shlex.split(words)) == 33


@pytest.mark.parametrize(
    ("change", "at", "wanted"),
    [
        (TLS, slice(0, 1), ["https"]),
        (TLS, slice(12, 16), ["GET https://www.example.com:443/ HTTP/1.1", "curl/7.46.0", TLS["cipher"], "TLSv1.2"]),
        (TLS, slice(18, 20), ["www.example.com", "arn:aws:acm:x"]),
        ({**TLS, "protocol": "HTTP/2"}, slice(0, 1), ["h2"]),
        ({**TLS, "protocol": "HTTP/2", "contentType": "application/grpc"}, slice(0, 1), ["grpcs"]),
        ({"upgrade": "WebSocket", "status": 101}, slice(0, 1), ["ws"]),
        ({**TLS, "upgrade": "websocket", "status": 101}, slice(0, 1), ["wss"]),
        ({"protocol": "HTTP/2"}, slice(12, 13), ["GET http://www.example.com:80/ HTTP/2.0"]),
        ({"host": "www.example.com:8080"}, slice(12, 13), ["GET http://www.example.com:80/ HTTP/1.1"]),
        ({"client": "[2001:db8::1]:7", "target": "[2001:db8::2]:80"}, slice(3, 5), ["[2001:db8::1]:7", "[2001:db8::2]:80"]),
        ({"details": "response_timeout", "status": 504, "atTarget": None, "toClient": None}, slice(5, 10), ["0.000", "-1", "-1", "504", "-"]),
        ({"target": None, "group": None, "rule": "3 redirect", "location": "http://a/"}, slice(20, 24), ["3", LINE["created"], "redirect", "http://a/"]),
        ({"method": None, "path": None, "host": None, "protocol": None, "rule": None}, slice(12, 13), ["- http://10.0.0.9:80- -"]),
        ({"rule": None}, slice(20, 23), ["-1", LINE["created"], "-"]),
    ],
)
def test_what_differs(change: dict[str, Any], at: slice, wanted: list[str]) -> None:
    assert shlex.split(entry({**LINE, **change}))[at] == wanted


@given(st.text(), st.text())
def test_no_client_writes_a_field_of_its_own(agent: str, path: str) -> None:
    words = entry(read(json.dumps({**LINE, "agent": agent, "path": path, "trace": path, "host": agent})))
    assert words.isascii()
    assert words.isprintable()
    assert words.count('"') == 30
    assert len(shlex.split(words)) == 33


def test_the_file_of_a_node() -> None:
    about = {
        "Bucket": "logs", "Folder": "edge/AWSLogs/1", "Account": "1", "Region": "us-east-2", "LoadBalancer": LINE["balancer"], "Node": "10.0.0.9",
        "Interval": 300,
    }  # fmt: skip
    found = file(about, "0123456789abcdef", [(1_530_570_000_000, b"one"), (1_530_570_001_000, b"two")])
    name = "1_elasticloadbalancing_us-east-2_app.my-loadbalancer.50dc6c495c0c9188_20180702T2225Z_10.0.0.9_01234567.log.gz"
    assert (found.bucket, found.key) == ("logs", f"edge/AWSLogs/1/elasticloadbalancing/us-east-2/2018/07/02/{name}")
    assert gzip.decompress(found.content) == b"one\ntwo\n"
