"""`latticewall down`: stop the region, and wait until nothing of it is left."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import time
from pathlib import Path

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session, is_holder

STOP_SECONDS = 30.0
_LEFT_SECONDS = 10.0
_REAPED_SECONDS = 5.0
_KEPT = (
    "region.db", "region.db-wal", "region.db-shm", "credentials.json", "credentials.new", "identity", "certificate-authority", "logs", "instances", "functions",
    "databases", "s3", "stickiness.key", "stickiness.new", "lock",
)  # fmt: skip
"""What stays of a region that is down. Nothing else is ever removed by --purge: a state folder may be a folder with other things in it."""
_OF_A_BOOT = ("run.json", "run.json.new", "run")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--purge", action="store_true", help="also remove the state: resources, logs, credentials")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """Idempotent: a region that is down stays down."""
    pid = _holder(session.state)
    if pid is not None:
        _end(pid, session.state)
    elif session.state.is_dir():
        _clear(session.state)
    left = _purge(session.state) if chosen.purge else []
    if output.as_json:
        output.document({"state": "down", "was_up": pid is not None, "purged": bool(chosen.purge) and not left, "left": left})
    else:
        output.line("latticewall is down" if pid is not None else f"latticewall is down already (state folder {session.state})")
        if chosen.purge:
            output.line(f"removed the state in {session.state}" + (f", except what is not latticewall's: {', '.join(left)}" if left else ""))
    return 0


def _holder(state: Path) -> int | None:
    """The holder's pid: its lock names it from its first moment on."""
    try:
        text = (state / "lock").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Problem(f"{state} cannot be read: {error.strerror}: the region belongs to another user; run `down` as that user or as root") from None
    return int(text) if text.isdigit() and is_holder(int(text), state) else None


def _end(pid: int, state: Path) -> None:
    """SIGTERM, then patience, then SIGKILL: the kernel ends what the holder had started together with it."""
    namespace = _user_namespace(pid)
    try:
        holder = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not is_holder(pid, state):
            return
        signal.pidfd_send_signal(holder, signal.SIGTERM)
        if not _ended(holder, STOP_SECONDS):
            signal.pidfd_send_signal(holder, signal.SIGKILL)
            if not _ended(holder, _LEFT_SECONDS):
                raise Problem(f"process {pid} of the region does not end, even when killed: see /proc/{pid}/stack as root", NOT_AS_EXPECTED)
            _clear(state)
    except PermissionError:
        raise Problem(f"the region belongs to another user: process {pid} may not be signalled; run `down` as that user or as root") from None
    finally:
        os.close(holder)
    left = _wait_until_empty(namespace)
    if left:
        raise Problem(f"processes of the region are still there: {', '.join(map(str, left))}; end them with `kill -9`", NOT_AS_EXPECTED)


def _ended(holder: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(holder, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _user_namespace(pid: int) -> str:
    """The region's user namespace; "" when it has none of its own (yet)."""
    with contextlib.suppress(OSError):
        found = os.readlink(f"/proc/{pid}/ns/user")
        return "" if found == os.readlink("/proc/self/ns/user") else found
    return ""


def _wait_until_empty(namespace: str) -> list[int]:
    """Waits for the region's last processes; those that are still there at the end.

    What has ended and is only not waited for by its parent, such as a program that ran `exec`, holds nothing: it gets a moment, and is not complained of.
    """
    begun = time.monotonic()
    while namespace and (left := _processes_in(namespace)):
        living = [pid for pid in left if not _has_ended(pid)]
        if time.monotonic() > begun + (_LEFT_SECONDS if living else _REAPED_SECONDS):
            return living
        time.sleep(0.02)
    return []


def _processes_in(namespace: str) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/user") == namespace:
                found.append(int(entry))
    return found


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def _clear(state: Path) -> None:
    """What a killed holder could not remove itself."""
    for name in _OF_A_BOOT:
        _remove(state / name)


def _purge(state: Path) -> list[str]:
    """Remove the state; what remains because it is not ours."""
    if not state.is_dir():
        return []
    for name in (*_OF_A_BOOT, *_KEPT):
        _remove(state / name)
    left = sorted(os.listdir(state))
    if not left:
        state.rmdir()
    return left


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise Problem(f"{path} cannot be removed: {error.strerror}", NOT_AS_EXPECTED) from None


COMMAND = Command(
    "down",
    "stop the region",
    ("latticewall down", "latticewall down --purge"),
    run,
    arguments,
)
