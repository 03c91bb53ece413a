"""What hangs is noticed, said and replaced; what is slow once is not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from latticewall.dataplane import liveness
from latticewall.dataplane.liveness import GET, LivenessApplier, Question, Silent
from latticewall.dataplane.processes import Processes, Running
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan

PLAN = NodePlan(1, (), (), (), ProxyPlan(), AuthorizationPlan(), NamesPlan((), ()), ())


class Holder(Processes):
    """One process, which is started again when it is killed."""

    pid, state = 7, "running"

    def list(self) -> dict[str, Running]:
        return {"envoy": Running("envoy", "process", self.pid, self.state, 0, "", "")}

    def signal(self, name: str, signal: str) -> bool:
        assert (name, signal) == ("envoy", "KILL")
        self.pid += 1
        return True


class Server:
    """A unix socket that is listened on; nobody answers on it while `hangs`."""

    def __init__(self, path: Path) -> None:
        self.hangs = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.hangs:
                self._held.append(connection)
                continue
            with connection:
                assert connection.recv(100) == GET
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    def close(self) -> None:
        for one in (self._listener, *self._held):
            one.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "s")
    yield found
    found.close()


def test_a_hung_process_is_named_and_then_replaced(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now, holder = [1000.0], Holder()
    monkeypatch.setattr("latticewall.dataplane.liveness.time.monotonic", lambda: now[0])
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.05)
    applier = LivenessApplier(holder, {"envoy": Question(tmp_path / "s", GET), "functions": Question(tmp_path / "none")})
    assert applier.apply(PLAN).changed == 0
    server.hangs = True
    assert applier.apply(PLAN).changed == 0  # it has been asked just now
    now[0] += liveness.LOOK_SECONDS
    assert applier.apply(PLAN).changed == 0  # once is never
    now[0] += liveness.NOTED_SECONDS
    with pytest.raises(Silent, match=r"envoy \(process 7\) does not answer"):
        applier.apply(PLAN)
    now[0] += liveness.PATIENCE_SECONDS - liveness.NOTED_SECONDS
    assert (applier.apply(PLAN).changed, holder.pid) == (1, 8)
    server.hangs = False
    now[0] += liveness.LOOK_SECONDS
    assert (applier.apply(PLAN).changed, holder.pid) == (0, 8)


def test_a_tunnel_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be asked: whether it runs is what the kernel says."""
    now, holder = [1000.0], Holder()
    monkeypatch.setattr("latticewall.dataplane.liveness.time.monotonic", lambda: now[0])
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        found = {"tunnel-1": Running("tunnel-1", "process", sleeping.pid, "running", 0, "", "")}
        monkeypatch.setattr(holder, "list", lambda: found)
        monkeypatch.setattr(holder, "signal", lambda _, name: sleeping.send_signal(getattr(signal, f"SIG{name}")) is None)
        applier = LivenessApplier(holder, {"envoy": Question(tmp_path / "none")})
        assert applier.apply(PLAN).changed == 0
        sleeping.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, sleeping.pid, os.WSTOPPED | os.WNOWAIT)
        now[0] += liveness.LOOK_SECONDS
        assert applier.apply(PLAN).changed == 0
        now[0] += liveness.PATIENCE_SECONDS
        assert applier.apply(PLAN).changed == 1
        assert sleeping.wait(5) == -signal.SIGKILL


def test_a_process_that_answers_again_or_has_ended_is_left_alone(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now, holder = [1000.0], Holder()
    monkeypatch.setattr("latticewall.dataplane.liveness.time.monotonic", lambda: now[0])
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.05)
    applier = LivenessApplier(holder, {"envoy": Question(tmp_path / "s", GET)})
    for hangs in (True, False, True):
        server.hangs = hangs
        now[0] += liveness.PATIENCE_SECONDS
        assert applier.apply(PLAN).changed == 0
    holder.state = "waiting"
    now[0] += liveness.PATIENCE_SECONDS
    assert (applier.apply(PLAN).changed, holder.pid) == (0, 7)
