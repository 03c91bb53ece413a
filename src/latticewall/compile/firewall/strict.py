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
from latticewall.compile.firewall.classification import severity
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
_PASSED, _PASSING, _DROPPING = (FLOWBIT_PREFIX + name for name in ("passed", "passing", "dropping"))
_RANK, _BLOCKED, _LOGGED = (FLOWBIT_PREFIX + name for name in ("rank", "blocked", "logged"))
_DEFAULT_BLOCK = "default"
_NO_FLOW = parse_rule(f"alert ip any any -> any any ({OTHER_PROTOCOLS})")
_NOALERT = Option("noalert")
_EVERY_PACKET = parse_rule("alert ip any any -> any any (noalert; priority:1;)")
_ONE_PRIORITY = Option("priority", "2")
"""The same for all, whatever their class, so that the engine takes them in the order of their sids. Severities are restored in the log."""


@dataclass(frozen=True)
class Line:
    """An engine rule without its sid, and what it stands for (None: it only marks)."""

    gid: int
    rule: Rule
    signature: Signature | None = None


def strict_rules(layout: Layout, defaults: tuple[Default, ...]) -> tuple[list[str], list[Signature]]:
    """The engine's rules and what each stands for."""
    lines = [line for place in layout.places for line in _lines(place, layout)]
    for number, default in enumerate(defaults, 1):
        lines += _default(default, len(layout.places) + number, layout)
    texts = [str(rule.with_options(Option("sid", str(sid)))) for sid, rule in enumerate(_bookkeeping(layout, defaults), 1)]
    signatures = []
    for sid, line in enumerate(lines, FIRST_SID):
        own = line.rule.without("sid", "gid", "priority")
        numbered = own.with_options(_ONE_PRIORITY, Option("gid", str(line.gid)), Option("sid", str(sid)))
        texts.append(str(numbered))
        if line.signature:
            signatures.append(replace(line.signature, gid=line.gid, sid=sid))
    return texts, signatures


def _lines(place: Place, layout: Layout) -> Iterator[Line]:
    rule = place.grouped.rule
    if rule.action == "alert":
        yield from _alert(place, layout)
    elif rule.action == "pass":
        yield from _pass(place, layout)
    elif place.native:
        # The engine stops looking at a flow that it blocked itself; of one that the marks block it must be told.
        stops = (_flowbit("isnotset", _BLOCKED),) if rule.protocol != "ip" and rule.scope is not Scope.HEADER else ()
        yield _logging(place, rule.with_options(*stops))
    else:
        yield from _block(place, layout)


def _alert(place: Place, layout: Layout) -> Iterator[Line]:
    rule = place.grouped.rule
    unpassed = _unpassed(layout.segments, place.above)
    yield _logging(place, rule.with_options(*_undecided(place, layout.segments), *_once_per_flow(place)))
    if rule.protocol == "ip" and not unpassed:
        yield _logging(place, rule.without_effects().with_options(*_NO_FLOW.options))


def _pass(place: Place, layout: Layout) -> Iterator[Line]:
    rule, slot = place.grouped.rule, _slot(place)
    names = _names(_PASSING if rule.scope is Scope.PACKET else _PASSED, place.segment, layout.segments.last)
    sets = tuple(_flowbit("set", name) for name in names)
    kept = _flowbit("set", f"{_RANK}.{slot}")
    if rule.scope is Scope.PACKET:
        asks: tuple[Option, ...] = ()
        yield _silent(rule, *sets, _mark(1 << slot))
    else:
        # It lets the rest of the flow through, so it must not do that on a packet that was decided above.
        asks = (*_unpassing(layout.segments, place.above), *_undropped(place.drops, layout))
        if rule.scope is Scope.INSPECTION:
            asks += (_flowbit("isnotset", names[0]),)
            # Logged in any case: a rule on packets may have matched and logged the same packet before this one.
            yield _logging(place, rule.with_options(*asks, *sets, kept, _mark(1 << slot | marks.KEEP_PASSED)))
        else:
            yield _silent(rule, *asks, *sets, kept, _mark(1 << slot))
    if rule.protocol == "ip" and asks:
        yield _flowless(rule, slot)
    if rule.has("alert") and rule.scope is not Scope.INSPECTION:
        yield _logging(place, rule.without_effects().with_options(*_undecided(place, layout.segments), *_once_per_flow(place)))


