"""The whole decision about one request, by the filter that runs in Envoy and by its differential check in Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lua_filter import IDENTITY, LuaFilter
from python_filter import NOT_CONFIGURED, Answer, Inquiry, decide

from latticewall.auth.canonical import Head
from latticewall.auth.sigv4 import Credentials, derive_signing_key, sign
from latticewall.base.secret import Secret
from latticewall.base.x509_attributes import X509_ATTRIBUTES
from latticewall.compile.render.authorization import certificate_members, identity_header
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
BASE = "arn:aws:vpc-lattice:eu-west-1:111122223333"
NETWORK, SERVICE = f"{BASE}:servicenetwork/sn-1", f"{BASE}:service/svc-1"
HOST = "orders.example.com"
TAGS = "x-amzn-lattice-identity-tags"


def policy(effect: str = "Allow", principal: str = '"Principal":"*",', **condition: object) -> str:
    conditions = f',"Condition":{json.dumps(condition)}' if condition else ""
    return f'{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}",{principal}"Action":"vpc-lattice-svcs:Invoke","Resource":"*"{conditions}}}]}}'


MAY_INVOKE = policy(principal="")
USER = AuthKey("AKIAUSER", "AIDAANN", "arn:aws:iam::111122223333:user/staff/ann", "111122223333", "User", "AIDAANN")
SESSION = replace(
    USER, access_key_id="ASIASESSION", identity="AROAWEB", arn="arn:aws:sts::111122223333:assumed-role/web/i-1", principal_type="AssumedRole",
    user_id="AROAWEB:i-1", role_arn="arn:aws:iam::111122223333:role/web", org_id="o-1", org_paths=("o-1/r-1/",), expires="2026-01-02T04:00:00.000Z",
    token_digest=hashlib.sha256(b"TOKEN").hexdigest(), keys=(("aws:SourceIdentity", "ann"),),
)  # fmt: skip
PLAN = AuthorizationPlan(
    networks=(AuthLayer("sn-1", NETWORK, "AWS_IAM", policy()),),
    services=(AuthLayer("svc-1", SERVICE, "NONE", tags=(("env", "prod"),), org_id="o-1"),),
    identities=(AuthIdentity("AIDAANN", (MAY_INVOKE,)), AuthIdentity("AROAWEB", (MAY_INVOKE,))),
    keys=(USER, SESSION),
)
SIGNING = {key.access_key_id: {"20260102/eu-west-1": derive_signing_key(SECRET, "20260102", "eu-west-1", "vpc-lattice-svcs")} for key in PLAN.keys}

Decide = Callable[..., Answer]


@pytest.fixture(params=["python", "lua"])
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Decide]:
    """decide(inquiry, plan=PLAN, now=NOW)."""
    if request.param == "python":
        yield lambda inquiry, plan=PLAN, now=NOW: decide(plan, SIGNING, inquiry, now)
        return
    lua = LuaFilter(tmp_path)

    def by_lua(inquiry: Inquiry, plan: AuthorizationPlan = PLAN, now: datetime = NOW) -> Answer:
        lua.put(plan, SIGNING)
        lua.now = int(now.timestamp())
        return lua.decide(inquiry)

    yield by_lua


def inquiry(key: str = "", *, token: str = "", region: str = "eu-west-1", path: str = "/a", headers: tuple[tuple[str, str], ...] = ()) -> Inquiry:
    """A request, signed if a key is given."""
    sent = dict(headers)
    if key:
        credentials = Credentials(key, Secret(SECRET), Secret(token) if token else None)
        sent = sign("GET", f"http://{HOST}{path}", sent, credentials, "vpc-lattice-svcs", region, NOW, payload_hash="UNSIGNED-PAYLOAD")
        sent.pop("Host")
    head = Head("GET", path, ((":authority", HOST), *((name.lower(), value) for name, value in sent.items())))
    return Inquiry(head, "10.0.0.10", SERVICE, NETWORK, "vpc-1", "444455556666", 80)


def with_network(text: str, plan: AuthorizationPlan = PLAN) -> AuthorizationPlan:
    return replace(plan, networks=(replace(PLAN.networks[0], policy=text),))


def with_identity(**changes: object) -> AuthorizationPlan:
    return replace(PLAN, identities=(replace(PLAN.identities[0], **changes), *PLAN.identities[1:]))


@pytest.mark.parametrize("lost", ["service_arn", "network_arn"])
def test_where_no_service_is_configured_nothing_passes(asking: Decide, lost: str) -> None:
    answer = asking(replace(inquiry("AKIAUSER"), **{lost: f"{BASE}:service/other"}))
    assert (answer.status, answer.body) == (403, NOT_CONFIGURED)


def test_a_connection_with_tls_is_secure_transport(asking: Decide) -> None:
    wanted = json.loads(policy("Allow"))
    wanted["Statement"][0]["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
    plan = with_network(json.dumps(wanted))
    assert asking(inquiry("AKIAUSER"), plan).status == 403
    assert asking(replace(inquiry("AKIAUSER"), secure=True), plan).status == 0


@pytest.mark.parametrize(("kind", "status"), [("application/grpc+proto", 0), ("text/plain", 403)])
def test_only_grpc_may_sign_the_authority_without_its_port(asking: Decide, kind: str, status: int) -> None:
    asked = inquiry("AKIAUSER", headers=(("content-type", kind),))
    with_port = replace(asked.head, headers=tuple((name, f"{value}:443" if name == ":authority" else value) for name, value in asked.head.headers))
    assert asking(replace(asked, head=with_port)).status == status


def test_a_signed_user_passes_and_is_named(asking: Decide) -> None:
    answer = asking(inquiry("AKIAUSER"))
    assert answer.status == 0
    assert answer.headers == ((IDENTITY, f"Principal={USER.arn}; PrincipalOrgID=; PrincipalOrgPaths=; SessionName=; Type=AWS_IAM"),)


def test_a_users_path_adds_nothing_to_what_targets_are_told(asking: Decide) -> None:
    evil = replace(USER, arn="arn:aws:iam::111122223333:user/;PrincipalOrgID=o-evil;/ann")
    (header,) = (value for name, value in asking(inquiry("AKIAUSER"), replace(PLAN, keys=(evil,))).headers if name == IDENTITY)
    told = [pair.strip().partition("=") for pair in header.split(";")]
    assert [(name, value) for name, _, value in told if name == "PrincipalOrgID"] == [("PrincipalOrgID", "")]


def test_a_session_passes_with_its_name_and_organization(asking: Decide) -> None:
    tagged = replace(PLAN, keys=(USER, replace(SESSION, tags=(("team", "a\r\nx-evil: 1;b"),))))
    headers = dict(asking(inquiry("ASIASESSION", token="TOKEN"), tagged).headers)
    assert headers[IDENTITY] == f"Principal={SESSION.arn}; PrincipalOrgID=o-1; PrincipalOrgPaths=o-1/r-1/; SessionName=i-1; Type=AWS_IAM"
    assert headers[TAGS] == rf"principal={SESSION.arn};principalorgid=o-1;principalorgpath=o-1/r-1/;team=ax-evil: 1\;b"


def test_a_certificate_is_described_to_targets_and_in_the_log(asking: Decide) -> None:
    tags = (("x509SAN/URI", "spiffe://example.org/cart"), ("x509Subject/CN", "cart"), ("x509Subject/O", "shop"))
    workload = replace(SESSION, tags=tags, certified=True)
    headers = dict(asking(inquiry("ASIASESSION", token="TOKEN"), replace(PLAN, keys=(workload,))).headers)
    described = "X509Issuer/OU=; X509SAN/DNS=; X509SAN/NameCN=; X509SAN/URI=spiffe://example.org/cart; X509Subject/CN=cart"
    assert headers[IDENTITY].endswith(f"; Type=AWS_IAM; {described}")
    denying = replace(PLAN, keys=(workload,), networks=(replace(PLAN.networks[0], policy=policy("Deny")),))
    facts = asking(inquiry("ASIASESSION", token="TOKEN"), denying).facts
    assert (facts["callerX509SANURI"], facts["callerX509SubjectCN"]) == ("spiffe://example.org/cart", "cart")
    assert "callerX509IssuerOU" not in facts


def test_who_tags_a_session_like_a_certificate_has_none(asking: Decide) -> None:
    pretender = replace(SESSION, tags=(("x509Subject/CN", "cart"),))
    assert "X509" not in dict(asking(inquiry("ASIASESSION", token="TOKEN"), replace(PLAN, keys=(pretender,))).headers)[IDENTITY]


def test_an_anonymous_caller_passes_unnamed_where_the_policies_let_everyone_in(asking: Decide) -> None:
    answer = asking(inquiry())
    assert (answer.status, answer.headers) == (0, ())


def test_with_no_layer_in_force_nobody_is_asked(asking: Decide) -> None:
    open_plan = replace(PLAN, networks=(replace(PLAN.networks[0], auth_type="NONE"),))
    assert asking(inquiry("AKIAUSER", region="us-east-1"), open_plan).status == 0


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
        {"StringEquals": {"aws:ResourceOrgID": "o-1"}},
        {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/24"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"StringEquals": {"aws:username": "ann"}},
        {"StringEquals": {"aws:PrincipalArn": USER.arn}},
        {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}},
        {"DateLessThan": {"aws:CurrentTime": "2026-01-02T03:04:06Z"}},
        {"NumericEquals": {"aws:EpochTime": str(int(NOW.timestamp()))}},
    ],
)
def test_conditions_see_the_request(asking: Decide, condition: dict[str, object]) -> None:
    asked = inquiry("AKIAUSER", headers=(("x-team", "blue"),))
    assert asking(asked, with_network(policy(**condition))).status == 0
    assert asking(asked, with_network(policy("Deny", **condition))).status == 403


IPV6 = "fd00:7:0:1::10"


@pytest.mark.parametrize(
    ("condition", "passes"),
    [
        ({"IpAddress": {"aws:SourceIp": "fd00:7::/32"}}, True),
        ({"IpAddress": {"aws:SourceIp": "FD00:0007:0:1:0:0:0:10"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "fd00:7:0:2::/64"]}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "fd00:7:0:1::/60"}}, False),
        ({"StringEquals": {"aws:SourceIp": IPV6}}, True),
    ],
)
def test_conditions_see_a_source_of_ipv6(asking: Decide, condition: dict[str, object], passes: bool) -> None:
    asked = replace(inquiry("AKIAUSER"), source_ip=IPV6)
    assert (asking(asked, with_network(policy(**condition))).status == 0) is passes
    forbidding = with_identity(policies=(MAY_INVOKE, policy("Deny", principal="", **condition)))
    assert (asking(asked, forbidding).status == 403) is passes


def test_conditions_see_the_session(asking: Decide) -> None:
    asked = inquiry("ASIASESSION", token="TOKEN")
    for condition in ({"aws:SourceIdentity": "ann"}, {"aws:PrincipalOrgID": "o-1"}, {"aws:PrincipalArn": SESSION.role_arn}, {"aws:userid": "AROAWEB:i-1"}):
        assert asking(asked, with_network(policy(StringEquals=condition))).status == 0


def test_the_context_cannot_be_forged_by_headers(asking: Decide) -> None:
    asked = inquiry("AKIAUSER", headers=(("vpc_id", "vpc-2"), ("x-amzn-source-vpc", "vpc-2"), ("service_arn", "x")))
    assert asking(asked, with_network(policy(StringEquals={"vpc-lattice-svcs:SourceVpc": "vpc-2"}))).status == 403


def test_a_policy_that_cannot_be_read_allows_nothing(asking: Decide) -> None:
    assert "because no network-based policy" in asking(inquiry("AKIAUSER"), with_network("{")).body
    assert "because no identity-based policy" in asking(inquiry("AKIAUSER"), with_identity(policies=(MAY_INVOKE, "{"))).body


def test_a_request_must_be_signed_for_the_region_of_the_service(asking: Decide) -> None:
    assert asking(inquiry("AKIAUSER", region="us-east-1")).body.startswith("InvalidSignatureException: Credential should be scoped to a valid region")


def test_a_session_needs_its_token_and_ends(asking: Decide) -> None:
    assert asking(inquiry("ASIASESSION", token="TOKEN")).status == 0
    assert asking(inquiry("ASIASESSION", token="OTHER")).body.startswith("UnrecognizedClientException")
    assert asking(inquiry("ASIASESSION")).body.startswith("UnrecognizedClientException")
    expired = replace(PLAN, keys=(replace(SESSION, expires="2026-01-02T03:04:05Z"),))
    assert asking(inquiry("ASIASESSION", token="TOKEN"), expired).body.startswith("ExpiredTokenException")


def test_limits_of_the_caller_count(asking: Decide) -> None:
    nothing = MAY_INVOKE.replace("Invoke", "Connect")
    session = replace(PLAN, keys=(replace(USER, session_policies=(nothing,)),))
    limits = [with_identity(boundary=nothing), session, with_identity(policies=()), with_identity(service_control=((MAY_INVOKE,), (nothing,)))]
    for plan in limits:
        assert "because no identity-based policy" in asking(inquiry("AKIAUSER"), plan).body
    denied = with_identity(service_control=((MAY_INVOKE, MAY_INVOKE.replace("Allow", "Deny")),))
    assert asking(inquiry("AKIAUSER"), denied).body.endswith("with an explicit deny in an identity-based policy")


def test_an_audited_network_denies_nothing(asking: Decide) -> None:
    audit = replace(PLAN, networks=(replace(PLAN.networks[0], policy=policy("Deny"), audit=True),))
    assert asking(inquiry("AKIAUSER"), audit).status == 0
    assert asking(inquiry(), audit).headers == ()


def test_a_network_does_not_open_another_accounts_service_by_auditing(asking: Decide) -> None:
    """The service's owner asks for signatures himself; who owns the network may only open what is his."""
    foreign = SERVICE.replace("111122223333", "999988887777")
    layer = replace(PLAN.services[0], arn=foreign, auth_type="AWS_IAM", policy=policy("Deny"))
    plan = replace(PLAN, networks=(replace(PLAN.networks[0], audit=True),), services=(layer,))
    asked = replace(inquiry("AKIAUSER"), service_arn=foreign)
    assert asking(asked, plan).status == 403
    assert asking(replace(inquiry("ASIASESSION", token="OTHER"), service_arn=foreign), plan).status == 403
    assert asking(asked, replace(plan, networks=(replace(plan.networks[0], auth_type="NONE"),))).status == 403
    nobody = replace(plan, networks=(replace(plan.networks[0], policy=policy("Deny")),), services=(replace(layer, auth_type="NONE"),))
    assert asking(asked, nobody).status == 0


