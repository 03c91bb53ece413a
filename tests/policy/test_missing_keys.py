"""Which condition keys a request lacks although statements asked for them: definition and engine give the same ones."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ANN, ANONYMOUS, SERVICE, WEB, ask, policy

from latticewall.policy import spec
from latticewall.policy.combine import PrincipalPolicies, authorize, authorize_assume_role, caller_side
from latticewall.policy.decision import Decision
from latticewall.policy.document import Form, Policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal, Request


def decision(written: list[Policy], request: Request) -> Decision:
    found = PolicySet(written).evaluate(request)
    assert found == spec.evaluate(written, request)
    return found


def equal(key: str, value: str = "a", operator: str = "StringEquals") -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ({}, ()),
        (equal("x:absent"), ("x:absent",)),
        (equal("x:present"), ()),
        (equal("x:absent", operator="StringNotEquals"), ("x:absent",)),
        (equal("x:absent", operator="StringEqualsIfExists"), ("x:absent",)),
        (equal("x:absent", "true", "Null"), ("x:absent",)),
        (equal("x:present", "${x:absent}"), ("x:absent",)),
        (equal("x:present", "${x:absent, 'b'}"), ()),
        (equal("x:present", "${x:many}"), ()),
        (equal("x:present", "80", "NumericEquals"), ()),
        ({"Condition": {"StringEquals": {"x:B": "1", "x:a": "2"}, "Bool": {"x:b": "true"}}}, ("x:B", "x:a")),
        (equal("x:absent") | {"Action": "s3:*"}, ()),
        (equal("x:absent") | {"Resource": "arn:aws:s3:::b"}, ()),
        (equal("x:absent") | {"Principal": {"AWS": ANN.arn}}, ()),
        (equal("x:absent") | {"Effect": "Deny"}, ("x:absent",)),
        ({"Resource": f"{SERVICE}/${{x:absent}}"}, ("x:absent",)),
        ({"Resource": f"{SERVICE}/${{x:absent, 'goodbye'}}"}, ()),
        ({"Resource": f"{SERVICE}/${{x:absent}}"} | equal("x:other"), ("x:absent", "x:other")),
        ({"Resource": [f"{SERVICE}/${{x:absent}}", "*"]}, ("x:absent",)),
        ({"NotResource": f"{SERVICE}/${{x:absent}}"}, ("x:absent",)),
    ],
)
def test_missing_keys(statement: dict[str, Any], missing: tuple[str, ...]) -> None:
    request = ask(context={"x:present": "p", "x:many": ("a", "b")})
    assert decision([policy(statement)], request).missing == missing


def test_variables_of_the_old_version_are_not_asked_for() -> None:
    assert decision([policy(equal("x:k", "${x:absent}"), version="2008-10-17")], ask(context={"x:k": "1"})).missing == ()


def test_a_key_is_named_once_in_the_spelling_that_sorts_first() -> None:
    one, other = policy(equal("x:Key")), policy(equal("X:key"), equal("x:key"))
    assert decision([one, other], ask()).missing == decision([other, one], ask()).missing == ("X:key",)


def test_an_explicit_deny_does_not_hide_what_an_allow_asked_for() -> None:
    found = decision([policy(equal("x:absent"), {"Effect": "Deny"})], ask())
    assert found.denied
    assert found.missing == ("x:absent",)


def test_verdicts_collect_the_keys_of_every_layer() -> None:
    def asking(key: str, form: Form = Form.IDENTITY) -> PolicySet:
        return PolicySet([policy(equal(key), form=form)])

    own = PrincipalPolicies(asking("x:identity"), boundary=asking("x:boundary"), session=asking("x:session"), service_control=(asking("x:scp"),))
    assert caller_side(ask(), own).missing == ("x:boundary", "x:identity", "x:scp", "x:session")
    request = ask(action="s3:GetObject")
    verdict = authorize(request, own, asking("x:bucket", Form.RESOURCE), "", (asking("x:rcp"),))
    assert verdict.missing == ("x:boundary", "x:bucket", "x:identity", "x:rcp", "x:scp", "x:session")
    trust = PolicySet([policy({"Action": "sts:AssumeRole"} | equal("sts:ExternalId"), form=Form.TRUST)])
    assert authorize_assume_role(ask(action="sts:AssumeRole"), PrincipalPolicies(), trust, "").missing == ("sts:ExternalId",)


TEAM = f"{SERVICE}/${{aws:PrincipalTag/team}}/*"


@pytest.mark.parametrize(
    ("principal", "path", "allowed"),
    [(WEB, "/blue/x", False), (WEB, "/red/x", True), (ANN, "/red/x", False), (ANONYMOUS, "/red/x", False)],
)
def test_what_an_allow_leaves_out_must_be_known(principal: Principal, path: str, allowed: bool) -> None:
    """Callers without the tag would otherwise be allowed everything."""
    assert decision([policy({"NotResource": TEAM})], ask(principal, resource=SERVICE + path)).allowed is allowed


def test_a_deny_of_all_but_an_unknown_resource_denies() -> None:
    written = [policy({"Effect": "Deny", "NotResource": TEAM})]
    assert decision(written, ask(ANN, resource=f"{SERVICE}/red/x")).denied
    assert not decision(written, ask(WEB, resource=f"{SERVICE}/blue/x")).denied
