"""A trial: a client program in an instance, and what it should come to."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from latticewall.faces.walkthrough.inside import CANNOT_ENTER, KILLED, Outcome

TIMED_OUT = {28: "curl", 124: "timeout", KILLED: "killed"}
"""Exit codes that say: no answer in time."""
PATIENCE = 2
"""Seconds that a client waits for what should not come."""
LONG_PATIENCE = 5
"""Seconds that a client waits for what should come, also on a busy machine."""
LIMIT = 15.0
"""Seconds after which a client is killed."""


@dataclass(frozen=True)
class Expectation:
    """words: for the reader."""

    words: str
    holds: Callable[[Outcome], bool]


@dataclass(frozen=True)
class Trial:
    """instance: its name in the template. check: what is tried, in words."""

    check: str
    instance: str
    program: tuple[str, ...]
    expected: Expectation
    stdin: str = ""


# -- clients -------------------------------------------------------------------------------------------------------------------------------


def curl(url: str, *options: str, seconds: int = LONG_PATIENCE) -> tuple[str, ...]:
    """Prints the body, and the status as the last line."""
    return ("curl", "-sS", "-m", str(seconds), "-w", r"\n%{http_code}", *options, url)


def redis(host: str, seconds: int = LONG_PATIENCE) -> tuple[str, ...]:
    """Commands come on standard input, answers go line by line to standard output."""
    return ("timeout", str(seconds), "redis-cli", "-h", host)


def set_and_get(value: str) -> str:
    """Commands for Redis; each value has its own key, for clients at the same time."""
    return f"PING\nSET walkthrough:{value} {value}\nGET walkthrough:{value}\n"


def answers(value: str) -> Expectation:
    """To `set_and_get`."""
    return prints("PONG", "OK", value)


def connect(host: str, port: int, seconds: int) -> tuple[str, ...]:
    """A TCP connection and nothing else."""
    return ("timeout", str(seconds), "bash", "-c", f"exec 3<>/dev/tcp/{shlex.quote(host)}/{port} && echo connected")


# -- expectations --------------------------------------------------------------------------------------------------------------------------


def http(status: int, body: str = "", *, holding: str = "") -> Expectation:
    """An answer with this status; with exactly this body (but for the line's end), or one that holds a text."""

    def holds(outcome: Outcome) -> bool:
        found, text = _status(outcome)
        return outcome.code == 0 and found == str(status) and (not body or text.rstrip("\n") == body) and holding in text

    return Expectation(" ".join(filter(None, (str(status), body, holding))), holds)


def prints(*lines: str) -> Expectation:
    """Success, and exactly these lines."""
    return Expectation(", ".join(lines), lambda outcome: outcome.code == 0 and tuple(outcome.out.splitlines()) == lines)


def times_out() -> Expectation:
    return Expectation("times out", lambda outcome: outcome.code in TIMED_OUT)


def fails_with(text: str, words: str) -> Expectation:
    """The client gives up, and says so."""
    return Expectation(words, lambda outcome: outcome.code != 0 and text in outcome.out + outcome.err)


def _status(outcome: Outcome) -> tuple[str, str]:
    """(status, body) of what curl or signed_request.py printed."""
    body, _, status = outcome.out.rstrip("\n").rpartition("\n")
    return status, body


def observed(outcome: Outcome) -> str:
    """What came of it, in one line."""
    if outcome.code in TIMED_OUT:
        return f"timed out after {outcome.seconds:.1f} s"
    if outcome.code == CANNOT_ENTER:
        return outcome.err.strip()
    status, body = _status(outcome)
    if outcome.code == 0 and status.isdigit() and len(status) == 3:
        return " ".join((status, *body.split()))
    said = ", ".join(outcome.out.split("\n")[:-1] or [outcome.out])
    if outcome.code == 0:
        return said
    return f"{' '.join((said + ' ' + outcome.err).split())} (exit code {outcome.code})"
