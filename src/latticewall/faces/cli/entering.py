"""Going into an instance: its user, mount, pid, network and uts namespaces, with its environment instead of the host's."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from latticewall.dataplane import syscalls
from latticewall.dataplane.holder import instance
from latticewall.faces.cli.problem import Problem

_NAMESPACES = (
    ("user", syscalls.CLONE_NEWUSER),
    ("net", syscalls.CLONE_NEWNET),
    ("uts", syscalls.CLONE_NEWUTS),
    ("pid", syscalls.CLONE_NEWPID),
    ("mnt", syscalls.CLONE_NEWNS),
)
"""User first: it gives the rights for the others. Mount last: /proc of the host is what the others are found in."""
_MODULE = "latticewall.faces.cli.entering"
_KEPT_VARIABLES = ("TERM", "COLORTERM", "COLUMNS", "LINES")
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


def run_inside(init: int, program: Sequence[str]) -> int:
    """Run a program in the instance whose init has that pid, on our standard input, output and error. Returns its exit code, 128 + n for signal n.

    Enters with the whole process, which must have one thread and is good for nothing else afterwards. Raises Problem.
    """
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    _enter(init)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _become(program, kept)
    return _wait(child)


def command_inside(init: int, program: Sequence[str]) -> list[str]:
    """The command line that runs a program in the instance as `run_inside` does: for those who start several and read what they print."""
    return [sys.executable, "-P", "-m", _MODULE, str(init), *program]


def _enter(init: int) -> None:
    try:
        opened = [(os.open(f"/proc/{init}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind) for name, kind in _NAMESPACES]
    except FileNotFoundError:
        raise Problem(f"the instance has ended (its process {init} is gone): see its state with `aws ec2 describe-instances`") from None
    except PermissionError:
        raise Problem(f"the instance belongs to another user (process {init}): run this as the user who started the region, or as root") from None
    try:
        for file, kind in opened:
            syscalls.setns(f"/proc/self/fd/{file}", kind)
            if kind == syscalls.CLONE_NEWUSER:
                os.setgid(0)
                os.setuid(0)
    except OSError as error:
        raise Problem(f"the instance's namespaces (process {init}) cannot be entered: {error.strerror}") from None
    finally:
        for file, _ in opened:
            os.close(file)


def _become(program: Sequence[str], kept: dict[str, str]) -> NoReturn:
    """In the instance's pid namespace: the program, looked up on the instance's own PATH. It dies with us, and a closed pipe ends it, as in a shell."""
    code = _NOT_EXECUTABLE
    try:
        environment = {**instance.environment(), **kept}
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.chdir(environment["HOME"])
        found = shutil.which(program[0], path=environment["PATH"])
        if found is None:
            code = _NOT_FOUND
            raise FileNotFoundError(2, "no such program in the instance")
        os.execve(found, list(program), environment)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"latticewall: {program[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _wait(child: int) -> int:
    """Until the program ends. The terminal's signals reach it directly; a request to end is passed on."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    try:
        sys.exit(run_inside(int(sys.argv[1]), sys.argv[2:]))
    except Problem as problem:
        sys.stderr.write(f"latticewall: {problem}\n")
        sys.exit(problem.code)
