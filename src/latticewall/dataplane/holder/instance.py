"""An instance: its own pid, mount and uts namespaces in its network namespace, and an init that boots it and stays.

Two processes: one waits in the holder's pid namespace and dies with the holder; its child is the instance's pid 1 and dies with it, and with pid 1
everything in the instance.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import NoReturn

from latticewall.dataplane import syscalls
from latticewall.dataplane.holder.spawn import Spawned, Surroundings, default_signals, die_with_parent, fork, reason, redirect, tell
from latticewall.dataplane.holder.specs import InstanceSpec

INSIDE = Path("/run/instance")
"""The instance's own folder (S/instances/<id>) as it sees it itself: home/, tmp/, etc/."""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": str(INSIDE / "home"),
    "TMPDIR": str(INSIDE / "tmp"),
    "LANG": "C.UTF-8",
    "USER": "root",
}
AUTHORITIES = "ca-certificates.crt"
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
"""The certificate authorities that an instance trusts, the region's own among them: in its own folder and, where the system has such a file, in its place."""
_TRUSTING = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
"""What tells OpenSSL, curl, Python's requests, Node and gRPC where they are."""
_STOP_SECONDS = 2.0
_FILES = ("resolv.conf", "hosts", "hostname")


def environment() -> dict[str, str]:
    """What a process starts with, as seen from inside the instance: ours, and what the region gives (`etc/environment`, NAME=value lines)."""
    try:
        lines = (INSIDE / "etc" / "environment").read_text().splitlines()
    except FileNotFoundError:
        lines = []
    given = (line.partition("=") for line in lines)
    authorities = INSIDE / "etc" / AUTHORITIES
    trusting = dict.fromkeys(_TRUSTING, str(authorities)) if authorities.exists() else {}
    return {**_ENVIRONMENT, **trusting, **{name: value for name, _, value in given if name}}


def spawn_instance(spec: InstanceSpec, where: Surroundings) -> Spawned:
    """Boot an instance; returns when its init runs. Raises CannotSpawn."""

    def setup(report: int) -> None:
        folder = where.instances / spec.name
        for name in ("home", "tmp", "etc"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        redirect(folder / "console.log")
        os.chdir("/")
        syscalls.setns(where.netns / spec.netns, syscalls.CLONE_NEWNET)
        syscalls.unshare(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
        guarded, guard = os.pipe()
        init = os.fork()
        if init == 0:
            os.close(guarded)
            _become_init(spec, where.state, folder, report, guard)
        tell(report, pid=init)
        os.closerange(3, guarded)
        os.closerange(guarded + 1, 1024)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]) & 0xFF)

    return fork(setup)


def _become_init(spec: InstanceSpec, state: Path, folder: Path, report: int, guard: int) -> NoReturn:
    try:
        die_with_parent()
        if _reader_gone(guard):
            os._exit(1)
        syscalls.prctl(syscalls.PR_SET_NAME, spec.name.encode()[:15])
        _own_view(spec, state, folder)
        for file in sorted(int(name) for name in os.listdir("/proc/self/fd")):
            if file > 2 and file != report:
                _close(file)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
        _close(report)
        _serve(_user_data(spec))
    except BaseException as error:  # noqa: BLE001 - the init must end here, whatever happened
        tell(report, error=f"instance {spec.name}: {reason(error)}")
        os._exit(1)


def _reader_gone(guard: int) -> bool:
    poll = select.poll()
    poll.register(guard, 0)
    return bool(poll.poll(0))


def _close(file: int) -> None:
    try:
        os.close(file)
    except OSError:
        return


def _own_view(spec: InstanceSpec, state: Path, folder: Path) -> None:
    """The host's files, but own processes, name, resolver and /run; the region's state is out of sight."""
    syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | syscalls.MS_REC)
    socket.sethostname(spec.hostname)
    own = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    syscalls.unmount("/run")
    syscalls.mount("tmpfs", "/run", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755")
    INSIDE.mkdir(mode=0o755)
    syscalls.mount(f"/proc/self/fd/{own}", INSIDE, flags=syscalls.MS_BIND)
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    if state.is_dir():
        syscalls.mount("tmpfs", state, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=700,size=4k")
    for name in _FILES:
        _replace_file(INSIDE / "etc" / name, Path("/etc") / name)
    if SYSTEM_AUTHORITIES.exists():
        _replace_file(INSIDE / "etc" / AUTHORITIES, SYSTEM_AUTHORITIES)
    os.umask(0o022)
    os.chdir(INSIDE / "home")


def _replace_file(source: Path, target: Path) -> None:
    """Put our file over the system's; a link into /run (systemd-resolved's) gets its file there."""
    if not source.exists():
        return
    real = Path(os.path.realpath(target))
    if not real.exists() and real.is_relative_to("/run"):
        real.parent.mkdir(parents=True, exist_ok=True)
        real.touch()
    if real.exists():
        syscalls.mount(str(source), real, flags=syscalls.MS_BIND)
    else:
        _say(f"this system has no {target}: the instance's own is not in place")


# -- init ---------------------------------------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    os.write(2, f"[{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}] init: {text}\n".encode())


def _user_data(spec: InstanceSpec) -> Path | None:
    """The script to run at this boot, if any: that of the first boot, also when that boot is repeated because the region was down meanwhile."""
    if not spec.user_data:
        return None
    first = INSIDE / "first-boot"
    if first.exists() and first.read_text() != spec.boot:
        _say("user data ran at the first boot and does not run again")
        return None
    try:
        text = base64.b64decode(spec.user_data, validate=True)
        if text.startswith(b"\x1f\x8b"):
            text = gzip.decompress(text)
    except (binascii.Error, OSError, EOFError) as error:
        _say(f"user data cannot be decoded: {error}")
        return None
    first.write_text(spec.boot)
    if not text.startswith(b"#!"):
        kind = "cloud-config is not supported" if text.startswith(b"#cloud-config") else "it does not start with #!"
        _say(f"user data ignored: {kind}")
        return None
    script = INSIDE / "user-data"
    script.unlink(missing_ok=True)
    script.touch(mode=0o700)
    script.write_bytes(text)
    return script


def _serve(script: Path | None) -> NoReturn:
    """Run the script, reap what ends, until SIGTERM; then end everything."""
    running = _run(script) if script else 0
    while True:
        if signal.sigwait({signal.SIGCHLD, signal.SIGTERM}) == signal.SIGTERM:
            _stop()
        for pid, status in _ended():
            if pid == running:
                _say(f"user data ended with {os.waitstatus_to_exitcode(status)}")


def _run(script: Path) -> int:
    _say("user data starts")
    pid = os.fork()
    if pid == 0:
        try:
            default_signals()
            os.setsid()
            with script.open("rb") as file:
                interpreter = file.readline()[2:].strip().decode().split(maxsplit=1)
            os.execve(interpreter[0], [*interpreter, str(script)], environment())  # noqa: S606 - the script names its interpreter
        except BaseException as error:  # noqa: BLE001 - a child of fork must end here, whatever happened
            _say(f"user data cannot run: {error}")
        finally:
            os._exit(127)
    return pid


def _ended() -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, status))


def _stop() -> NoReturn:
    """SIGTERM to all processes of the instance, then the end, which kills what is left."""
    deadline = time.monotonic() + _STOP_SECONDS
    try:
        os.kill(-1, signal.SIGTERM)
        while (left := deadline - time.monotonic()) > 0:
            _ended()
            os.kill(-1, 0)
            signal.sigtimedwait({signal.SIGCHLD}, left)
    except ProcessLookupError:
        pass
    os._exit(0)
