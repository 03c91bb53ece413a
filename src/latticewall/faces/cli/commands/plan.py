"""`latticewall plan`: what the data plane was told to be."""

from __future__ import annotations

import argparse
from typing import Any

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import COULD_NOT_TELL
from latticewall.faces.cli.session import Session


def run(session: Session, _: argparse.Namespace, output: Output) -> int:
    """2 while there is no plan yet."""
    plan = session.ask("plan")
    if plan is None:
        output.remark("latticewall: the region has made no plan yet: try again in a moment")
        return COULD_NOT_TELL
    if output.as_json:
        output.document(plan)
    else:
        output.line(_readable(plan))
    return 0


def _readable(plan: dict[str, Any]) -> str:
    """The whole plan, indented, without what is empty."""
    import yaml

    return yaml.safe_dump(_filled(plan), sort_keys=False, width=160, allow_unicode=True).rstrip()


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items() if item not in ("", None, [], {})}
    return [_filled(item) for item in value] if isinstance(value, list) else value


COMMAND = Command("plan", "print what the data plane is told to be", ("latticewall plan", "latticewall plan --output json"), run)
