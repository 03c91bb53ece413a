"""Compiled policies answer as the definition does: outcome and first determining statement, on random policies and requests that meet often."""

from __future__ import annotations

import pytest
from asking import ANN, ask, policy
from hypothesis import event, given, settings
from hypothesis import strategies as st
from policy_machine import Machine
from policy_strategies import expected, policies, requests

from latticewall.policy.document import Policy
from latticewall.policy.request import Request
from latticewall.policy.to_lua import compile_set

MACHINE = Machine()


@settings(max_examples=300, deadline=None, derandomize=True)  # `make fuzz` asks a million
@given(st.lists(policies(), max_size=3), st.lists(requests(), min_size=1, max_size=4))
def test_compiled_policies_answer_as_defined(written: list[Policy], asked: list[Request]) -> None:
    evaluator = MACHINE.compile(written)
    for request in asked:
        wanted = expected(written, request)
        event(f"outcome {wanted[0]}")
        assert MACHINE.ask(evaluator, request) == wanted


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(policies(), min_size=1, max_size=3), requests())
def test_leaving_out_other_actions_changes_no_answer(written: list[Policy], request: Request) -> None:
    evaluator = MACHINE.load(compile_set(written, [request.action]))
    assert MACHINE.ask(evaluator, request) == expected(written, request)


VALUES: list[tuple[str, ...] | str | None] = [None, (), ("",), "", ("a",), "a", ("a", "b"), ("c",), ("a", "c"), ("", "a"), ("", "")]


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("suffix", ["", "IfExists"])
@pytest.mark.parametrize("prefix", ["", "ForAnyValue:", "ForAllValues:"])
@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "StringLike", "StringNotEqualsIgnoreCase"])
def test_the_truth_table_of_keys_with_any_number_of_values(operator: str, prefix: str, suffix: str, effect: str) -> None:
    written = [policy({"Effect": effect, "Condition": {f"{prefix}{operator}{suffix}": {"x:k": ["a", "b"]}}})]
    evaluator = MACHINE.compile(written)
    for value in VALUES:
        request = ask(context={} if value is None else {"x:k": value})
        assert MACHINE.ask(evaluator, request) == expected(written, request), value


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals"])
@pytest.mark.parametrize("prefix", ["", "ForAnyValue:", "ForAllValues:"])
@pytest.mark.parametrize("key", ["aws:PrincipalTag/team", "vpc-lattice-svcs:RequestHeader/x", "aws:SourceIp"])
@pytest.mark.parametrize("value", [None, "", "a", "c"])
def test_the_truth_table_of_keys_with_one_value(operator: str, prefix: str, key: str, value: str | None) -> None:
    for suffix in ("", "IfExists"):
        for effect in ("Allow", "Deny"):
            written = [policy({"Effect": effect, "Condition": {f"{prefix}{operator}{suffix}": {key: ["a", "b"]}}})]
            request = ask(ANN, context={} if value is None else {key: value})
            assert MACHINE.ask(MACHINE.compile(written), request) == expected(written, request)
