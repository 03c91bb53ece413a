"""What a decision is about: who asks, for which action, on which resource, under which circumstances.

Page followed: IAM User Guide, "AWS global condition context keys" and "Principal key values".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

Context: TypeAlias = Mapping[str, "str | tuple[str, ...]"]

_EXACT_SUFFIX = "vpc-lattice-svcs:requestquerystring/"


def canonical_key(key: str) -> str:
    """The form under which a condition key is looked up: names ignore case, except the parameter's name in RequestQueryString."""
    lowered = key.lower()
    if lowered.startswith(_EXACT_SUFFIX):
        return _EXACT_SUFFIX + key[len(_EXACT_SUFFIX) :]
    return lowered


class _CanonicalKeys(dict[str, str]):
    """Keys already seen, so that a request does not lower the same thirty names again. Callers choose header names: bounded, and never long ones."""

    def __missing__(self, key: str) -> str:
        canonical = canonical_key(key)
        if len(key) <= 128:
            if len(self) >= 4096:
                self.clear()
            self[key] = canonical
        return canonical


_canonical = _CanonicalKeys()


def spellings(context: Context) -> dict[str, str]:
    """The keys of a context: canonical -> as it spells them; of several spellings the last."""
    return {_canonical[key]: key for key in context}


def together(context: Context) -> dict[str, str | tuple[str, ...]]:
    """The values by canonical key. Tags of one resource, or of one request, whose keys differ in case only are one key with all of their values: neither can
    hide the other from a Deny, or earn an Allow for both. Of other keys the last counts."""
    found: dict[str, str | tuple[str, ...]] = {}
    for key, value in context.items():
        canonical = _canonical[key]
        before = found.get(canonical)
        found[canonical] = value if before in (None, value) or "/" not in key else (*_listed(before or ()), *_listed(value))
    return found


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


@dataclass(frozen=True)
class Principal:
    """Who asks, as far as policies can tell.

    arn: user, root, federated user or assumed-role session; "" for anonymous, service and web identity callers. type: `aws:PrincipalType`
    (Account, User, FederatedUser, AssumedRole, Anonymous), or Service and Federated for callers that only trust policies meet. role_arn: of the
    role behind a session. org_paths: `o-x/r-y/ou-z/`. services: names of a calling AWS service. provider: ARN of the identity
    provider. session_keys: condition keys that the caller's temporary credentials carry (`aws:TokenIssueTime`, `aws:MultiFactorAuthPresent`,
    `aws:SourceIdentity`, `aws:FederatedProvider`, `ec2:SourceInstanceArn` ...), empty for long-term credentials; they never replace a key that
    follows from another field.
    """

    arn: str
    account: str
    type: str
    role_arn: str = ""
    userid: str = ""
    username: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    provider: str = ""
    session_keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def anonymous(cls) -> Principal:
        """A caller that did not sign."""
        return cls("", "anonymous", "Anonymous")

    @classmethod
    def service(cls, name: str) -> Principal:
        """An AWS service such as ec2.amazonaws.com, as it assumes a role."""
        return cls("", "", "Service", services=(name,))

    @classmethod
    def federated(cls, provider: str) -> Principal:
        """A caller known to an identity provider (its ARN)."""
        return cls("", "", "Federated", provider=provider)

    @property
    def is_anonymous(self) -> bool:
        return self.type == "Anonymous"

    @property
    def policy_arn(self) -> str:
        """`aws:PrincipalArn`: the role's ARN for a session, not the session's."""
        return self.role_arn or self.arn

    @property
    def display(self) -> str:
        """How messages name the caller."""
        if self.is_anonymous:
            return "anonymous"
        return self.arn or self.provider or (self.services[0] if self.services else "unknown")


@dataclass
class Request:
    """One question to the policies. context: condition keys and their values; a tuple is a multi-valued key.

    Nothing of it changes; that the type checker sees to, as a frozen dataclass takes five times as long to make, a tenth of a decision."""

    action: Final[str]
    resource: Final[str]
    principal: Final[Principal]
    context: Final[Context] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, str | tuple[str, ...]]:
        """The context under canonical keys, kept; see `together`."""
        found: dict[str, str | tuple[str, ...]] | None = self.__dict__.get("_values")
        if found is None:
            found = {_canonical[key]: value for key, value in self.context.items()}
            if len(found) < len(self.context):
                found = together(self.context)
            self.__dict__["_values"] = found
        return found

    def value(self, key: str) -> str | tuple[str, ...] | None:
        """The value of a key in canonical form, None if the request does not have it."""
        return self.values.get(key)

    def variable(self, key: str) -> str | None:
        """The text a policy variable stands for; multi-valued keys have none."""
        value = self.values.get(_canonical[key])
        return value if isinstance(value, str) else None


def principal_context(principal: Principal) -> dict[str, str | tuple[str, ...]]:
    """The global keys that follow from who asks. PrincipalType is always present: without it, "not Anonymous" would hold for anonymous callers."""
    if principal.is_anonymous:
        return {"aws:PrincipalType": principal.type, "aws:PrincipalAccount": "anonymous"}
    context: dict[str, str | tuple[str, ...]] = {**principal.session_keys, "aws:PrincipalType": principal.type}
    optional = {
        "aws:PrincipalArn": principal.policy_arn,
        "aws:PrincipalAccount": principal.account,
        "aws:PrincipalOrgID": principal.org_id,
        "aws:userid": principal.userid,
        "aws:username": principal.username,
        "aws:FederatedProvider": principal.provider,
        "aws:PrincipalServiceName": principal.services[0] if principal.services else "",
    }
    context |= {key: value for key, value in optional.items() if value}
    context["aws:PrincipalIsAWSService"] = "true" if principal.services else "false"
    if principal.org_paths:
        context["aws:PrincipalOrgPaths"] = principal.org_paths
    if principal.services:
        context["aws:PrincipalServiceNamesList"] = principal.services
    return context | {f"aws:PrincipalTag/{key}": value for key, value in principal.tags.items()}


@dataclass(frozen=True)
class ResourceOwner:
    """What is known of the resource asked for: owner account, its organization, the resource's tags."""

    account: str = ""
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def global_context(
    principal: Principal,
    *,
    now: datetime,
    region: str,
    source_ip: str = "",
    secure: bool = False,
    user_agent: str = "",
    referer: str = "",
    owner: ResourceOwner | None = None,
) -> dict[str, str | tuple[str, ...]]:
    """The global keys of one request. now: aware, UTC. secure: TLS on the client's leg. Empty texts leave their key out."""
    owner = owner or ResourceOwner()
    context = principal_context(principal)
    context |= {
        "aws:SecureTransport": "true" if secure else "false",
        "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:ViaAWSService": "false",
    }
    optional = {
        "aws:RequestedRegion": region,
        "aws:SourceIp": source_ip,
        "aws:UserAgent": user_agent,
        "aws:referer": referer,
        "aws:ResourceAccount": owner.account,
        "aws:ResourceOrgID": owner.org_id,
    }
    context |= {key: value for key, value in optional.items() if value}
    if owner.org_paths:
        context["aws:ResourceOrgPaths"] = owner.org_paths
    return context | {f"aws:ResourceTag/{key}": value for key, value in owner.tags.items()}
