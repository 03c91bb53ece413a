"""`latticewall status`: what runs, and what the data plane has applied."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import COULD_NOT_TELL, NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session

_ANSWER_SECONDS = 10.0
"""A control plane that was killed is back within this time, and the request waits in the listening socket meanwhile."""


def run(session: Session, _: argparse.Namespace, output: Output) -> int:
    """0 when the region is up, 1 when it is down, 2 when its control plane does not answer."""
    found = session.find()
    if found is None:
        if output.as_json:
            output.document({"state": "down"})
        else:
            output.line(f"latticewall is down (state folder {session.state}): start it with `{session.command} up --detach`")
        return NOT_AS_EXPECTED
    places = {"endpoint": found.endpoint, "holder_pid": found.holder_pid, "region": found.region, "started_at": found.started_at}
    holder = _row({"name": "holder", "pid": found.holder_pid, "state": "running", "restarts": 0}, None)
    try:
        answer = session.ask("status", seconds=_ANSWER_SECONDS)
    except Problem as problem:
        if output.as_json:
            output.document({"state": "unreachable", **places, "processes": [holder], "failures": [], "reason": str(problem)})
            return COULD_NOT_TELL
        raise
    processes = [holder, *(_row(process, process["revision"]) for process in answer["processes"])]
    answer = {"state": "up", **answer, **places, "account": answer["account"], "processes": processes}
    if output.as_json:
        output.document(answer)
    else:
        _show(answer, output)
    return 0


def _row(process: dict[str, Any], revision: int | None) -> dict[str, Any]:
    """A process as shown. memory: resident bytes, None when it does not run. revision: what it has applied, None for the holder, which applies none,
    and for an Envoy that has not acknowledged any yet."""
    pid = process.get("pid") or None
    names = {"name": process["name"], "pid": pid, "memory": resident_bytes(pid) if pid else None}
    return {**names, "state": process.get("state", ""), "restarts": process.get("restarts", 0), "revision": revision}


def resident_bytes(pid: int) -> int | None:
    """VmRSS of a process; None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)


def _show(answer: dict[str, Any], output: Output) -> None:
    mode = ", open" if answer.get("open") else ""
    output.line(f"latticewall is up: {answer['endpoint']}, region {answer['region']}, account {answer['account']}{mode}, since {answer['started_at']}")
    output.line(f"revision {answer['revision']}, applied {answer['applied_revision']}")
    columns = ("process", "pid", "memory", "state", "restarts", "revision")
    output.table(columns, [_cells(process) for process in answer["processes"]], numbers=("pid", "memory", "restarts", "revision"))
    for failure in answer["failures"]:
        output.line(f"failing: {failure['id']}: {failure['message']}")
    for part, error in (answer.get("errors") or {}).items():
        output.line(f"error: {part}: {error}")


def _cells(process: dict[str, Any]) -> tuple[str, ...]:
    memory = "-" if process["memory"] is None else f"{process['memory'] / 2**20:.0f} MiB"
    revision = "-" if process["revision"] is None else str(process["revision"])
    return (process["name"], str(process["pid"] or "-"), memory, process["state"], str(process["restarts"]), revision)


COMMAND = Command("status", "show what runs and what the data plane has applied", ("latticewall status", "latticewall status --output json"), run)
