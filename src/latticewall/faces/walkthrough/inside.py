"""Programs in instances, several at a time: started by forking and entering the instance, as `latticewall exec` does, and then waited for."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, NoReturn

from latticewall.faces.cli.entering import run_inside
from latticewall.faces.cli.problem import Problem

CANNOT_ENTER = 125
KILLED = -1


@dataclass(frozen=True)
class Outcome:
    """How a program ended. code: its exit code, 128 + n for signal n, KILLED when it outstayed its time. seconds: how long it ran."""

    code: int
    out: str
    err: str
    seconds: float


class Attempt:
    """A program that runs in an instance. seconds: when it is killed."""

    def __init__(self, init: int, program: Sequence[str], stdin: bytes, seconds: float) -> None:
        given, self._out, self._err = _file(stdin), _file(), _file()
        self._started = time.monotonic()
        self._seconds = seconds
        self._outcome: Outcome | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            _run(init, program, (given, self._out, self._err))
        given.close()
        self._process = os.pidfd_open(self._pid)

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._outcome.out if self._outcome else _text(self._out)

    @property
    def running(self) -> bool:
        return self._outcome is None and not _ended(self._process, 0)

    def wait(self) -> Outcome:
        """Until it ends, or is killed because its time is over."""
        if self._outcome is None:
            in_time = _ended(self._process, self._started + self._seconds - time.monotonic())
            if not in_time:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._process, signal.SIGKILL)
            status = os.waitpid(self._pid, 0)[1]
            seconds = time.monotonic() - self._started
            code = os.waitstatus_to_exitcode(status) if in_time else KILLED
            self._outcome = Outcome(128 - code if in_time and code < 0 else code, _text(self._out), _text(self._err), seconds)
            os.close(self._process)
            self._out.close()
            self._err.close()
        return self._outcome


def _run(init: int, program: Sequence[str], streams: tuple[IO[bytes], IO[bytes], IO[bytes]]) -> NoReturn:
    """In the fork."""
    code = CANNOT_ENTER
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        code = run_inside(init, program)
    except Problem as problem:
        os.write(2, f"{problem}\n".encode())
    finally:
        os._exit(code)


def _file(content: bytes = b"") -> IO[bytes]:
    """A nameless file, read from its beginning."""
    file: IO[bytes] = os.fdopen(os.memfd_create("walkthrough"), "w+b", buffering=0)
    file.write(content)
    file.seek(0)
    return file


def _ended(process: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def _text(file: IO[bytes]) -> str:
    """The whole file, without moving the offset that the program shares with us."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")
