"""The engine's own words about rules that do not load."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from latticewall.base.faults import Fault
from latticewall.compile.render.suricata import render_classification
from latticewall.dataplane.suricata_check import Finished, engine_check, run_command

pytestmark = [pytest.mark.engines, pytest.mark.skipif(shutil.which("suricata") is None, reason="suricata is not installed")]

GOOD = 'alert tcp any any -> any any (msg:"x"; classtype:trojan-activity; sid:1;)'


def test_good_rules_have_no_complaints() -> None:
    assert engine_check([GOOD]) == ()


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("alert tcp any any -> any any (bogus:1; sid:2;)", "unknown rule keyword 'bogus'"),
        ("alert websocket any any -> any any (sid:2;)", "websocket"),
        ('alert tcp any any -> any any (content:"a; sid:2;)', "content"),
        ('alert http any any -> any any (http.host; nocase; content:"a"; sid:2;)', "nocase"),
        ("alert tcp 10.0.0.0/99 any -> any any (sid:2;)", "10.0.0.0/99"),
    ],
)
def test_a_bad_rule_is_named_with_its_line_and_reason(rule: str, reason: str) -> None:
    (complaint,) = engine_check([GOOD, rule, GOOD.replace("sid:1", "sid:3")])
    assert (complaint.line, complaint.rule) == (2, rule)
    assert reason in complaint.reason


def test_every_bad_rule_is_named() -> None:
    complaints = engine_check(["alert tcp any any -> any any (one; sid:1;)", GOOD, "alert tcp any any -> any any (two; sid:2;)"])
    assert [complaint.line for complaint in complaints] == [1, 3]


def test_every_class_type_is_known() -> None:
    """The engine only warns about one that it does not know."""
    said: list[str] = []

    def listen(command: Sequence[str], timeout: float) -> Finished:
        finished = run_command(command, timeout)
        said.append(finished.output)
        return finished

    names = [line.split(": ")[1].split(",")[0] for line in render_classification().splitlines()]
    rules = [f"alert tcp any any -> any any (classtype:{name}; sid:{number};)" for number, name in enumerate(names, 1)]
    engine_check([rules[0].replace(names[0], "no-such-class")], listen)
    assert engine_check(rules, listen) == ()
    assert "no-such-class" in said[0]
    assert "class" not in said[1]


def test_an_engine_that_cannot_be_asked_is_a_fault() -> None:
    def missing(command: Sequence[str], _: float) -> Finished:
        raise FileNotFoundError(command[0])

    with pytest.raises(Fault, match="could not be checked"):
        engine_check([GOOD], missing)


def test_an_engine_that_fails_without_a_reason_is_a_complaint() -> None:
    (complaint,) = engine_check([GOOD], lambda *_: Finished(139, ""))
    assert complaint.reason == "suricata ended with 139"
