"""Requests per second through the service network beside plain Envoy, and TCP throughput of the three ways between two VPCs.

Several short rounds of each contestant in turn, and the median of each: what else the machine does then hits all of them alike.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from statistics import median

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.architecture import ADDRESSES, BULK_PORT, Architecture, put_policy
from bench.plain_envoy import TCP_PORT, PlainEnvoy
from bench.region import REGION, Region
from bench.table import Figure, Section, skipped

ROUNDS = 3
SECONDS = 3
CONNECTIONS = 32
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRONG = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


def requests(region: Region, built: Architecture, peer: PlainEnvoy) -> Section:
    """wrk from the client's instance against plain Envoy and the service network."""
    names = {
        "plain": "plain Envoy",
        "none": "service network, no authorization",
        "open": "service network, AWS_IAM, unsigned requests allowed by policy",
        "plain-signed": "plain Envoy, the signed requests",
        "signed": "service network, AWS_IAM, every request signed and decided",
    }
    peers = {"plain-signed": "plain-signed", "signed": "plain-signed"}
    how = (
        f"wrk, one thread, {CONNECTIONS} connections kept alive, {ROUNDS} rounds of {SECONDS} s each in turn, the median; the same upstream, an "
        "Envoy that answers four bytes by itself, for all. Plain Envoy has its sockets in the same namespaces and as many workers; every row is compared "
        "with plain Envoy as it is sent the same requests, which signatures make longer."
    )
    if shutil.which("wrk") is None:
        return Section("Requests", how, tuple(skipped(name, "requests/s", "wrk is not installed") for name in names.values()))
    found: dict[str, list[float]] = {name: [] for name in names}
    url = f"http://{built.api}/"
    for _ in range(ROUNDS):
        found["plain"].append(_wrk(region, built, peer.url, {}))
        found["none"].append(_wrk(region, built, url, {}))
        _authorize(region, built, "AWS_IAM")
        found["open"].append(_wrk(region, built, url, {}))
        signed = _signed(region, url)
        found["plain-signed"].append(_wrk(region, built, peer.url, signed))
        found["signed"].append(_wrk(region, built, url, signed))
        _authorize(region, built, "NONE")
    rates = {name: median(of) for name, of in found.items()}
    figures = [Figure(text, rates[name], "requests/s", rates[peer], names[peer]) for name, text in names.items() for peer in [peers.get(name, "plain")]]
    return Section("Requests", how, tuple(figures))


def throughput(region: Region, built: Architecture) -> Section:
    """iperf3 over the plain route, through the firewall, through the service network, and through plain Envoy as a TCP proxy (which must run)."""
    names = {
        "plain": "plain route (Transit Gateway, no firewall)",
        "inspected": "inspected (Transit Gateway, firewall)",
        "proxied": "plain Envoy, tcp_proxy",
        "resource": "resource of the service network",
    }
    how = (
        f"iperf3, one TCP connection, {ROUNDS} rounds of {SECONDS} s each in turn, the median; MTU 8500 across the Transit Gateway on both routes. What goes "
        "through an Envoy is compared with plain Envoy, which has its sockets in the same namespaces."
    )
    if shutil.which("iperf3") is None:
        return Section("Throughput", how, tuple(skipped(name, "Gbit/s", "iperf3 is not installed") for name in names.values()))
    ways: dict[str, Callable[[], float]] = {
        "plain": lambda: _iperf(region, built.instances["plain-client"], ADDRESSES["plain-server"]),
        "inspected": lambda: _iperf(region, built.instances["client"], ADDRESSES["server"]),
        "proxied": lambda: _iperf(region, built.instances["client"], ADDRESSES["plain-client"], TCP_PORT),
        "resource": lambda: _iperf(region, built.instances["client"], built.bulk),
    }
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, measure in ways.items():
            found[name].append(measure())
    peers = {"proxied": "proxied", "resource": "proxied"}
    figures = [
        Figure(text, median(found[name]), "Gbit/s", median(found[peers.get(name, "plain")]), "plain Envoy" if name in peers else "plain route")
        for name, text in names.items()
    ]
    return Section("Throughput", how, tuple(figures))


def _authorize(region: Region, built: Architecture, auth_type: str) -> None:
    region.client("vpc-lattice").update_service(serviceIdentifier=built.service, authType=auth_type)
    if auth_type == "AWS_IAM":
        put_policy(region, built, "Allow")
    region.settle()


def _signed(region: Region, url: str) -> Mapping[str, str]:
    """Headers that sign a request as the region's administrator."""
    credentials = region.session.credentials
    request = AWSRequest("GET", url, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(Credentials(credentials.access_key_id, credentials.secret_access_key.reveal()), "vpc-lattice-svcs", REGION).add_auth(request)
    return dict(request.headers.items())


def _wrk(region: Region, built: Architecture, url: str, headers: Mapping[str, str]) -> float:
    """Requests per second; every one of them has to be answered with 200."""
    words = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    done = region.run(built.instances["client"], "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *words, url)
    rate, wrong = _RATE.search(done.stdout), _WRONG.search(done.stdout)
    if not rate or wrong:
        raise RuntimeError(f"wrk {url}: {wrong[0] if wrong else done.stderr or done.stdout}")
    return float(rate[1])


def _iperf(region: Region, instance: str, host: str, port: int = BULK_PORT) -> float:
    """Gbit/s that arrived."""
    done = region.run(instance, "iperf3", "-c", host, "-p", str(port), "-t", str(SECONDS), "-J")
    document = json.loads(done.stdout)
    if "error" in document:
        raise RuntimeError(f"iperf3 {host}: {document['error']}")
    return float(document["end"]["sum_received"]["bits_per_second"]) / 1e9
