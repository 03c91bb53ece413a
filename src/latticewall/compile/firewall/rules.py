"""Suricata rules as values: parse, classify, render ("Suricata user guide: Rules Format")."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

ACTIONS = ("pass", "drop", "reject", "alert")
PACKET_PROTOCOLS = frozenset({"ip", "tcp", "udp", "icmp"})
"""Protocols that say nothing about the application layer."""

_DESCRIPTIVE = frozenset({"msg", "sid", "gid", "rev", "classtype", "priority", "reference", "metadata", "target"})
_WHOLE_FLOW = _DESCRIPTIVE | {"threshold", "tag", "noalert", "alert", "ip_proto", "geoip"}
"""Options of a rule that the engine judges once per flow, by its header alone (it calls them IP-only)."""
_PACKET = _WHOLE_FLOW | {
    "flow", "flags", "tcp.flags", "ttl", "dsize", "itype", "icode", "icmp_id", "icmp_seq", "window", "tcp.window", "ack", "tcp.ack", "seq",
    "tcp.seq", "id", "ipopts", "fragbits", "fragoffset", "tos", "sameip", "stream_size", "flowbits", "flowint", "xbits", "hostbits",
    "flow.age", "tcp.mss", "icmpv6.mtu", "detection_filter", "l3_proto", "stream-event", "decode-event",
}  # fmt: skip
"""Options that look at one packet: the rule decides about that packet only."""
_PAYLOAD = _PACKET | {
    "content", "pcre", "depth", "offset", "distance", "within", "nocase", "startswith", "endswith", "rawbytes", "fast_pattern", "byte_test",
    "byte_jump", "byte_extract", "byte_math", "isdataat", "bsize", "replace", "pkt_data",
}  # fmt: skip
"""Options that look at the payload: of a stream for TCP, of one packet where there are no streams."""
_WITHOUT_STREAM = ("udp", "icmp")
_STATE = frozenset({"flowbits", "xbits", "hostbits"})
_READS = ("isset", "isnotset")
_OPTION_NAME = re.compile(r"[A-Za-z0-9_.\-]+\Z")
_ADDRESS_TEXT = re.compile(r"[0-9A-Za-z.:,\[\]!/$@_ \-]+\Z")
_PROTOCOL = re.compile(r"[a-z][a-z0-9\-]*\Z")
_NOT_PRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters, and everything that any reader takes for the end of a line."""


class RuleSyntaxError(ValueError):
    """A rule whose outline (header, options in parentheses) cannot be read."""


class Scope(Enum):
    """What a match decides about: the flow from its first packet, this packet, or the flow once its content was seen."""

    HEADER = "header"
    PACKET = "packet"
    INSPECTION = "inspection"


