"""Printing: text for people, JSON for programs. Answers go to standard output, remarks to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


class Output:
    """as_json: print one JSON value (or one per line for streams) in place of text."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, value: Any) -> None:
        """The command's answer, in JSON mode."""
        print(json.dumps(value, indent=2, default=str), flush=True)

    def record(self, value: Any) -> None:
        """One of many answers, in JSON mode: one line each."""
        print(json.dumps(value, default=str), flush=True)

    def line(self, text: str = "") -> None:
        """A line of the answer, in text mode."""
        print(text, flush=True)

    def remark(self, text: str) -> None:
        """Progress and warnings: not part of the answer, so also in JSON mode, on standard error."""
        print(text, file=sys.stderr, flush=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> None:
        """A table, in text mode. numbers: the columns to align at the right."""
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console = Console(highlight=False, markup=False)
        if not console.is_terminal:
            console.width = 200
        console.print(table)
