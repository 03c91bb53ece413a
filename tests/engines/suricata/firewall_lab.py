"""Spokes, a firewall endpoint with the real engine, and servers: three network namespaces inside a private user and mount namespace.

client 10.1.0.2 (production), 10.2.0.2 (dev) -- firewall -- 10.3.0.2 (shared), 10.2.1.2 (dev's servers)
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latticewall.compile.firewall.engine import PolicyInput, compile_engine
from latticewall.compile.render.nft import render_nft, render_queue
from latticewall.compile.render.suricata import CLASSIFICATION, EVE, RULES, SOCKET, YAML, render_classification, render_yaml
from latticewall.plan.firewall import FirewallEngine
from latticewall.telemetry.eve import EveReader, LogRecord, Source, index_signatures

PRODUCTION, DEV, SHARED, DEV_SERVER = "10.1.0.2", "10.2.0.2", "10.3.0.2", "10.2.1.2"
POLICY_ARN = "arn:aws:network-firewall:eu-west-1:111122223333:firewall-policy/policy"
GROUP_ARN = "arn:aws:network-firewall:eu-west-1:111122223333:stateful-rulegroup/"
BLOCKED_WITHIN = 0.7
"""Seconds without an answer that count as blocked; an answer takes a few milliseconds."""
AMID_MANY = 2.0
"""The same where a hundred ask at once: time for a packet that was lost to be sent again."""
_PEER = Path(__file__).with_name("firewall_peer.py")
_SETUP = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
for name in client firewall server; do ip netns add $name; ip -n $name link set lo up; done
ip -n client link add eth0 type veth peer name client netns firewall
ip -n server link add eth0 type veth peer name server netns firewall
ip -n client address add {PRODUCTION}/32 dev eth0
ip -n client address add {DEV}/32 dev eth0
ip -n server address add {SHARED}/32 dev eth0
ip -n server address add {DEV_SERVER}/32 dev eth0
ip -n firewall address add 169.254.0.1/32 dev lo
for name in client server; do
  ip -n $name link set eth0 up
  ip -n firewall link set $name up
  ip -n $name route add 169.254.0.1 dev eth0
  ip -n $name route add default via 169.254.0.1
done
ip -n firewall route add {PRODUCTION} dev client
ip -n firewall route add {DEV} dev client
ip -n firewall route add {SHARED} dev server
ip -n firewall route add {DEV_SERVER} dev server
ip netns exec firewall sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
echo ready
exec sleep infinity
"""


def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Poll until the condition holds, at most that long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.01)


@dataclass
class Conversation:
    """A connection of the client, by its number in the client's process."""

    lab: FirewallLab
    result: str
    handle: int = -1

    def ask(self, *pieces: str, within: float = BLOCKED_WITHIN) -> str:
        return self.lab.peer("client", {"ask": self.handle, "pieces": pieces, "within": within})["result"]