@pytest.mark.parametrize("broken", ["--x\nreturn {}", "--x\nreturn", "--x\nerror('no')", ""])
@pytest.mark.parametrize("kind", ["services", "networks"])
def test_a_table_that_says_nothing_is_absent_under_audit_too(tmp_path: Path, kind: str, broken: str) -> None:
    lua = LuaFilter(tmp_path)
    lua.now = int(NOW.timestamp())
    lua.put(replace(PLAN, networks=(replace(PLAN.networks[0], audit=True),)), SIGNING)
    (tmp_path / kind / ("svc-1" if kind == "services" else "sn-1")).write_text(broken)
    assert lua.decide(inquiry("AKIAUSER")).body == NOT_CONFIGURED


def test_what_no_route_takes_is_answered_404(tmp_path: Path) -> None:
    lua = LuaFilter(tmp_path)
    lua.now = int(NOW.timestamp())
    lua.put(PLAN, SIGNING)
    added, facts, answer = lua.ask([(":method", "CONNECT"), (":authority", HOST)], None, "10.0.0.10")
    assert (added, facts, answer) == ({IDENTITY: "pending"}, {}, (404, ""))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("nobody.example.com", 404), ("nobody.example.com.", 404), ("[fd00:ec2:80::1]", 404), ("10.0.0.1", 404), ("no_body-1", 404),
        ("", 400), ("a.example.com,b.example.com", 400), ("a.example.com:80,b.example.com", 400), ("u@a.example.com", 400), ("a.example.com:x", 400),
        ("a.example.com:65536", 400), ("a.example.com:000080", 400), ("a.example.com:80:81", 400), (":80", 400), ("a b", 400), ("[::1", 400), ("é.com", 400),
    ],
)  # fmt: skip
def test_a_host_that_no_route_has_is_not_found_and_what_is_no_host_is_bad(tmp_path: Path, host: str, status: int) -> None:
    lua = LuaFilter(tmp_path)
    lua.now = int(NOW.timestamp())
    lua.put(PLAN, SIGNING)
    _, facts, answer = lua.ask([(":method", "GET"), (":path", "/"), (":authority", host)], None, "10.0.0.10")
    assert (facts, answer and answer[0], lua.problems) == ({}, status, [])


