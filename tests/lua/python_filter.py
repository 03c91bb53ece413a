"""The authorization filter once more, in plain Python: the differential check of what runs in LuaJIT.

It is put together from `auth.lattice` (signatures) and `policy.lattice` (the decision); only the assembly of the question is its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache

from latticewall.auth.canonical import Head
from latticewall.auth.lattice import DerivedKey, Refusal, verify_lattice
from latticewall.auth.signature import INVALID_TOKEN
from latticewall.base.faults import Fault
from latticewall.compile.render.authorization import certificate_members, identity_header, principal_of, tags_header
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import NO_POLICIES, PolicySet
from latticewall.policy.lattice import LayerAuth, Route, decide_invoke, denial_text, invoke_request
from latticewall.policy.request import Principal, ResourceOwner, global_context

NOT_CONFIGURED = "AccessDeniedException: the request came in where no service is configured"
Signing = Mapping[str, Mapping[str, bytes]]
"""Access key id -> day and region ("20260102/us-west-2") -> kSigning."""


@dataclass(frozen=True)
class Inquiry:
    """One request as the proxy presents it: its head byte for byte, and where it came in."""

    head: Head
    source_ip: str
    service_arn: str
    network_arn: str
    vpc_id: str
    vpc_owner: str
    port: int
    secure: bool = False

    @property
    def context(self) -> str:
        """As the route's and the listener's configuration say it."""
        words = (self.service_arn, self.network_arn, self.vpc_id, self.vpc_owner, str(self.port))
        return " ".join((*words, "tls") if self.secure else words)


@dataclass(frozen=True)
class Answer:
    """status 0: let it pass, with these headers added; else the status and the one-line body of the refusal. facts: for the access log, of what is denied
    or would be."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def without_port(head: Head) -> Head | None:
    """A gRPC request with the port taken from its authority, as gRPC clients sign it; None for any other."""
    authority = re.fullmatch(r"(.+):\d+", head.first(":authority") or "")
    if authority is None or not (head.first("content-type") or "").startswith("application/grpc"):
        return None
    return replace(head, headers=tuple((name, authority[1] if name == ":authority" else value) for name, value in head.headers))


def decide(plan: AuthorizationPlan, signing: Signing, inquiry: Inquiry, now: datetime, ecdsa: Mapping[str, bytes] | None = None) -> Answer:
    """now: aware, UTC. ecdsa: public points of SigV4A by access key id."""
    networks, services = ({layer.arn: layer for layer in layers} for layers in (plan.networks, plan.services))
    if inquiry.service_arn not in services or inquiry.network_arn not in networks:
        return Answer(403, NOT_CONFIGURED, facts={"resolvedUser": "Unknown"})
    network, service = networks[inquiry.network_arn], services[inquiry.service_arn]
    if network.auth_type == service.auth_type == "NONE":
        return Answer(0)
    keys = {key.access_key_id: key for key in plan.keys}
    region = inquiry.service_arn.split(":")[3]

    def derived(key_id: str, day: str) -> DerivedKey | None:
        key, secret = keys.get(key_id), signing.get(key_id, {}).get(f"{day}/{region}")
        point = (ecdsa or {}).get(key_id, b"")
        return DerivedKey(secret or b"", key.token_digest, _expiry(key.expires), point) if key is not None else None

    audit = network.audit and (service.auth_type == "NONE" or service.arn.split(":")[4] == network.arn.split(":")[4])
    signer = verify_lattice(inquiry.head, derived, now, region)
    if isinstance(signer, Refusal) and (plain := without_port(inquiry.head)) is not None:
        again = verify_lattice(plain, derived, now, region)
        signer = again if isinstance(again, str) else signer
    key = keys[signer] if isinstance(signer, str) else None
    if key is not None and all(item.id != key.identity for item in plan.identities):
        signer = Refusal(403, f"UnrecognizedClientException: {INVALID_TOKEN}")
    if isinstance(signer, Refusal):
        facts = {"resolvedUser": "Unknown"}
        return Answer(0, facts=facts) if audit else Answer(signer.status, utf8(signer.text), facts=facts)
    principal = principal_of(key) if key else Principal.anonymous()
    head = inquiry.head
    owner = ResourceOwner(service.arn.split(":")[4], service.org_id, service.org_paths, dict(service.tags))
    told = {"user_agent": utf8(head.first("user-agent") or ""), "referer": utf8(head.first("referer") or "")}
    context = global_context(principal, now=now, region=region, source_ip=inquiry.source_ip, owner=owner, secure=inquiry.secure, **told)
    route = Route(network.arn, service.arn, inquiry.port, inquiry.vpc_id, inquiry.vpc_owner)
    headers = [(name, utf8(value)) for name, value in head.headers if not name.startswith(":")]
    if "host" not in dict(headers):
        headers += [("host", utf8(value)) for name, value in head.headers if name == ":authority"]
    request = invoke_request(principal, route, head.method, utf8(head.target), headers, context)
    policies = _policies(plan, key)
    decision = decide_invoke(request, _layer(network), _layer(service), policies)
    if decision.allowed:
        return Answer(0, headers=_headers(key))
    facts = {**_facts(key), "authDeniedReason": str(decision.layer)}
    return Answer(0, headers=_headers(key), facts=facts) if audit else Answer(403, _escaped(denial_text(decision, request)), facts=facts)


def _escaped(text: str) -> str:
    """The text as one printable line: a path's other bytes as their hexadecimal digits."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def utf8(text: str) -> str:
    """Bytes as policies read them."""
    return text.encode("latin-1").decode("utf-8", "surrogateescape")


def _layer(layer: AuthLayer) -> LayerAuth:
    return LayerAuth(layer.auth_type, _set((layer.policy,), Form.AUTH) if layer.policy else None)


@lru_cache(maxsize=4096)
def _set(texts: tuple[str, ...], form: Form) -> PolicySet:
    try:
        return PolicySet([parse_policy(text, form) for text in texts])
    except Fault:
        return NO_POLICIES


def _policies(plan: AuthorizationPlan, key: AuthKey | None) -> PrincipalPolicies:
    if key is None:
        return PrincipalPolicies()
    identity = next((item for item in plan.identities if item.id == key.identity), AuthIdentity(key.identity))
    return PrincipalPolicies(
        identity=_set(identity.policies, Form.IDENTITY),
        boundary=_set((identity.boundary,), Form.IDENTITY) if identity.boundary else None,
        session=_set(key.session_policies, Form.IDENTITY) if key.session_policies else None,
        service_control=tuple(_set(level, Form.SERVICE_CONTROL) for level in identity.service_control),
    )


def _headers(key: AuthKey | None) -> tuple[tuple[str, str], ...]:
    if key is None:
        return ()
    tags = tags_header(key)
    return (("x-amzn-lattice-identity", identity_header(key)), *([("x-amzn-lattice-identity-tags", tags)] if tags else []))


def _facts(key: AuthKey | None) -> dict[str, str]:
    if key is None:
        return {"resolvedUser": "Anonymous"}
    facts = {"resolvedUser": key.arn, "callerPrincipal": key.arn}
    if key.org_id:
        facts["callerPrincipalOrgID"] = key.org_id
    if key.tags:
        facts["callerPrincipalTags"] = json.dumps(dict(key.tags), separators=(",", ":"), ensure_ascii=False)
    return facts | certificate_members(key)


def _expiry(text: str) -> datetime | None:
    if not text:
        return None
    expires = datetime.fromisoformat(text)
    return expires if expires.tzinfo else expires.replace(tzinfo=UTC)
