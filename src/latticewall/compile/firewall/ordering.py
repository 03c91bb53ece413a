"""Where each rule of a strict list stands: its rank, its verdict's mark, and the passes above it (docs/decisions/0004-strict-order.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

    above: number of the last segment of passes above it, -1 without one. segment: the segment a pass belongs to. Within a segment it does
    not matter which pass matches: all are of whole flows, or all of single packets, with nothing else in between.

    drops: how many runs of drops of single packets are above it. run: the run such a drop belongs to, -1 for others.
    """

    grouped: Grouped
    position: int
    native: bool
    slot: int | None = None
    above: int = -1
    segment: int = -1
    drops: int = 0
    run: int = -1


@dataclass(frozen=True)
class Segments:
    """The runs of passes in a list. flows: the numbers of those of whole flows, packets: of those of single packets."""

    flows: tuple[int, ...]
    packets: tuple[int, ...]

    @property
    def last(self) -> int:
        return len(self.flows) + len(self.packets) - 1


@dataclass(frozen=True)
class Layout:
    """A strict list with every rule in its place.

    runs: how many runs of drops of single packets.
    """

    places: tuple[Place, ...]
    segments: Segments
    runs: int


def lay_out(rules: Sequence[Grouped]) -> Layout | Refusal:
    """Places every rule. A refusal names the rule and the one before it that it conflicts with."""
    native = _native_prefix(rules)
    places = [Place(grouped, position, native=True) for position, grouped in enumerate(rules[:native], 1)]
    slots = marks.Slots()
    kinds: list[bool] = []
    previous: Grouped | None = None
    passing: Grouped | None = None
    for position, grouped in enumerate(rules[native:], native + 1):
        verdict = grouped.rule.action
        if verdict == "alert":
            passing = None
            places.append(Place(grouped, position, native=not kinds, above=len(kinds) - 1))
            continue
        slot = slots.take(verdict)
        reason = _counting(grouped.rule) if slot is not None else _too_many(f"rule: {grouped.rule}", previous)
        if reason:
            return Refusal(grouped.group_arn, reason)
        if verdict == "pass":
            whole = grouped.rule.scope is not Scope.PACKET
            if passing is None or whole != kinds[-1]:
                kinds.append(whole)
            places.append(Place(grouped, position, native=False, slot=slot, above=len(kinds) - 2, segment=len(kinds) - 1))
        else:
            places.append(Place(grouped, position, native=False, slot=slot, above=len(kinds) - 1))
        passing = grouped if verdict == "pass" else None
        previous = grouped
    flows = tuple(number for number, whole in enumerate(kinds) if whole)
    packets = tuple(number for number, whole in enumerate(kinds) if not whole)
    numbered, runs = _packet_drops(places)
    return Layout(numbered, Segments(flows, packets), runs)


def _packet_drops(places: Sequence[Place]) -> tuple[tuple[Place, ...], int]:
    """Numbers the runs of drops of single packets; a rule that decides about whole flows ends a run."""
    found = []
    runs, inside = 0, False
    for place in places:
        rule = place.grouped.rule
        if rule.action in ("drop", "reject") and rule.scope is Scope.PACKET:
            runs += not inside
            inside = True
            found.append(replace(place, drops=runs - 1, run=runs - 1))
        else:
            inside = inside and rule.action == "alert"
            found.append(replace(place, drops=runs))
    return tuple(found), runs


def _too_many(what: str, previous: Grouped | None) -> str:
    """The refusal of a list that alternates more often than there are marks."""
    before = f" and rule: {previous.rule}" if previous else ""
    return (
        f"strict order cannot be enforced exactly between {what}{before}: the list alternates between blocking and passing more than "
        f"{marks.BLOCKS} times, put rules with the same action next to each other"
    )


def _native_prefix(rules: Sequence[Grouped]) -> int:
    """How many rules the engine can decide itself: blocks of whole flows by one action, before any pass and any block of single packets.

    Later rules must learn in time what a block of a single packet decided, which the engine's order of actions would prevent.
    """
    blocks = ""
    for index, grouped in enumerate(rules):
        verdict = grouped.rule.action
        if verdict == "alert":
            continue
        if verdict == "pass" or grouped.rule.scope is Scope.PACKET or (blocks and verdict != blocks):
            return index
        blocks = verdict
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
