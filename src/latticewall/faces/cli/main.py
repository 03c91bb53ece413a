"""The entry point: the arguments, the right command, and one line for whatever goes wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from latticewall.faces.cli.client import Refused
from latticewall.faces.cli.command import Command
from latticewall.faces.cli.commands import COMMANDS
from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import COULD_NOT_TELL, NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session, state_folder

_DESCRIPTION = "VPC Lattice + Network Firewall + Transit Gateway on this machine, with real packets."
_EXIT_CODES = "exit codes: 0 as expected, 1 not, 2 could not tell"
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    words, program = _split(words)
    arguments = parser().parse_args(words)
    command: Command = arguments.command
    if program is not None:
        if not hasattr(arguments, "program"):
            return _complain(f"{command.name} takes no command line after --", COULD_NOT_TELL)
        arguments.program += program
    given = getattr(arguments, "state", None)
    output = Output(as_json=getattr(arguments, "output", "text") == "json")
    try:
        return command.run(Session(state_folder(given), named=given is not None), arguments, output)
    except Problem as problem:
        return _complain(str(problem), problem.code)
    except Refused as refused:
        return _complain(f"the region refuses: {refused}", NOT_AS_EXPECTED)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_AS_EXPECTED


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as every command does."""

    def error(self, message: str) -> NoReturn:
        sys.exit(_complain(f"{message}: see `{self.prog} --help`", COULD_NOT_TELL))


def parser() -> argparse.ArgumentParser:
    """All commands and their options; --state and --output are understood before and after the command's name."""
    shared = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--state", metavar="DIR", help="the region's state folder (default: $LATTICEWALL_STATE, else latticewall/ in the XDG state folder)")
    shared.add_argument("--output", choices=("text", "json"), help="how to print the answer (default: text)")
    top = _Parser(prog="latticewall", description=_DESCRIPTION, epilog=_EXIT_CODES, parents=[shared], allow_abbrev=False)
    rows = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        epilog = "\n".join(("examples:", *(f"  {example}" for example in command.examples), "", _EXIT_CODES))
        row = rows.add_parser(
            command.name, help=command.summary, description=command.summary, epilog=epilog, parents=[shared], allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        row.set_defaults(command=command)
        command.arguments(row)
    return top


def _split(words: list[str]) -> tuple[list[str], list[str] | None]:
    """What stands after the first "--" belongs to the program to run, whatever it looks like."""
    if "--" not in words:
        return words, None
    end = words.index("--")
    return words[:end], words[end + 1 :]


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"latticewall: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
