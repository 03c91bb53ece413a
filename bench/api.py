"""How many operations the region's endpoint performs: Get and List beside 10,000 resources, and creations that are on the disk when they are answered."""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.constant import constant
from bench.processor import processor_seconds
from bench.region import Region, until
from bench.table import Figure, Section
from latticewall.store import Store

RESOURCES = 10_000
PAGE = 10
CONNECTIONS = 8
"""As many creations wait at a time."""
ROUNDS = 3
ASKED = 2000
WARM, CONSTANTS = 500, 10_000
MADE = 130
"""Target groups in each round; a region may have 500."""


def operations(region: Region) -> Section:
    """The region must be empty but for what has no target groups."""
    endpoint = region.session.endpoint
    lattice = region.client("vpc-lattice")
    service = lattice.create_service(name="measured", authType="NONE")["id"]
    region.settle()
    _store_many(region.state, service)
    region.settle(60)
    vpc = region.client("ec2").create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    region.settle(60)
    numbers = iter(range(10**6))

    def get() -> bytes:
        return _signed(region, "GET", f"{endpoint}/services/{service}")

    def listing() -> bytes:
        return _signed(region, "GET", f"{endpoint}/services?maxResults={PAGE}")

    def create() -> bytes:
        number = next(numbers)
        config = {"port": 80, "protocol": "HTTP", "vpcIdentifier": vpc}
        body = {"name": f"made-{number}", "type": "IP", "config": config, "clientToken": f"token-{number}"}
        return _signed(region, "POST", f"{endpoint}/targetgroups", json.dumps(body))

    figures = []
    syncs, signatures, constants = _syncs(region.state), _signatures(get, ASKED), _constants(get())
    contests = (("GetService", get, ASKED, 2000), (f"ListServices, {PAGE} of them", listing, ASKED, 2000), ("CreateTargetGroup", create, MADE, 500))
    for what, make, count, target in contests:
        rates, per_core = _rates(region, make, count)
        figures.append(Figure(f"{what}: a second of wall-clock time", rates, "operations", target, "asked for"))
        figures.append(Figure(f"{what}: a second of the control plane's processor", per_core, "operations", target, "asked for"))
        figures.append(Figure(f"{what}: beside only signing", per_core, "operations", signatures, "botocore"))
    figures.append(Figure("The same HTTP server with a constant answer, a second of its processor", constants, "answers", signatures, "botocore"))
    figures.append(Figure("fsync of the disk that the state is on", syncs, "a second", syncs, "itself"))
    how = (
        f"{CONNECTIONS} kept connections from one client, every request signed beforehand, beside {RESOURCES} services; {ROUNDS} rounds, the median. Client, "
        "control plane and reconcile loop share the cores, so that the time of the control plane's processor is counted too: of all its threads, until the "
        "loop has settled what was made. A creation is answered when its transaction is on the disk; those that wait at the same time share one. How fast the "
        "machine is shows in what botocore's own signer does in a second of a processor: one signature, of which the control plane makes one for each request "
        "too."
    )
    return Section("Operations", how, tuple(figures))


def _store_many(state: Path, service: str) -> None:
    """Copies of a service, in one transaction."""
    store = Store(state / "region.db", lambda: "2026-01-01T00:00:00.000Z")
    try:
        with store.write("bench", "many") as tx:
            row = tx.get("vpc-lattice:Service", service)
            assert row is not None
            for number in range(RESOURCES):
                id_ = f"svc-{number:017x}"
                domain = {"domainName": f"many-{number}.{row.document['dnsEntry']['domainName'].partition('.')[2]}"}
                tx.put(replace(row, id=id_, name=f"many-{number}", arn=row.arn.replace(service, id_), document={**row.document, "dnsEntry": domain}))
    finally:
        store.close()


def _signed(region: Region, method: str, url: str, body: str = "") -> bytes:
    """A request as it is sent, signed now as the region's administrator."""
    found = region.session.credentials
    request = AWSRequest(method, url, data=body, headers={"host": urlsplit(url).netloc, "content-length": str(len(body))})
    SigV4Auth(Credentials(found.access_key_id, found.secret_access_key.reveal()), "vpc-lattice", region.name).add_auth(request)
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _rates(region: Region, make: Callable[[], bytes], count: int) -> tuple[float, float]:
    """Operations a second of wall-clock time, and of processor time."""
    rates, per_core = [], []
    pid = region.status()["control_plane_pid"]
    for _ in range(ROUNDS):
        requests = [make() for _ in range(count)]
        region.settle(60)
        used, began = processor_seconds(pid), time.monotonic()
        _send(urlsplit(region.session.endpoint).netloc, requests)
        taken = time.monotonic() - began
        rates.append(count / taken)
        region.settle(60)
        per_core.append(count / (processor_seconds(pid) - used))
    return median(rates), median(per_core)


def _signatures(make: Callable[[], bytes], count: int) -> float:
    """How many requests a second of the processor botocore signs."""
    began = time.process_time()
    for _ in range(count):
        make()
    return count / (time.process_time() - began)


def _constants(request: bytes) -> float:
    """How many answers a second of its processor the HTTP server gives that has none to think about."""
    with constant() as (place, pid):
        until(lambda: _answers(place))
        _send(place, [request] * WARM)
        used = processor_seconds(pid)
        _send(place, [request] * CONSTANTS)
        return CONSTANTS / (processor_seconds(pid) - used)


def _answers(place: str) -> bool:
    host, _, port = place.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        return bool(connection.recv(1))


def _send(place: str, requests: Sequence[bytes]) -> None:
    """All of them, one after the other on each connection. Raises RuntimeError for an answer that is no success."""
    host, _, port = place.rpartition(":")
    left = iter(requests)
    with selectors.DefaultSelector() as ready:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection((host, int(port)), 30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(connection, selectors.EVENT_READ, bytearray())
            connection.sendall(next(left))
        while ready.get_map():
            for key, _ in ready.select():
                connection, held = key.fileobj, key.data
                assert isinstance(connection, socket.socket)
                held += connection.recv(65536)
                if not _complete(held):
                    continue
                if not held.startswith(b"HTTP/1.1 2"):
                    raise RuntimeError(held.decode(errors="replace"))
                held.clear()
                following = next(left, None)
                if following is None:
                    ready.unregister(connection)
                    connection.close()
                else:
                    connection.sendall(following)


def _complete(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = next((line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
    return bool(separator) and len(body) >= int(length)


def _syncs(folder: Path, count: int = 50) -> float:
    """How many small writes a second reach the disk one after the other."""
    file = folder / "bench-sync"
    with file.open("wb") as opened:
        began = time.monotonic()
        for _ in range(count):
            opened.write(b"x" * 4096)
            opened.flush()
            os.fsync(opened.fileno())
        taken = time.monotonic() - began
    file.unlink()
    return count / taken
