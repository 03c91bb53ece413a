"""Two VPCs with the same CIDR in a private user, network and mount namespace, and a real Envoy between them.

The network namespaces belong to a small holder process; everything that only speaks over unix sockets (the configuration server) runs in the test itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from latticewall.compile.render.envoy_paths import EnvoyPaths
from latticewall.dataplane.authorization.applier import write_filter
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.envoy.bootstrap import Sockets, bootstrap
from latticewall.dataplane.envoy.lua_bundle import bundle
from latticewall.telemetry import access_log

HERE = Path(__file__).parent
ENVOY = Path(sys.executable).parent / "envoy"
SERVICES = "169.254.171.32"
UPSTREAM = "169.254.171.2"
RESOURCE = "129.224.0.7"
GATEWAY = "10.0.0.20"
INSTANCE = "10.0.0.10"

_SETUP = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
for vpc in client target; do
  ip netns add vpc-$vpc
  ip netns add i-$vpc
  ip link add r netns vpc-$vpc type veth peer name eth0 netns i-$vpc
  ip -n vpc-$vpc link set lo up
  ip -n vpc-$vpc address add 10.0.0.1/24 dev r
  ip -n vpc-$vpc link set r up
  ip -n i-$vpc link set lo up
  ip -n i-$vpc address add {INSTANCE}/24 dev eth0
  ip -n i-$vpc link set eth0 up
  ip -n i-$vpc route add default via 10.0.0.1
done
ip -n vpc-client address add {SERVICES}/32 dev lo
ip -n vpc-client address add {RESOURCE}/32 dev lo
ip -n vpc-target address add {UPSTREAM}/32 dev lo
ip -n vpc-target address add {GATEWAY}/32 dev lo
ip link set lo up
echo ready
exec sleep infinity
"""

T = TypeVar("T")


def missing() -> str:
    """Why this machine cannot run a rig, "" if it can."""
    if not ENVOY.exists():
        return f"there is no envoy at {ENVOY}"
    trial = subprocess.run(["unshare", "--user", "--map-root-user", "--net", "--mount", "true"], capture_output=True, text=True)
    return f"no user and network namespaces: {trial.stderr.strip()}" if trial.returncode else ""


def until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """Poll until the condition holds, at most that long."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@dataclass
class Answer:
    status: int
    headers: list[list[str]]
    body: str
    port: int

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def echo(self) -> dict[str, Any]:
        """What the target saw."""
        seen: dict[str, Any] = json.loads(self.body)
        return seen

    def seen(self, name: str) -> list[str]:
        """Values of a header as the target saw them."""
        return [value for key, value in self.echo["headers"] if key.lower() == name]


class Rig:
    """The namespaces, the target's servers, a client, and Envoy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = Sockets(xds=str(folder / "xds"), admin=str(folder / "admin"))
        self.tables = folder / "authorization"
        source = bundle({"folder": str(self.tables), "crypto": libcrypto(), "skew": 300, "strict_generic": False})
        filter_file = write_filter(folder, source, "test")
        self.paths = EnvoyPaths(namespaces="/run/netns", access_log=str(folder / "access.jsonl"), authorization=str(filter_file))
        (folder / "netns").symlink_to("/run/netns")
        self._processes: list[subprocess.Popen[str]] = []
        self._holder = self._popen(["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", _SETUP], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self._agent = self.spawn("i-client", [sys.executable, str(HERE / "client_agent.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.envoy: subprocess.Popen[str] | None = None

    def _popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(argv, text=True, **options)
        self._processes.append(process)
        return process

    def spawn(self, namespace: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program inside a namespace; "" is the base namespace."""
        enter = ["nsenter", "-t", str(self._holder.pid), "-U", "-m", "-n", "--preserve-credentials"]
        inner = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
        return self._popen([*enter, *inner, *argv], **options)

    def serve(self, port: int, name: str = "", namespace: str = "i-target") -> subprocess.Popen[str]:
        return self.spawn(namespace, [sys.executable, str(HERE / "echo_server.py"), str(port), name])

    def start_envoy(self, drain_seconds: int = 600) -> None:
        config = self.folder / "bootstrap.json"
        config.write_text(json.dumps(bootstrap("test", self.sockets)))
        argv = [str(ENVOY), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning", "--file-flush-interval-msec", "50"]
        argv += ["--drain-time-s", str(drain_seconds)]
        with (self.folder / "envoy.log").open("w") as log:
            self.envoy = self.spawn("", argv, stdout=log, stderr=log)

    def draining_listeners(self) -> int:
        """Listeners that Envoy has been told to give up, and still has."""
        command = ["curl", "-s", "--max-time", "5", "--unix-socket", self.sockets.admin, "http://envoy/stats?filter=total_listeners_draining"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return int(told.rpartition(":")[2])

    def stop(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def close(self) -> None:
        for process in reversed(self._processes):
            self.stop(process)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._agent.stdin is not None
        assert self._agent.stdout is not None
        self._agent.stdin.write(json.dumps(request) + "\n")
        self._agent.stdin.flush()
        answer: dict[str, Any] = json.loads(self._agent.stdout.readline())
        return answer

    def try_request(
        self,
        path: str = "/",
        *,
        host: str,
        port: int = 80,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: str = "",
        connection: str = "new",
    ) -> Answer | str:
        """One request from the client instance; the error's text when there was no answer."""
        name = connection if connection != "new" else os.urandom(8).hex()
        sent = [["host", host], *([list(item) for item in headers])]
        answer = self._ask(
            {"kind": "http", "connection": name, "address": SERVICES, "port": port, "method": method, "path": path, "headers": sent, "body": body}
        )
        return answer["error"] if "error" in answer else Answer(**answer)

    def request(self, path: str = "/", **options: Any) -> Answer:
        answer = self.try_request(path, **options)
        assert isinstance(answer, Answer), answer
        return answer

    def tcp(self, address: str, port: int, send: str) -> str:
        """What comes back until the other side closes; "" when it refuses or breaks the connection."""
        return str(self._ask({"kind": "tcp", "address": address, "port": port, "send": send}).get("received", ""))

    def log_lines(self) -> list[dict[str, Any]]:
        """All that Envoy has written whole: the last line may be on its way."""
        path = Path(self.paths.access_log)
        return [access_log.parse(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []
