"""Laws of the policy language on random policies and requests over a small shared vocabulary, so that they meet often."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from asking import policy
from drawing import policies, requests
from hypothesis import event, given, settings
from hypothesis import strategies as st

from latticewall.policy import spec
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.decision import Decision
from latticewall.policy.document import Effect, Form, Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.explain import explain_invoke, explain_policies
from latticewall.policy.lattice import LayerAuth, decide_invoke
from latticewall.policy.operators import NEGATED, POSITIVE, parse_operator
from latticewall.policy.request import Request

modest = settings(max_examples=100, deadline=None, derandomize=True)

def evaluate(written: list[Policy], request: Request) -> Decision:
    decision = PolicySet(written).evaluate(request)
    event(decision.outcome)
    return decision


@settings(max_examples=100, deadline=None, derandomize=True)  # `make fuzz` asks a million
@given(st.lists(policies(), max_size=3), st.lists(requests(), min_size=1, max_size=3))
def test_engine_answers_as_defined(written: list[Policy], asked: list[Request]) -> None:
    """Whatever it has been asked before."""
    compiled = PolicySet(written)
    for request in asked * 2:
        decision = compiled.evaluate(request)
        event(decision.outcome)
        assert decision == spec.evaluate(written, request)


@modest
@given(st.lists(policies(), max_size=2), policies(), requests())
def test_adding_denies_never_turns_a_deny_into_an_allow(written: list[Policy], more: Policy, request: Request) -> None:
    denying = replace(more, statements=tuple(replace(statement, effect=Effect.DENY) for statement in more.statements))
    if not evaluate(written, request).allowed:
        assert not evaluate([*written, denying], request).allowed


@modest
@given(st.lists(policies(), max_size=2), policies(), requests())
def test_adding_allows_never_turns_an_allow_into_a_deny(written: list[Policy], more: Policy, request: Request) -> None:
    allowing = replace(more, statements=tuple(statement for statement in more.statements if statement.effect is Effect.ALLOW))
    if evaluate(written, request).allowed:
        assert evaluate([*written, allowing], request).allowed


@modest
@given(st.lists(policies(), max_size=3), requests(), st.randoms(use_true_random=False))
def test_order_means_nothing(written: list[Policy], request: Request, shuffler: random.Random) -> None:
    def shuffled(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(shuffler.sample(values, len(values)))

    mixed = [
        replace(
            own,
            statements=shuffled(
                tuple(
                    replace(
                        statement,
                        actions=shuffled(statement.actions),
                        resources=shuffled(statement.resources),
                        principals=shuffled(statement.principals),
                        conditions=tuple(
                            replace(condition, values=shuffled(condition.values) or ()) for condition in shuffled(statement.conditions) or ()
                        ),
                    )
                    for statement in own.statements
                )
            )
            or (),
        )
        for own in shuffler.sample(written, len(written))
    ]
    before, after = evaluate(written, request), evaluate(mixed, request)
    assert before.outcome is after.outcome
    assert before.missing == after.missing
    assert sorted(map(repr, before.statements)) == sorted(map(repr, after.statements))


def doubled(values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return None if values is None else values + values


@modest
@given(st.lists(policies(), max_size=3), requests())
def test_saying_it_twice_means_nothing(written: list[Policy], request: Request) -> None:
    twice = [
        replace(
            own,
            statements=tuple(
                replace(
                    statement,
                    actions=doubled(statement.actions),
                    not_actions=doubled(statement.not_actions),
                    resources=doubled(statement.resources),
                    not_resources=doubled(statement.not_resources),
                    principals=doubled(statement.principals),
                    not_principals=doubled(statement.not_principals),
                    conditions=tuple(replace(condition, values=condition.values * 2) for condition in statement.conditions * 2),
                )
                for statement in own.statements
            ),
        )
        for own in written
    ]
    assert evaluate(twice, request) == evaluate(written, request)
    again = evaluate(written + written, request)
    assert (again.outcome, again.missing) == (evaluate(written, request).outcome, evaluate(written, request).missing)


@modest
@given(st.lists(policies(), max_size=2), requests())
def test_an_explicit_deny_wins_and_silence_denies(written: list[Policy], request: Request) -> None:
    decision = evaluate(written, request)
    denying = policy({"Effect": "Deny"}, name="no")
    assert evaluate([*written, denying], request).denied
    assert evaluate([denying, *written], request).denied
    silent = [replace(own, statements=tuple(statement for statement in own.statements if statement.effect is Effect.DENY)) for own in written]
    assert not evaluate(silent, request).allowed
    assert decision.allowed <= bool(decision.statements)


@modest
@given(policies(Form.AUTH), policies(Form.AUTH), policies(Form.IDENTITY), requests(), st.booleans(), st.booleans())
def test_lattice_allows_only_what_every_layer_in_force_allows(
    network: Policy, service: Policy, identity: Policy, request: Request, network_open: bool, service_open: bool
) -> None:
    layers = [
        LayerAuth("NONE" if is_open else "AWS_IAM", PolicySet([written])) for is_open, written in ((network_open, network), (service_open, service))
    ]
    callers = PrincipalPolicies(PolicySet([identity]))
    decision = decide_invoke(request, layers[0], layers[1], callers)
    in_force = [written for written, auth in zip((network, service), layers, strict=True) if auth.in_force]
    expected = all(spec.evaluate([written], request).allowed for written in in_force)
    if in_force and not request.principal.is_anonymous:
        own = spec.evaluate([identity], request)
        expected = expected and (own.allowed or (request.principal.type == "Account" and not own.denied))
    assert decision.allowed is expected
    assert (decision.layer is None) is decision.allowed
    assert explain_invoke(request, layers[0], layers[1], callers).decision == decision


@modest
@given(policies(), requests())
def test_explanations_agree_with_the_decision(written: Policy, request: Request) -> None:
    applying = [finding for finding in explain_policies([written], request) if finding.applies]
    decision = evaluate([written], request)
    effect = "Deny" if any(finding.effect == "Deny" for finding in applying) else "Allow"
    assert [match.statement for match in decision.statements] == [finding.statement for finding in applying if finding.effect == effect]


def test_every_operator_of_the_documentation_is_known() -> None:
    documented = (
        "StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike NumericEquals NumericNotEquals "
        "NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals DateEquals DateNotEquals DateLessThan DateLessThanEquals "
        "DateGreaterThan DateGreaterThanEquals Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike Null"
    )
    assert sorted(documented.split()) == sorted([*POSITIVE, *NEGATED])
    for name in documented.split():
        assert str(parse_operator(name.upper())) == name
