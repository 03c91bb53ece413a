"""Starting a child that cannot outlive the holder."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from latticewall.dataplane import syscalls
from latticewall.dataplane.holder.specs import ProcessSpec

START_SECONDS = 10.0
LARGEST_LOG_BYTES = 16 * 1024 * 1024


class CannotSpawn(Exception):
    """The child did not get as far as running its program."""


@dataclass(frozen=True)
class Surroundings:
    """Where children live. listen_fd: the API's socket. host_fd: an unconnected socket of the host's network, through which the identity providers
    on the host are asked for their keys. Only the control plane inherits them."""

    logs: Path
    instances: Path
    netns: Path
    listen_fd: int
    host_fd: int
    state: Path


@dataclass(frozen=True)
class Spawned:
    """child: the process to wait for. pid: the one to signal and to show (of an instance: its init)."""

    child: int
    pid: int


def fork(setup: Callable[[int], None]) -> Spawned:
    """Fork; the child runs `setup(report)` and must not return from it but by executing a program or ending.

    report: file descriptor for one JSON line {"pid": N} or {"error": "..."}; its end, by exec or close, says that the child is on its way.
    """
    parent = os.getpid()
    read_end, report = os.pipe()
    child = os.fork()
    if child == 0:
        _run_child(parent, read_end, report, setup)
    os.close(report)
    try:
        return Spawned(child, _reported_pid(read_end) or child)
    except CannotSpawn:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(read_end)


def _run_child(parent: int, read_end: int, report: int, setup: Callable[[int], None]) -> NoReturn:
    try:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        os.close(read_end)
        default_signals()
        os.setsid()
        setup(report)
    except BaseException as error:  # noqa: BLE001 - a child of fork must end here, whatever happened
        tell(report, error=reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}")
    finally:
        os._exit(127)


def reason(error: BaseException) -> str:
    """As `base.reasons`, which the holder does without."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def die_with_parent() -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def default_signals() -> None:
    """Undo what the holder set for itself."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def tell(report: int, **document: object) -> None:
    with contextlib.suppress(OSError):
        os.write(report, json.dumps(document).encode() + b"\n")


def _reported_pid(read_end: int) -> int:
    """The pid that the child reported, 0 for none; raises CannotSpawn for an error or silence."""
    text = b""
    while True:
        if not select.select([read_end], [], [], START_SECONDS)[0]:
            raise CannotSpawn(f"did not start within {START_SECONDS:.0f} s")
        block = os.read(read_end, 65536)
        if not block:
            break
        text += block
    pid = 0
    for line in text.splitlines():
        document: Mapping[str, object] = json.loads(line)
        if "error" in document:
            raise CannotSpawn(str(document["error"]))
        pid = int(str(document.get("pid", pid)))
    return pid


def spawn_process(spec: ProcessSpec, where: Surroundings, *, inherits_socket: bool) -> Spawned:
    """Start a program. Raises CannotSpawn."""
    for path in spec.remove:
        with contextlib.suppress(OSError):
            os.unlink(path)

    def setup(_report: int) -> None:
        redirect(where.logs / spec.log)
        env = {**os.environ, "LATTICEWALL_STATE": str(where.state), **dict(spec.env)}
        if inherits_socket:
            for name, descriptor in (("LATTICEWALL_LISTEN_FD", where.listen_fd), ("LATTICEWALL_HOST_FD", where.host_fd)):
                os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no keyword
                env[name] = str(descriptor)
        if spec.netns:
            syscalls.setns(where.netns / spec.netns, syscalls.CLONE_NEWNET)
        try:
            os.execvpe(spec.argv[0], spec.argv, env)  # noqa: S606 - no shell is wanted
        except OSError as error:
            raise OSError(error.errno, f"{spec.argv[0]}: {error.strerror}") from None

    return fork(setup)


def redirect(log: Path) -> None:
    """Standard output and error to the log, appended; standard input to nothing."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for number, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, number)
