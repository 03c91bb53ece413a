"""A strict list -> engine rules whose marks tell the first match (docs/decisions/0004-strict-order.md).

The engine sorts rules by action, and its `pass` ends the inspection of a flow for good, so that a block rule written above it would not see
the packets that follow. Therefore in strict order nothing passes inside the engine:

- Blocks before the first pass stay as written: nothing can come before them.
- Every later pass, drop and reject becomes an alert that sets the mark of its rank; nft carries out the first (`marks`).
- What outlives the packet is kept in flow bits. Rules ask whether a pass above them has let the flow (or this packet) through, and then
  neither decide nor log.

What this needs of the engine, each tested with the real one: rules that set flow bits run before rules that only ask for them, among
equals the lower sid runs first; rules on parsed protocols run after rules on packets (their marks still count for the same packet).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from latticewall.compile.firewall import marks
from latticewall.compile.firewall.defaults import OTHER_PROTOCOLS, Default
from latticewall.compile.firewall.ordering import Layout, Place, Segments
from latticewall.compile.firewall.rules import Option, Rule, Scope, parse_rule
from latticewall.plan.firewall import Signature

ACTION_ORDER = ("alert", "drop", "reject", "pass")
FLOWBIT_PREFIX = "lw."
INTERNAL_GID = 1
FIRST_GROUP_GID = 2
FIRST_SID = 1000
"""Engine rules are numbered from here in list order; below are those of `_bookkeeping`, which must run first."""
DEFAULT_SIGNATURE_ID = 2
"""Signature id of default actions in the log. AWS's are small numbers that depend on the policy."""
_PASSED, _PASSING, _BLOCKED, _LOGGED, _SEEN = (FLOWBIT_PREFIX + name for name in ("passed", "passing", "blocked", "logged", "seen"))
_NO_FLOW = parse_rule(f"alert ip any any -> any any ({OTHER_PROTOCOLS})")
_NOALERT = Option("noalert")


@dataclass(frozen=True)
class Line:
    """An engine rule without its sid, and what it stands for (None: it only marks)."""

    gid: int
    rule: Rule
    signature: Signature | None = None


def strict_rules(layout: Layout, defaults: tuple[Default, ...]) -> tuple[list[str], list[Signature]]:
    """The engine's rules and what each stands for. The layout must have a slot for the default action if one drops."""
    lines = [line for place in layout.places for line in _lines(place, layout.segments)]
    for number, default in enumerate(defaults, 1):
        lines += _default(default, len(layout.places) + number, layout)
    texts = [str(rule) for rule in _bookkeeping(layout.segments)]
    signatures = []
    for sid, line in enumerate(lines, FIRST_SID):
        numbered = line.rule.without("sid", "gid").with_options(Option("gid", str(line.gid)), Option("sid", str(sid)))
        texts.append(str(numbered))
        if line.signature:
            signatures.append(replace(line.signature, gid=line.gid, sid=sid))
    return texts, signatures


def _lines(place: Place, segments: Segments) -> Iterator[Line]:
    rule = place.grouped.rule
    if place.native:
        yield _logging(place, rule)
    elif rule.action == "alert":
        unpassed = _unpassed(segments, place.above)
        once = _once(place.position) if rule.scope is Scope.HEADER else ()
        yield _logging(place, rule.with_options(*unpassed, *once))
    elif rule.action == "pass":
        yield from _pass(place, segments)
    else:
        yield from _block(place, segments)


def _pass(place: Place, segments: Segments) -> Iterator[Line]:
    rule, slot = place.grouped.rule, _slot(place)
    names = _names(_PASSING if rule.scope is Scope.PACKET else _PASSED, place.segment, segments)
    sets = tuple(_flowbit("set", name) for name in names)
    if rule.scope is Scope.INSPECTION:
        # Logged in any case: a rule on packets may have matched and logged the same packet before this one.
        first_time = () if rule.protocol == "ip" else (_flowbit("isnotset", names[0]),)
        unblocks = tuple(_flowbit("unset", f"{_BLOCKED}.{number}") for number in range(marks.block(slot) + 1, marks.BLOCKS))
        yield _logging(place, rule.with_options(*first_time, *sets, *unblocks, _mark(slot)))
        return
    yield _silent(rule, *sets, _mark(slot))
    if rule.has("alert"):
        once = _once(place.position) if rule.scope is Scope.HEADER else ()
        yield _logging(place, rule.without_effects().with_options(*_unpassed(segments, place.above), *once))


