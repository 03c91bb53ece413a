"""Strict order as plainly as it can be said: walk the list for every packet. What the compiled rules must agree with."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT = "aws:alert_established action"

CONDITIONS = {
    "header": "tcp any any -> any {port} (msg:\"{msg}\"; sid:{sid};)",
    "packet": "tcp any any -> any {port} (msg:\"{msg}\"; flow:established,to_server; sid:{sid};)",
    "question x": "tcp any any -> any {port} (msg:\"{msg}\"; flow:established,to_server; content:\"x=1\"; sid:{sid};)",
    "question y": "http any any -> any {port} (msg:\"{msg}\"; flow:established,to_server; http.uri; content:\"y=1\"; sid:{sid};)",
    "protocol": "http any any -> any {port} (msg:\"{msg}\"; flow:established,to_server; sid:{sid};)",
    "answer": "tcp any {port} -> any any (msg:\"{msg}\"; flow:established,to_client; content:\"hello\"; sid:{sid};)",
}
"""Kinds of conditions: decided by the header for the whole flow, by the packet, or by content for the rest of the flow."""


@dataclass(frozen=True)
class ListedRule:
    action: str
    condition: str
    message: str

    def text(self, port: int, sid: int) -> str:
        return f"{self.action} {CONDITIONS[self.condition].format(port=port, msg=self.message, sid=sid)}"


@dataclass(frozen=True)
class Packet:
    """syn, question (with its text) or answer."""

    kind: str
    text: str = ""

    def matches(self, condition: str) -> bool:
        if condition == "header":
            return self.kind != "answer"
        if condition in ("packet", "protocol"):
            return self.kind == "question"
        if condition == "answer":
            return self.kind == "answer"
        return self.kind == "question" and f"{condition[-1]}=1" in self.text


@dataclass
class FlowState:
    """passed: place of the pass that let the flow through; rules from there on do not concern it."""

    passed: int = 1 << 30
    blocked: bool = False
    log: set[tuple[str, str]] = field(default_factory=set)

    def judge(self, rules: list[ListedRule], packet: Packet, *, default_drop: bool) -> bool:
        """Whether the packet gets through."""
        if self.blocked:
            return False
        dropped = False
        for place, rule in enumerate(rules):
            if place >= self.passed and not dropped:
                return True
            if not packet.matches(rule.condition):
                continue
            if rule.action == "alert":
                self.log.add(("allowed", rule.message))
            elif not dropped and rule.action == "pass":
                self.passed = place if rule.condition != "packet" else self.passed
                return True
            elif not dropped:
                dropped = True
                self.blocked = rule.condition != "packet"
                self.log.add(("blocked", rule.message))
            elif rule.action == "pass":
                break
        if not dropped and default_drop and packet.kind == "question" and self.passed == 1 << 30:
            self.log.add(("blocked", DEFAULT))
            dropped = True
        return not dropped


def expected(rules: list[ListedRule], questions: list[str], *, default_drop: bool) -> tuple[list[str], set[tuple[str, str]]]:
    """What a client sees of a conversation, and what the alert log says about it."""
    state = FlowState()
    if not state.judge(rules, Packet("syn"), default_drop=default_drop):
        return ["timeout"], state.log
    results = ["open"]
    for question in questions:
        through = state.judge(rules, Packet("question", question), default_drop=default_drop)
        through = through and state.judge(rules, Packet("answer"), default_drop=default_drop)
        results.append("answer" if through else "timeout")
        if not through:
            break
    return results, state.log
