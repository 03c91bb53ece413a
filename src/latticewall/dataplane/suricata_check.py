"""Ask the engine whether rules load: `suricata -T` on a throw-away configuration, before anything is stored or applied."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latticewall.base.faults import Fault
from latticewall.base.reasons import reason
from latticewall.compile.render.suricata import CLASSIFICATION, RULES, YAML, render_check_yaml, render_classification

TIMEOUT = 120.0
"""Seconds. Small groups take 0.06 s; 30 000 content rules about 25 s."""
_PLACE = re.compile(r"from file \S+ at line (\d+)")
_ERROR = re.compile(r"^(?:\S.*? - )?(?:E|Error|<Error>)\S*: (?:[\w-]+: )?(.*)")

Run = Callable[[Sequence[str], float], "Finished"]
"""Runs a command for at most so many seconds. Raises OSError if it cannot be started, TimeoutError if it does not end."""


@dataclass(frozen=True)
class Finished:
    """A process that ended: exit code and all it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class Complaint:
    """What the engine says about a line of the rules, counted from 1; 0 when it names none."""

    line: int
    rule: str
    reason: str


def run_command(command: Sequence[str], timeout: float) -> Finished:
    """The `Run` port of a real machine."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, text=True, errors="replace")
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} did not finish in {timeout:g} s") from error
    return Finished(done.returncode, done.stdout)


def engine_check(rules: Sequence[str], run: Run = run_command) -> tuple[Complaint, ...]:
    """What the engine refuses of these rules (variables already replaced, one line each), in their order; nothing if all load.

    Raises Fault if the engine cannot be asked: an answer is never guessed.
    """
    with tempfile.TemporaryDirectory(prefix="rules-") as name:
        directory = Path(name)
        (directory / RULES).write_text("".join(f"{rule}\n" for rule in rules))
        (directory / CLASSIFICATION).write_text(render_classification())
        (directory / YAML).write_text(render_check_yaml(directory))
        try:
            done = run(["suricata", "-T", "-q", "0", "-c", str(directory / YAML), "-l", name], TIMEOUT)
        except OSError as error:  # a TimeoutError too
            raise Fault(f"the rules could not be checked: {reason(error)}", code="InternalServerError") from error
    if done.code == 0:
        return ()
    said = done.output.replace(f"{name}/", "")
    return _complaints(said, rules) or (Complaint(0, "", said.strip() or f"suricata ended with {done.code}"),)


def _complaints(output: str, rules: Sequence[str]) -> tuple[Complaint, ...]:
    """The engine prints one or more reasons, then the rule and its line."""
    found = []
    reasons: list[str] = []
    for text in output.splitlines():
        error = _ERROR.match(text)
        if not error:
            continue
        place = _PLACE.search(text)
        if place is None:
            reasons.append(error.group(1).strip())
            continue
        line = int(place.group(1))
        rule = rules[line - 1] if 0 < line <= len(rules) else ""
        found.append(Complaint(line, rule, "; ".join(reasons) or "the rule cannot be parsed"))
        reasons = []
    return tuple(found) or tuple(Complaint(0, "", reason) for reason in reasons)
