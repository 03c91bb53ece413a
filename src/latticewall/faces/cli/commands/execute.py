"""`latticewall exec`: run a program inside an instance."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.entering import run_inside
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session

START_SECONDS = 30.0
STOPPED = ("stopping", "stopped", "deleting", "failed")
"""Statuses of instances that are not meant to run."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instance", metavar="INSTANCE", help="an instance id, or the value of a Name tag")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM ...", help="what to run, with its arguments")


def run(session: Session, chosen: argparse.Namespace, _: Output) -> int:
    """The program's own exit code; 2 when there is no such instance."""
    if not chosen.program:
        raise Problem(f"exec {chosen.instance}: nothing to run: write `{session.command} exec {chosen.instance} -- PROGRAM ...`")
    return run_inside(init_of(session, chosen.instance), chosen.program)


def init_of(session: Session, wanted: str) -> int:
    """The pid of the init of an instance, by id or Name tag. One that is on its way up, as all are when the region has just come up, is waited for.
    Raises Problem."""
    instances = session.ask("instances")
    if any(wanted in (item["id"], item["name"]) and is_starting(item) for item in instances):
        session.ask("wait", {"timeout": START_SECONDS})
        instances = session.ask("instances")
    return int(running(instances, wanted)["pid"])


def is_starting(instance: dict[str, Any]) -> bool:
    return not instance.get("pid") and instance["status"] not in STOPPED


def running(instances: Sequence[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The one instance of that id, else of that Name, among those that run."""
    found = [item for item in instances if item["id"] == wanted] or [item for item in instances if item["name"] == wanted]
    alive = [item for item in found if item.get("pid")]
    if len(alive) == 1:
        return alive[0]
    if alive:
        ids = ", ".join(f"{item['id']} ({item['address']})" for item in alive)
        raise Problem(f"{len(alive)} running instances are named {wanted}: {ids}; give the id")
    if found and is_starting(found[0]):
        raise Problem(f"instance {found[0]['id']} should be running, but has not started: `latticewall status` says what fails")
    if found:
        raise Problem(f"instance {found[0]['id']} is not running (its state is {found[0]['status']}): start it first")
    names = sorted(item["name"] or item["id"] for item in instances if item.get("pid"))
    raise Problem(f"no instance {wanted}: " + (f"running are {', '.join(names)}" if names else "none is running"))


COMMAND = Command(
    "exec",
    "run a program inside an instance, by id or Name tag; its exit code is passed on",
    ("latticewall exec web -- curl http://logging.example.com:5044/", "latticewall exec i-0123456789abcdef0 -- ip route"),
    run,
    arguments,
)
