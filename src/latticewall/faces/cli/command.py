"""What a sub-command is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from latticewall.faces.cli.output import Output
from latticewall.faces.cli.session import Session

Run = Callable[[Session, argparse.Namespace, Output], int]
"""Carries the command out and returns the exit code: 0 as expected, 1 not, 2 could not tell. Raises Problem."""


def no_arguments(_: argparse.ArgumentParser) -> None:
    """For commands that take none of their own."""


@dataclass(frozen=True)
class Command:
    """One row of the table. summary: one line. examples: command lines, shown in the help. arguments: declares the command's own."""

    name: str
    summary: str
    examples: tuple[str, ...]
    run: Run
    arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
