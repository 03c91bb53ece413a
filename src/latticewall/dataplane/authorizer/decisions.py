"""The decision about one request: who signed it, and what the policies of the service network, the service and the caller say.

`Authorizer` is the interface behind which an implementation inside the proxy can take the place of this one. Pages followed: VPC Lattice User Guide,
"Control access to VPC Lattice services using auth policies", "HTTP targets in VPC Lattice" (identity headers), "Access logs for VPC Lattice".
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from latticewall.auth.canonical import Head
from latticewall.auth.lattice import DerivedKey, Refusal, verify_lattice
from latticewall.base.faults import Fault
from latticewall.dataplane.authorizer.config import Configuration, scope
from latticewall.plan.proxy import AuthLayer, AuthorizationPlan, AuthPrincipal
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import NO_POLICIES, PolicySet
from latticewall.policy.lattice import LayerAuth, Route, decide_invoke, denial_text, invoke_request
from latticewall.policy.request import Principal, ResourceOwner, global_context

log = logging.getLogger(__name__)

NOT_CONFIGURED = "AccessDeniedException: the request came in where no service is configured"


@dataclass(frozen=True)
class Inquiry:
    """One request as the proxy presents it: its head byte for byte, and (from configuration, not from the client) where it came in."""

    head: Head
    source_ip: str
    service_arn: str
    service_network_arn: str
    vpc_id: str
    port: int


@dataclass(frozen=True)
class Answer:
    """status 0: let it pass, with these headers added; else the status and the one-line body of the refusal. facts: for the access log."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Authorizer(Protocol):
    """Who decides."""

    def decide(self, inquiry: Inquiry, now: datetime) -> Answer: ...


@dataclass(frozen=True)
class _Caller:
    """A known access key's principal, ready for decisions."""

    principal: Principal
    policies: PrincipalPolicies
    headers: tuple[tuple[str, str], ...]
    facts: Mapping[str, str]


_ANONYMOUS = _Caller(Principal.anonymous(), PrincipalPolicies(), (), {"resolvedUser": "Anonymous"})
_UNKNOWN_LAYER = LayerAuth("AWS_IAM")
"""A network or service that is not in the plan: no policy, so nothing is allowed."""


class PolicyAuthorizer:
    """Decides from one configuration; everything is compiled when it is made."""

    def __init__(self, configuration: Configuration) -> None:
        plan = configuration.plan
        self._networks = {layer.arn: _layer(layer) for layer in plan.networks}
        self._services = {layer.arn: _layer(layer) for layer in plan.services}
        self._owners = dict(plan.vpc_owners)
        self._service_owners = _service_owners(plan)
        self._callers = {principal.access_key_id: _caller(principal) for principal in plan.principals}
        self._keys = {
            (principal.access_key_id, good_for): DerivedKey(key, principal.token_digest, _expiry(principal.expires))
            for principal in plan.principals
            for good_for, key in configuration.keys.get(principal.access_key_id, {}).items()
        }

    def decide(self, inquiry: Inquiry, now: datetime) -> Answer:
        """now: aware, UTC."""
        if not inquiry.service_arn or not inquiry.service_network_arn or not inquiry.vpc_id:
            return Answer(403, NOT_CONFIGURED, facts={"resolvedUser": "Unknown"})
        region = region_of(inquiry.service_arn)
        signer = verify_lattice(inquiry.head, lambda key_id, day: self._keys.get((key_id, scope(day, region))), now, region)
        if isinstance(signer, Refusal):
            return Answer(signer.status, signer.text, facts={"resolvedUser": "Unknown"})
        caller = _ANONYMOUS if signer is None else self._callers[signer]
        route = Route(inquiry.service_network_arn, inquiry.service_arn, inquiry.port, inquiry.vpc_id, self._owners.get(inquiry.vpc_id, ""))
        head = inquiry.head
        keys = global_context(
            caller.principal,
            now=now,
            region=region,
            source_ip=inquiry.source_ip,
            user_agent=head.first("user-agent") or "",
            referer=head.first("referer") or "",
            owner=self._service_owners.get(inquiry.service_arn),
        )
        headers = [item for item in head.headers if not item[0].startswith(":")]
        request = invoke_request(caller.principal, route, head.method, head.target, headers, keys)
        network = self._networks.get(inquiry.service_network_arn, _UNKNOWN_LAYER)
        service = self._services.get(inquiry.service_arn, _UNKNOWN_LAYER)
        decision = decide_invoke(request, network, service, caller.policies)
        if decision.allowed:
            return Answer(0, headers=caller.headers, facts=caller.facts)
        layer = str(decision.layer) if decision.layer is not None else "Identity"
        return Answer(403, denial_text(decision, request), facts={**caller.facts, "authDeniedReason": layer})


