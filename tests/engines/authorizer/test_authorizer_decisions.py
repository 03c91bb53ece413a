"""The authorizer's decision and its file, without a proxy."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from latticewall.auth.canonical import Head
from latticewall.auth.sigv4 import Credentials, derive_signing_key, sign
from latticewall.base.secret import Secret
from latticewall.dataplane.authorizer import config
from latticewall.dataplane.authorizer.decisions import NOT_CONFIGURED, Answer, Inquiry, PolicyAuthorizer
from latticewall.plan.proxy import AuthLayer, AuthorizationPlan, AuthPrincipal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NETWORK = "arn:aws:vpc-lattice:eu-west-1:111122223333:servicenetwork/sn-1"
SERVICE = "arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-1"
HOST = "orders.example.com"


def policy(effect: str = "Allow", principal: str = '"Principal":"*",', **condition: object) -> str:
    conditions = f',"Condition":{json.dumps(condition)}' if condition else ""
    return f'{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}",{principal}"Action":"vpc-lattice-svcs:Invoke","Resource":"*"{conditions}}}]}}'


USER = AuthPrincipal("AKIAUSER", "arn:aws:iam::111122223333:user/staff/ann", "111122223333", "User", "AIDAANN", policies=(policy(principal=""),))
SESSION = replace(
    USER, access_key_id="ASIASESSION", arn="arn:aws:sts::111122223333:assumed-role/web/i-1", principal_type="AssumedRole", user_id="AROAWEB:i-1",
    role_arn="arn:aws:iam::111122223333:role/web", org_id="o-1", expires="2026-01-02T04:00:00.000Z", token_digest=hashlib.sha256(b"TOKEN").hexdigest(),
)  # fmt: skip
PLAN = AuthorizationPlan(
    networks=(AuthLayer(NETWORK, "AWS_IAM", policy()),),
    services=(AuthLayer(SERVICE, "NONE"),),
    resource_tags=((SERVICE, (("env", "prod"),)),),
    vpc_owners=(("vpc-1", "444455556666"),),
    principals=(USER,),
)


def configuration(plan: AuthorizationPlan = PLAN) -> config.Configuration:
    key = derive_signing_key(SECRET, "20260102", "eu-west-1", "vpc-lattice-svcs")
    return config.Configuration(plan, {principal.access_key_id: {config.scope("20260102", "eu-west-1"): key} for principal in plan.principals})


def inquiry(key: str = "", *, token: str = "", region: str = "eu-west-1", path: str = "/a", headers: tuple[tuple[str, str], ...] = ()) -> Inquiry:
    """A request, signed if a key is given."""
    sent = dict(headers)
    if key:
        credentials = Credentials(key, Secret(SECRET), Secret(token) if token else None)
        sent = sign("GET", f"http://{HOST}{path}", sent, credentials, "vpc-lattice-svcs", region, NOW, payload_hash="UNSIGNED-PAYLOAD")
        sent.pop("Host")
    head = Head("GET", path, ((":authority", HOST), *sent.items()))
    return Inquiry(head, "10.0.0.10", SERVICE, NETWORK, "vpc-1", 80)


def decide(asked: Inquiry, plan: AuthorizationPlan = PLAN, now: datetime = NOW) -> Answer:
    return PolicyAuthorizer(configuration(plan)).decide(asked, now)


def with_network(text: str, plan: AuthorizationPlan = PLAN) -> AuthorizationPlan:
    return replace(plan, networks=(AuthLayer(NETWORK, "AWS_IAM", text),))


@pytest.mark.parametrize("lost", ["service_arn", "service_network_arn", "vpc_id"])
def test_without_context_nothing_passes(lost: str) -> None:
    answer = decide(replace(inquiry("AKIAUSER"), **{lost: ""}))
    assert (answer.status, answer.body) == (403, NOT_CONFIGURED)


def test_a_signed_user_passes_and_is_named() -> None:
    answer = decide(inquiry("AKIAUSER"))
    assert answer.status == 0
    identity = "Principal=arn:aws:iam::111122223333:user/staff/ann; PrincipalOrgID=; PrincipalOrgPaths=; SessionName=; Type=AWS_IAM"
    assert answer.headers == (("x-amzn-lattice-identity", identity),)
    assert answer.facts == {"resolvedUser": USER.arn, "callerPrincipal": USER.arn}


def test_an_anonymous_caller_passes_unnamed_where_the_policies_let_everyone_in() -> None:
    assert decide(inquiry()) == Answer(0, facts={"resolvedUser": "Anonymous"})


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"vpc-lattice-svcs:SourceVpc": "vpc-1"}},
        {"StringEquals": {"vpc-lattice-svcs:SourceVpcOwnerAccount": "444455556666"}},
        {"NumericEquals": {"vpc-lattice-svcs:Port": "80"}},
        {"StringEquals": {"vpc-lattice-svcs:RequestPath": "/a"}},
        {"StringEquals": {"vpc-lattice-svcs:RequestMethod": "GET"}},
        {"StringEquals": {"vpc-lattice-svcs:RequestHeader/x-team": "blue"}},
        {"ArnEquals": {"vpc-lattice-svcs:ServiceArn": SERVICE}},
        {"ArnEquals": {"vpc-lattice-svcs:ServiceNetworkArn": NETWORK}},
        {"StringEquals": {"aws:ResourceTag/env": "prod"}},
        {"StringEquals": {"aws:ResourceAccount": "111122223333"}},
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/24"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"StringEquals": {"aws:username": "ann"}},
        {"StringEquals": {"aws:PrincipalArn": USER.arn}},
        {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}},
    ],
)
def test_conditions_see_the_request(condition: dict[str, object]) -> None:
    asked = inquiry("AKIAUSER", headers=(("x-team", "blue"),))
    assert decide(asked, with_network(policy(**condition))).status == 0
    assert decide(asked, with_network(policy("Deny", **condition))).status == 403


def test_the_context_cannot_be_forged_by_headers() -> None:
    asked = inquiry("AKIAUSER", headers=(("vpc_id", "vpc-2"), ("x-amzn-source-vpc", "vpc-2"), ("service_arn", "x")))
    assert decide(asked, with_network(policy(StringEquals={"vpc-lattice-svcs:SourceVpc": "vpc-2"}))).status == 403


def test_a_policy_that_cannot_be_read_allows_nothing() -> None:
    assert "because no network-based policy" in decide(inquiry("AKIAUSER"), with_network("{")).body
    broken = replace(PLAN, principals=(replace(USER, policies=(policy(principal=""), "{")),))
    assert "because no identity-based policy" in decide(inquiry("AKIAUSER"), broken).body


def test_a_request_must_be_signed_for_the_region_of_the_service() -> None:
    assert decide(inquiry("AKIAUSER", region="us-east-1")).body.startswith("InvalidSignatureException: Credential should be scoped to a valid region")


def test_a_session_needs_its_token_and_ends() -> None:
    plan = replace(PLAN, principals=(SESSION,))
    assert decide(inquiry("ASIASESSION", token="TOKEN"), plan).status == 0
    assert decide(inquiry("ASIASESSION", token="OTHER"), plan).body.startswith("UnrecognizedClientException")
    assert decide(inquiry("ASIASESSION"), plan).body.startswith("UnrecognizedClientException")
    expired = replace(SESSION, expires="2026-01-02T03:04:05Z")
    assert decide(inquiry("ASIASESSION", token="TOKEN"), replace(plan, principals=(expired,))).body.startswith("ExpiredTokenException")


def test_limits_of_the_caller_count() -> None:
    nothing = policy(principal="").replace("Invoke", "Connect")
    for limited in (replace(USER, boundary=nothing), replace(USER, session_policy=nothing), replace(USER, policies=())):
        assert "because no identity-based policy" in decide(inquiry("AKIAUSER"), replace(PLAN, principals=(limited,))).body


def test_headers_hold_nothing_that_ends_a_line() -> None:
    tagged = replace(USER, tags=(("team", "a\r\nx-evil: 1;b"),))
    headers = dict(decide(inquiry("AKIAUSER"), replace(PLAN, principals=(tagged,))).headers)
    assert headers["x-amzn-lattice-identity-tags"].endswith(r"team=ax-evil: 1\;b")


def test_the_file_brings_back_what_was_written() -> None:
    plan = replace(PLAN, principals=(USER, replace(SESSION, org_paths=("o-1/r-1/",), tags=(("a", "b"),), policies=(policy(),))))
    text = config.dump(configuration(plan))
    assert config.load(text) == configuration(plan)
    assert config.digest(text) == config.digest(config.dump(configuration(plan)))
    assert SECRET not in text


def test_printing_a_configuration_shows_no_key() -> None:
    key = configuration().keys["AKIAUSER"]["20260102/eu-west-1"]
    assert repr(key) not in repr(configuration())


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"plan":{},"signingKeys":{}}', '{"plan":null,"signingKeys":[]}', '{"plan":{},"signingKeys":{"a":{"d":"zz"}}}']
)
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        config.load(text)
