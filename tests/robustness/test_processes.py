"""Each process of the region is killed: while it is away nothing passes that needs it, and it comes back by itself.

The holder is paused during the gap, so that there is one to look into.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench.architecture import ADDRESSES, BULK_PORT, Architecture, put_policy
from bench.region import Region, until

from .flows import wait_for_servers

pytestmark = pytest.mark.scenario


@contextmanager
def gap(region: Region, name: str) -> Iterator[None]:
    """The process is dead inside the block, and has a successor when the block has ended."""
    holder, killed = region.holder, region.pid(name)
    os.kill(holder, signal.SIGSTOP)
    try:
        os.kill(killed, signal.SIGKILL)
        yield
    finally:
        os.kill(holder, signal.SIGCONT)
    until(lambda: region.pid(name) not in (0, killed))


class Client:
    """Programs in the client's instance while the holder cannot be asked where that is."""

    def __init__(self, region: Region, built: Architecture) -> None:
        self._enter = region.inside(built.instances["client"])

    def run(self, *program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._enter, *program], capture_output=True, text=True, timeout=30)

    def status(self, url: str, *options: str) -> int:
        """The HTTP status; 0 when there is no answer within two seconds."""
        return int(self.run("curl", "-s", "-o", "/dev/null", "-m", "2", "-w", "%{http_code}", *options, url).stdout or 0)

    def connects(self, host: str, port: int) -> bool:
        return self.run("timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}").returncode == 0

    def resolves(self, name: str) -> bool:
        return self.run("getent", "ahostsv4", name).returncode == 0


def test_no_request_slips_through_while_the_proxy_starts(region: Region, built: Architecture, policy_for_all: None) -> None:
    """A denied request stays denied at every moment of it, and so it does while there is no control plane to ask."""
    put_policy(region, built, "Deny")
    region.settle()
    client, url = Client(region, built), f"http://{built.api}/"
    assert client.status(url) == 403
    for name in ("envoy", "control-plane"):
        killed = region.kill(name)
        statuses = [client.status(url) for _ in range(15)]
        until(lambda name=name, killed=killed: region.pid(name) not in (0, killed))
        until(lambda: client.status(url) == 403)
        assert set(statuses) <= {0, 403, 500, 503}


def test_envoy(region: Region, built: Architecture) -> None:
    client = Client(region, built)
    with gap(region, "envoy"):
        assert client.status(f"http://{built.api}/") == 0
        assert not client.connects(built.bulk, BULK_PORT)
        assert client.connects(ADDRESSES["server"], BULK_PORT), "the firewall's path does not need Envoy"
    until(lambda: client.status(f"http://{built.api}/") == 200)
    until(lambda: client.connects(built.bulk, BULK_PORT))


def test_names(region: Region, built: Architecture) -> None:
    client = Client(region, built)
    token = ("-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60")
    with gap(region, "names"):
        assert not client.resolves(built.api)
        assert client.status("http://169.254.169.254/latest/api/token", *token) == 0
        assert client.connects(ADDRESSES["server"], BULK_PORT)
    until(lambda: client.resolves(built.api))
    until(lambda: client.status("http://169.254.169.254/latest/api/token", *token) == 200)


def test_firewall_engine(region: Region, built: Architecture) -> None:
    client = Client(region, built)
    with gap(region, f"suricata-{built.endpoint}"):
        assert not client.connects(ADDRESSES["server"], BULK_PORT)
        assert client.connects(built.bulk, BULK_PORT), "the service network does not need the firewall"
    until(lambda: client.connects(ADDRESSES["server"], BULK_PORT))


def test_nothing_slips_through_while_the_engine_starts(region: Region, built: Architecture) -> None:
    """What the policy drops, a connection from server to client, is dropped at every moment."""
    server = region.inside(built.instances["server"])
    target = (ADDRESSES["client"], str(BULK_PORT))
    script = "import socket,sys;c=socket.create_connection((sys.argv[1],int(sys.argv[2])),4);c.settimeout(1);c.sendall(b'a\\n');sys.exit(c.recv(9)!=b'a\\n')"
    attempts = []
    for _ in range(3):
        attempts.append(subprocess.Popen([*server, "python3", "-c", script, *target], stderr=subprocess.DEVNULL))
        killed = region.kill(f"suricata-{built.endpoint}")
        until(lambda: region.pid(f"suricata-{built.endpoint}") not in (0, killed))  # noqa: B023 - awaited within the round
    assert [attempt.wait(20) for attempt in attempts] == [1, 1, 1]


def test_instance(region: Region, built: Architecture) -> None:
    """Its processes end with its init; it boots again and its user data starts the server again."""
    client = Client(region, built)
    with gap(region, built.instances["server"]):
        assert not client.connects(ADDRESSES["server"], BULK_PORT)
    wait_for_servers(region, built)


@pytest.fixture
def policy_for_all(region: Region, built: Architecture) -> Iterator[None]:
    """The service asks for authorization, and its policy allows everybody."""
    lattice = region.client("vpc-lattice", retries=5)
    lattice.update_service(serviceIdentifier=built.service, authType="AWS_IAM")
    put_policy(region, built, "Allow")
    region.settle()
    yield
    lattice.delete_auth_policy(resourceIdentifier=built.service)
    lattice.update_service(serviceIdentifier=built.service, authType="NONE")
    region.settle()
