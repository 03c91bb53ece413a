"""The results for people: one line per check, below it where to look next."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from latticewall.faces.walkthrough.report import Result

_WIDTH_OF_A_FILE = 200
_WIDTH_FOR_LINES = 100
"""On narrower terminals cells are folded: what is cut would say too little."""
_TICKS, _WORDS = ("✓", "✗"), ("ok", "NO")


def print_table(results: Sequence[Result], next_steps: Sequence[tuple[str, str]], line: Callable[[str], None]) -> None:
    """A line per check, cut where it does not fit; what failed is repeated whole below the table.

    next_steps: (command, what it shows). line: prints a line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    yes, no = _marks()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=True)
    table.add_column("", no_wrap=True)
    for column, ratio in (("check", 5), ("expected", 4), ("observed", 4)):
        table.add_column(column, ratio=ratio, no_wrap=console.width >= _WIDTH_FOR_LINES, overflow="ellipsis")
    before = ""
    for result in results:
        if result.scenario != before:
            table.add_section()
            table.add_row("", result.scenario.upper(), "", "")
            before = result.scenario
        table.add_row(yes if result.ok else no, result.check, result.expected, result.observed)
    console.print(table)
    failed = [result for result in results if not result.ok]
    for result in failed:
        line(f"{no} {result.scenario}: {result.check}\n    expected  {result.expected}\n    observed  {result.observed}\n")
    line(f"{len(results)} checks, {f'{len(failed)} of them not as expected' if failed else 'all as expected'}")
    line("\nwhere to look next")
    width = max(len(command) for command, _ in next_steps)
    for command, shows in next_steps:
        line(f"  {command:<{width}}  {shows}".rstrip())


def _marks() -> tuple[str, str]:
    """Ticks, where the output can show them."""
    try:
        "".join(_TICKS).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _WORDS
    return _TICKS
