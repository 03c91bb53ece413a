"""Becoming a role: whether its trust policy lets a principal in, and what limits the session then.

Pages: "AssumeRole" (STS API Reference), "Session policies", "Pass session tags in AWS STS", "Monitor and control actions taken with assumed roles".
Used by every service that hands out sessions of roles.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latticewall.auth.permissions import compiled, organization_of, resource_control_of
from latticewall.base.faults import Fault, Invalid, LimitExceeded
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies, authorize_assume_role
from latticewall.policy.document import Form, minify, parse_policy
from latticewall.policy.request import Context, Principal, Request
from latticewall.store import Snapshot

ALLOTTED_BYTES = 456
"""Of packed session policies and tags together. AWS publishes neither the format nor the limit: policies deflated and tags as they are, against this
many bytes, give the percentages that users of AWS report in PackedPolicyTooLarge."""
PLAIN_CHARACTERS = 2048
"""Of an inline session policy and the ARNs of managed ones ("IAM and AWS STS quotas")."""
MAX_POLICY_ARNS = 10
AWS_POLICIES = "arn:aws:iam::aws:policy/"
Call = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Performs another operation in the same transaction."""


@dataclass(frozen=True)
class Limits:
    """What restricts a session beside its role. policies: texts of session policies. packed: per cent of the space for policies and tags."""

    policies: tuple[str, ...] = ()
    packed: int = 0


@dataclass(frozen=True)
class Assumption:
    """A wish to become a role. action: sts:AssumeRole or sts:AssumeRoleWithWebIdentity. tags: those asked for. inherited: whether transitive tags
    come along from the caller's session. source_identity: asked for or inherited. context: further condition keys of the request."""

    action: str
    session_name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive: Sequence[str] = ()
    inherited: bool = False
    source_identity: str = ""
    context: Context = field(default_factory=dict)

    @property
    def actions(self) -> tuple[str, ...]:
        """Everything that the trust policy must allow."""
        tagging = ("sts:TagSession",) if self.tags or self.inherited else ()
        naming = ("sts:SetSourceIdentity",) if self.source_identity else ()
        return (self.action, *tagging, *naming)

    @property
    def keys(self) -> dict[str, str | tuple[str, ...]]:
        """The condition keys of the request."""
        found: dict[str, str | tuple[str, ...]] = {**self.context, "sts:RoleSessionName": self.session_name}
        found |= {f"aws:RequestTag/{key}": value for key, value in self.tags.items()}
        if self.tags:
            found["aws:TagKeys"] = tuple(self.tags)
        if self.transitive:
            found["sts:TransitiveTagKeys"] = tuple(self.transitive)
        if self.source_identity:
            found["sts:SourceIdentity"] = self.source_identity
        return found


def refused_action(snapshot: Snapshot, role: Row, wish: Assumption, principal: Principal, policies: PrincipalPolicies, context: Context) -> str:
    """The first action that is not allowed, "" when the principal may become the role. context: global condition keys of the request."""
    try:
        trust = compiled((("", str(role.document["AssumeRolePolicyDocument"])),), Form.TRUST)
    except Fault:
        return wish.action
    control = resource_control_of(snapshot, role.account)
    keys = {**context, **wish.keys, **_owner_keys(snapshot, role)}
    for action in wish.actions:
        if not authorize_assume_role(Request(action, role.arn, principal, keys), policies, trust, role.account, control).allowed:
            return action
    return ""


def _owner_keys(snapshot: Snapshot, role: Row) -> dict[str, str | tuple[str, ...]]:
    """What conditions may ask about the role and its account."""
    org_id, org_paths = organization_of(snapshot, role.account)
    found: dict[str, str | tuple[str, ...]] = {"aws:ResourceAccount": role.account}
    if org_id:
        found |= {"aws:ResourceOrgID": org_id, "aws:ResourceOrgPaths": org_paths}
    return found | {f"{prefix}:ResourceTag/{key}": value for prefix in ("aws", "iam") for key, value in role.tags.items()}


def session_limits(
    snapshot: Snapshot, call: Call, account: str, policy: str | None, policy_arns: Iterable[str], tags: Mapping[str, str]
) -> Limits:
    """The session policies that a request passes: one inline, up to ten managed ones of the account or of AWS.

    Raises MalformedPolicyDocument, ValidationError for what is too many, too long or not there, PackedPolicyTooLarge.
    """
    arns = tuple(dict.fromkeys(policy_arns))
    if len(arns) > MAX_POLICY_ARNS:
        must = f"Member must have length less than or equal to {MAX_POLICY_ARNS}"
        raise Invalid(f"1 validation error detected: Value at 'policyArns' failed to satisfy constraint: {must}", code="ValidationError")
    if policy:
        parse_policy(policy, Form.IDENTITY)
    if len(policy or "") + sum(map(len, arns)) > PLAIN_CHARACTERS:
        raise Invalid(f"The session policies are longer than {PLAIN_CHARACTERS} characters.", code="ValidationError")
    packed = packed_size(policy or "", arns, tags)
    if packed > 100:
        subject, advice = ("policy", ", please use smaller policy") if policy or arns else ("size of session tags", "")
        raise LimitExceeded(f"Packed {subject} consumes {packed}% of allotted space{advice}.", code="PackedPolicyTooLarge")
    managed = (managed_text(snapshot, call, account, arn) for arn in arns)
    return Limits((*((policy,) if policy else ()), *managed), packed)


def packed_size(policy: str, arns: Sequence[str], tags: Mapping[str, str]) -> int:
    """Per cent of the allotted space, rounded up."""
    texts = "\n".join((minify(policy), *arns)) if policy or arns else ""
    size = len(zlib.compress(texts.encode(), 9, -15)) if texts else 0
    size += sum(len(key.encode()) + len(value.encode()) for key, value in tags.items())
    return -(-100 * size // ALLOTTED_BYTES)


def managed_text(snapshot: Snapshot, call: Call, account: str, arn: str) -> str:
    """The default version of a managed policy of the account, or of AWS. Raises ValidationError if there is none."""
    row = snapshot.by_arn(arn)
    if row is not None and row.kind == "iam:Policy" and row.account == account:
        return str(row.document["_document"])
    if not arn.startswith(AWS_POLICIES):
        raise Invalid(f"The managed policy {arn} does not exist in account {account}.", code="ValidationError")
    version = call("iam:GetPolicy", {"PolicyArn": arn})["Policy"]["DefaultVersionId"]
    return str(call("iam:GetPolicyVersion", {"PolicyArn": arn, "VersionId": version})["PolicyVersion"]["Document"])
