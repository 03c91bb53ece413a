"""Which policies of the organization limit an account: one rule, used by authorisation and by the world alike.

Pages: "SCP evaluation", "Resource control policies (RCPs)", "Service-linked roles" (neither kind of policy limits them, nor the management account).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from latticewall.base.rows import Row

Get = Callable[[str, str], Row | None]
"""A row by kind and id."""

SERVICE_CONTROL = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL = "RESOURCE_CONTROL_POLICY"
_SERVICE_LINKED = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/aws-service-role/")


@dataclass(frozen=True)
class AttachedPolicy:
    """A policy as it limits: its ARN and its text."""

    arn: str
    text: str


@dataclass(frozen=True)
class ManagedPolicy:
    """A policy that AWS gives every organization, attached everywhere when its type is enabled."""

    id: str
    name: str
    type: str
    text: str
    description: str

    @property
    def arn(self) -> str:
        return f"arn:aws:organizations::aws:policy/{self.type.lower()}/{self.id}"


FULL_ACCESS = ManagedPolicy(
    "p-FullAWSAccess", "FullAWSAccess", SERVICE_CONTROL, '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    "Allows access to every operation",
)  # fmt: skip
RESOURCE_FULL_ACCESS = ManagedPolicy(
    "p-RCPFullAWSAccess", "RCPFullAWSAccess", RESOURCE_CONTROL,
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}', "Allows access to every resource",
)  # fmt: skip
MANAGED = {policy.id: policy for policy in (FULL_ACCESS, RESOURCE_FULL_ACCESS)}
NOTHING = AttachedPolicy("", '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}')
"""What a closed account may do."""


def is_service_linked(arn: str) -> bool:
    """Whether it is the ARN of a service-linked role. Paths are their owners' to choose and may hold colons: only the ARN's own beginning says so."""
    return _SERVICE_LINKED.match(arn) is not None


def levels(get: Get, account: str, policy_type: str, holder: str = "") -> tuple[tuple[str, ...], ...]:
    """The policies' texts per level that limits an account, from the root down to the account; see `attached_levels`."""
    return tuple(tuple(policy.text for policy in level) for level in attached_levels(get, account, policy_type, holder))


def attached_levels(get: Get, account: str, policy_type: str, holder: str = "") -> tuple[tuple[AttachedPolicy, ...], ...]:
    """One entry per level: root, each organizational unit, the account. Every level must allow, so a level without policies denies all.

    () where nothing limits: the account is in no organization or manages it, the type is not enabled, or `holder` (the ARN of the role or user
    that acts) is a service-linked role.
    """
    member = get("organizations:Account", account)
    organization = get("organizations:Organization", member.parent) if member and member.parent else None
    if member is None or organization is None or organization.account == account or is_service_linked(holder):
        return ()
    closed = ((NOTHING,),) if member.document.get("Status") == "SUSPENDED" and policy_type == SERVICE_CONTROL else ()
    root_id, *unit_ids = str(member.document["_path"]).strip("/").split("/")[1:]
    root = get("organizations:Root", root_id)
    if root is None or not enabled(root, policy_type):
        return closed
    units = (get("organizations:OrganizationalUnit", unit_id) for unit_id in unit_ids)
    return (*closed, *(_attached(get, target, policy_type) for target in (root, *units, member) if target))


def enabled(root: Row, policy_type: str) -> bool:
    """Whether a policy type is in force in the organization of this root."""
    return any(entry["Type"] == policy_type and entry["Status"] == "ENABLED" for entry in root.document.get("PolicyTypes") or ())


def _attached(get: Get, target: Row, policy_type: str) -> tuple[AttachedPolicy, ...]:
    found = []
    for policy_id in target.document.get("_policies") or ():
        if managed := MANAGED.get(policy_id):
            if managed.type == policy_type:
                found.append(AttachedPolicy(managed.arn, managed.text))
            continue
        row = get("organizations:Policy", policy_id)
        if row is not None and row.document["Type"] == policy_type:
            found.append(AttachedPolicy(row.arn, str(row.document["Content"])))
    return tuple(found)
