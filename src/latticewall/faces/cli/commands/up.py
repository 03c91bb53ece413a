"""`latticewall up`: start the holder, and wait until the region answers."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from latticewall.faces.cli.client import Client, Refused
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session, Up, holder_command
from latticewall.faces.cli.system import missing_tools, region_environment

HEALTHY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_ADVICE = {
    "Address already in use": "stop what listens there (`ss -ltnp` shows it), or choose another place with --listen",
    "Cannot assign requested address": "--listen takes an address of this machine",
    "Name or service not known": "--listen takes an address of this machine",
    "cannot be used": "choose another folder with --state",
}
"""What the holder complains of -> what to do next."""
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="return when the region answers, and leave it running")
    parser.add_argument("--listen", default="127.0.0.1:4566", metavar="HOST:PORT", type=_place, help="where the endpoint listens (default: %(default)s)")
    parser.add_argument("--region", default="us-east-1", metavar="NAME", type=_region, help="the AWS region's name (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="accept any access key without checking signatures: for local experiments only")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """Start the region, or say that it is up already."""
    found = session.find()
    if found is not None:
        return _already_up(session, found, chosen, output)
    _check_tools()
    with tempfile.TemporaryFile() as complaints:
        holder = _start(session, chosen, complaints)
        try:
            up = _wait_until_healthy(session, holder, complaints)
        except BaseException:
            _stop(holder)
            raise
    _announce(session, up, chosen, output)
    if chosen.detach:
        return 0
    return _stay(holder, output)


def _place(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: HOST:PORT is needed, for example 127.0.0.1:4566")
    return text


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a region's name: lower-case letters, digits and hyphens, for example us-east-1")
    return text


def _already_up(session: Session, found: Up, chosen: argparse.Namespace, output: Output) -> int:
    """As expected only when it is the region that was asked for."""
    if found.region != chosen.region or not _same_place(found.endpoint, chosen.listen):
        raise Problem(
            f"a region is up already for state folder {session.state}, but as {found.region} at {found.endpoint}: "
            f"stop it with `{session.command} down`, or choose another --state",
            NOT_AS_EXPECTED,
        )
    if output.as_json:
        output.document(_document(session, found) | {"already_up": True})
    else:
        output.line(f"latticewall is up already: {found.endpoint}, region {found.region} (process {found.holder_pid})")
    return 0


def _same_place(endpoint: str, listen: str) -> bool:
    """Port 0 asks for any port, a name for any of its addresses."""
    host, _, port = listen.rpartition(":")
    parts = urlsplit(endpoint)
    return int(port) in (0, parts.port) and (not _is_address(host) or _is_wide(host) or host.strip("[]") == parts.hostname)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_wide(host: str) -> bool:
    return ipaddress.ip_address(host.strip("[]")).is_unspecified


def _check_tools() -> None:
    missing = missing_tools()
    if missing:
        text = "; ".join(f"{tool.name} is not installed ({tool.purpose} needs it): {tool.fix}" for tool in missing)
        raise Problem(text, NOT_AS_EXPECTED)


def _start(session: Session, chosen: argparse.Namespace, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    """The holder, on its own session so that the terminal's signals go to whom they are meant for."""
    command = holder_command(session.state, chosen.listen, chosen.region, open_mode=chosen.open)
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints, cwd="/", env=region_environment(), start_new_session=True,
    )  # fmt: skip


def _wait_until_healthy(session: Session, holder: subprocess.Popen[bytes], complaints: IO[bytes]) -> Up:
    begun, deadline = time.time(), time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        if holder.poll() is not None:
            raise Problem(_advised(_last_line(complaints)) or f"the holder ended with {holder.returncode} and said nothing", NOT_AS_EXPECTED)
        up = session.find()
        if up is not None and up.holder_pid == holder.pid and _is_healthy(up):
            return up
        time.sleep(0.05)
    raise Problem(f"the region did not answer within {HEALTHY_SECONDS:.0f} s and was stopped: {_last_words(session.state, begun)}", NOT_AS_EXPECTED)


def _is_healthy(up: Up) -> bool:
    try:
        return str(Client(up.endpoint, up.region).ask("health", seconds=2.0).get("status")) in ("ok", "degraded")
    except (Problem, Refused):
        return False


def _last_line(complaints: IO[bytes]) -> str:
    """What the holder said last; a Python traceback's last line is the reason."""
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("latticewall: ") if lines else ""


def _advised(complaint: str) -> str:
    """The holder's reason, with what to do about it."""
    for sign, advice in _ADVICE.items():
        if sign in complaint:
            return f"{complaint}: {advice}"
    return complaint


def _last_words(state: Path, begun: float) -> str:
    """What the control plane said last in this start."""
    log = state / "logs" / "control-plane.log"
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        if lines and log.stat().st_mtime >= begun - 1:
            return f"{lines[-1].strip()} (more in {log})"
    return f"see {state / 'logs'}"


def _stop(holder: subprocess.Popen[bytes]) -> None:
    if holder.poll() is not None:
        return
    holder.terminate()
    try:
        holder.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        holder.kill()
        holder.wait()


def _announce(session: Session, up: Up, chosen: argparse.Namespace, output: Output) -> None:
    if chosen.open:
        output.remark("OPEN MODE: any access key is accepted and NO signature is checked. Everybody who reaches this endpoint can do everything.")
    host = urlsplit(up.endpoint).hostname or ""
    wide = chosen.listen.rpartition(":")[0].strip("[]")
    if not (host == "localhost" or (_is_address(wide) and ipaddress.ip_address(wide).is_loopback) or wide == "localhost"):
        output.remark(f"note: the endpoint listens on {wide}, not only on this machine's loopback")
    if output.as_json:
        output.document(_document(session, up))
        return
    output.line(f"latticewall is up: {up.endpoint}, region {up.region}, account {session.account}")
    output.line(f"  state   {session.state}")
    output.line(f'  next    eval "$({session.command} env)"      aws, boto3, terraform and cdk now talk to this region')
    output.line(f"          {session.command} deploy TEMPLATE    create or update a CloudFormation stack")
    output.line(f"          {session.command} status             what runs; `{session.command} down` stops it")


def _document(session: Session, up: Up) -> dict[str, object]:
    names = {"state": "up", "endpoint": up.endpoint, "region": up.region, "account": session.account}
    return {**names, "holder_pid": up.holder_pid, "state_folder": str(session.state)}


def _stay(holder: subprocess.Popen[bytes], output: Output) -> int:
    """Until the region ends or this command is told to: then the region ends first."""

    def pass_on(_number: int, _frame: object) -> None:
        output.remark("stopping")
        holder.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    code = holder.wait()
    return 0 if code == 0 else NOT_AS_EXPECTED


COMMAND = Command(
    "up",
    "start the region: an AWS endpoint on this machine",
    ("latticewall up", "latticewall up --detach", "latticewall --state ./region up --detach --listen 127.0.0.1:4570 --region eu-central-1"),
    run,
    arguments,
)
