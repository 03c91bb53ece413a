"""`python -m latticewall.dataplane.databases.server ...`: a PostgreSQL server, shut in, in the network namespace that this was started in.

Two processes, as for an instance: one waits, hands signals on and dies with the holder; its child is pid 1 of its own pid namespace, prepares the files at
the first start, and becomes the server. That has a user of its own and no capability; it sees the system's programs and libraries, its own files, its
configuration (read-only), and the folder with its unix socket. PostgreSQL refuses to run as root, and here it is not root anywhere.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from latticewall.dataplane import syscalls
from latticewall.dataplane.confinement import Cell, drop_privileges, is_mapped, shut_in

OWNER = "rdsadmin"
"""PostgreSQL's superuser, as on Amazon RDS: nobody but the region itself can log in as it."""
SOCKET = ".s.PGSQL."
"""Name of its unix socket, before its port."""
FIRST_USER, USERS = 63_000, 1_000
"""Users of servers, by their names: none of the system's own, none of the functions'."""
FILES, CONFIGURATION, SOCKETS = "/var/lib/postgresql", "/etc/postgresql", "/run/postgresql"
DATA, DRAFT = f"{FILES}/data", f"{FILES}/draft"
LOCK = 3
"""File descriptor."""
MEMORY_MB = 256
"""At most, for temporary files in memory, and as much again for memory that the processes of the server share."""


def main() -> int:
    arguments = _arguments()
    namespaces = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
    user = user_of(arguments.name)
    for folder in (arguments.files, arguments.sockets, arguments.root):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_mapped(user):
        for folder in (arguments.files, arguments.sockets):
            os.chown(folder, user, user)
    _lock(arguments.files.with_name("lock"))
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.unshare(namespaces)
    child = os.fork()
    if child == 0:
        try:
            _serve(arguments, user)
        except BaseException as error:  # noqa: BLE001 - the child of a fork ends here, whatever happened
            os.write(2, f"{_now()} the server cannot start: {type(error).__name__}: {error}\n".encode())
            os._exit(70)
    # SIGINT is PostgreSQL's fast shutdown, which does not wait for clients to go
    for taken, given in ((signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGINT), (signal.SIGHUP, signal.SIGHUP)):
        signal.signal(taken, _handing_on(child, given))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _lock(file: Path) -> None:
    """Wait until no process of an earlier server is left: each has the lock open, to its end. PostgreSQL's own guards do not see into another's namespaces,
    and two servers on the same files would destroy them."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.dup2(descriptor, LOCK)  # which programs that are started from here inherit
    if descriptor != LOCK:
        os.close(descriptor)


def _handing_on(child: int, number: int) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: os.kill(child, number)


def user_of(name: str) -> int:
    """The number of the user that the server of a database runs as: the same at every start."""
    return FIRST_USER + int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % USERS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="latticewall-database")
    parser.add_argument("--name", required=True, help="the database's id")
    parser.add_argument("--programs", type=Path, required=True, help="where postgres and initdb are")
    parser.add_argument("--files", type=Path, required=True, help="what the server keeps")
    parser.add_argument("--configuration", type=Path, required=True, help="pg_hba.conf, the certificate and its key")
    parser.add_argument("--sockets", type=Path, required=True, help="where its unix socket is to be")
    parser.add_argument("--root", type=Path, required=True, help="an empty folder")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _serve(arguments: argparse.Namespace, user: int) -> NoReturn:
    postgres, initdb = str(arguments.programs / "postgres"), str(arguments.programs / "initdb")
    account = f"{OWNER}:x:{user}:{user}::{FILES}:/sbin/nologin\n"
    etc = {"passwd": account, "group": f"{OWNER}:x:{user}:\n", "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "passwd: files\ngroup: files\n"}
    shared = [(str(arguments.files), FILES), (str(arguments.sockets), SOCKETS)]
    tmpfs = {"/tmp": MEMORY_MB, "/dev/shm": MEMORY_MB}  # noqa: S108 - inside, made just now
    shut_in(Cell(arguments.root, "database", user, etc, [(str(arguments.configuration), CONFIGURATION)], shared, tmpfs))
    drop_privileges(user)
    os.setsid()
    os.umask(0o077)
    os.closerange(LOCK + 1, 4096)
    environment = {"PATH": f"{arguments.programs}:/usr/bin:/bin", "HOME": FILES, "LANG": "C.UTF-8", "TZ": "UTC"}
    if not Path(DATA).exists():
        _initialise(initdb, environment)
    settings = {
        "listen_addresses": "*", "port": str(arguments.port), "unix_socket_directories": SOCKETS, "hba_file": f"{CONFIGURATION}/pg_hba.conf",
        "ssl": "on", "ssl_cert_file": f"{CONFIGURATION}/certificate.pem", "ssl_key_file": f"{CONFIGURATION}/key.pem", "password_encryption": "scram-sha-256",
        "log_line_prefix": "%m %q%r %u@%d ", **dict(setting.split("=", 1) for setting in arguments.setting),
    }  # fmt: skip
    argv = [postgres, "-D", DATA, *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]
    os.execve(postgres, argv, environment)  # noqa: S606 - no shell is wanted


def _initialise(initdb: str, environment: dict[str, str]) -> None:
    """New files, made beside and put in place whole: what a start that was cut short has left is thrown away."""
    shutil.rmtree(DRAFT, ignore_errors=True)
    argv = [initdb, "-D", DRAFT, "-U", OWNER, "-E", "UTF8", "--locale=C.UTF-8", "--auth-local=reject", "--auth-host=reject", "--data-checksums"]
    answer = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise OSError(f"initdb: {(answer.stderr or answer.stdout).strip()[-500:]}")
    os.rename(DRAFT, DATA)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


if __name__ == "__main__":
    sys.exit(main())
