"""How the layers of ordinary IAM combine: identity and resource policies, permissions boundary, session policy, service and resource control
policies.

Pages followed: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Troubleshoot access denied error
messages"; AWS Organizations User Guide, "Resource control policies (RCPs)". The Lattice data plane combines differently: see `lattice`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """The combined answer. by: the layer that denied, or that granted. explicit: a statement denied. statements: those that decided. missing: the
    condition keys that a statement of any layer asked for and the request lacks (`Decision.missing`), sorted."""

    allowed: bool
    by: PolicyType
    explicit: bool = False
    statements: tuple[Match, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallerSide:
    """What each of the caller's own layers says; every layer is asked once. limits: those that filter but never grant."""

    identity: Decision
    limits: tuple[tuple[PolicyType, Decision], ...]
    root: bool

    @classmethod
    def of(cls, request: Request, policies: PrincipalPolicies) -> CallerSide:
        limits = tuple((kind, layer.evaluate(request)) for kind, layer in policies.limits())
        return cls(policies.identity.evaluate(request), limits, request.principal.type == "Account")

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return (self.identity, *(decision for _, decision in self.limits))

    def denial(self) -> Verdict | None:
        """The first layer that denies in so many words."""
        for kind, decision in ((PolicyType.IDENTITY, self.identity), *self.limits):
            if decision.denied:
                return Verdict(allowed=False, by=kind, explicit=True, statements=decision.statements)
        return None

    def missing_limit(self, *, bypass: bool = False) -> Verdict | None:
        """The first filtering layer without an allow. bypass: boundary and session policy do not count (a resource policy names the user or
        session)."""
        for kind, decision in self.limits:
            if not decision.allowed and not (bypass and kind is not PolicyType.SERVICE_CONTROL):
                return Verdict(allowed=False, by=kind, explicit=kind is PolicyType.SERVICE_CONTROL)
        return None

    def verdict(self) -> Verdict:
        """Identity policies within boundary, session policy and service control policies; the root user needs no identity policy."""
        own = Verdict(allowed=self.identity.allowed or self.root, by=PolicyType.IDENTITY, statements=self.identity.statements)
        return self.denial() or self.missing_limit() or own


def caller_side(request: Request, policies: PrincipalPolicies) -> Verdict:
    """What the caller's own policies say, without any resource's."""
    own = CallerSide.of(request, policies)
    return _with_missing(own.verdict(), own.decisions)


def authorize(
    request: Request,
    policies: PrincipalPolicies,
    resource_policy: PolicySet | None = None,
    resource_account: str = "",
    resource_control: tuple[PolicySet, ...] = (),
) -> Verdict:
    """A control-plane call. resource_account: the owner of the resource, "" for the caller's own account. resource_control: the resource control
    policies of the resource's account, one set per level of its organization, each of which must allow; empty for the management account."""
    control = _resource_control(request, resource_control)
    own = CallerSide.of(request, policies)
    resource = resource_policy.evaluate(request) if resource_policy is not None else None
    same_account = resource_account in ("", request.principal.account)
    verdict = _control_denial(control) or _combine(own, resource, PolicyType.RESOURCE, same_account, Grant.EVERYONE)
    return _with_missing(verdict, (*control, *own.decisions, *([resource] if resource else ())))


def authorize_assume_role(
    request: Request, policies: PrincipalPolicies, trust_policy: PolicySet, role_account: str, resource_control: tuple[PolicySet, ...] = ()
) -> Verdict:
    """sts:AssumeRole and its kin: the trust policy must always allow. Services and identity providers need nothing else; in the same account a
    trust policy that names the caller suffices, one that names the account or everyone only delegates. resource_control: of the role's account."""
    control = _resource_control(request, resource_control)
    trust = trust_policy.evaluate(request)
    own = CallerSide.of(request, policies)
    verdict = _control_denial(control)
    if verdict is None and not trust.allowed:
        verdict = Verdict(allowed=False, by=PolicyType.TRUST, explicit=trust.denied, statements=trust.statements)
    elif verdict is None and (request.principal.services or request.principal.type == "Federated"):
        verdict = Verdict(allowed=True, by=PolicyType.TRUST, statements=trust.statements)
    elif verdict is None:
        verdict = _combine(own, trust, PolicyType.TRUST, role_account == request.principal.account, Grant.ROLE, required=True)
    return _with_missing(verdict, (*control, trust, *own.decisions))


def _resource_control(request: Request, levels: tuple[PolicySet, ...]) -> tuple[Decision, ...]:
    """What the resource's organization says; nothing about services that resource control policies do not reach."""
    reached = request.action.partition(":")[0].lower() in RESOURCE_CONTROL_SERVICES
    return tuple(level.evaluate(request) for level in levels) if reached else ()


def _control_denial(levels: tuple[Decision, ...]) -> Verdict | None:
    """A level that denies, or one without an allow (which AWS words as an explicit deny); None where the organization lets the request pass."""
    for decision in levels:
        if not decision.allowed:
            return Verdict(allowed=False, by=PolicyType.RESOURCE_CONTROL, explicit=True, statements=decision.statements)
    return None


def _combine(
    own: CallerSide, resource: Decision | None, kind: PolicyType, same_account: bool, closest_needed: Grant, *, required: bool = False
) -> Verdict:
    """Union within an account, intersection across accounts. closest_needed: from which grant on the resource side suffices by itself."""
    if resource is not None and resource.denied:
        return Verdict(allowed=False, by=kind, explicit=True, statements=resource.statements)
    if denial := own.denial():
        return denial
    if same_account and resource is not None and _suffices(resource, closest_needed):
        missing = own.missing_limit(bypass=resource.grant is Grant.DIRECT)
        return missing or Verdict(allowed=True, by=kind, statements=resource.statements)
    if (required or not same_account) and (resource is None or not resource.allowed):
        return Verdict(allowed=False, by=kind)
    return own.verdict()


def _with_missing(verdict: Verdict, asked: tuple[Decision, ...]) -> Verdict:
    missing = {key for decision in asked for key in decision.missing}
    return replace(verdict, missing=tuple(sorted(missing))) if missing else verdict


def _suffices(resource: Decision, closest_needed: Grant) -> bool:
    return resource.allowed and resource.grant >= closest_needed and resource.grant is not Grant.ACCOUNT


def access_denied_text(request: Request, verdict: Verdict) -> str:
    """AWS's sentence for a refused control-plane call."""
    who = f"User: {request.principal.display} is not authorized to perform: {request.action} on resource: {request.resource}"
    if verdict.explicit:
        article = "an" if verdict.by[0] in "aeiou" else "a"
        return f"{who} with an explicit deny in {article} {verdict.by}"
    return f"{who} because no {verdict.by} allows the {request.action} action"
