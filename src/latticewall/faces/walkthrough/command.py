"""`latticewall walkthrough`: its options and its output."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from latticewall.faces.cli.output import Output
from latticewall.faces.cli.problem import NOT_AS_EXPECTED, Problem
from latticewall.faces.cli.session import Session
from latticewall.faces.walkthrough.report import Report, Result
from latticewall.faces.walkthrough.stacks import examples
from latticewall.faces.walkthrough.table import print_table
from latticewall.faces.walkthrough.walkthrough import SCENARIOS, Walkthrough, region


def run(session: Session, chosen: argparse.Namespace, output: Output) -> int:
    """0 when everything is as expected, 1 when something is not."""
    if importlib.util.find_spec("pymongo") is None:
        raise Problem("the walkthrough's MongoDB client needs pymongo: install it with `pip install pymongo`", NOT_AS_EXPECTED)
    folder = examples()
    scenarios = SCENARIOS if chosen.scenario == "all" else (chosen.scenario,)
    report = Report(lambda result: _remark_failure(output, result))
    with _ended_by_signals(), region(session, keep=chosen.keep, tell=output.remark) as stays:
        Walkthrough(session, folder, report, output.remark).run(scenarios, scenarios[-1] if chosen.keep else "")
    if output.as_json:
        output.document([asdict(result) for result in report.results])
    else:
        print_table(report.results, _next_steps(session, folder, up=stays, deployed=chosen.keep), output.line)
    return 0 if report.ok else NOT_AS_EXPECTED


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Being told to end is like Ctrl-C: what was made is taken away first."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _remark_failure(output: Output, result: Result) -> None:
    if not result.ok:
        output.remark(f"not as expected: {result.check}: {result.observed}")


def _next_steps(session: Session, folder: Path, *, up: bool, deployed: bool) -> list[tuple[str, str]]:
    """Commands with what they show. up: the region stays; deployed: the last scenario too."""
    command = session.command
    if not deployed:
        steps = [(f"{command} walkthrough --keep", "the same, but the last scenario stays for you to look around")]
        stop = [(f"{command} down", "stop the region")] if up else []
    else:
        steps = [
            (f"{command} exec web -- curl -s http://logging.example.com:5044/health", "a client in an instance"),
            (f"{command} logs --since 5m", "access, alert and flow logs"),
            (f"{command} status", "what runs, and what the data plane has applied"),
            (f"{command} plan", "every namespace, route, rule and listener"),
            (f'eval "$({command} env)"', "then aws, boto3 and terraform speak to the region"),
        ]
        stop = [(f"{command} down", "stop it")]
    return [*steps, (str(folder / "README.md"), "the same by hand, step by step"), *stop]