@pytest.mark.parametrize("place", ["", " vpc-1", " vpc-1 444455556666", " vpc-1 80 tls"])
def test_where_the_listener_does_not_say_where_a_request_came_in_nothing_passes(tmp_path: Path, place: str) -> None:
    """Not in audit mode, and not where everybody may."""
    lua = LuaFilter(tmp_path)
    lua.now = int(NOW.timestamp())
    lua.put(replace(PLAN, networks=(replace(PLAN.networks[0], audit=True),)), SIGNING)
    head = [(":method", "GET"), (":path", "/a"), (":authority", HOST)]
    added, _, answer = lua.ask(head, f"{SERVICE} {NETWORK}{place}", "10.0.0.10")
    assert added == {IDENTITY: "pending"}
    assert answer is not None
    assert answer[0] == 403
    assert len(lua.problems) == (place == "")
    assert lua.ask(head, f"{SERVICE} {NETWORK} vpc-1 444455556666 80", "10.0.0.10")[2] is None


def test_only_a_certified_caller_has_a_certificate() -> None:
    """Whoever tags his session in a certificate's words has none."""
    tags = tuple((tag, f"of {tag}") for tag, _, _ in X509_ATTRIBUTES[:3])
    key = AuthKey("ASIA", "", "arn:aws:sts::111122223333:assumed-role/web/work", "111122223333", "AssumedRole", "AROA:work", tags=(*tags, ("team", "x")))
    assert certificate_members(key) == {}
    assert "X509" not in identity_header(key)
    certified = replace(key, certified=True)
    assert certificate_members(certified) == {member: f"of {tag}" for tag, _, member in X509_ATTRIBUTES[:3]}
    assert f"{X509_ATTRIBUTES[0][1]}=of {X509_ATTRIBUTES[0][0]}; " in identity_header(certified)
