"""Where each rule of a strict list stands: its rank, its verdict's mark, and the passes above it (docs/decisions/0004-strict-order.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latticewall.compile.firewall import marks
from latticewall.compile.firewall.rules import Rule, Scope


@dataclass(frozen=True)
class Grouped:
    """A rule of a group, variables replaced and overrides applied. gid numbers the group inside the engine."""

    group_arn: str
    gid: int
    rule: Rule


@dataclass(frozen=True)
class Refusal:
    """Why a list cannot be ordered exactly, by the rule that makes it impossible."""

    group_arn: str
    message: str


@dataclass(frozen=True)
class Place:
    """A rule's place. position: rank from 1. native: stays as written. slot: where its verdict's mark stands, None for alerts.

    above: number of the last segment of passes above it, -1 without one. segment: the segment a pass belongs to.
    """

    grouped: Grouped
    position: int
    native: bool
    slot: int | None = None
    above: int = -1
    segment: int = -1


@dataclass(frozen=True)
class Segments:
    """The runs of passes in a list. first_flow, first_packet: the first with a pass of whole flows, or of single packets."""

    last: int
    first_flow: int | None
    first_packet: int | None


@dataclass(frozen=True)
class Layout:
    """A strict list with every rule in its place. default_slot: where the default action's mark stands, None if none is left."""

    places: tuple[Place, ...]
    segments: Segments
    default_slot: int | None


def lay_out(rules: Sequence[Grouped]) -> Layout | Refusal:
    """Places every rule. A refusal names the rule and the one before it that it conflicts with."""
    native = _native_prefix(rules)
    places = [Place(grouped, position, native=True) for position, grouped in enumerate(rules[:native], 1)]
    slots = marks.Slots()
    segment = -1
    previous: Grouped | None = None
    passing = False
    for position, grouped in enumerate(rules[native:], native + 1):
        verdict = grouped.rule.action
        if verdict == "alert":
            passing = False
            places.append(Place(grouped, position, native=segment < 0, above=segment))
            continue
        slot = slots.take(verdict)
        reason = _counting(grouped.rule) if slot is not None else too_many(f"rule: {grouped.rule}", previous)
        if reason:
            return Refusal(grouped.group_arn, reason)
        above = segment if verdict != "pass" or not passing else segment - 1
        segment += verdict == "pass" and not passing
        passing = verdict == "pass"
        places.append(Place(grouped, position, native=False, slot=slot, above=above, segment=segment if passing else -1))
        previous = grouped
    return Layout(tuple(places), _segments(places, segment), slots.take("drop"))


def too_many(what: str, previous: Grouped | None) -> str:
    """The refusal of a list that changes its mind more often than there are marks."""
    before = f" and rule: {previous.rule}" if previous else ""
    return (
        f"strict order cannot be enforced exactly between {what}{before}: the list changes between passing and blocking more than "
        f"{marks.BLOCKS} times, put rules with the same action next to each other"
    )


def _native_prefix(rules: Sequence[Grouped]) -> int:
    """How many rules stay as written: up to the first pass, or the first block by another action than the blocks before."""
    blocks = ""
    for index, grouped in enumerate(rules):
        verdict = grouped.rule.action
        if verdict == "pass" or (verdict != "alert" and blocks and verdict != blocks):
            return index
        blocks = blocks if verdict == "alert" else verdict
    return len(rules)


def _counting(rule: Rule) -> str:
    """Why a rule that decides only after a number of matches cannot be ranked, "" for any other."""
    threshold = (rule.value("threshold") or "").replace(" ", "")
    if not rule.has("detection_filter") and not ("type" in threshold and "typelimit" not in threshold):
        return ""
    return (
        f"stateful rule is invalid, rule: {rule}, reason: a rule that counts its matches (detection_filter, threshold of type threshold or both) "
        "is not supported after a pass in strict order"
    )


def _segments(places: Sequence[Place], last: int) -> Segments:
    passes = [(place.segment, place.grouped.rule.scope) for place in places if place.segment >= 0]
    flows = [segment for segment, scope in passes if scope is not Scope.PACKET]
    packets = [segment for segment, scope in passes if scope is Scope.PACKET]
    return Segments(last, min(flows, default=None), min(packets, default=None))
