"""`python -m latticewall.dataplane.holder --state S --listen HOST:PORT -- <control plane argv...>`: see `run`."""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from latticewall.dataplane import syscalls
from latticewall.dataplane.holder.isolation import RUN, isolate
from latticewall.dataplane.holder.server import Server
from latticewall.dataplane.holder.spawn import Surroundings
from latticewall.dataplane.holder.specs import ProcessSpec
from latticewall.dataplane.holder.state import CannotStart, StateFolder
from latticewall.dataplane.holder.supervisor import CONTROL_PLANE, Supervisor

STOP_SECONDS = 5.0
"""What the control plane gets to flush its logs, and after it all others together."""


def main(argv: list[str]) -> int:
    arguments = _arguments(argv)
    state = StateFolder(Path(os.path.abspath(arguments.state)))
    try:
        lock = state.prepare()
        listener = _listen(arguments.listen)
        host = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        os.umask(0o077)
        isolate(state.run, keep=(state.path,))
    except CannotStart as refusal:
        sys.stderr.write(f"latticewall: {refusal}\n")
        return 1
    holder = Holder(state, listener, host, lock)
    return holder.run(arguments.command, _endpoint(listener), arguments.region)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="latticewall-holder", description="Keep a region's namespaces and processes.")
    parser.add_argument("--state", required=True, help="the region's state folder")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="where the API listens, on the host's network")
    parser.add_argument("--region", default="us-east-1", help="the AWS region's name, for run.json")
    parser.add_argument("command", nargs="+", metavar="control plane", help="the control plane's command line, after --")
    return parser.parse_args(argv)


def _listen(place: str) -> socket.socket:
    """The API's socket, opened on the host's network before anything else."""
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise CannotStart(f"--listen {place}: HOST:PORT is needed")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        raise CannotStart(f"cannot listen on {place}: {error.strerror or error}") from None
    return listener


def _endpoint(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Holder:
    """The event loop: signals, requests, and what is due."""

    def __init__(self, state: StateFolder, listener: socket.socket, host: socket.socket, lock: int) -> None:
        self._state = state
        self._listener = listener
        self._host = host
        self._lock = lock
        self._stopping = False
        self._log = (state.logs / "holder.log").open("a", buffering=1)
        self._selector = selectors.DefaultSelector()
        surroundings = Surroundings(state.logs, state.instances, RUN / "netns", listener.fileno(), host.fileno(), state.path)
        self._supervisor = Supervisor(surroundings, self.note)
        self._watch_signals()
        self._server = Server(RUN / "holder.sock", self._selector, self._supervisor, self.stop)

    def run(self, command: list[str], endpoint: str, region: str) -> int:
        """Start the control plane and serve until told to stop; then stop everything and leave nothing behind."""
        with contextlib.suppress(OSError):
            syscalls.prctl(syscalls.PR_SET_NAME, b"lw-holder")
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self._safely(lambda: self._supervisor.ensure(ProcessSpec(CONTROL_PLANE, tuple(command), log="control-plane.log", stop_seconds=STOP_SECONDS)))
        self._state.announce(endpoint, region, datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        while not self._stopping:
            self._turn(None)
        self._end()
        return 0

    def stop(self) -> None:
        self._stopping = True

    def note(self, text: str) -> None:
        """A line in S/logs/holder.log; a full disk must not stop the holder."""
        with contextlib.suppress(OSError):
            self._log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")

    def _watch_signals(self) -> None:
        read_end, write_end = socket.socketpair()
        for end in (read_end, write_end):
            end.settimeout(0)
        self._signals = (read_end, write_end)
        signal.set_wakeup_fd(write_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(read_end, selectors.EVENT_READ, self._signalled)

    def _signalled(self) -> None:
        with contextlib.suppress(BlockingIOError):
            received = set(self._signals[0].recv(4096))
            if received & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
                self.stop()

    def _turn(self, longest: float | None) -> None:
        """One round of the loop, at most `longest` seconds."""
        timeout: list[float | None] = [longest]

        def due() -> None:
            soonest = self._supervisor.tick()
            if soonest is not None:
                timeout[0] = soonest if longest is None else min(longest, soonest)

        self._safely(due)
        for key, _ in self._selector.select(timeout[0]):
            self._safely(key.data)
        self._safely(self._supervisor.reap)

    def _safely(self, action: Callable[[], object]) -> None:
        """The holder must survive its own mistakes: everything else dies with it."""
        try:
            action()
        except Exception:  # noqa: BLE001 - the one place where going on is always better
            self.note(traceback.format_exc())

    def _end(self) -> None:
        """The control plane first, so that what the others still log is not missed; then all others together."""
        self.note("stopping")
        for names in ([CONTROL_PLANE], list(self._supervisor.processes)):
            self._supervisor.stop_all(names)
            deadline = time.monotonic() + STOP_SECONDS + 2.0
            while set(names) & set(self._supervisor.processes) and time.monotonic() < deadline:
                self._turn(0.2)
        for name in os.listdir(RUN / "netns"):
            with contextlib.suppress(OSError):
                syscalls.unmount(RUN / "netns" / name)
        shutil.rmtree(RUN, ignore_errors=True)
        with contextlib.suppress(OSError):
            syscalls.unmount(RUN)
        self._state.clear()
        self.note("stopped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
