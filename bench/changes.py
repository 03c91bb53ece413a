"""From the beginning of an API call until the first packet or request meets the change."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import IO, Any

from bench.architecture import ADDRESSES, BULK_PORT, Architecture, put_policy
from bench.region import Region
from bench.table import Figure, Section

ROUNDS = 3
_PATIENCE = 20.0
_CONNECTS = """
import socket, sys, time
while True:
    started = time.monotonic()
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.01).close()
        print(started, "yes", flush=True)
    except OSError:
        print(started, "no", flush=True)
    time.sleep(0.001)
"""
_REQUESTS = """
import http.client, sys, time
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
while True:
    started = time.monotonic()
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    print(started, "yes" if answer.status == 200 else "no", flush=True)
    time.sleep(0.001)
"""
"""Monotonic time is the same in all namespaces of a machine."""


def changes(region: Region, built: Architecture) -> Section:
    """Each change there and back, a few times; medians."""
    ec2 = region.client("ec2")
    group = {"GroupId": built.groups["plain-server"], "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}
    plain = [_timed(lambda: ec2.create_tags(Resources=[built.vpcs["clients"]], Tags=[{"Key": "round", "Value": "x"}])) for _ in range(9)]
    peer = median(plain) * 1000
    figures = [Figure("CreateTags, which no packet meets, answered", peer, "ms", peer, "CreateTags")]
    connects = (built.instances["plain-client"], _CONNECTS, ADDRESSES["plain-server"], BULK_PORT)
    times = _alternate(
        region, connects, lambda: ec2.revoke_security_group_ingress(**group), lambda: ec2.authorize_security_group_ingress(**group),
    )  # fmt: skip
    figures += _pair("RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", "connection", times, peer)
    region.client("vpc-lattice").update_service(serviceIdentifier=built.service, authType="AWS_IAM")
    put_policy(region, built, "Allow")
    region.settle()
    requests = (built.instances["client"], _REQUESTS, built.api, 80)
    times = _alternate(region, requests, lambda: put_policy(region, built, "Deny"), lambda: put_policy(region, built, "Allow"))
    figures += _pair("PutAuthPolicy that denies", "PutAuthPolicy that allows", "request", times, peer)
    region.client("vpc-lattice").update_service(serviceIdentifier=built.service, authType="NONE")
    region.settle()
    connects = (built.instances["client"], _CONNECTS, ADDRESSES["server"], BULK_PORT)
    times = _alternate(region, connects, lambda: _drop(region, all_traffic=True), lambda: _drop(region, all_traffic=False))
    figures += _pair("UpdateFirewallPolicy that drops", "UpdateFirewallPolicy that inspects", "connection", times, peer)
    how = f"A client tries about once a millisecond; from the call's beginning to the beginning of the first try that sees it, the median of {ROUNDS}."
    return Section("From API call to packet", how, tuple(figures))


def _pair(forbids: str, permits: str, what: str, times: tuple[float, float], peer: float) -> list[Figure]:
    return [
        Figure(f"{forbids} until the first refused {what}", times[0], "ms", peer, "CreateTags"),
        Figure(f"{permits} until the first accepted {what}", times[1], "ms", peer, "CreateTags"),
    ]


def _alternate(region: Region, probe: tuple[str, str, str, int], forbid: Callable[[], Any], permit: Callable[[], Any]) -> tuple[float, float]:
    """Medians, in ms, of forbidding and of permitting."""
    forbidden, permitted = [], []
    with _prober(region, *probe) as output:
        _first(output, "yes", time.monotonic())
        for _ in range(ROUNDS):
            forbidden.append(_until_seen(region, output, forbid, "no"))
            permitted.append(_until_seen(region, output, permit, "yes"))
    return median(forbidden) * 1000, median(permitted) * 1000


def _until_seen(region: Region, output: IO[str], call: Callable[[], Any], sign: str) -> float:
    region.settle()
    called = time.monotonic()
    call()
    return _first(output, sign, called) - called


def _first(output: IO[str], sign: str, after: float) -> float:
    """When the first try after that moment began which saw the sign."""
    deadline = time.monotonic() + _PATIENCE
    for line in output:
        at, seen = line.split()
        if float(at) >= after and seen == sign:
            return float(at)
        if time.monotonic() > deadline:
            break
    raise RuntimeError(f"no `{sign}` within {_PATIENCE} s")


@contextmanager
def _prober(region: Region, instance: str, script: str, host: str, port: int) -> Iterator[IO[str]]:
    process = subprocess.Popen(region.inside(instance, "python3", "-c", script, host, str(port)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.communicate()


def _drop(region: Region, *, all_traffic: bool) -> None:
    """Have the firewall's stateless default drop everything, or hand it to the engine."""
    firewalls = region.client("network-firewall")
    found = firewalls.describe_firewall_policy(FirewallPolicyName="bench")
    actions = ["aws:drop" if all_traffic else "aws:forward_to_sfe"]
    policy = {**found["FirewallPolicy"], "StatelessDefaultActions": actions, "StatelessFragmentDefaultActions": actions}
    firewalls.update_firewall_policy(FirewallPolicyName="bench", UpdateToken=found["UpdateToken"], FirewallPolicy=policy)


def _timed(call: Callable[[], Any]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started
