"""The Lattice decision layer by layer, and AWS's words for each denial."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from asking import ACCOUNT, ANONYMOUS, ROOT, SERVICE, STRANGER, WEB, ask, policy

from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet
from latticewall.policy.explain import explain_invoke
from latticewall.policy.lattice import OPEN, Layer, LayerAuth, Route, connect_request, decide_connect, decide_invoke, denial_text, invoke_request
from latticewall.policy.request import Principal, Request, ResourceOwner, global_context, principal_context

ALLOW: dict[str, Any] = {"Effect": "Allow"}
DENY: dict[str, Any] = {"Effect": "Deny"}
ORGANIZATION = {"Effect": "Allow", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorg"}}}
SIGNED_ONLY = {"Effect": "Allow", "Condition": {"StringNotEqualsIgnoreCase": {"aws:PrincipalType": "anonymous"}}}


def iam(*statements: dict[str, Any]) -> LayerAuth:
    return LayerAuth("AWS_IAM", PolicySet([policy(*statements)]))


def identity(*statements: dict[str, Any], **limits: Any) -> PrincipalPolicies:
    return PrincipalPolicies(PolicySet([policy(*statements, form=Form.IDENTITY)] if statements else []), **limits)


def layer(*statements: dict[str, Any]) -> PolicySet:
    return PolicySet([policy(*statements, form=Form.IDENTITY)])


BARE = LayerAuth("AWS_IAM")
DECISIONS: list[tuple[Principal, LayerAuth, LayerAuth, PrincipalPolicies, Layer | None, bool]] = [
    (ANONYMOUS, OPEN, OPEN, identity(), None, False),
    (WEB, OPEN, OPEN, identity(DENY), None, False),
    (WEB, LayerAuth("NONE", PolicySet([policy(DENY)])), OPEN, identity(), None, False),
    (ANONYMOUS, BARE, OPEN, identity(), Layer.NETWORK, False),
    (ANONYMOUS, OPEN, BARE, identity(), Layer.SERVICE, False),
    (ANONYMOUS, LayerAuth("aws_iam_new"), OPEN, identity(), Layer.NETWORK, False),
    (ANONYMOUS, iam(ALLOW), OPEN, identity(), None, False),
    (ANONYMOUS, iam(ALLOW), iam(ALLOW), identity(), None, False),
    (ANONYMOUS, iam(ALLOW), BARE, identity(), Layer.SERVICE, False),
    (ANONYMOUS, iam(ORGANIZATION), OPEN, identity(ALLOW), Layer.NETWORK, False),
    (ANONYMOUS, iam(SIGNED_ONLY), OPEN, identity(ALLOW), Layer.NETWORK, False),
    (WEB, iam(ORGANIZATION), OPEN, identity(ALLOW), None, False),
    (WEB, iam(SIGNED_ONLY), OPEN, identity(ALLOW), None, False),
    (ANONYMOUS, iam({**ALLOW, "Resource": SERVICE}), OPEN, identity(), Layer.NETWORK, False),
    (ANONYMOUS, iam({**ALLOW, "Resource": f"{SERVICE}/*"}), OPEN, identity(), None, False),
    (STRANGER, iam(ORGANIZATION), OPEN, identity(ALLOW), Layer.NETWORK, False),
    (WEB, iam(ALLOW), iam(ALLOW), identity(), Layer.IDENTITY, False),
    (WEB, iam(ALLOW), BARE, identity(), Layer.SERVICE, False),
    (WEB, BARE, BARE, identity(), Layer.NETWORK, False),
    (WEB, iam(ALLOW), iam(ALLOW, DENY), identity(ALLOW), Layer.SERVICE, True),
    (WEB, BARE, iam(DENY), identity(ALLOW), Layer.SERVICE, True),
    (WEB, iam(DENY), OPEN, identity(ALLOW), Layer.NETWORK, True),
    (WEB, iam(ALLOW), OPEN, identity(ALLOW, DENY), Layer.IDENTITY, True),
    (WEB, BARE, OPEN, identity(ALLOW, DENY), Layer.IDENTITY, True),
    (WEB, iam({"Principal": {"AWS": WEB.role_arn}}), OPEN, identity(), Layer.IDENTITY, False),
    (WEB, iam({"Principal": {"AWS": ACCOUNT}}), OPEN, identity(ALLOW), None, False),
    (WEB, iam(ALLOW), OPEN, identity(ALLOW, boundary=layer({"Action": "s3:*"})), Layer.IDENTITY, False),
    (WEB, iam(ALLOW), OPEN, identity(ALLOW, session=layer({"Action": "s3:*"})), Layer.IDENTITY, False),
    (WEB, iam(ALLOW), OPEN, identity(ALLOW, service_control=(layer(ALLOW), layer(DENY))), Layer.IDENTITY, True),
    (WEB, iam(ALLOW), OPEN, identity(ALLOW, boundary=layer(ALLOW), session=layer(ALLOW)), None, False),
    (ROOT, iam(ALLOW), OPEN, identity(), None, False),
]


@pytest.mark.parametrize(("principal", "network", "service", "policies", "denied_by", "explicit"), DECISIONS)
def test_decisions(
    principal: Principal, network: LayerAuth, service: LayerAuth, policies: PrincipalPolicies, denied_by: Layer | None, explicit: bool
) -> None:
    decision = decide_invoke(ask(principal), network, service, policies)
    assert (decision.allowed, decision.layer, decision.explicit) == (denied_by is None, denied_by, explicit)


@pytest.mark.parametrize(
    ("principal", "network", "service", "policies", "text"),
    [
        (
            ANONYMOUS,
            OPEN,
            BARE,
            identity(),
            (f"User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {SERVICE}/goodbye because no service-based policy "
            "allows the vpc-lattice-svcs:Invoke action"),
        ),
        (
            ANONYMOUS,
            BARE,
            OPEN,
            identity(),
            (f"User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {SERVICE}/goodbye because no network-based policy "
            "allows the vpc-lattice-svcs:Invoke action"),
        ),
        (
            WEB,
            iam(ALLOW),
            OPEN,
            identity(),
            (f"User: {WEB.arn} is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {SERVICE}/goodbye because no identity-based policy "
            "allows the vpc-lattice-svcs:Invoke action"),
        ),
        (
            WEB,
            OPEN,
            iam(DENY),
            identity(),
            (f"User: {WEB.arn} is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {SERVICE}/goodbye with an explicit deny in a "
            "service-based policy"),
        ),
        (
            WEB,
            iam(ALLOW),
            OPEN,
            identity(DENY),
            (f"User: {WEB.arn} is not authorized to perform: vpc-lattice-svcs:Invoke on resource: {SERVICE}/goodbye with an explicit deny in an "
            "identity-based policy"),
        ),
    ],
)
def test_denial_texts(principal: Principal, network: LayerAuth, service: LayerAuth, policies: PrincipalPolicies, text: str) -> None:
    request = ask(principal)
    assert denial_text(decide_invoke(request, network, service, policies), request) == f"AccessDeniedException: {text}"


CONFIGURATION = f"arn:aws:vpc-lattice:us-west-2:{ACCOUNT}:resourceconfiguration/rcfg-0123456789abcdef0"
CONNECT = {"Effect": "Allow", "Action": "vpc-lattice-svcs:Connect"}


@pytest.mark.parametrize(
    ("principal", "own", "policies", "allowed"),
    [
        (WEB, PolicySet([policy(CONNECT)]), identity(CONNECT), True),
        (WEB, PolicySet([policy(CONNECT | {"Resource": CONFIGURATION})]), identity(CONNECT | {"Resource": CONFIGURATION}), True),
        (WEB, PolicySet([policy(CONNECT)]), identity(), False),
        (WEB, PolicySet([policy({"Action": "vpc-lattice-svcs:Invoke"})]), identity(CONNECT), False),
        (WEB, PolicySet([policy(CONNECT, DENY)]), identity(CONNECT), False),
        (WEB, PolicySet([policy(CONNECT)]), identity(CONNECT, DENY), False),
        (WEB, None, identity(CONNECT), False),
        (ANONYMOUS, PolicySet([policy(CONNECT)]), identity(CONNECT), False),
        (ROOT, PolicySet([policy(CONNECT)]), identity(CONNECT), False),
    ],
)
def test_connecting_to_a_resource_needs_a_role_and_both_policies(
    principal: Principal, own: PolicySet | None, policies: PrincipalPolicies, allowed: bool
) -> None:
    request = connect_request(principal, Route("sn-arn", port=6379, source_vpc="vpc-1", source_vpc_owner=ACCOUNT), CONFIGURATION, {})
    assert decide_connect(request, own, policies).allowed is allowed


def test_a_request_becomes_a_question() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    owner = ResourceOwner(ACCOUNT, tags={"stage": "prod"})
    keys = global_context(WEB, now=now, region="us-west-2", source_ip="10.1.0.10", owner=owner)
    route = Route("arn:sn", SERVICE, 5044, "vpc-1", ACCOUNT)
    headers = [("X-Env", "a"), ("Host", "h"), ("x-env", "b")]
    request = invoke_request(WEB, route, "GET", "/logs/a%20b?d=1&d=%32&e&%C3%A9=x+y", headers, keys)
    assert request.resource == f"{SERVICE}/logs/a%20b"
    assert invoke_request(WEB, route, "GET", "/", [], keys).resource == f"{SERVICE}/"
    assert invoke_request(WEB, route, "GET", "//a", [], keys).resource == f"{SERVICE}//a"
    expected: dict[str, str | tuple[str, ...] | None] = {
        "vpc-lattice-svcs:port": "5044",
        "vpc-lattice-svcs:requestmethod": "GET",
        "vpc-lattice-svcs:requestpath": "/logs/a%20b",
        "vpc-lattice-svcs:requestheader/x-env": "a,b",
        "vpc-lattice-svcs:requestquerystring/d": ("1", "2"),
        "vpc-lattice-svcs:requestquerystring/e": ("",),
        "vpc-lattice-svcs:requestquerystring/é": ("x+y",),
        "vpc-lattice-svcs:servicenetworkarn": "arn:sn",
        "vpc-lattice-svcs:servicearn": SERVICE,
        "vpc-lattice-svcs:sourcevpc": "vpc-1",
        "vpc-lattice-svcs:sourcevpcowneraccount": ACCOUNT,
        "aws:principalarn": WEB.role_arn,
        "aws:principalaccount": ACCOUNT,
        "aws:principalorgid": "o-exampleorg",
        "aws:principaltag/team": "blue",
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        "aws:userid": WEB.userid,
        "aws:username": None,
        "aws:sourceip": "10.1.0.10",
        "aws:securetransport": "false",
        "aws:currenttime": "2026-01-02T03:04:05Z",
        "aws:epochtime": "1767323045",
        "aws:requestedregion": "us-west-2",
        "aws:resourceaccount": ACCOUNT,
        "aws:resourcetag/stage": "prod",
        "aws:referer": None,
    }
    assert {key: request.value(key) for key in expected} == expected


def test_anonymous_callers_have_a_type_and_nothing_else_of_their_own() -> None:
    keys = global_context(ANONYMOUS, now=datetime(2026, 1, 2, tzinfo=UTC), region="r")
    own = {key: value for key, value in keys.items() if "principal" in key.lower() or "user" in key.lower()}
    assert own == {"aws:PrincipalType": "Anonymous", "aws:PrincipalAccount": "anonymous"}


def test_the_keys_of_a_session_never_replace_those_of_its_principal() -> None:
    keys = {"aws:TokenIssueTime": "2026-01-02T03:00:00Z", "AWS:principaltype": "Account", "aws:PrincipalTag/team": "red", "aws:principalarn": "arn:x"}
    session = replace(WEB, session_keys=keys)
    request = Request("a:b", "*", session, principal_context(session))
    assert request.value("aws:tokenissuetime") == "2026-01-02T03:00:00Z"
    assert request.value("aws:principaltype") == "AssumedRole"
    assert request.value("aws:principaltag/team") == "blue"
    assert request.value("aws:principalarn") == WEB.role_arn
    assert principal_context(replace(ANONYMOUS, session_keys=keys)) == principal_context(ANONYMOUS)


def test_explanation_names_the_condition_that_failed() -> None:
    lines = explain_invoke(ask(ANONYMOUS), iam(ORGANIZATION), OPEN, identity()).lines()
    assert lines == [
        "denied by Network: no statement allows it",
        "service network: no statement allows it",
        "  p statement 0: Allow does not apply: StringEquals aws:PrincipalOrgID [o-exampleorg], the request has no value",
        "service: authType NONE, not asked",
        "identity: not asked: the caller is anonymous",
    ]
    assert json.dumps(lines)
