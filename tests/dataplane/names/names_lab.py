"""Two VPCs with equal addresses, in network namespaces of our own, and the real names process answering in both."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latticewall.dataplane.names.config import encode
from latticewall.dataplane.names.process import replace, status_path
from latticewall.plan.names import NamesPlan

KEY = bytes(range(32))

_SETUP = """
set -e
mount -t tmpfs none "$LAB/netns"
mount --bind "$LAB/resolv.conf" /etc/resolv.conf
make() { touch "$LAB/netns/$1"; unshare --net="$LAB/netns/$1" ip link set lo up; }
for vpc in a b; do
  make vpc-$vpc
  for address in 10.0.0.1 10.0.0.2 169.254.169.253 169.254.169.254; do
    nsenter --net="$LAB/netns/vpc-$vpc" ip address add $address/32 dev lo
  done
  for number in 10 11; do
    make i-$vpc-$number
    nsenter --net="$LAB/netns/vpc-$vpc" ip link add e$number type veth peer name eth0 netns "$LAB/netns/i-$vpc-$number"
    nsenter --net="$LAB/netns/vpc-$vpc" ip link set e$number up
    nsenter --net="$LAB/netns/vpc-$vpc" ip route add 10.0.0.$number dev e$number src 10.0.0.1
    nsenter --net="$LAB/netns/i-$vpc-$number" ip link set eth0 up
    nsenter --net="$LAB/netns/i-$vpc-$number" ip address add 10.0.0.$number/32 dev eth0
    nsenter --net="$LAB/netns/i-$vpc-$number" ip route add default via 10.0.0.1 dev eth0 onlink
  done
done
echo ready
exec cat
"""


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The condition's first true value; fails when it has none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


class Client:
    """A running program in an instance."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


class Lab:
    """The namespaces; they live as long as the shell that made them."""

    interpreter = sys.executable

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "names.json"
        (folder / "netns").mkdir()
        (folder / "resolv.conf").write_text("nameserver 169.254.169.253\n")
        self._shell = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", _SETUP],
            env={**os.environ, "LAB": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._shell.stdout is not None
        if self._shell.stdout.readline() != "ready\n":
            assert self._shell.stderr is not None
            raise RuntimeError(self._shell.stderr.read())
        self._server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "latticewall.dataplane.names", "--config", str(self.config), "--netns", str(self.folder / "netns")]
        with (self.folder / "names.log").open("a") as log:
            self._server = subprocess.Popen(self._enter() + command, stderr=log, text=True)

    def stop(self, *, kill: bool = False) -> int:
        assert self._server is not None
        if kill:
            self._server.kill()
        else:
            self._server.terminate()
        return self._server.wait(10)

    def close(self) -> None:
        if self._server is not None and self._server.poll() is None:
            self.stop(kill=True)
        self._shell.kill()
        self._shell.communicate()

    def log(self) -> str:
        return (self.folder / "names.log").read_text()

    def serve(self, plan: NamesPlan, credentials: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """Write the file and wait until it is in force; its status."""
        replace(self.config, encode(plan, KEY, credentials or {}))
        return self.settled()

    def settled(self) -> dict[str, Any]:
        """The status, once it is about the file as it is now."""
        digest = hashlib.sha256(self.config.read_bytes()).hexdigest()

        def read() -> dict[str, Any] | None:
            try:
                status: dict[str, Any] = json.loads(status_path(self.config).read_text())
            except FileNotFoundError:
                return None
            rejected = status["rejected"] or {}
            return status if digest in (status["digest"], rejected.get("digest")) else None

        found: dict[str, Any] = until(read)
        return found

    def run(self, namespace: str, *command: str, check: bool = True) -> str:
        """What the command prints, run inside the namespace."""
        inside = ["nsenter", f"--net={self.folder}/netns/{namespace}", *command]
        done = subprocess.run(self._enter() + inside, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise AssertionError(f"{command} -> {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def remake(self, vpc: str) -> None:
        """Another namespace under the VPC's name, with nothing in it but the metadata address."""
        script = f"""
set -e
cd {self.folder}/netns
umount {vpc}
rm {vpc}
touch {vpc}
unshare --net={vpc} ip link set lo up
nsenter --net={vpc} ip address add 169.254.169.254/32 dev lo
"""
        subprocess.run([*self._enter(), "sh", "-c", script], check=True, capture_output=True, timeout=60)

    def attach_container(self, instance: str, name: str) -> None:
        """A namespace behind the instance's: it routes for it and translates its address, as a container engine's bridge does."""
        script = f"""
set -e
cd {self.folder}/netns
touch {name}
unshare --net={name} ip link set lo up
nsenter --net={instance} ip link add c0 type veth peer name eth0 netns {self.folder}/netns/{name}
nsenter --net={instance} sh -c 'ip address add 172.17.0.1/24 dev c0 && ip link set c0 up && echo 1 >/proc/sys/net/ipv4/ip_forward'
nsenter --net={instance} nft 'table ip nat {{ chain post {{ type nat hook postrouting priority 100; ip saddr 172.17.0.0/24 masquerade; }}; }}'
nsenter --net={name} sh -c 'ip address add 172.17.0.2/24 dev eth0 && ip link set eth0 up && ip route add default via 172.17.0.1'
"""
        subprocess.run([*self._enter(), "sh", "-c", script], check=True, timeout=60)

    @contextmanager
    def interactive(self, namespace: str, program: str) -> Iterator[Client]:
        """A Python program inside the namespace that answers every line it is sent with a line of JSON."""
        command = [*self._enter(), "nsenter", f"--net={self.folder}/netns/{namespace}", self.interpreter, "-c", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield Client(process)
            finally:
                process.kill()

    def python(self, namespace: str, program: str) -> Any:
        """The JSON that a Python program prints, run inside the namespace."""
        return json.loads(self.run(namespace, self.interpreter, "-c", program))

    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self._shell.pid}", "--user", "--mount", "--net", "--preserve-credentials"]
