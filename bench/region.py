"""A region of one's own: started and stopped by the command line, asked through boto3 and latticewall's own requests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from latticewall.faces.cli.entering import command_inside
from latticewall.faces.cli.session import Session

REGION = "eu-central-1"
_LATTICEWALL = (sys.executable, "-P", "-m", "latticewall.faces.cli.main")
_T = TypeVar("_T")


def until(condition: Callable[[], _T | None], seconds: float = 20.0, every: float = 0.02) -> _T:
    """The condition's first true value; AssertionError when it has none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(every)


class Region:
    """One state folder, and the region that runs on it between `up` and `down`."""

    def __init__(self, state: Path, name: str = REGION) -> None:
        self.state = state
        self.name = name

    def command(self, *words: str) -> list[str]:
        return [*_LATTICEWALL, "--state", str(self.state), *words]

    def cli(self, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run latticewall; its exit code and what it printed."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=seconds, check=False)

    def up(self, *options: str, listen: str = "127.0.0.1:0") -> float:
        """Start it; seconds until it answered."""
        started = time.monotonic()
        done = self.cli("up", "--detach", "--listen", listen, "--region", self.name, *options)
        assert done.returncode == 0, done.stderr
        self.__dict__.pop("session", None)
        return time.monotonic() - started

    def down(self, *options: str) -> float:
        """Stop it; seconds until nothing of it was left."""
        started = time.monotonic()
        done = self.cli("down", *options)
        assert done.returncode == 0, done.stderr
        return time.monotonic() - started

    # -- asking it --------------------------------------------------------------------------------------------------------------------

    @cached_property
    def session(self) -> Session:
        return Session(self.state, named=True)

    def client(self, service: str, *, retries: int = 1) -> Any:
        """boto3's client, as the region's administrator. retries: attempts in all; more than one hides a control plane that is away."""
        credentials = self.session.credentials
        return boto3.client(
            service, region_name=self.name, endpoint_url=self.session.endpoint, aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key.reveal(), config=Config(retries={"total_max_attempts": retries, "mode": "standard"}),
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.session.ask("status", seconds=10.0)
        return answer

    def settle(self, seconds: float = 30.0) -> float:
        """Wait until the data plane has everything that is stored; how long that took."""
        started = time.monotonic()
        assert self.session.ask("wait", {"timeout": seconds})["applied"], self.status()
        return time.monotonic() - started

    # -- its processes ----------------------------------------------------------------------------------------------------------------

    @property
    def holder(self) -> int:
        return self.session.up.holder_pid

    def processes(self) -> dict[str, Mapping[str, Any]]:
        """The holder's children by name, asked of the holder itself, so that it works without control plane."""
        return ask_holder(self.holder)

    def pid(self, name: str) -> int:
        return int(self.processes()[name]["pid"])

    def kill(self, name: str) -> int:
        """kill -9 of one process of the region; the pid it had."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    # -- inside instances -------------------------------------------------------------------------------------------------------------

    def inside(self, instance: str, *program: str) -> list[str]:
        """The command line that runs a program inside an instance."""
        return command_inside(self.pid(instance), program)

    def run(self, instance: str, *program: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a program inside an instance to its end."""
        return subprocess.run(self.inside(instance, *program), capture_output=True, text=True, timeout=seconds, check=False)


@contextmanager
def running(name: str = REGION, *options: str) -> Iterator[Region]:
    """A region while the block runs. Its state lies in a folder of its own with a short path (a unix socket's has 107 bytes), which files may be put beside."""
    folder = Path(tempfile.mkdtemp(prefix="lw-"))
    region = Region(folder / "state", name)
    try:
        region.up(*options)
        yield region
    finally:
        region.down("--purge")
        left = list(region.state.glob("*"))
        shutil.rmtree(folder, ignore_errors=True)
    assert not left, left


def ask_holder(holder: int) -> dict[str, Mapping[str, Any]]:
    """The holder's list, over its socket as seen through its own root folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(f"/proc/{holder}/root/run/latticewall/holder.sock")
        connection.sendall(b'{"op":"list"}\n')
        with connection.makefile("rb") as stream:
            answer = json.loads(stream.readline())
    return {item["name"]: item for item in answer["processes"]}
