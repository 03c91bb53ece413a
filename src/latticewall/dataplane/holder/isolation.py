"""The region's private user, mount and network namespaces: the same for root and for an ordinary user."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from latticewall.dataplane import syscalls
from latticewall.dataplane.holder.state import CannotStart

RUN = Path("/run/latticewall")
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def isolate(run: Path, keep: tuple[Path, ...] = ()) -> None:
    """Enter new namespaces, with `run` also at /run/latticewall and nothing else under /run.

    run: S/run; its short second name keeps unix socket paths within 107 bytes. keep: folders that must stay reachable even if they are under /run. The
    process must have one thread. Raises CannotStart.
    """
    try:
        _unshare()
        syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | syscalls.MS_REC)
        _private_run(run, keep)
        link_up("lo")
    except OSError as error:
        raise CannotStart(_reason(error)) from None


def link_up(name: str) -> None:
    """Bring an interface of the current network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | _IFF_UP))


def _unshare() -> None:
    """Root keeps all ids that it has; an ordinary user becomes root of the new user namespace and nobody else exists there."""
    namespaces = syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET
    if os.geteuid() == 0:
        _unshare_with_all_ids(namespaces)
        return
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(namespaces)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _unshare_with_all_ids(namespaces: int) -> None:
    """More than one id can only be mapped from outside: by a child that stays behind."""
    maps = {name: _identity(Path(f"/proc/self/{name}").read_text()) for name in ("uid_map", "gid_map")}
    parent = os.getpid()
    awaited, signalled = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        status = 1
        try:
            os.close(signalled)
            if os.read(awaited, 1):
                for name, text in maps.items():
                    Path(f"/proc/{parent}/{name}").write_text(text)
                status = 0
        finally:
            os._exit(status)
    os.close(awaited)
    try:
        syscalls.unshare(namespaces)
        os.write(signalled, b"x")
    finally:
        os.close(signalled)
        _, status = os.waitpid(mapper, 0)
    if status != 0:
        raise PermissionError(errno.EPERM, "the ids of root cannot be mapped into a user namespace")


def _identity(ids: str) -> str:
    """ "inside outside count" lines -> the same ids under the same numbers one level further in."""
    lines = [line.split() for line in ids.splitlines()]
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in lines)


def _private_run(run: Path, keep: tuple[Path, ...]) -> None:
    hidden = {path: path for path in keep if path.is_relative_to("/run")}
    opened = {target: os.open(source, os.O_PATH | os.O_CLOEXEC) for target, source in {RUN: run, **hidden}.items()}
    syscalls.mount("tmpfs", "/run", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755")
    for target, file in opened.items():
        target.mkdir(parents=True, exist_ok=True, mode=0o755)
        syscalls.mount(f"/proc/self/fd/{file}", target, flags=syscalls.MS_BIND | syscalls.MS_REC)
        os.close(file)
    Path("/run/lock").mkdir()
    Path("/run/netns").symlink_to(RUN / "netns")


def forbidding_setting(kernel: Path = Path("/proc/sys")) -> str:
    """The setting that forbids user namespaces here, with the command that changes it; "" when none does. kernel: where the kernel shows its settings."""
    settings = (
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor restricts them: as root, `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"),
        ("kernel/unprivileged_userns_clone", "0", "they are switched off: as root, `sysctl kernel.unprivileged_userns_clone=1`"),
        ("user/max_user_namespaces", "0", "they are switched off: as root, `sysctl user.max_user_namespaces=10000`"),
    )
    for key, refusing, advice in settings:
        with contextlib.suppress(OSError):
            if (kernel / key).read_text().strip() == refusing:
                return advice
    return ""


def _reason(error: OSError) -> str:
    """Why the kernel refused, as far as its settings tell."""
    if setting := forbidding_setting():
        return f"user namespaces are needed and {setting}, or start as root"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"user namespaces are needed and this system refuses them ({error.strerror}): in a container, allow it to create namespaces and to mount"
    return f"private namespaces cannot be made: {error.strerror or error}"
