"""Strict order as plainly as it can be said: walk the list for every packet. What the compiled rules must agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

DEFAULT = "aws:alert_established action"
ANSWER = "hello"
BIG = 120
"""Bytes of payload from which a question is big."""

CONDITIONS = {
    "tcp": {
        "header": "tcp any any -> any {port} ({msg};)",
        "packet": "tcp any any -> any {port} ({msg}; flow:established,to_server;)",
        "big": "tcp any any -> any {port} ({msg}; flow:established,to_server; dsize:>{big};)",
        "question x": 'tcp any any -> any {port} ({msg}; flow:established,to_server; content:"x=1";)',
        "question y": 'http any any -> any {port} ({msg}; flow:established,to_server; http.uri; content:"y=1"; classtype:trojan-activity;)',
        "protocol": "http any any -> any {port} ({msg}; flow:established,to_server;)",
        "answer": 'tcp any {port} -> any any ({msg}; flow:established,to_client; content:"hello";)',
    },
    "udp": {
        "header": "udp any any -> any {port} ({msg};)",
        "packet": "udp any any -> any {port} ({msg}; flow:to_server;)",
        "big": "udp any any -> any {port} ({msg}; dsize:>{big}; flow:to_server;)",
        "question x": 'udp any any -> any {port} ({msg}; content:"x=1"; classtype:trojan-activity;)',
        "question y": 'udp any any -> any {port} ({msg}; content:"y=1"; flow:to_server;)',
        "answer": 'udp any {port} -> any any ({msg}; content:"hello";)',
    },
}
"""Kinds of conditions: decided by the header for the whole flow, by the packet, or by content for the rest of the flow."""
_PACKET_ONLY = {"tcp": ("packet", "big"), "udp": ("packet", "big", "question x", "question y", "answer")}
"""A datagram's content decides about this datagram."""


@dataclass(frozen=True)
class ListedRule:
    action: str
    condition: str
    message: str

    def text(self, kind: str, port: int) -> str:
        condition = CONDITIONS[kind][self.condition].format(port=port, msg=f'msg:"{self.message}"', big=BIG)
        return f"{self.action} {condition[:-1]} sid:{port};)"


@dataclass(frozen=True)
class Packet:
    """syn, question (with its text), answer, or the acknowledgement of an answer."""

    kind: str
    text: str = ""

    def matches(self, condition: str) -> bool:
        if condition == "header":
            return self.kind != "answer"
        if condition == "answer":
            return self.kind == "answer"
        if condition == "big":
            return len(self.text) > BIG
        if self.kind == "acknowledgement":
            return condition in ("packet", "protocol")
        return self.kind == "question" and (condition in ("packet", "protocol") or f"{condition[-1]}=1" in self.text)


@dataclass
class Flow:
    """passed: place of the pass that let the flow through; rules from there on do not concern it.

    possible: lines that may be in the log or not: of a packet that was dropped, what stands below a pass that it would have matched.
    """

    kind: str
    rules: Sequence[ListedRule]
    default_drop: tuple[str, ...]
    passed: int = 1 << 30
    blocked: bool = False
    log: set[tuple[str, str]] = field(default_factory=set)
    possible: set[tuple[str, str]] = field(default_factory=set)

    def lets_through(self, packet: Packet) -> bool:
        if self.blocked:
            return False
        log, dropped = self.log, False
        for place, rule in enumerate(self.rules):
            if place >= self.passed:
                return not dropped
            if not packet.matches(rule.condition):
                continue
            lasts = rule.condition not in _PACKET_ONLY[self.kind]
            if rule.action == "alert":
                log.add(("allowed", rule.message))
            elif rule.action == "pass" and not dropped:
                self.passed = place if lasts else self.passed
                return True
            elif rule.action == "pass":
                log = self.possible
            elif not dropped:
                dropped = True
                self.blocked = lasts
                log.add(("blocked", rule.message))
        if not dropped and self.passed == 1 << 30 and packet.kind in self.default_drop:
            self.log.add(("blocked", DEFAULT))
            return False
        return not dropped

    def ask(self, question: str) -> bool:
        return self.lets_through(Packet("question", question)) and self.lets_through(Packet("answer"))


def tcp_conversation(flow: Flow, questions: Sequence[str]) -> list[str]:
    """What a client sees: a question that gets no answer is its last, as TCP repeats it. Every answer is acknowledged at once."""
    if not flow.lets_through(Packet("syn")):
        return ["timeout"]
    results = ["open"]
    for question in questions:
        results.append("answer" if flow.ask(question) else "timeout")
        if results[-1] == "timeout":
            break
        flow.lets_through(Packet("acknowledgement"))
    return results


def udp_conversation(flow: Flow, questions: Sequence[str]) -> list[str]:
    """What a client sees: every question stands for itself."""
    return ["open", *("answer" if flow.ask(question) else "timeout" for question in questions)]
