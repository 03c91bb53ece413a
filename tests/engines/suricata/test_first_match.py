"""Random strict lists: the engine with its marks against a plain walk through the list, in what gets through and in what is logged.

A list is confined to a port of its own, so that one engine judges all of them: rule n of every list stands in layer n of the policy.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from firewall_lab import PRODUCTION, SHARED, FirewallLab
from first_match import ANSWER, BIG, CONDITIONS, Flow, ListedRule, tcp_conversation, udp_conversation
from policies import DROP_ESTABLISHED, strict_policy, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

LISTS = 150
LENGTH = 6
FIRST_PORT = 20000
ACTIONS = ("alert", "drop", "pass")
MARKERS = ("", "x=1", "y=1", "x=1&y=1", "big&" + "z" * BIG)


@pytest.fixture(scope="module")
def lab(shared_lab: FirewallLab) -> FirewallLab:
    for kind in CONDITIONS:
        shared_lab.serve(SHARED, *range(FIRST_PORT, FIRST_PORT + LISTS), kind=kind)
    return shared_lab


def question(kind: str, marker: str) -> str:
    return f"GET /?{marker} HTTP/1.1\r\nHost: a\r\n\r\n" if kind == "tcp" else f"say {ANSWER} {marker}"


def layers(kind: str, lists: dict[int, list[ListedRule]]) -> list[dict[str, Any]]:
    """One rule group per place in the lists, alerts and drops before passes: few changes between passing and blocking."""
    found = []
    for place in range(LENGTH):
        ports = sorted(lists, key=lambda port: ACTIONS.index(lists[port][place].action))
        found.append(strings(*(lists[port][place].text(kind, port) for port in ports)))
    return found


@pytest.mark.parametrize("defaults", [DROP_ESTABLISHED, ()], ids=["default drop", "default pass"])
@pytest.mark.parametrize(("kind", "seed"), [("tcp", 1), ("tcp", 2), ("udp", 3), ("udp", 4)])
def test_marks_agree_with_a_walk_through_the_list(lab: FirewallLab, kind: str, seed: int, defaults: tuple[str, ...]) -> None:
    source = random.Random(f"{seed} {defaults}")
    conditions = tuple(CONDITIONS[kind])
    lists = {
        FIRST_PORT + number: [ListedRule(source.choice(ACTIONS), source.choice(conditions), f"rule {place}") for place in range(LENGTH)]
        for number in range(LISTS)
    }
    questions = {port: [question(kind, source.choice(MARKERS)) for _ in range(3)] for port in lists}
    dropped = {"tcp": ("question", "acknowledgement"), "udp": ("question", "answer")}[kind] if defaults else ()
    lab.apply(*strict_policy(*layers(kind, lists), defaults=defaults))
    results = lab.converse([(PRODUCTION, SHARED, port, questions[port], kind) for port in lists])
    logs: dict[int, set[tuple[str, str]]] = {port: set() for port in lists}
    for event in lab.logged():
        port = event["dest_port"] if event["dest_port"] in logs else event["src_port"]
        logs[port].add((event["alert"]["action"], event["alert"]["signature"]))
    lab.stop_engine()
    wrong = []
    for (port, rules), result in zip(lists.items(), results, strict=True):
        flow = Flow(kind, rules, dropped)
        wanted = (tcp_conversation if kind == "tcp" else udp_conversation)(flow, questions[port])
        seen = ["answer" if ANSWER in answer else answer for answer in result]
        if seen != wanted or not flow.log <= logs[port] <= flow.log | flow.possible:
            listed = [f"{rule.action} {rule.condition}" for rule in rules]
            wrong.append(f"{port} {listed} {questions[port]}\n  seen {seen} {sorted(logs[port])}\n  want {wanted} {sorted(flow.log)}")
    assert not wrong, "\n".join(wrong)
