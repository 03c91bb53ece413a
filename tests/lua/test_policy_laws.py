"""Compiled policies answer as the definition does: outcome and first determining statement, on random policies and requests that meet often."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st
from policy_machine import Machine
from policy_strategies import expected, policies, requests

from latticewall.policy.document import Policy
from latticewall.policy.request import Request
from latticewall.policy.to_lua import compile_set

MACHINE = Machine()


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(policies(), max_size=3), st.lists(requests(), min_size=1, max_size=4))
def test_compiled_policies_answer_as_defined(written: list[Policy], asked: list[Request]) -> None:
    evaluator = MACHINE.compile(written)
    for request in asked:
        wanted = expected(written, request)
        event(f"outcome {wanted[0]}")
        assert MACHINE.ask(evaluator, request) == wanted


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(policies(), min_size=1, max_size=3), requests())
def test_leaving_out_other_actions_changes_no_answer(written: list[Policy], request: Request) -> None:
    evaluator = MACHINE.load(compile_set(written, [request.action]))
    assert MACHINE.ask(evaluator, request) == expected(written, request)
