"""Laws of the policy language on random policies and requests over a small shared vocabulary, so that they meet often."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from asking import ACCOUNT, ANN, ANONYMOUS, OTHER, ROOT, SERVICE, STRANGER, WEB, policy
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
from latticewall.policy.request import Request, principal_context

modest = settings(max_examples=100, deadline=None, derandomize=True)

ACTIONS = ["vpc-lattice-svcs:Invoke", "vpc-lattice-svcs:Connect", "s3:GetObject"]
ACTION_PATTERNS = [*ACTIONS, "*", "vpc-lattice-svcs:*", "VPC-LATTICE-SVCS:inv?ke", "s3:*"]
RESOURCES = [f"{SERVICE}/", f"{SERVICE}/rates", f"{SERVICE}/blue/x", "arn:aws:s3:::bucket/blue", "*"]
RESOURCE_PATTERNS = [*RESOURCES, SERVICE, f"{SERVICE}/*", "*/rates", "arn:aws:*:*:*:service/*", f"{SERVICE}/${{aws:PrincipalTag/team}}/*", "arn:*"]
PRINCIPALS = [WEB, ANN, ROOT, STRANGER, ANONYMOUS]
NAMES = ["*", ACCOUNT, OTHER, WEB.arn, WEB.role_arn, ANN.arn, STRANGER.role_arn, "AROAWEBWEBWEBWEBWEBWE"]
KEYS = ["aws:PrincipalOrgID", "aws:PrincipalType", "aws:PrincipalTag/team", "x:k", "X:K", "x:port", "x:arn"]
TEXTS = ["", "a", "b", "blue", "o-exampleorg", "Anonymous", "a*", "${aws:PrincipalTag/team}", "${x:none, 'a'}", "443"]
READABLE = {
    "Numeric": ["80", "443"],
    "Date": ["2026", "2026-01-02T03:04:05Z"],
    "Bool": ["true", "false"],
    "Null": ["true", "false"],
    "Binary": ["YQ=="],
    "IpAddress": ["10.0.0.0/8", "10.0.0.1"],
    "NotIp": ["10.0.0.0/8"],
    "Arn": [WEB.arn, "arn:aws:iam::*:role/*", "a*", "arn:aws:sts::*:assumed-role/${aws:PrincipalTag/team}/*"],
}
VALUES = [*TEXTS[:6], "80", "443", "true", "2026-01-02", "YQ==", "10.0.0.1", WEB.arn, WEB.role_arn]


def some(values: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    block: dict[str, dict[str, list[str]]] = {}
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*POSITIVE, *NEGATED]))
        wanted = next((texts for start, texts in READABLE.items() if name.startswith(start)), TEXTS)
        plain = name == "Null"
        prefix = "" if plain else draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]))
        suffix = "" if plain else draw(st.sampled_from(["", "IfExists"]))
        block.setdefault(prefix + name + suffix, {})[draw(st.sampled_from(KEYS))] = draw(some(wanted))
    return block


@st.composite
def statements(draw: st.DrawFn, form: Form = Form.AUTH, negations: bool = True) -> dict[str, Any]:
    def one_of(element: str) -> str:
        return draw(st.sampled_from([element, element, f"Not{element}"])) if negations else element

    effect = draw(st.sampled_from(["Allow", "Allow", "Deny"]))
    written: dict[str, Any] = {"Effect": effect, one_of("Action"): draw(some(ACTION_PATTERNS)), "Condition": draw(conditions())}
    patterns = [text for text in RESOURCE_PATTERNS if form is Form.AUTH or text == "*" or (text.count(":") >= 5 and "aws:*" not in text)]
    written[one_of("Resource")] = draw(some(patterns))
    if form is Form.AUTH:
        written[one_of("Principal") if effect == "Deny" else "Principal"] = {"AWS": draw(some(NAMES))}
    return written


@st.composite
def policies(draw: st.DrawFn, form: Form = Form.AUTH, negations: bool = True) -> Policy:
    version = draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]))
    return policy(*draw(st.lists(statements(form, negations), min_size=1, max_size=4)), form=form, version=version, name=draw(st.sampled_from("pqr")))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    principal = draw(st.sampled_from(PRINCIPALS))
    value = st.sampled_from(VALUES)
    context = draw(st.dictionaries(st.sampled_from(["x:k", "x:port", "x:arn"]), value | st.lists(value, max_size=2).map(tuple)))
    return Request(draw(st.sampled_from(ACTIONS)), draw(st.sampled_from(RESOURCES)), principal, {**principal_context(principal), **context})


def evaluate(written: list[Policy], request: Request) -> Decision:
    decision = PolicySet(written).evaluate(request)
    event(decision.outcome)
    return decision


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(policies(), max_size=3), requests())
def test_engine_answers_as_defined(written: list[Policy], request: Request) -> None:
    assert evaluate(written, request) == spec.evaluate(written, request)


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
    assert sorted(map(repr, before.statements)) == sorted(map(repr, after.statements))


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
