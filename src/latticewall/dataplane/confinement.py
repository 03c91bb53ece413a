"""What shuts a program in: a root made of the system's read-only programs and libraries and of what it is given, and a user of its own without capabilities.

For programs that run what users wrote (functions) or that users speak to with rights of their own (database servers): whatever they come to do, they
see nothing of this machine's users, of the region's state or of each other.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latticewall.dataplane import syscalls

CAPABILITIES = 64
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("ssl", "pki", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_READ_ONLY = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
_WRITABLE = syscalls.MS_NOSUID | syscalls.MS_NODEV


@dataclass(frozen=True)
class Cell:
    """root: an empty folder to build in. mounts: (source, target), read-only. shared: (source, target), the program may write there. etc: texts of files in
    /etc. tmpfs: target -> MB, folders in memory that anyone may write to. user: the number of the user that the program becomes."""

    root: Path
    hostname: str
    user: int
    etc: Mapping[str, str]
    mounts: Iterable[tuple[str, str]] = ()
    shared: Iterable[tuple[str, str]] = ()
    tmpfs: Mapping[str, int] = field(default_factory=dict)


def shut_in(cell: Cell) -> None:
    """Give this process, in mount and UTS namespaces of its own already, the cell as its root; the old one is detached. It dies with its parent."""
    os.umask(0o022)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | syscalls.MS_REC)
    socket.sethostname(cell.hostname)
    root = cell.root
    syscalls.mount("tmpfs", root, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=1m")
    for name in _SYSTEM:
        _same(Path("/") / name, root / name)
    for name in _ETC:
        _same(Path("/etc") / name, root / "etc" / name)
    for source, target in cell.mounts:
        _bind(Path(source), root / target.lstrip("/"))
    for source, target in cell.shared:
        _bind(Path(source), root / target.lstrip("/"), _WRITABLE)
    for device in _DEVICES:
        _bind(Path("/dev") / device, root / "dev" / device, flags=syscalls.MS_NOSUID)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        (root / "dev" / name).symlink_to(target)
    for name, text in cell.etc.items():
        file = root / "etc" / name
        file.write_text(text)
        file.chmod(0o644)
    (root / "proc").mkdir()
    syscalls.mount("proc", root / "proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    for target, megabytes in cell.tmpfs.items():
        folder = root / target.lstrip("/")
        folder.mkdir(exist_ok=True)
        syscalls.mount("tmpfs", folder, "tmpfs", _WRITABLE, f"mode=1777,size={megabytes}m")
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


def drop_privileges(user: int) -> None:
    """Become another user, where the region has more than one; else one in a user namespace of its own. No capability, none to be had."""
    if is_mapped(user):
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
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def is_mapped(user: int) -> bool:
    """Whether the region's user namespace has that user."""
    lines = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return any(int(first) <= user < int(first) + int(count) for first, _, count in lines)


def _no_capabilities() -> None:
    """capset(2) to nothing, so that the user namespace's own are gone too."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"capset: {os.strerror(code)}")
