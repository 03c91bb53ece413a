"""What the proxy decides from, for random requests: the access keys of `sigv4_requests` in the hands of the callers of the policies' tests, several service
networks and services, and identities with every kind of limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from asking import ACCOUNT, ANN, OTHER, ROOT, SERVICE, STRANGER, WEB
from python_filter import Inquiry
from sigv4_machine import KeyFacts
from sigv4_requests import KEYS, REGION

from latticewall.auth.canonical import Head
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan
from latticewall.policy.document import Form
from latticewall.policy.request import Principal

NETWORKS = tuple(f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:servicenetwork/sn-{number}" for number in range(3))
SERVICES = (SERVICE, *(f"arn:aws:vpc-lattice:{REGION}:{owner}:service/svc-{number}" for number, owner in enumerate((ACCOUNT, ACCOUNT, OTHER))))
UNKNOWN_SERVICE = f"arn:aws:vpc-lattice:{REGION}:{ACCOUNT}:service/svc-unknown"
SIGNING = {key.id: {scope: bytes.fromhex(text) for scope, text in key.signing().items()} for key in KEYS}
SECRETS = {key.id: key.secret for key in KEYS if key.asymmetric}
POINTS = {key.id: key.point() for key in KEYS}
LOST = "gone"
"""An identity that is in no table, as of a role that was deleted a moment ago."""
_OWNERS = (WEB, ANN, ROOT, STRANGER, WEB)
_SESSION = (("aws:TokenIssueTime", "2026-01-02T00:00:00Z"), ("aws:SourceIdentity", "ann"))
ALLOW_ALL = {
    Form.AUTH: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}',
    Form.IDENTITY: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
}

Texts = Callable[[Form], str]
"""A policy's text for AUTH (layers) or IDENTITY (everything of callers)."""


def _some(source: Random, text: Texts, form: Form, most: int) -> tuple[str, ...]:
    return tuple(_one(source, text, form) for _ in range(source.randint(0, most)))


def _one(source: Random, text: Texts, form: Form) -> str:
    """Mostly open, so that many requests come through to the other policies."""
    return source.choice([*[ALLOW_ALL[form]] * 10, *[text(form)] * 10, "{"])


def _layer(source: Random, text: Texts, arn: str, *, network: bool) -> AuthLayer:
    return AuthLayer(
        id=arn.rpartition("/")[2],
        arn=arn,
        auth_type=source.choice(["AWS_IAM", "AWS_IAM", "NONE"]),
        policy=_one(source, text, Form.AUTH) if source.random() < 0.9 else "",
        tags=source.choice([(), (("stage", "blue"),), (("stage", "a"), ("x", "é")), (("stage", "blue"), ("STAGE", "a"))]),
        org_id=source.choice(["", "o-exampleorg"]),
        org_paths=source.choice([(), ("o-exampleorg/r-ab12/",)]),
        audit=network and source.random() < 0.1,
    )


def _identity(source: Random, text: Texts, name: str) -> AuthIdentity:
    policies = (_one(source, text, Form.IDENTITY), *_some(source, text, Form.IDENTITY, 2))
    boundary = _one(source, text, Form.IDENTITY) if source.random() < 0.2 else ""
    levels = tuple((ALLOW_ALL[Form.IDENTITY], *_some(source, text, Form.IDENTITY, 1)) for _ in range(source.choice([0, 0, 1, 3])))
    return AuthIdentity(name, policies, boundary, levels)


def auth_key(facts: KeyFacts, owner: Principal, identity: str, tags: Sequence[tuple[str, str]] = (), sessions: tuple[str, ...] = ()) -> AuthKey:
    """The access key in this principal's hands."""
    return AuthKey(
        access_key_id=facts.id, identity=identity, arn=owner.arn, account=owner.account, principal_type=owner.type, user_id=owner.userid,
        role_arn=owner.role_arn, org_id=owner.org_id, org_paths=owner.org_paths, tags=tuple(tags), session_policies=sessions,
        keys=_SESSION if facts.token_digest else (), expires=facts.expires.isoformat() if facts.expires else "", token_digest=facts.token_digest,
    )  # fmt: skip


def random_plan(source: Random, text: Texts) -> AuthorizationPlan:
    """All of NETWORKS and SERVICES, and all keys of `sigv4_requests`; each key with a principal of its own name, so that an answer says which one it was."""
    keys, identities = [], []
    for number, (facts, owner) in enumerate(zip(KEYS, _OWNERS, strict=True)):
        owner = replace(owner, arn=f"{owner.arn}{number}" if owner.type == "AssumedRole" else owner.arn)
        name = LOST if source.random() < 0.03 else f"ID{number}"
        tags = tuple(owner.tags.items()) if source.random() < 0.5 else source.choice([(), (("team", "a"), ("x;\n", "é")), (("team", ""),)])
        sessions = _some(source, text, Form.IDENTITY, 2) if facts.token_digest and source.random() < 0.3 else ()
        keys.append(auth_key(facts, owner, name, tags, sessions))
        identities.append(_identity(source, text, f"ID{number}"))
    networks = tuple(_layer(source, text, arn, network=True) for arn in NETWORKS)
    services = tuple(_layer(source, text, arn, network=False) for arn in SERVICES)
    return AuthorizationPlan(networks, services, tuple(identities), tuple(keys))


def random_inquiry(source: Random, head: Head) -> Inquiry:
    """The request, come in somewhere. Header names as Envoy gives them: in lower case."""
    lower = tuple((name.encode("latin-1").lower().decode("latin-1"), value) for name, value in head.headers)
    service = UNKNOWN_SERVICE if source.random() < 0.01 else source.choice(SERVICES)
    vpc, owner, port, secure = source.choice(["vpc-9", "vpc-1"]), source.choice([ACCOUNT, OTHER]), source.choice([80, 443]), source.random() < 0.5
    where = (service, source.choice(NETWORKS), vpc, owner, port, secure)
    return Inquiry(replace(head, headers=lower), source.choice(["10.0.0.10", "10.1.0.10", "::ffff:10.0.0.1", "2001:db8::1"]), *where)
