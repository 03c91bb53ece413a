"""How much an account, an identity and a policy may hold: the defaults of "IAM and AWS STS quotas"."""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.base.faults import LimitExceeded
from latticewall.policy.document import policy_size

QUOTAS: Mapping[str, int] = {
    "UsersPerAccount": 5000, "GroupsPerAccount": 300, "RolesPerAccount": 1000, "InstanceProfilesPerAccount": 1000, "PoliciesPerAccount": 1500,
    "OpenIdConnectProvidersPerAccount": 100, "AccountAliases": 1, "AccessKeysPerUser": 2, "GroupsPerUser": 10, "PoliciesPerUser": 10,
    "PoliciesPerGroup": 10, "PoliciesPerRole": 10, "VersionsPerPolicy": 5, "InstanceSessionsPerInstanceProfile": 1, "ClientIdsPerOpenIdConnectProvider": 100,
    "ThumbprintsPerOpenIdConnectProvider": 5, "TagsPerResource": 50,
    # characters of policies, insignificant white space not counted
    "PolicySize": 6144, "ACLSizePerRole": 2048, "UserPolicySize": 2048, "GroupPolicySize": 5120, "RolePolicySize": 10240,
}  # fmt: skip
"""By the name that IAM's refusals use. An inline policy's quota counts for all of the identity's inline policies together."""


def room(quota: str, wanted: int) -> None:
    """Raises LimitExceeded if `wanted` things are more than the quota allows."""
    if wanted > QUOTAS[quota]:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {QUOTAS[quota]}", code="LimitExceeded")


def fits(quota: str, text: str) -> None:
    """Raises LimitExceeded for a managed or trust policy that is too long."""
    room(quota, policy_size(text))


def inline_fit(noun: str, name: str, texts: Mapping[str, str]) -> None:
    """Raises LimitExceeded if the inline policies of one identity are too long together."""
    quota = QUOTAS[f"{noun}PolicySize"]
    if sum(map(policy_size, texts.values())) > quota:
        raise LimitExceeded(f"Maximum policy size of {quota} bytes exceeded for {noun.lower()} {name}", code="LimitExceeded")
