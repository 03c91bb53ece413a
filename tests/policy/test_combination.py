"""Ordinary IAM: who must allow within an account, across accounts, and when a role is assumed."""

from __future__ import annotations

from typing import Any

import pytest
from asking import ACCOUNT, ANN, OTHER, ROOT, STRANGER, WEB, ask, policy

from latticewall.policy.combine import PolicyType, PrincipalPolicies, access_denied_text, authorize, authorize_assume_role
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal

ALLOW: dict[str, Any] = {"Effect": "Allow"}
DENY: dict[str, Any] = {"Effect": "Deny"}
ELSE: dict[str, Any] = {"Action": "s3:*"}


def layer(*statements: dict[str, Any]) -> PolicySet:
    return PolicySet([policy(*statements, form=Form.IDENTITY)] if statements else [])


def resource(who: Any, **changes: Any) -> PolicySet:
    return PolicySet([policy({"Principal": who, **changes}, form=Form.RESOURCE)])


def having(*statements: dict[str, Any], **limits: Any) -> PrincipalPolicies:
    return PrincipalPolicies(layer(*statements), **limits)


NAMED = resource({"AWS": ANN.arn})
CASES: list[tuple[Principal, PrincipalPolicies, PolicySet | None, str, bool, PolicyType]] = [
    (ANN, having(), None, "", False, PolicyType.IDENTITY),
    (ANN, having(ALLOW), None, "", True, PolicyType.IDENTITY),
    (ANN, having(ALLOW, DENY), None, "", False, PolicyType.IDENTITY),
    (ROOT, having(), None, "", True, PolicyType.IDENTITY),
    (ROOT, having(service_control=(layer(ELSE),)), None, "", False, PolicyType.SERVICE_CONTROL),
    (ANN, having(), NAMED, ACCOUNT, True, PolicyType.RESOURCE),
    (ANN, having(), resource("*"), ACCOUNT, True, PolicyType.RESOURCE),
    (ANN, having(), resource({"AWS": ACCOUNT}), ACCOUNT, False, PolicyType.IDENTITY),
    (ANN, having(ALLOW), resource({"AWS": ACCOUNT}), ACCOUNT, True, PolicyType.IDENTITY),
    (ANN, having(ALLOW), resource("*", Effect="Deny"), ACCOUNT, False, PolicyType.RESOURCE),
    (ANN, having(boundary=layer(ELSE)), NAMED, ACCOUNT, True, PolicyType.RESOURCE),
    (ANN, having(boundary=layer(DENY)), NAMED, ACCOUNT, False, PolicyType.BOUNDARY),
    (WEB, having(boundary=layer(ELSE)), resource({"AWS": WEB.role_arn}), ACCOUNT, False, PolicyType.BOUNDARY),
    (WEB, having(session=layer(ELSE)), resource({"AWS": WEB.role_arn}), ACCOUNT, False, PolicyType.SESSION),
    (WEB, having(session=layer(ELSE)), resource({"AWS": WEB.arn}), ACCOUNT, True, PolicyType.RESOURCE),
    (WEB, having(service_control=(layer(ALLOW), layer(ELSE))), resource({"AWS": WEB.arn}), ACCOUNT, False, PolicyType.SERVICE_CONTROL),
    (ANN, having(ALLOW, boundary=layer(ELSE)), None, "", False, PolicyType.BOUNDARY),
    (WEB, having(ALLOW, session=layer(ELSE)), None, "", False, PolicyType.SESSION),
    (STRANGER, having(ALLOW), None, ACCOUNT, False, PolicyType.RESOURCE),
    (STRANGER, having(), resource({"AWS": STRANGER.arn}), ACCOUNT, False, PolicyType.IDENTITY),
    (STRANGER, having(ALLOW), resource({"AWS": OTHER}), ACCOUNT, True, PolicyType.IDENTITY),
    (STRANGER, having(ALLOW), resource({"AWS": ACCOUNT}), ACCOUNT, False, PolicyType.RESOURCE),
]


@pytest.mark.parametrize(("principal", "policies", "own", "owner", "allowed", "by"), CASES)
def test_authorize(principal: Principal, policies: PrincipalPolicies, own: PolicySet | None, owner: str, allowed: bool, by: PolicyType) -> None:
    verdict = authorize(ask(principal), policies, own, owner)
    assert (verdict.allowed, verdict.by) == (allowed, by)


ROLE = f"arn:aws:iam::{ACCOUNT}:role/target"
EC2 = Principal.service("ec2.amazonaws.com")