class FirewallLab:
    """The namespaces, the peers in them, and one engine at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.engine: FirewallEngine | None = None
        self._engine_process: subprocess.Popen[bytes] | None = None
        command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", _SETUP]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n", self._holder.communicate()[1]
        self._peers = {name: self._start_peer(name) for name in ("client", "server")}
        self._generation = 0

    def inside(self, name: str, *command: str) -> list[str]:
        enter = ["nsenter", "--preserve-credentials", "--user", "--net", "--mount", "--target", str(self._holder.pid)]
        return [*enter, "ip", "netns", "exec", name, *command]

    def _start_peer(self, name: str) -> subprocess.Popen[str]:
        command = self.inside(name, sys.executable, str(_PEER))
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def peer(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._peers[name]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    def serve(self, address: str, *ports: int, kind: str = "tcp") -> None:
        for port in ports:
            self.peer("server", {"serve": [address, port, kind]})

    def open(self, source: str, destination: str, port: int, kind: str = "tcp", within: float = BLOCKED_WITHIN) -> Conversation:
        answer = self.peer("client", {"open": [source, destination, port, kind], "within": within})
        return Conversation(self, answer["result"], answer.get("handle", -1))

    def exchange(self, source: str, destination: str, port: int, *pieces: str, kind: str = "tcp") -> str:
        """Connect and ask once: the answer, or how it failed."""
        conversation = self.open(source, destination, port, kind)
        return conversation.ask(*pieces) if conversation.result == "open" else f"connect {conversation.result}"

    def converse(self, conversations: Sequence[tuple[str, str, int, Sequence[str], str]]) -> list[list[str]]:
        """Several conversations at once: for each, how connecting went and the answers until one failed."""
        results: list[list[str]] = self.peer("client", {"converse": conversations, "within": AMID_MANY})["result"]
        return results

    def ping(self, source: str, destination: str) -> bool:
        return bool(self.peer("client", {"ping": [source, destination], "within": BLOCKED_WITHIN})["result"] == "ok")

    # -- the engine ----------------------------------------------------------------------------------------------------------------

    def apply(self, policy: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], home_net: Sequence[str] = ("10.0.0.0/8",)) -> FirewallEngine:
        """Compile the policy and start an engine with it, from nothing."""
        self.stop_engine()
        self._generation += 1
        engine = self.write(policy, groups, home_net)
        for command, text in (("nft -f -", render_nft(engine.ruleset)), ("iptables-nft-restore", render_queue(0, engine.queue_mark))):
            subprocess.run(self.inside("firewall", *command.split()), input=text, text=True, check=True, capture_output=True)
        self.start_engine()
        return engine

    @property
    def files(self) -> Path:
        return self.directory / str(self._generation)

    def write(self, policy: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], home_net: Sequence[str] = ("10.0.0.0/8",)) -> FirewallEngine:
        compiled = compile_engine(PolicyInput(POLICY_ARN, policy, groups, home_net, {}))
        assert isinstance(compiled, FirewallEngine), compiled
        self.engine = compiled
        self.files.mkdir(exist_ok=True)
        (self.files / RULES).write_text(compiled.rules)
        (self.files / CLASSIFICATION).write_text(render_classification())
        (self.files / YAML).write_text(render_yaml(compiled, self.files))
        return compiled

    def start_engine(self) -> None:
        files = self.files
        command = self.inside("firewall", "suricata", "-c", str(files / YAML), "-l", str(files), "-q", "0", "--runmode", "workers")
        with (files / "output").open("wb") as output:
            self._engine_process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        until(lambda: self._engine_ready(files), "engine")

    def _engine_ready(self, files: Path) -> bool:
        assert self._engine_process is not None
        assert self._engine_process.poll() is None, (files / "output").read_text()
        return "Engine started" in (files / "output").read_text()

    def stop_engine(self, number: int = signal.SIGKILL) -> None:
        """Gone at once by SIGKILL; with SIGTERM it first writes the flow log of what is still open."""
        if self._engine_process is not None:
            self._engine_process.send_signal(number)
            self._engine_process.wait(30)
            self._engine_process = None

    def command(self, name: str) -> Any:
        """A command to the engine's socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.files / SOCKET))
            client.settimeout(20)
            client.sendall(b'{"version": "0.2"}\n')
            client.recv(4096)
            client.sendall(json.dumps({"command": name}).encode() + b"\n")
            return json.loads(client.recv(65536))

    def reload(self, policy: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> None:
        """Exchange the rules of the running engine, as the data plane does when only `reload_key` changed."""
        self.write(policy, groups)
        assert self.command("reload-rules")["return"] == "OK"

    # -- logs ----------------------------------------------------------------------------------------------------------------------

    def _lines(self) -> list[str]:
        """All that the engine has written whole: the last line may be on its way."""
        path = self.files / EVE
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in map(json.loads, self._lines()) if event["event_type"] == kind]

    def logged(self, log_type: str = "ALERT") -> list[dict[str, Any]]:
        """The events of AWS's log of that type, so far."""
        assert self.engine is not None
        reader = EveReader(Source("firewall", "eu-west-1a", index_signatures(self.engine.signatures)))
        records: list[LogRecord] = reader.feed(self._lines()) + reader.flush()
        return [record.document["event"] for record in records if record.log_type == log_type]

    def alerts(self) -> list[tuple[str, str]]:
        """(action, signature) of every line of the alert log."""
        return [(event["alert"]["action"], event["alert"]["signature"]) for event in self.logged()]

    def close(self) -> None:
        self.stop_engine()
        for process in self._peers.values():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        os.kill(self._holder.pid, signal.SIGKILL)
        self._holder.communicate()
