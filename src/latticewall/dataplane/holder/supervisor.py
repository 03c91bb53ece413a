"""What runs, what should run, and the way from one to the other."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from latticewall.dataplane.holder.instance import spawn_instance
from latticewall.dataplane.holder.spawn import CannotSpawn, Spawned, Surroundings, reason, spawn_process
from latticewall.dataplane.holder.specs import InstanceSpec, ProcessSpec, Spec

CONTROL_PLANE = "control-plane"
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 5.0
"""Seconds between an end and the next start: doubled each time, from the beginning again after STEADY seconds of running."""
STEADY = 10.0


@dataclass
class Process:
    """One supervised process. state: running, stopping, waiting (to be started again), ended (does not restart)."""

    spec: Spec
    state: str = "waiting"
    spawned: Spawned | None = None
    netns_inode: int = 0
    restarts: int = 0
    failures: int = 0
    started: float = 0.0
    started_at: str = ""
    exit: str = ""
    start_due: float = 0.0
    kill_due: float = field(default=float("inf"))
    successor: Spec | None = None
    removed: bool = False

    @property
    def due(self) -> float:
        """When something has to be done about it next."""
        return {"waiting": self.start_due, "stopping": self.kill_due}.get(self.state, float("inf"))

    def describe(self) -> dict[str, Any]:
        """As `list` shows it."""
        pid = self.spawned.pid if self.spawned else 0
        kind = "instance" if isinstance(self.spec, InstanceSpec) else "process"
        names = {"name": self.spec.name, "kind": kind, "pid": pid, "state": self.state}
        return {**names, "restarts": self.restarts, "started_at": self.started_at, "exit": self.exit}


class Supervisor:
    """All processes of the region by name. note: writes a line to the holder's log. clock: monotonic seconds."""

    def __init__(self, where: Surroundings, note: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._note = note
        self._clock = clock
        self.processes: dict[str, Process] = {}

    # -- requests ---------------------------------------------------------------------------------------------------------------------

    def ensure(self, spec: Spec) -> Process:
        """Have it running like this: nothing when it does, a restart when it runs otherwise."""
        process = self.processes.get(spec.name)
        if process is None:
            process = self.processes[spec.name] = Process(spec)
            self._start(process)
        elif process.state in ("running", "stopping"):
            if process.state == "stopping" or process.spec != spec or process.netns_inode != self._netns_inode(spec):
                process.successor, process.removed = spec, False
                self._stop(process)
        elif process.spec != spec:
            process.spec, process.failures = spec, 0
            self._start(process)
        return process

    def remove(self, name: str) -> None:
        """Stop it and forget it; no error when there is none."""
        process = self.processes.get(name)
        if process is None:
            return
        process.removed, process.successor = True, None
        if process.spawned is None:
            del self.processes[name]
        else:
            self._stop(process)

    def signal(self, name: str, number: int) -> bool:
        """Send a signal; False when it does not run."""
        process = self.processes.get(name)
        if process is None or process.spawned is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.spawned.pid, number)
        return True

    # -- events -----------------------------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Take note of all processes that have ended. What one of them started and left in its process group ends with it."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = ended.si_pid
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)  # before the wait: until then the number cannot be anybody else's
            _, status = os.waitpid(child, 0)
            for process in list(self.processes.values()):
                if process.spawned and process.spawned.child == child:
                    self._ended(process, os.waitstatus_to_exitcode(status))

    def tick(self) -> float | None:
        """Start and kill what is due. Seconds until the next is; None when nothing waits."""
        now = self._clock()
        for process in list(self.processes.values()):
            if process.state == "waiting" and process.start_due <= now:
                self._start(process)
            elif process.state == "stopping" and process.kill_due <= now:
                self.signal(process.spec.name, signal.SIGKILL)
                process.kill_due = float("inf")
        soonest = min((process.due for process in self.processes.values()), default=float("inf"))
        return None if soonest == float("inf") else max(0.0, soonest - self._clock())

    def stop_all(self, names: Iterable[str]) -> None:
        """Begin to stop these for good."""
        for name in list(names):
            self.remove(name)

    # -- steps ------------------------------------------------------------------------------------------------------------------------

    def _start(self, process: Process) -> None:
        spec = process.spec
        process.netns_inode = self._netns_inode(spec)
        try:
            if isinstance(spec, ProcessSpec):
                process.spawned = spawn_process(spec, self._where, inherits_socket=spec.name == CONTROL_PLANE)
            else:
                process.spawned = spawn_instance(spec, self._where)
        except (CannotSpawn, OSError) as error:
            process.exit = reason(error)
            self._note(f"{spec.name} cannot start: {error}")
            self._wait(process)
            return
        process.state, process.started = "running", self._clock()
        process.started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._note(f"{spec.name} runs as {process.spawned.pid}")

    def _stop(self, process: Process) -> None:
        if process.state == "stopping":
            return
        process.state, process.kill_due = "stopping", self._clock() + process.spec.stop_seconds
        self.signal(process.spec.name, signal.SIGTERM)

    def _ended(self, process: Process, code: int) -> None:
        process.exit = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        process.spawned, process.kill_due = None, float("inf")
        self._note(f"{process.spec.name} ended: {process.exit}")
        if process.removed:
            del self.processes[process.spec.name]
        elif process.successor is not None:
            process.spec, process.successor, process.failures = process.successor, None, 0
            self._start(process)
        elif process.spec.restart:
            if self._clock() - process.started >= STEADY:
                process.failures = 0
            self._wait(process)
        else:
            process.state = "ended"

    def _wait(self, process: Process) -> None:
        process.state = "waiting"
        process.start_due = self._clock() + min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**process.failures)
        process.failures = min(process.failures + 1, 16)
        process.restarts += 1

    def _netns_inode(self, spec: Spec) -> int:
        """Which namespace the name stands for now: a process in an older one of that name must move."""
        try:
            return (self._where.netns / spec.netns).stat().st_ino if spec.netns else 0
        except OSError:
            return 0
