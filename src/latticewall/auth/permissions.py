"""The policies that speak for and limit a caller, and what policies may ask about him, out of the stored identities.

Policies are compiled once per text and kept: a caller with many policies costs no more than finding their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from latticewall.base.caller import Caller
from latticewall.base.identity_policies import boundary_arn, boundary_text, held_policies
from latticewall.base.organization_policies import RESOURCE_CONTROL, SERVICE_CONTROL, attached_levels
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal
from latticewall.store import Snapshot

Layer = tuple[tuple[str, str], ...]
"""(name, text) of each policy of a layer; the name is the ARN of a policy that has one."""
TEMPORARY = "ASIA"
"""How the access keys of sessions begin."""
COMPILED = 2048
"""Layers kept compiled."""


@lru_cache(COMPILED)
def compiled(layer: Layer, form: Form = Form.IDENTITY) -> PolicySet:
    """The policies of a layer as one set."""
    return PolicySet([parse_policy(text, form, name) for name, text in layer])


@dataclass(frozen=True)
class Permissions:
    """Policies as stored. boundary, session: None where there is none. service_control: a layer per level of the organization. org_id, org_paths:
    of the caller's account."""

    identity: Layer = ()
    boundary: Layer | None = None
    session: Layer | None = None
    service_control: tuple[Layer, ...] = ()
    org_id: str = ""
    org_paths: tuple[str, ...] = ()

    @cached_property
    def policies(self) -> PrincipalPolicies:
        """As the policy language reads them."""
        return PrincipalPolicies(
            identity=compiled(self.identity),
            boundary=compiled(self.boundary) if self.boundary is not None else None,
            session=compiled(self.session) if self.session is not None else None,
            service_control=tuple(compiled(layer) for layer in self.service_control),
        )


def principal_of(snapshot: Snapshot, caller: Caller, found: Permissions) -> Principal:
    """The caller as conditions see him ("Principal key values"): user names only for IAM users, the keys of a session only for sessions."""
    session = _session_of(snapshot, caller)
    return Principal(
        arn=caller.arn, account=caller.account, type=caller.principal_type, role_arn=caller.role_arn, userid=caller.user_id,
        username=caller.arn.rsplit("/", 1)[-1] if caller.principal_type == "User" else "", tags=caller.tags, org_id=found.org_id, org_paths=found.org_paths,
        session_keys=_session_keys(session) if session else {},
    )  # fmt: skip


def _session_of(snapshot: Snapshot, caller: Caller) -> Row | None:
    return snapshot.get("sts:Session", caller.access_key_id) if caller.access_key_id.startswith(TEMPORARY) else None


def _session_keys(session: Row) -> dict[str, str]:
    """The condition keys of temporary credentials, as they were stored with them."""
    return dict(session.kept(_stored_keys))


def _stored_keys(session: Row) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in session.document["_keys"].items())


def permissions_of(snapshot: Snapshot, caller: Caller) -> Permissions:
    """What speaks for and limits the caller. Nothing speaks for a principal or session that is no longer stored."""

    def find(arn: str) -> Row | None:
        return snapshot.by_arn(arn)

    org_id, org_paths = organization_of(snapshot, caller.account)
    control = _levels(snapshot, caller.account, SERVICE_CONTROL, caller.role_arn)
    session = _session_of(snapshot, caller)
    holder = _holder(snapshot, caller, session)
    if holder is None:
        return Permissions(service_control=control, org_id=org_id, org_paths=org_paths)
    identity = tuple((held.arn or held.name, held.text) for held in held_policies(holder, find))
    return Permissions(identity, _boundary(holder, find), _session_layer(session, caller), control, org_id, org_paths)


def _holder(snapshot: Snapshot, caller: Caller, session: Row | None) -> Row | None:
    """The role or user whose policies count: for temporary credentials the one they were made for, as long as they are stored; a role without credentials is
    one that a service works with (a CloudFormation stack's)."""
    if session is not None:
        return snapshot.get("iam:Role", session.parent) or snapshot.get("iam:User", session.parent)
    if caller.role_arn and not caller.access_key_id:
        return snapshot.by_arn(caller.role_arn)
    is_stored = not (caller.access_key_id.startswith(TEMPORARY) or caller.role_arn or caller.arn.endswith(":root"))
    return snapshot.by_arn(caller.arn) if is_stored else None


def _boundary(holder: Row, find: Callable[[str], Row | None]) -> Layer | None:
    arn = boundary_arn(holder)
    return ((arn, boundary_text(holder, find)),) if arn else None


def _session_layer(session: Row | None, caller: Caller) -> Layer | None:
    """Session policies, together one layer. A federated user without any may do nothing ("GetFederationToken")."""
    if session is None:
        return None
    stored = session.kept(_session_policies)
    return stored if stored or caller.principal_type == "FederatedUser" else None


def _session_policies(session: Row) -> Layer:
    return tuple(("", str(text)) for text in session.document["_session_policies"])


def resource_control_of(snapshot: Snapshot, account: str) -> tuple[PolicySet, ...]:
    """The resource control policies over an account's resources, one set per level of its organization."""
    return tuple(compiled(layer, Form.RESOURCE) for layer in _levels(snapshot, account, RESOURCE_CONTROL))


def _levels(snapshot: Snapshot, account: str, policy_type: str, holder: str = "") -> tuple[Layer, ...]:
    levels = attached_levels(snapshot.get, account, policy_type, holder)
    return tuple(tuple((policy.arn, policy.text) for policy in level) for level in levels)


def organization_of(snapshot: Snapshot, account: str) -> tuple[str, tuple[str, ...]]:
    """(organization id, organization paths) of an account; empty when it is in none."""
    member = snapshot.get("organizations:Account", account)
    if member is None or not member.parent:
        return "", ()
    return member.parent, (str(member.document.get("_path", "")),)
