"""What an explanation is made of: gates in the order in which a request meets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from latticewall.policy.changes import RequestEdit
from latticewall.policy.written import StatementEdit


class Unclear(Exception):
    """The question cannot be answered; the message says what is missing, in one sentence."""


class Outcome(StrEnum):
    """What a gate does with the request."""

    PASS = "pass"  # noqa: S105 - a word
    FAIL = "fail"
    AUDIT = "audit"
    """It would fail; audit mode writes that down and lets the request pass."""
    SKIP = "skip"
    """Not asked."""
    UNKNOWN = "unknown"


POLICY_GATES = ("network-policy", "service-policy", "identity-policy", "resource-policy")
"""The gates of the one decision about policies; the last is a TCP resource's own."""


Edit = StatementEdit | RequestEdit


@dataclass(frozen=True)
class Gate:
    """One gate. detail: one sentence. decided_by: the resource, rule or statement that decided. failed: what did not hold, one entry per condition. change: the
    smallest change that would let the request on: every entry is needed. parts: gates that this one consists of. edits: what of the change is one of policies,
    or of the request, as data. A gate that lets pass may have to change too: with the request that another one wants, it would not."""

    name: str
    outcome: Outcome
    detail: str
    decided_by: str = ""
    failed: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    parts: tuple[Gate, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def fails(self) -> bool:
        return self.outcome is Outcome.FAIL


@dataclass(frozen=True)
class Explanation:
    """The answer. verdict: allowed, denied or unknown. summary: one sentence. request, caller, decision: what was asked, of whom, and what the policies
    say. notes: what the reader must know to trust the answer. changes: all that is needed to let the request pass, as far as its gates are known, in order:
    (gate, change)."""

    verdict: str
    summary: str
    gates: tuple[Gate, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    caller: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    changes: tuple[Mapping[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def unknown(reason: str) -> Explanation:
    """An answer that says why there is none."""
    return Explanation("unknown", reason)


def concluded(
    gates: Iterable[Gate],
    request: Mapping[str, Any],
    caller: Mapping[str, Any],
    decision: Mapping[str, Any],
    notes: Iterable[str] = (),
    answer: str = "",
) -> Explanation:
    """The verdict that follows from the gates: the first that fails, else the first that is unknown. answer: the one of the policies' gates whose refusal the
    client is told (an explicit deny in a later one comes before a missing allow in an earlier one)."""
    found = tuple(gates)
    failing, audited = (_first(found, outcome, answer) for outcome in (Outcome.FAIL, Outcome.AUDIT))
    unclear = _first(found, Outcome.UNKNOWN, "")
    if failing:
        also = [gate.name for gate in found if gate.fails and gate is not failing]
        verdict, summary = "denied", f"denied at {failing.name}: {failing.detail}" + (f" (also closed: {', '.join(also)})" if also else "")
    elif unclear:
        verdict, summary = "unknown", f"could not tell at {unclear.name}: {unclear.detail}"
    elif audited:
        verdict, summary = "allowed", f"allowed by audit mode only; enforced, it would be denied at {audited.name}: {audited.detail}"
    else:
        verdict, summary = "allowed", "allowed"
    changes = _changes(found, Outcome.FAIL if failing else Outcome.AUDIT) if failing or audited else ()
    return Explanation(verdict, summary, found, request, caller, decision, tuple(notes), changes)


def _changes(gates: tuple[Gate, ...], closed: Outcome) -> tuple[Mapping[str, str], ...]:
    """Each once: two layers may want the same of a request."""
    found: dict[str, str] = {}
    for gate in gates:
        if gate.outcome is closed or (gate.outcome is Outcome.PASS and gate.name in POLICY_GATES):
            for change in gate.change:
                found.setdefault(change, gate.name)
    return tuple({"gate": name, "change": change} for change, name in found.items())


def _first(gates: tuple[Gate, ...], outcome: Outcome, answer: str) -> Gate | None:
    """The first gate of that outcome; of the gates of one decision, the one that gives the answer."""
    found = next((gate for gate in gates if gate.outcome is outcome), None)
    if found is None or found.name not in POLICY_GATES:
        return found
    return next((gate for gate in gates if gate.name == answer and gate.outcome is outcome), found)
