"""A real holder on a state folder of the test's own, with a small stand-in for the control plane; all of it as root or as an ordinary user."""

from __future__ import annotations

import functools
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from latticewall.dataplane import syscalls
from latticewall.dataplane.processes import Processes

SOURCE = Path(__file__).parents[2] / "src"
STAND_IN = """
import os, signal, socket, sys
listener = socket.socket(fileno=int(os.environ["LATTICEWALL_LISTEN_FD"]))
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""
NOBODY = 65534
_T = TypeVar("_T")


def until(condition: Callable[[], _T], seconds: float = 10) -> _T:
    """The condition's first true value; fails when it has none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def holder_command(state: Path, listen: str = "127.0.0.1:0", user: int | None = None) -> list[str]:
    """The holder's command line, as another user when asked."""
    python = [sys.executable, "-m", "latticewall.dataplane.holder", "--state", str(state), "--listen", listen, "--", sys.executable, "-c", STAND_IN]
    return python if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *python]


class Region:
    """A holder and what it holds. Actions of the test run inside with `inside`."""

    def __init__(self, folder: Path, user: int | None = None) -> None:
        self.state = folder / "state"
        self._errors = (folder / "holder.stderr").open("w+")
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "SECRET_OF_THE_HOST": "yes"}
        self.process = subprocess.Popen(holder_command(self.state, user=user), env=environment, stderr=self._errors)
        until(lambda: (self.state / "run.json").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors()
        self.run: dict[str, Any] = json.loads((self.state / "run.json").read_text())

    @property
    def port(self) -> int:
        return int(self.run["endpoint"].rpartition(":")[2])

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def ask_api(self) -> int:
        """The pid of the stand-in that answers on the API's socket."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection, connection.makefile() as answer:
            return int(answer.read() or 0)

    def inside(self, action: Callable[[Processes], Any]) -> Any:
        """What `action` returns (as JSON), run in a forked process that has entered the region's namespaces."""
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            gc.freeze()  # as in `isolated`
            try:
                os.close(read_end)
                for name, kind in (("user", syscalls.CLONE_NEWUSER), ("mnt", syscalls.CLONE_NEWNS), ("net", syscalls.CLONE_NEWNET)):
                    syscalls.setns(f"/proc/{self.process.pid}/ns/{name}" if name != "user" else f"/proc/{self.process.pid}/ns/user", kind)
                    if name == "user":
                        os.setresgid(0, 0, 0)
                        os.setresuid(0, 0, 0)
                answer = {"value": action(Processes())}
            except BaseException as error:  # noqa: BLE001
                answer = {"error": f"{type(error).__name__}: {error}"}
            with os.fdopen(write_end, "w") as stream:
                json.dump(answer, stream)
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end) as stream:
            answer = json.load(stream)
        os.waitpid(child, 0)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def exec(self, pid: int, command: str) -> str:
        """What a shell command prints inside an instance, as `latticewall exec` runs it."""
        enter = ["nsenter", f"--target={pid}", "--user", "--mount", "--net", "--pid", "--uts", "--preserve-credentials"]
        done = subprocess.run([*enter, "sh", "-c", command], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self) -> list[int]:
        """Every process of the region: those in the holder's user namespace."""
        return in_user_namespace(os.readlink(f"/proc/{self.process.pid}/ns/user"))

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        self._errors.close()
        return code


def in_user_namespace(identity: str) -> list[int]:
    """Host pids whose user namespace has this identity."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/ns/user") == identity:
                    found.append(int(name))
            except OSError:
                continue
    return found


@functools.cache
def why_not_as_ordinary_user() -> str:
    """"" when a region can be started as nobody from here, else the reason."""
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*nobody, "unshare", "--user", "--map-root-user", "--mount", "--net", "true"], stderr=subprocess.DEVNULL).returncode:
        return "an ordinary user may not make user namespaces here"
    readable = [*nobody, sys.executable, "-c", f"open({str(SOURCE / 'latticewall/__init__.py')!r})"]
    return "" if subprocess.run(readable, stderr=subprocess.DEVNULL).returncode == 0 else "nobody cannot read the checkout or run its Python"
