"""`latticewall doctor`: whether this machine has what a region needs, each point tried for real."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from latticewall.base.faults import Fault
from latticewall.dataplane import syscalls
from latticewall.dataplane.authorization.crypto import libcrypto
from latticewall.dataplane.databases.programs import OLDEST, PACKAGE, releases
from latticewall.dataplane.holder.isolation import forbidding_setting
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED
from latticewall.faces.cli.session import Session
from latticewall.faces.cli.system import TOOLS, search_path

_SECONDS = 20
_FREE_MIB = 512
_MEMORY_MIB = 1024
_KERNEL: tuple[tuple[str, str, str], ...] = (
    ("virtual links", "ip link add lwa type veth peer name lwb", "load the kernel module veth"),
    ("nftables", "nft add table inet lw && nft add chain inet lw c '{ type filter hook forward priority 0; }'", "load the kernel module nf_tables"),
    ("connection tracking", "nft add table inet lw && nft add chain inet lw c && nft add rule inet lw c ct state established accept", "load nf_conntrack"),
    ("queue to the engine", "iptables-nft -t mangle -A FORWARD -j NFQUEUE --queue-num 0", "load the kernel modules nfnetlink_queue and xt_NFQUEUE"),
    ("routing by interface", "ip rule add iif lo lookup 100", "a kernel with CONFIG_IP_MULTIPLE_TABLES is needed"),
)
"""(what, how it is tried inside fresh namespaces, what to do when it fails)."""


@dataclass(frozen=True)
class Finding:
    """One point. fix: what to do when it is not ok. needed: by every region."""

    check: str
    ok: bool
    observed: str
    fix: str = ""
    needed: bool = True


def run(session: Session, _: argparse.Namespace, output: Output) -> int:
    """0 when everything is there, 1 when something is missing."""
    found = [*programs(), *optional(), *_namespaces(), *_room(session.state)]
    if output.as_json:
        output.document([asdict(item) for item in found])
    else:
        rows = [("✓" if item.ok else "✗" if item.needed else "-", item.check, item.observed, "" if item.ok else item.fix) for item in found]
        output.table(("", "check", "observed", "what to do"), rows)
    return 0 if all(item.ok for item in found if item.needed) else NOT_AS_EXPECTED


def programs() -> Iterator[Finding]:
    """Python and the tools: there, and recent enough."""
    version = platform.python_version()
    yield Finding("python", sys.version_info >= (3, 11), version, "Python 3.11 or later is needed")
    path = search_path()
    for tool in TOOLS:
        found = shutil.which(tool.name, path=path)
        said = _version(found, tool.version) if found else "not installed"
        yield Finding(tool.name, found is not None and _major(said) >= tool.oldest, said, tool.fix)
    try:
        yield Finding("libcrypto", ok=True, observed=libcrypto())
    except Fault as fault:
        yield Finding("libcrypto", ok=False, observed=fault.message, fix="install the package libssl3 (libssl3t64)")


def optional() -> Iterator[Finding]:
    """What only some resources need."""
    found = releases()
    observed = ", ".join(map(str, found)) or f"not installed: DB instances need version {OLDEST} or later"
    yield Finding("postgresql", bool(found), observed, f"as root, `apt-get install {PACKAGE}`", needed=False)


def _version(program: str, words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), "says nothing")


def _major(said: str) -> int:
    """The major version in what a program says of itself; 0 when it names none."""
    found = re.search(r"\b(\d+)\.\d", said)
    return int(found[1]) if found else 0


def _namespaces() -> Iterator[Finding]:
    """User, mount and network namespaces, then the kernel's features inside them."""
    refusal = _in_namespaces(lambda: 0)
    fix = forbidding_setting() or "in a container, allow it to create namespaces and to mount"
    yield Finding("namespaces", not refusal, refusal or "user, mount and network namespaces work", fix)
    if refusal:
        return
    for what, script, fix in _KERNEL:
        complaint = _in_namespaces(lambda script=script: _try(script))  # type: ignore[misc]
        yield Finding(what, not complaint, complaint or "works", f"as root: {fix}")


def _try(script: str) -> int:
    """Constant scripts only, from the table above."""
    environment = {**os.environ, "PATH": search_path()}
    done = subprocess.run(["/bin/sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise OSError((done.stderr or done.stdout).strip().splitlines()[-1])
    return 0


def _in_namespaces(action: Callable[[], int]) -> str:
    """Run in a child that is root of its own namespaces; "" or why it failed."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            user, group = os.geteuid(), os.getegid()
            syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
            syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | syscalls.MS_REC)
            syscalls.mount("tmpfs", "/run", "tmpfs")
            action()
        except Exception as error:  # noqa: BLE001 - a child of fork must end here, whatever happened
            os.write(write_end, (getattr(error, "strerror", None) or str(error) or type(error).__name__).encode()[:4000])
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        text = stream.read().decode(errors="replace")
    os.waitpid(child, 0)
    return text


def _room(state: Path) -> Iterator[Finding]:
    """Space for the state, memory for the engines."""
    folder = next(place for place in (state, *state.parents) if place.exists())
    free = shutil.disk_usage(folder).free // 2**20
    writable = os.access(folder, os.W_OK | os.X_OK)
    observed = f"{state}: {free} MiB free" if writable else f"{folder} is not writable"
    yield Finding("state folder", writable and free >= _FREE_MIB, observed, "choose another --state")
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    memory = int(fields["MemAvailable"].split()[0]) // 1024
    advice = f"{_MEMORY_MIB} MiB are advisable: Envoy takes about 60, each firewall endpoint about 40"
    yield Finding("memory", memory >= _MEMORY_MIB, f"{memory} MiB available", advice)


COMMAND = Command("doctor", "check whether this machine has what a region needs", ("latticewall doctor",), run)