def _block(place: Place, layout: Layout) -> Iterator[Line]:
    """The first match logs and blocks: this packet, or by `_bookkeeping` the rest of the flow too."""
    rule, slot = place.grouped.rule, _slot(place)
    undecided = _undecided(place, layout.segments)
    if rule.scope is Scope.PACKET:
        options = (*undecided, *_dropping(place, layout), _mark(1 << slot))
    else:
        lasting = _blocks_flow(str(marks.block(slot)), 1 << slot)
        options = (*undecided, *_undropped(place.drops, layout), *lasting)
    yield _logging(place, rule.with_options(*options))
    if rule.protocol == "ip":
        yield _flowless(rule, slot)


def _flowless(rule: Rule, slot: int) -> Line:
    """Without a flow every question is answered no, so these packets are judged one by one, by marks alone."""
    return _silent(rule.without_effects(), *_NO_FLOW.options, _mark(1 << slot))


def _blocks_flow(block: str, bits: int) -> tuple[Option, ...]:
    """The first packet that matches blocks its flow: from the next one on by the flag and `_bookkeeping`."""
    flag = f"{_BLOCKED}.{block}"
    return _flowbit("isnotset", flag), _flowbit("set", flag), _mark(bits | marks.KEEP_BLOCKED)


def _default(default: Default, position: int, layout: Layout) -> Iterator[Line]:
    unpassed = _unpassed(layout.segments, layout.segments.last)
    undecided = (*unpassed, *_undropped(layout.runs, layout), _flowbit("isnotset", _BLOCKED))
    if default.drops:
        for condition in default.conditions:
            if condition.scope is Scope.INSPECTION:
                yield _silent(condition, *undecided, *_blocks_flow(_DEFAULT_BLOCK, marks.DEFAULT))
            else:
                yield _silent(condition, *unpassed, _mark(marks.DEFAULT))
        yield _silent(_NO_FLOW, _mark(marks.DEFAULT))
    if default.message:
        verdict = "drop" if default.drops else "alert"
        signature = Signature(0, 0, "", DEFAULT_SIGNATURE_ID, default.message, verdict, position=position)
        for condition in default.conditions:
            logs = Rule(**{**vars(condition), "options": (Option("msg", f'"{default.message}"'), *condition.options)})
            yield Line(INTERNAL_GID, logs.with_options(*undecided, *_once(position)), signature)


def _bookkeeping(layout: Layout, defaults: tuple[Default, ...]) -> Iterator[Rule]:
    """Before all other rules, for every packet: forget what was decided about the previous one, repeat what was decided about the flow.

    Marks are repeated because the engine does not ask again about flow bits where a rule on a parsed protocol has matched in part before.
    For the same reason a flow is only blocked from the next packet on, when it is certain that nothing above has passed it.
    """
    counts = ((_PASSING, layout.segments.last if layout.segments.packets else -1), (_DROPPING, layout.runs - 1))
    forgotten = [_flowbit("unset", name) for kind, last in counts if last >= 0 for name in _names(kind, 0, last)]
    if forgotten:
        yield _EVERY_PACKET.with_options(*forgotten)
    blocks: dict[str, int] = {}
    for place in layout.places:
        rule = place.grouped.rule
        if place.slot is not None and rule.action != "pass" and rule.scope is not Scope.PACKET:
            blocks[str(marks.block(place.slot))] = place.above
    if any(default.drops and condition.scope is Scope.INSPECTION for default in defaults for condition in default.conditions):
        blocks[_DEFAULT_BLOCK] = layout.segments.last
    for block, above in blocks.items():
        passed = _unpassed_flow(layout.segments, above)
        yield _EVERY_PACKET.with_options(_flowbit("isset", f"{_BLOCKED}.{block}"), *passed, _flowbit("set", _BLOCKED), _mark(marks.BLOCKED))
    if blocks:
        yield _EVERY_PACKET.with_options(_flowbit("isset", _BLOCKED), _mark(marks.BLOCKED))
    for slot in sorted({_slot(place) for place in layout.places if place.segment in layout.segments.flows}):
        yield _EVERY_PACKET.with_options(_flowbit("isset", f"{_RANK}.{slot}"), _mark(1 << slot))


