"""How the layers of ordinary IAM combine: identity and resource policies, permissions boundary, session policy, service and resource control
policies.

Pages followed: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Troubleshoot access denied error
messages"; AWS Organizations User Guide, "Resource control policies (RCPs)". The Lattice data plane combines differently: see `lattice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from latticewall.policy.decision import Decision, Grant, Match
from latticewall.policy.engine import NO_POLICIES, PolicySet
from latticewall.policy.request import Request


class PolicyType(StrEnum):
    """The layers, as AWS's messages call them."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"
    TRUST = "role trust policy"


RESOURCE_CONTROL_SERVICES = frozenset(
    {"aoss", "cognito-identity", "cognito-idp", "dynamodb", "ecr", "kms", "logs", "s3", "secretsmanager", "sqs", "sts"}
)
"""Prefixes of the actions that resource control policies reach ("List of AWS services that support RCPs"); VPC Lattice is not among them."""


@dataclass(frozen=True)
class PrincipalPolicies:
    """All that limits a caller. None: there is no such policy, so it does not limit. service_control: one set per level of the organization,
    each of which must allow; empty for the management account."""

    identity: PolicySet = NO_POLICIES
    boundary: PolicySet | None = None
    session: PolicySet | None = None
    service_control: tuple[PolicySet, ...] = ()

    def limits(self) -> tuple[tuple[PolicyType, PolicySet], ...]:
        """The layers that filter but never grant, in the order in which a missing allow is reported."""
        own = ((PolicyType.BOUNDARY, self.boundary), (PolicyType.SESSION, self.session))
        levels = tuple((PolicyType.SERVICE_CONTROL, level) for level in self.service_control)
        return levels + tuple((kind, policies) for kind, policies in own if policies is not None)


@dataclass(frozen=True)
class Verdict:
    """The combined answer. by: the layer that denied, or that granted. explicit: a statement denied. statements: those that decided."""

    allowed: bool
    by: PolicyType
    explicit: bool = False
    statements: tuple[Match, ...] = ()


def explicit_deny(request: Request, policies: PrincipalPolicies) -> Verdict | None:
    """The first of the caller's own layers that denies in so many words."""
    for kind, layer in ((PolicyType.IDENTITY, policies.identity), *policies.limits()):
        decision = layer.evaluate(request)
        if decision.denied:
            return Verdict(allowed=False, by=kind, explicit=True, statements=decision.statements)
    return None


def caller_side(request: Request, policies: PrincipalPolicies) -> Verdict:
    """Identity policies within boundary, session policy and service control policies; the root user needs no identity policy."""
    if denial := explicit_deny(request, policies):
        return denial
    if missing := _missing_limit(request, policies, bypass=False):
        return missing
    identity = policies.identity.evaluate(request)
    return Verdict(
        allowed=identity.allowed or request.principal.type == "Account", by=PolicyType.IDENTITY, statements=identity.statements
    )


def _missing_limit(request: Request, policies: PrincipalPolicies, *, bypass: bool) -> Verdict | None:
    """The first filtering layer without an allow. bypass: boundary and session policy do not count (a resource policy names the user or session)."""
    for kind, layer in policies.limits():
        if bypass and kind is not PolicyType.SERVICE_CONTROL:
            continue
        if not layer.evaluate(request).allowed:
            return Verdict(allowed=False, by=kind, explicit=kind is PolicyType.SERVICE_CONTROL)
    return None


def authorize(
    request: Request,
    policies: PrincipalPolicies,
    resource_policy: PolicySet | None = None,
    resource_account: str = "",
    resource_control: tuple[PolicySet, ...] = (),
) -> Verdict:
    """A control-plane call. resource_account: the owner of the resource, "" for the caller's own account. resource_control: the resource control
    policies of the resource's account, one set per level of its organization, each of which must allow; empty for the management account."""
    if denial := _resource_control_denial(request, resource_control):
        return denial
    same_account = resource_account in ("", request.principal.account)
    return _combine(request, policies, resource_policy, PolicyType.RESOURCE, same_account, Grant.EVERYONE)


def authorize_assume_role(
    request: Request, policies: PrincipalPolicies, trust_policy: PolicySet, role_account: str, resource_control: tuple[PolicySet, ...] = ()
) -> Verdict:
    """sts:AssumeRole and its kin: the trust policy must always allow. Services and identity providers need nothing else; in the same account a
    trust policy that names the caller suffices, one that names the account or everyone only delegates. resource_control: of the role's account."""
    if denial := _resource_control_denial(request, resource_control):
        return denial
    trust = trust_policy.evaluate(request)
    if not trust.allowed:
        return Verdict(allowed=False, by=PolicyType.TRUST, explicit=trust.denied, statements=trust.statements)
    if request.principal.services or request.principal.type == "Federated":
        return Verdict(allowed=True, by=PolicyType.TRUST, statements=trust.statements)
    same_account = role_account == request.principal.account
    return _combine(request, policies, trust_policy, PolicyType.TRUST, same_account, Grant.ROLE, required=True)


def _resource_control_denial(request: Request, levels: tuple[PolicySet, ...]) -> Verdict | None:
    """The refusal of the resource's organization: a level that denies, or one without an allow; None where it lets the request pass."""
    if request.action.partition(":")[0].lower() not in RESOURCE_CONTROL_SERVICES:
        return None
    for level in levels:
        decision = level.evaluate(request)
        if not decision.allowed:
            return Verdict(allowed=False, by=PolicyType.RESOURCE_CONTROL, explicit=True, statements=decision.statements)
    return None


def _combine(
    request: Request,
    policies: PrincipalPolicies,
    resource_policy: PolicySet | None,
    kind: PolicyType,
    same_account: bool,
    closest_needed: Grant,
    required: bool = False,
) -> Verdict:
    """Union within an account, intersection across accounts. closest_needed: from which grant on the resource side suffices by itself."""
    resource = resource_policy.evaluate(request) if resource_policy is not None else None
    if resource is not None and resource.denied:
        return Verdict(allowed=False, by=kind, explicit=True, statements=resource.statements)
    if denial := explicit_deny(request, policies):
        return denial
    if same_account and resource is not None and _suffices(resource, closest_needed):
        missing = _missing_limit(request, policies, bypass=resource.grant is Grant.DIRECT)
        return missing or Verdict(allowed=True, by=kind, statements=resource.statements)
    if (required or not same_account) and (resource is None or not resource.allowed):
        return Verdict(allowed=False, by=kind)
    return caller_side(request, policies)


def _suffices(resource: Decision, closest_needed: Grant) -> bool:
    return resource.allowed and resource.grant >= closest_needed and resource.grant is not Grant.ACCOUNT


def access_denied_text(request: Request, verdict: Verdict) -> str:
    """AWS's sentence for a refused control-plane call."""
    who = f"User: {request.principal.display} is not authorized to perform: {request.action} on resource: {request.resource}"
    if verdict.explicit:
        article = "an" if verdict.by[0] in "aeiou" else "a"
        return f"{who} with an explicit deny in {article} {verdict.by}"
    return f"{who} because no {verdict.by} allows the {request.action} action"