def _block(place: Place, segments: Segments) -> Iterator[Line]:
    rule, slot = place.grouped.rule, _slot(place)
    unpassed = _unpassed(segments, place.above)
    if rule.scope is Scope.INSPECTION:
        flag = f"{_BLOCKED}.{marks.block(slot)}"
        asks = (*unpassed, _flowbit("isnotset", flag))
        yield _logging(place, rule.with_options(*asks, _flowbit("set", flag), _mark(slot)))
    elif rule.scope is Scope.PACKET:
        asks = unpassed
        yield _logging(place, rule.with_options(*asks, _mark(slot)))
    else:
        asks = unpassed
        # Without any flow bit the engine would look at it once per flow only, and later packets would carry no mark.
        yield _silent(rule, *(asks or (_flowbit("set", _SEEN),)), _mark(slot))
        yield _logging(place, rule.with_options(*asks, *_once(place.position)))
    if rule.protocol == "ip" and asks:
        # Without a flow every question is answered no, so these packets are judged one by one, by marks alone.
        yield _silent(rule.without_effects(), *_NO_FLOW.options, _mark(slot))


def _default(default: Default, position: int, layout: Layout) -> Iterator[Line]:
    unpassed = _unpassed(layout.segments, layout.segments.last)
    if default.drops:
        if layout.default_slot is None:
            raise ValueError("no mark is left for the default action")
        for condition in default.conditions:
            yield _silent(condition, *unpassed, _mark(layout.default_slot))
        yield _silent(_NO_FLOW, _mark(layout.default_slot))
    if default.message:
        verdict = "drop" if default.drops else "alert"
        signature = Signature(0, 0, "", DEFAULT_SIGNATURE_ID, default.message, verdict, position)
        for condition in default.conditions:
            logs = Rule(**{**vars(condition), "options": (Option("msg", f'"{default.message}"'), *condition.options)})
            yield Line(INTERNAL_GID, logs.with_options(*unpassed, *_once(position)), signature)


def _bookkeeping(segments: Segments) -> Iterator[Rule]:
    """Before all other rules: forget which passes let the previous packet through; keep blocked flows blocked."""
    first = Option("priority", "1")
    every = parse_rule("alert ip any any -> any any ()").with_options(_NOALERT, first)
    if segments.first_packet is not None:
        forget = (_flowbit("unset", name) for name in _names(_PASSING, segments.first_packet, segments))
        yield every.with_options(*forget, Option("sid", "1"))
    blocked = "|".join((_BLOCKED, *(f"{_BLOCKED}.{number}" for number in range(marks.BLOCKS))))
    mark = Option("nfq_set_mark", f"{marks.BLOCKED:#x}/{marks.BLOCKED:#x}")
    yield every.with_options(_flowbit("isset", blocked), _flowbit("set", _BLOCKED), mark, Option("sid", "2"))


def _logging(place: Place, rule: Rule) -> Line:
    """A rule whose matches are in the log, or at least tell the log's reader what decided."""
    written = place.grouped.rule
    logged = written.action != "pass" or written.has("alert")
    engine = replace(rule.without("alert"), action=written.action if place.native else "alert")
    signature = Signature(0, 0, place.grouped.group_arn, written.sid, written.message, written.action, place.position, logged)
    return Line(place.grouped.gid, engine, signature)


def _silent(rule: Rule, *options: Option) -> Line:
    """A rule that marks and never logs."""
    quiet = replace(rule.without("noalert", "alert", "threshold"), action="alert")
    return Line(INTERNAL_GID, quiet.with_options(*options, _NOALERT))


def _names(kind: str, segment: int, segments: Segments) -> tuple[str, ...]:
    """The flow bits a pass in this segment sets: one for the rules after each segment from its own on. The last one has the same name in
    every policy, so that a flow that was let through stays so when the rules are exchanged.
    """
    return (*(f"{kind}.{number}" for number in range(segment, segments.last)), kind)


def _unpassed(segments: Segments, above: int) -> tuple[Option, ...]:
    """The question whether no pass of the segments up to `above` has let the flow, or this packet, through."""
    firsts = ((_PASSED, segments.first_flow), (_PASSING, segments.first_packet))
    suffix = "" if above == segments.last else f".{above}"
    return tuple(_flowbit("isnotset", kind + suffix) for kind, first in firsts if first is not None and first <= above)


def _once(position: int) -> tuple[Option, Option]:
    """Log the first packet of a flow only, as the engine does for rules that decide by the header."""
    name = f"{_LOGGED}.{position}"
    return _flowbit("isnotset", name), _flowbit("set", name)


def _slot(place: Place) -> int:
    if place.slot is None:
        raise ValueError(f"rule {place.grouped.rule.sid} has no mark")
    return place.slot


def _mark(slot: int) -> Option:
    return Option("nfq_set_mark", marks.mark(slot))


def _flowbit(command: str, name: str) -> Option:
    return Option("flowbits", f"{command},{name}")
