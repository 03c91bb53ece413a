"""System calls that Python 3.11 does not have. Standard library only: the holder uses them too. All raise OSError."""

from __future__ import annotations

import ctypes
import os
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(path: str | os.PathLike[str], kind: int) -> None:
    """Enter the namespace of that file: the calling thread only, for network namespaces."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(file, kind), f"enter {os.fspath(path)}")
    finally:
        os.close(file)


def mount(source: str, target: str | os.PathLike[str], kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(result, f"mount {kind or source} on {os.fspath(target)}")


def unmount(target: str | os.PathLike[str]) -> None:
    """Detach, with everything mounted below; what is still in use ends later by itself."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {os.fspath(target)}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root of this mount namespace and put the former one at `old`."""
    _check(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), f"pivot to {new}")


def prctl(option: int, value: int | bytes) -> None:
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    _check(_libc.prctl(option, argument, 0, 0, 0), f"prctl {option}")


def disconnect(descriptor: int) -> None:
    """Make a TCP socket ready to be connected anew; it stays in the network namespace in which it was opened."""
    _check(_libc.connect(descriptor, struct.pack("H14x", socket.AF_UNSPEC), 16), "disconnect")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