@pytest.mark.parametrize(
    ("principal", "policies", "who", "allowed"),
    [
        (EC2, having(), {"Service": "ec2.amazonaws.com"}, True),
        (EC2, having(), {"Service": "lambda.amazonaws.com"}, False),
        (EC2, having(), {"AWS": ACCOUNT}, False),
        (ANN, having(), {"AWS": ANN.arn}, True),
        (WEB, having(), {"AWS": WEB.role_arn}, True),
        (WEB, having(boundary=layer(ELSE)), {"AWS": WEB.role_arn}, False),
        (ANN, having(), {"AWS": ACCOUNT}, False),
        (ANN, having(), {"AWS": "*"}, False),
        (ANN, having(ALLOW), {"AWS": ACCOUNT}, True),
        (ANN, having(ALLOW), {"AWS": OTHER}, False),
        (ANN, having(DENY), {"AWS": ANN.arn}, False),
        (ROOT, having(), {"AWS": ACCOUNT}, True),
        (STRANGER, having(), {"AWS": STRANGER.role_arn}, False),
        (STRANGER, having(ALLOW), {"AWS": STRANGER.role_arn}, True),
        (STRANGER, having(ALLOW), {"AWS": OTHER}, True),
        (STRANGER, having(ALLOW), {"AWS": ACCOUNT}, False),
        (Principal.federated("arn:aws:iam::1:oidc-provider/p"), having(), {"Federated": "arn:aws:iam::1:oidc-provider/p"}, True),
    ],
)
def test_assume_role(principal: Principal, policies: PrincipalPolicies, who: Any, allowed: bool) -> None:
    trust = PolicySet([policy({"Principal": who, "Action": "sts:AssumeRole"}, form=Form.TRUST)])
    request = ask(principal, action="sts:AssumeRole", resource=ROLE)
    assert authorize_assume_role(request, policies, trust, ACCOUNT).allowed is allowed
    denying = PolicySet([policy({"Principal": who, "Action": "sts:AssumeRole"}, {"Effect": "Deny"}, form=Form.TRUST)])
    assert not authorize_assume_role(request, policies, denying, ACCOUNT).allowed


def test_trust_conditions_count() -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    trust = PolicySet([policy({"Principal": {"AWS": ANN.arn}, "Condition": condition}, form=Form.TRUST)])
    for given, allowed in (({"sts:ExternalId": "secret"}, True), ({"sts:ExternalId": "guess"}, False), ({}, False)):
        request = ask(ANN, given, action="sts:AssumeRole", resource=ROLE)
        assert authorize_assume_role(request, having(), trust, ACCOUNT).allowed is allowed


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        (having(), "because no identity-based policy allows the vpc-lattice-svcs:Invoke action"),
        (having(DENY), "with an explicit deny in an identity-based policy"),
        (having(ALLOW, boundary=layer(ELSE)), "because no permissions boundary allows the vpc-lattice-svcs:Invoke action"),
        (having(ALLOW, service_control=(layer(ELSE),)), "with an explicit deny in a service control policy"),
    ],
)
def test_access_denied_text(policies: PrincipalPolicies, words: str) -> None:
    request = ask(ANN)
    text = access_denied_text(request, authorize(request, policies))
    assert text == f"User: {ANN.arn} is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {request.resource} {words}"


OPEN = PolicySet([policy(ALLOW, form=Form.RESOURCE_CONTROL)])
INSIDE_ONLY = PolicySet(
    [
        policy(ALLOW, form=Form.RESOURCE_CONTROL),
        policy(DENY | {"Action": ["s3:*", "sts:*"], "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorg"}}}, form=Form.RESOURCE_CONTROL),
    ]
)
NOTHING = PolicySet([])


@pytest.mark.parametrize(
    ("principal", "action", "levels", "allowed"),
    [
        (WEB, "s3:GetObject", (OPEN, INSIDE_ONLY), True),
        (ANN, "s3:GetObject", (OPEN, INSIDE_ONLY), False),
        (ROOT, "s3:GetObject", (INSIDE_ONLY,), False),
        (WEB, "s3:GetObject", (OPEN, NOTHING), False),
        (WEB, "s3:GetObject", (), True),
        (ANN, "ec2:RunInstances", (INSIDE_ONLY, NOTHING), True),
        (ANN, "vpc-lattice-svcs:Invoke", (NOTHING,), True),
    ],
)
def test_resource_control_policies(principal: Principal, action: str, levels: tuple[PolicySet, ...], allowed: bool) -> None:
    """Every level must allow, also the root user; services that they do not reach are not asked about."""
    verdict = authorize(ask(principal, action=action), having(ALLOW), None, "", levels)
    assert verdict.allowed is allowed
    if not allowed:
        assert verdict.by is PolicyType.RESOURCE_CONTROL
        assert access_denied_text(ask(principal, action=action), verdict).endswith("with an explicit deny in a resource control policy")


def test_resource_control_policies_limit_who_assumes_a_role() -> None:
    trust = PolicySet([policy({"Principal": {"AWS": [WEB.arn, ANN.arn]}, "Action": "sts:AssumeRole"}, form=Form.TRUST)])
    for principal, allowed in ((WEB, True), (ANN, False)):
        request = ask(principal, action="sts:AssumeRole", resource=ROLE)
        assert authorize_assume_role(request, having(), trust, ACCOUNT, (INSIDE_ONLY,)).allowed is allowed
    service = PolicySet([policy({"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}, form=Form.TRUST)])
    request = ask(EC2, action="sts:AssumeRole", resource=ROLE)
    assert authorize_assume_role(request, having(), service, ACCOUNT, (OPEN,)).allowed
    assert not authorize_assume_role(request, having(), service, ACCOUNT, (NOTHING,)).allowed
