"""`python -m latticewall.dataplane.functions.sandbox CHANNEL`: shut a runtime in and become it. The specification comes as JSON on standard input.

Two processes, as for an instance: one waits and dies with the `functions` process; its child is pid 1 of its own pid, mount, network, IPC and UTS
namespaces. Its root is made of the system's read-only programs and libraries, the runtime, and the function's code; nothing else of this machine is
mounted there, and the old root is gone. Its network has a loopback only, with one listening socket that the `functions` process answers: the region's
API. It has a user of its own, no capability, and cannot gain one.
"""

from __future__ import annotations

import ctypes
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
from latticewall.dataplane.holder.isolation import link_up

API_PORT = 4566
"""On 127.0.0.1 inside: the region's API."""
CHANNEL = 3
FIRST_USER, USERS = 62_000, 1_000
"""Users of environments, one each while there are enough: none of the system's own."""
PROCESSES, FILES = 1024, 1024
"""Lambda's quotas for an environment ("Lambda quotas")."""
CAPABILITIES = 64
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("ssl", "pki", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_READ_ONLY = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV


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
    """A root of its own; the old one is detached."""
    os.umask(0o022)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | syscalls.MS_REC)
    socket.sethostname("lambda")
    root = Path(spec["root"])
    syscalls.mount("tmpfs", root, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=1m")
    for name in _SYSTEM:
        _same(Path("/") / name, root / name)
    for name in _ETC:
        _same(Path("/etc") / name, root / "etc" / name)
    for source, target in spec["mounts"]:
        _bind(Path(source), root / str(target).lstrip("/"))
    for device in _DEVICES:
        _bind(Path("/dev") / device, root / "dev" / device, flags=syscalls.MS_NOSUID)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        (root / "dev" / name).symlink_to(target)
    user = int(spec["user"])
    for name, text in (
        ("passwd", f"sbx_user1051:x:{user}:{user}::/tmp:/sbin/nologin\n"), ("group", f"sbx_user1051:x:{user}:\n"),
        ("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", ""), ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ):  # fmt: skip
        file = root / "etc" / name
        file.write_text(text)
        file.chmod(0o644)
    for name in ("proc", "tmp"):
        (root / name).mkdir()
    syscalls.mount("proc", root / "proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    size = int(spec["storage"])
    syscalls.mount("tmpfs", root / "tmp", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, f"mode=1777,size={size}m")
    _read_only(root)
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.unmount(".")
    os.chdir("/")


def _same(source: Path, target: Path) -> None:
    """A part of the system at the same place, if this system has it."""
    if source.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(os.readlink(source))
    elif source.exists():
        _bind(source, target)


def _bind(source: Path, target: Path, flags: int = _READ_ONLY) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    syscalls.mount(str(source), target, flags=syscalls.MS_BIND | syscalls.MS_REC)
    _read_only(target, flags)


def _read_only(target: Path, flags: int = _READ_ONLY) -> None:
    """Remount with more flags; those that are there already may not be taken away (mount_namespaces(7))."""
    held = os.statvfs(target).f_flag & (syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    syscalls.mount("none", target, flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | flags | held)


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
    _drop_privileges(int(spec["user"]))
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir("/var/task")
    argv: list[str] = spec["argv"]
    os.execve(argv[0], argv, spec["environment"])  # noqa: S606 - no shell is wanted


def _drop_privileges(user: int) -> None:
    """Another user, where the region has more than one; else one in a user namespace of its own. No capability, none to be had."""
    if _is_mapped(user):
        os.setgroups([])
    else:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/self/{name}").write_text(f"{user} 0 1")
    for capability in range(CAPABILITIES):
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
        except OSError:
            break  # this kernel knows no more
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    _no_capabilities()


def _is_mapped(user: int) -> bool:
    lines = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return any(int(first) <= user < int(first) + int(count) for first, _, count in lines)


def _no_capabilities() -> None:
    """capset(2) to nothing, so that the user namespace's own are gone too."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")


if __name__ == "__main__":
    sys.exit(main())