@lru_cache(maxsize=4096)
def _policy_set(form: Form, *texts: str) -> PolicySet:
    """Compiled policies, kept across configurations: most of them stay as they were."""
    return PolicySet(parse_policy(text, form) for text in texts)


def _layer(layer: AuthLayer) -> LayerAuth:
    """A stored policy that cannot be read allows nothing."""
    if not layer.policy:
        return LayerAuth(layer.auth_type)
    try:
        return LayerAuth(layer.auth_type, _policy_set(Form.AUTH, layer.policy))
    except Fault as fault:
        log.error("the auth policy of %s cannot be read and allows nothing: %s", layer.arn, fault.message)
        return LayerAuth("AWS_IAM")


def _caller(principal: AuthPrincipal) -> _Caller:
    """The principal behind an access key; one whose policies cannot be read may do nothing."""
    known = Principal(
        arn=principal.arn,
        account=principal.account,
        type=principal.principal_type,
        role_arn=principal.role_arn,
        userid=principal.user_id,
        username=principal.arn.rpartition("/")[2] if principal.principal_type == "User" else "",
        tags=dict(principal.tags),
        org_id=principal.org_id,
        org_paths=principal.org_paths,
    )
    try:
        policies = PrincipalPolicies(
            identity=_policy_set(Form.IDENTITY, *principal.policies),
            boundary=_policy_set(Form.IDENTITY, principal.boundary) if principal.boundary else None,
            session=_policy_set(Form.IDENTITY, principal.session_policy) if principal.session_policy else None,
        )
    except Fault as fault:
        log.error("a policy of %s cannot be read; it may do nothing: %s", principal.arn, fault.message)
        policies = PrincipalPolicies(identity=NO_POLICIES, boundary=NO_POLICIES)
    return _Caller(known, policies, _identity_headers(principal), _facts(principal))


def _identity_headers(principal: AuthPrincipal) -> tuple[tuple[str, str], ...]:
    """What targets are told about an authenticated caller; pairs without a value stay."""
    session = principal.arn.rpartition("/")[2] if principal.principal_type == "AssumedRole" else ""
    paths = ",".join(principal.org_paths)
    pairs = {"Principal": principal.arn, "PrincipalOrgID": principal.org_id, "PrincipalOrgPaths": paths, "SessionName": session, "Type": "AWS_IAM"}
    headers = [("x-amzn-lattice-identity", "; ".join(f"{key}={_header_text(value)}" for key, value in pairs.items()))]
    if principal.tags:
        tags = [("principal", principal.arn), ("principalorgid", principal.org_id), ("principalorgpath", paths), *principal.tags]
        escaped = (f"{_header_text(key)}={_header_text(value)}".replace(";", "\\;") for key, value in tags)
        headers.append(("x-amzn-lattice-identity-tags", ";".join(escaped)))
    return tuple(headers)


def _header_text(text: str) -> str:
    """Nothing that could end a header line."""
    return "".join(character for character in text if character.isprintable())


def _facts(principal: AuthPrincipal) -> dict[str, str]:
    facts = {"resolvedUser": principal.arn, "callerPrincipal": principal.arn}
    if principal.org_id:
        facts["callerPrincipalOrgID"] = principal.org_id
    if principal.tags:
        facts["callerPrincipalTags"] = json.dumps(dict(principal.tags), separators=(",", ":"), ensure_ascii=False)
    return facts


def region_of(arn: str) -> str:
    """Requests are signed for the region that the service's ARN names."""
    return arn.split(":")[3] if arn.count(":") >= 5 else ""


def _service_owners(plan: AuthorizationPlan) -> dict[str, ResourceOwner]:
    """Owner account (from the ARN) and tags of each service."""
    tags = dict(plan.resource_tags)
    return {layer.arn: ResourceOwner(account=layer.arn.split(":")[4], tags=dict(tags.get(layer.arn, ()))) for layer in plan.services}


def _expiry(text: str) -> datetime | None:
    """An ISO 8601 time, in UTC."""
    if not text:
        return None
    expires = datetime.fromisoformat(text)
    return expires if expires.tzinfo else expires.replace(tzinfo=UTC)