def _logging(place: Place, rule: Rule) -> Line:
    """A rule whose matches are in the log, or at least tell the log's reader what decided."""
    written = place.grouped.rule
    logged = written.action != "pass" or (written.has("alert") and not written.has("noalert"))
    hidden = ("alert",) if logged else ("alert", "noalert", "threshold")
    engine = replace(rule.without(*hidden), action=written.action if place.native else "alert")
    lasts = written.action != "alert" and written.scope is not Scope.PACKET
    arn, rank = place.grouped.group_arn, place.position
    signature = Signature(0, 0, arn, written.sid, written.message, written.action, severity(written), rank, logged, lasts)
    return Line(place.grouped.gid, engine, signature)


def _silent(rule: Rule, *options: Option) -> Line:
    """A rule that marks and never logs."""
    quiet = replace(rule.without("noalert", "alert", "threshold"), action="alert")
    return Line(INTERNAL_GID, quiet.with_options(*options, _NOALERT))


def _names(kind: str, number: int, last: int) -> tuple[str, ...]:
    """The flow bits that a decision sets: one for the rules after each of the segments or runs from its own on. The last one has the same name
    in every policy, so that a flow that was let through stays so when the rules are exchanged.
    """
    return (*(f"{kind}.{later}" for later in range(number, last)), kind)


def _unset(kind: str, number: int, last: int) -> Option:
    return _flowbit("isnotset", kind if number == last else f"{kind}.{number}")


def _unpassed(segments: Segments, above: int) -> tuple[Option, ...]:
    """The question whether no pass of the segments up to `above` has let the flow, or this packet, through."""
    return (*_unpassed_flow(segments, above), *_unpassing(segments, above))


def _unpassed_flow(segments: Segments, above: int) -> tuple[Option, ...]:
    """The same of the flow alone."""
    return (_unset(_PASSED, above, segments.last),) if segments.flows and segments.flows[0] <= above else ()


def _unpassing(segments: Segments, above: int) -> tuple[Option, ...]:
    """The same of this packet alone."""
    return (_unset(_PASSING, above, segments.last),) if segments.packets and segments.packets[0] <= above else ()


def _undropped(drops: int, layout: Layout) -> tuple[Option, ...]:
    """The question whether none of so many runs of packet drops has dropped this packet. What decides about a whole flow asks it: a packet that was
    decided above does not count for the flow.
    """
    return (_unset(_DROPPING, drops - 1, layout.runs - 1),) if drops else ()


def _undecided(place: Place, segments: Segments) -> tuple[Option, ...]:
    """The question whether the rule has anything to say: neither passed above nor part of a blocked flow."""
    return (*_unpassed(segments, place.above), _flowbit("isnotset", _BLOCKED))


def _dropping(place: Place, layout: Layout) -> tuple[Option, ...]:
    """What a drop of single packets tells the rules below it."""
    return tuple(_flowbit("set", name) for name in _names(_DROPPING, place.run, layout.runs - 1)) if place.run >= 0 else ()


def _once_per_flow(place: Place) -> tuple[Option, ...]:
    """What decides by the header is logged for the first packet of a flow only, as the engine does by itself."""
    return _once(place.position) if place.grouped.rule.scope is Scope.HEADER else ()


def _once(position: int) -> tuple[Option, Option]:
    name = f"{_LOGGED}.{position}"
    return _flowbit("isnotset", name), _flowbit("set", name)


def _slot(place: Place) -> int:
    if place.slot is None:
        raise ValueError(f"rule {place.grouped.rule.sid} has no mark")
    return place.slot


def _mark(bits: int) -> Option:
    return Option("nfq_set_mark", f"{bits:#x}/{bits:#x}")


def _flowbit(command: str, name: str) -> Option:
    return Option("flowbits", f"{command},{name}")
