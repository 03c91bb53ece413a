"""Random strict lists: the engine with its marks against a plain walk through the list, in what gets through and in what is logged.

A list is confined to a port of its own, so that one engine judges all of them: rule n of every list stands in layer n of the policy.
"""

from __future__ import annotations

import random

import pytest
from firewall_lab import PRODUCTION, SHARED, FirewallLab
from first_match import CONDITIONS, ListedRule, expected
from policies import DROP_ESTABLISHED, strict_policy, strings

pytestmark = [pytest.mark.engines, pytest.mark.netns]

LISTS = 120
LENGTH = 6
FIRST_PORT = 20000
REQUEST = "GET /?{} HTTP/1.1\r\nHost: example.com\r\n\r\n"


def random_list(source: random.Random) -> list[ListedRule]:
    actions = ("pass", "drop", "alert")
    return [ListedRule(source.choice(actions), source.choice(tuple(CONDITIONS)), f"rule {place}") for place in range(LENGTH)]


@pytest.fixture(scope="module")
def random_lab(shared_lab: FirewallLab) -> FirewallLab:
    shared_lab.serve(SHARED, *range(FIRST_PORT, FIRST_PORT + LISTS))
    return shared_lab


@pytest.mark.parametrize(("seed", "defaults"), [(1, DROP_ESTABLISHED), (2, ())])
def test_marks_agree_with_a_walk_through_the_list(random_lab: FirewallLab, seed: int, defaults: tuple[str, ...]) -> None:
    source = random.Random(seed)
    lists = {FIRST_PORT + number: random_list(source) for number in range(LISTS)}
    questions = {port: [REQUEST.format(source.choice(("", "x=1", "y=1", "x=1&y=1"))) for _ in range(2)] for port in lists}
    layers = []
    for place in range(LENGTH):
        layer = sorted((rules[place].action, port) for port, rules in lists.items())
        layer.sort(key=lambda item: ("alert", "drop", "pass").index(item[0]))
        layers.append(strings(*(lists[port][place].text(port, port) for _, port in layer)))
    random_lab.apply(*strict_policy(*layers, defaults=defaults))
    results = random_lab.converse([(PRODUCTION, SHARED, port, questions[port]) for port in lists])
    wrong = []
    for (port, rules), result in zip(lists.items(), results, strict=True):
        seen, log = expected(rules, questions[port], default_drop=bool(defaults))
        shown = ["answer" if answer.endswith("hello") else answer for answer in result]
        if shown != seen:
            wrong.append((port, [(rule.action, rule.condition) for rule in rules], questions[port], shown, seen))
    assert not wrong

    def logs() -> dict[int, set[tuple[str, str]]]:
        found: dict[int, set[tuple[str, str]]] = {port: set() for port in lists}
        for event in random_lab.logged():
            port = event["dest_port"] if event["dest_port"] in found else event["src_port"]
            found[port].add((event["alert"]["action"], event["alert"]["signature"]))
        return found

    wanted = {port: expected(rules, questions[port], default_drop=bool(defaults))[1] for port, rules in lists.items()}
    found = logs()
    wrong_logs = [
        (port, [(rule.action, rule.condition) for rule in rules], questions[port], found[port], wanted[port])
        for port, rules in lists.items()
        if found[port] != wanted[port]
    ]
    assert not wrong_logs, '\n'.join(str(x) for x in wrong_logs)
    random_lab.stop_engine()
