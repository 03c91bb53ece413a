"""`latticewall walkthrough`: three scenarios, deployed and checked. What it does is in `faces.walkthrough`."""

from __future__ import annotations

import argparse

from latticewall.faces.cli.command import Command
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.session import Session

_SCENARIOS = ("centralized", "service-network", "combined", "all")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", choices=_SCENARIOS, default="all", help="which one (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the region up at the end, with the last scenario deployed")


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """0 when every check came out as expected, 1 when one did not."""
    from latticewall.faces.walkthrough.command import run as walk

    return walk(session, chosen, output)


COMMAND = Command(
    "walkthrough",
    "deploy the three scenarios, send real traffic, and check every figure",
    ("latticewall walkthrough", "latticewall walkthrough --scenario combined --keep", "latticewall walkthrough --output json"),
    run,
    arguments,
)
