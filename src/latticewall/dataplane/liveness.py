"""Processes that run and do nothing any more: the holder sees that one has ended, not that it hangs. Whoever does not answer is said to, and then replaced.

Firewall engines and databases are asked by their own appliers. Tunnels cannot be asked: they hang where the kernel says that they are stopped.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latticewall.dataplane.processes import Processes
from latticewall.dataplane.tunnels.applier import PREFIX as TUNNELS
from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Report

log = logging.getLogger(__name__)
LOOK_SECONDS = 10.0
ANSWER_SECONDS = 2.0
NOTED_SECONDS = 5.0
"""What has just been started may still be on its way."""
PATIENCE_SECONDS = 20.0
"""After so long without an answer a process is ended, and the holder starts it again: a busy machine is slow, too."""
GET = b"GET /ready HTTP/1.0\r\n\r\n"
"""A question to those that speak HTTP: any answer is one."""


class Silent(Exception):
    """A process does not answer."""


@dataclass(frozen=True)
class Question:
    """What is sent to a process's unix socket; any byte that comes back is an answer."""

    socket: Path
    text: bytes = b""

    def is_answered(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(str(self.socket))
                connection.sendall(self.text)
                return connection.recv(1) != b""
        except OSError:
            return False


def is_stopped(pid: int) -> bool:
    """Whether somebody has stopped the process with a signal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


class LivenessApplier:
    """questions: by the names of processes; those that are not there need not answer."""

    name = "liveness"

    def __init__(self, processes: Processes, questions: Mapping[str, Question]) -> None:
        self._processes = processes
        self._questions = questions
        self._looked = -LOOK_SECONDS
        self._silent: dict[tuple[str, int], float] = {}
        """Name and pid of those that did not answer -> since when, in monotonic seconds."""

    def apply(self, _plan: NodePlan) -> Report:
        """Ask everybody now and then, and again in every round while somebody is silent. Raises Silent once that has lasted, and HolderError."""
        now = time.monotonic()
        if not self._silent and now - self._looked < LOOK_SECONDS:
            return Report()
        self._looked = now
        found = self._processes.list()
        watched = [one for name, one in found.items() if name in self._questions or name.startswith(TUNNELS)]
        running = [(one.name, one.pid) for one in watched if one.state == "running"]
        self._silent = {one: self._silent.get(one, now) for one in running if not self._does_something(*one)}
        given_up = [one for one, since in self._silent.items() if now - since >= PATIENCE_SECONDS]
        for name, pid in given_up:
            log.error("%s (process %d) has not answered for %g s: it is started again", name, pid, PATIENCE_SECONDS)
            self._processes.signal(name, "KILL")
            del self._silent[name, pid]
        lasting = [f"{name} (process {pid}) does not answer" for (name, pid), since in self._silent.items() if now - since >= NOTED_SECONDS]
        if lasting:
            raise Silent("; ".join(lasting))
        return Report(len(given_up))

    def _does_something(self, name: str, pid: int) -> bool:
        return self._questions[name].is_answered() if name in self._questions else not is_stopped(pid)
