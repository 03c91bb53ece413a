"""`python -m latticewall.dataplane.functions.sandbox CHANNEL`: shut a runtime in and become it. The specification comes as JSON on standard input.

Two processes, as for an instance: one waits and dies with the `functions` process; its child is pid 1 of its own pid, mount, network, IPC and UTS
namespaces. Its root is made of the system's read-only programs and libraries, the runtime, and the function's code; nothing else of this machine is
mounted there, and the old root is gone. Its network has a loopback only, with one listening socket that the `functions` process answers: the region's
API. It has a user of its own, no capability, and cannot gain one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from latticewall.dataplane import syscalls
from latticewall.dataplane.confinement import Cell, drop_privileges, shut_in
from latticewall.dataplane.holder.isolation import link_up

API_PORT = 4566
"""On 127.0.0.1 inside: the region's API."""
CHANNEL = 3
FIRST_USER, USERS = 62_000, 1_000
"""Users of environments, one each while there are enough: none of the system's own."""
PROCESSES, FILES = 1024, 1024
"""Lambda's quotas for an environment ("Lambda quotas")."""


def main() -> int:
    channel = socket.socket(fileno=int(sys.argv[1]))
    spec: dict[str, Any] = json.load(sys.stdin.buffer)
    namespaces = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.unshare(namespaces)
    link_up("lo")
    with socket.create_server(("127.0.0.1", API_PORT)) as listener:
        socket.send_fds(channel, [b"L"], [listener.fileno()])
    inside = os.fork()
    if inside == 0:
        try:
            _shut_in(spec)
            _become(spec, channel)
        except BaseException as error:  # noqa: BLE001 - the child of a fork ends here, whatever happened
            os.write(2, f"the execution environment cannot be made: {type(error).__name__}: {error}\n".encode())
            os._exit(70)
    channel.close()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    code = os.waitstatus_to_exitcode(os.waitpid(inside, 0)[1])
    return code if code >= 0 else 128 - code


def _shut_in(spec: Mapping[str, Any]) -> None:
    user = int(spec["user"])
    passwd, group = f"sbx_user1051:x:{user}:{user}::/tmp:/sbin/nologin\n", f"sbx_user1051:x:{user}:\n"
    hosts, services = "127.0.0.1 localhost\n", "passwd: files\ngroup: files\nhosts: files\n"
    files = {"passwd": passwd, "group": group, "hosts": hosts, "resolv.conf": "", "nsswitch.conf": services}
    mounts = [(str(source), str(target)) for source, target in spec["mounts"]]
    shut_in(Cell(Path(spec["root"]), "lambda", user, files, mounts, tmpfs={"/tmp": int(spec["storage"])}))  # noqa: S108 - inside, made just now


def _become(spec: Mapping[str, Any], channel: socket.socket) -> NoReturn:
    os.dup2(channel.fileno(), CHANNEL)
    os.closerange(CHANNEL + 1, 4096)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.setsid()
    data = int(spec["data"])
    for kind, limit in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, PROCESSES), (resource.RLIMIT_NOFILE, FILES), (resource.RLIMIT_DATA, data),
    ):  # fmt: skip
        resource.setrlimit(kind, (limit, limit))
    drop_privileges(int(spec["user"]))
    os.chdir("/var/task")
    argv: list[str] = spec["argv"]
    os.execve(argv[0], argv, spec["environment"])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
