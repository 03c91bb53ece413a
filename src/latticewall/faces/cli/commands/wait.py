"""`latticewall wait`: until the data plane has everything that was asked for."""

from __future__ import annotations

import argparse

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED
from latticewall.faces.cli.session import Session

_LONGEST = 120.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="how long to wait, at most 120 (default: 30)")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """0 when the newest revision is applied, 1 when it is not in time."""
    seconds = min(max(chosen.timeout, 0.001), _LONGEST)
    answer = session.ask("wait", {"timeout": seconds}, seconds + 10)
    if output.as_json:
        output.document(answer)
    elif answer["applied"]:
        output.line(f"revision {answer['revision']} is applied")
    else:
        output.line(f"revision {answer['revision']} is not applied after {seconds:g} s: see `{session.command} status`")
    return 0 if answer["applied"] else NOT_AS_EXPECTED


COMMAND = Command("wait", "wait until the data plane has applied every change", ("latticewall wait --timeout 10",), run, arguments)