@dataclass(frozen=True)
class Option:
    """`name;` or `name:value;`, the value as written."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"{self.name};" if self.value is None else f"{self.name}:{self.value};"


@dataclass(frozen=True)
class Rule:
    """One rule. line: where it stands in the text it came from, from 1."""

    action: str
    protocol: str
    source: str
    source_port: str
    direction: str
    destination: str
    destination_port: str
    options: tuple[Option, ...]
    line: int = 0

    def __str__(self) -> str:
        header = (self.action, self.protocol, self.source, self.source_port, self.direction, self.destination, self.destination_port)
        return f"{' '.join(header)} ({' '.join(str(option) for option in self.options)})"

    def value(self, name: str) -> str | None:
        """The value of the first option of that name; "" for one without value, None if there is none."""
        return next((option.value or "" for option in self.options if option.name == name), None)

    def has(self, name: str) -> bool:
        return self.value(name) is not None

    @property
    def sid(self) -> int:
        """The signature id, 0 without a valid one."""
        text = (self.value("sid") or "").strip()
        return int(text) if text.isdecimal() and len(text) <= 10 else 0

    @property
    def message(self) -> str:
        return re.sub(r"\\(.)", r"\1", (self.value("msg") or "").strip().removeprefix('"').removesuffix('"'))

    @property
    def scope(self) -> Scope:
        names = {option.name for option in self.options}
        if self.protocol not in PACKET_PROTOCOLS or not names <= (_PAYLOAD if self.protocol in _WITHOUT_STREAM else _PACKET):
            return Scope.INSPECTION
        return Scope.HEADER if names <= _WHOLE_FLOW else Scope.PACKET

    def without(self, *names: str) -> Rule:
        return replace(self, options=tuple(option for option in self.options if option.name not in names))

    def without_effects(self) -> Rule:
        """The rule without options that change flow or host state: for a second copy that must not change it twice."""
        return replace(self, options=tuple(option for option in self.options if not changes_state(option)))

    def with_options(self, *options: Option) -> Rule:
        return replace(self, options=(*self.options, *options))


def changes_state(option: Option) -> bool:
    """Whether the option sets something that other rules read."""
    parts = [part.strip() for part in (option.value or "").split(",")]
    if option.name in _STATE:
        return parts[0] not in _READS
    return option.name == "flowint" and len(parts) > 1 and parts[1] in ("+", "-", "=")


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules of a rule file: one per line, `#` starts a comment line, a backslash at the end of a line continues it.

    Raises RuleSyntaxError with the line's number and text.
    """
    found = []
    pending, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        start = start if pending else number
        pending += line.rstrip()
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        if pending.strip() and not pending.lstrip().startswith("#"):
            found.append(parse_rule(pending.strip(), start))
        pending = ""
    if pending.strip():
        raise RuleSyntaxError(f"stateful rule is invalid, rule: {pending.strip()}, reason: the last line ends with a backslash")
    return tuple(found)


def parse_rule(text: str, line: int = 0) -> Rule:
    """One rule. Raises RuleSyntaxError."""

    def refuse(reason: str) -> RuleSyntaxError:
        return RuleSyntaxError(f"stateful rule is invalid, rule: {text}, reason: {reason}{f' (line {line})' if line else ''}")

    if _NOT_PRINTABLE.search(text):
        raise refuse("control characters are not allowed")
    opening = text.find("(")
    if opening < 0 or not text.endswith(")"):
        raise refuse("the options must stand in parentheses after the header")
    header = _words(text[:opening])
    if len(header) != 7:
        raise refuse("the header must be: action protocol source port direction destination port")
    action, protocol, source, source_port, direction, destination, destination_port = header
    if action not in ACTIONS:
        raise refuse(f"action {action} is not one of {', '.join(ACTIONS)}")
    if not _PROTOCOL.match(protocol):
        raise refuse(f"protocol {protocol} is not known")
    if direction not in ("->", "<>"):
        raise refuse(f"direction {direction} is not -> or <>")
    for field in (source, source_port, destination, destination_port):
        if not _ADDRESS_TEXT.match(field):
            raise refuse(f"{field} is not an address or port")
    try:
        options = _options(text[opening + 1 : -1])
    except ValueError as error:
        raise refuse(str(error)) from None
    return Rule(action, protocol, source, source_port, direction, destination, destination_port, options, line)


def _words(text: str) -> list[str]:
    """Words separated by blanks, where blanks inside brackets separate nothing."""
    words, word, depth = [], "", 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character.isspace():
            if depth <= 0 and word:
                words.append(word)
                word = ""
            continue
        word += character
    return [*words, word] if word else words


def _options(text: str) -> tuple[Option, ...]:
    """Options end at a semicolon that no backslash precedes, wherever it stands: the engine's own reading."""
    found = []
    pieces = re.split(r"(?<!\\);", text)
    if pieces.pop().strip():
        raise ValueError('no terminating ";" found')
    for piece in pieces:
        name, colon, value = piece.strip().partition(":")
        name = name.strip()
        if not _OPTION_NAME.match(name):
            raise ValueError(f"{name or 'an empty option'} is not a keyword")
        found.append(Option(name, value.strip() if colon else None))
    return tuple(found)
