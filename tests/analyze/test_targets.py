"""Who would answer: the gate `target`."""

from __future__ import annotations

import pytest

from latticewall.analyze.forwarding import targets_gate
from latticewall.analyze.gate import Outcome
from latticewall.plan.proxy import Cluster, ProxyPlan


@pytest.mark.parametrize(("socket", "outcome", "said"), [("functions.sock", Outcome.PASS, "tg-1: a function"), ("", Outcome.FAIL, "has no registered target")])
def test_a_function_is_a_target(socket: str, outcome: Outcome, said: str) -> None:
    plan = ProxyPlan(clusters=(Cluster(name="tg-1", namespace="", bind="", endpoints=(), socket=socket),))
    gate = targets_gate(plan, [("tg-1", 100)], {}, "rule", "the answer is 503", lambda _: {})
    assert gate.outcome is outcome
    assert said in gate.detail
