"""Who of other accounts may do what with a resource: the policy put on it, and the statements that its shares amount to.

Pages: "Cross-account policy evaluation logic", "GetResourcePolicies" (AWS RAM API Reference), "PutResourcePolicy" (VPC Lattice API Reference). Within the
owner's account these policies say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from latticewall.auth.permissions import compiled, organization_of
from latticewall.base.resource_shares import ASSOCIATION, DEFAULTS, MANAGED, PERMISSION, RESOURCE_ID, SERVICE_PRINCIPAL, SHARE, type_of
from latticewall.base.rows import Row
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal, Request, principal_context
from latticewall.store import Snapshot

POLICY = "_resource_policy"
"""The private member of a resource that holds the policy put on it."""
Statement = dict[str, Any]


def resource_policy_of(snapshot: Snapshot, row: Row) -> PolicySet:
    """All that speaks for other accounts on this resource."""
    own = row.document.get(POLICY)
    shared = shared_policy(snapshot, row)
    return compiled(tuple(("", text) for text in (own, shared) if text), Form.RESOURCE)


def allows(snapshot: Snapshot, row: Row, account: str, action: str) -> bool:
    """Whether another account may, as far as the resource is concerned."""
    org_id, org_paths = organization_of(snapshot, account)
    principal = Principal(f"arn:aws:iam::{account}:root", account, "Account", org_id=org_id, org_paths=org_paths)
    return resource_policy_of(snapshot, row).evaluate(Request(action, row.arn, principal, principal_context(principal))).allowed


def is_shared(snapshot: Snapshot, row: Row) -> bool:
    """Whether another account may have to do with it."""
    return POLICY in row.document or any(True for _ in _statements(snapshot, row))


# -- what shares amount to --------------------------------------------------------------------------------------------------------------------------------


def shared_policy(snapshot: Snapshot, row: Row) -> str:
    """The policy that the shares of a resource amount to, as JSON on one line; "" when it is shared with nobody."""
    statements = list(_statements(snapshot, row))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":")) if statements else ""


def _statements(snapshot: Snapshot, row: Row) -> Iterator[Statement]:
    for held in snapshot.rows(ASSOCIATION, name=row.arn, account=row.account):
        share = snapshot.get(SHARE, held.parent) if held.document[RESOURCE_ID] == row.id else None
        actions = _actions(snapshot, share, type_of(row.arn)) if share else []
        if share is None or not actions:
            continue
        for association in principals_of(snapshot, share):
            if who := grantee(snapshot, share, association):
                yield {"Effect": "Allow", **who, "Action": actions, "Resource": row.arn}


def _actions(snapshot: Snapshot, share: Row, resource_type: str) -> list[str]:
    """What the share's permission for a type of resources allows."""
    arn = share.document["_permissions"].get(resource_type, "")
    if arn in MANAGED:
        return list(MANAGED[arn].actions)
    permission = snapshot.by_arn(arn)
    known = DEFAULTS[resource_type].actions if resource_type in DEFAULTS else ()
    return [action for action in permission.document["_actions"] if action in known] if permission and permission.kind == PERMISSION else []


def principals_of(snapshot: Snapshot, share: Row) -> list[Row]:
    """The share's associations with principals that have not to be accepted first."""
    rows = snapshot.rows(ASSOCIATION, parent=share.id)
    return [row for row in rows if row.document["associationType"] == "PRINCIPAL" and row.document["status"] == "ASSOCIATED"]


def grantee(snapshot: Snapshot, share: Row, association: Row) -> Statement | None:
    """Principal and conditions for one associated principal; None as long as it is out of reach: accounts in an organization, its units and itself are
    served while the owner belongs to that organization and it trusts RAM. Who is in a unit is seen when a request comes."""
    principal = association.name
    if association.document["external"]:
        return {"Principal": {"AWS": principal}}
    organization = trusting_organization(snapshot, share.account)
    if not organization:
        return None
    if not principal.startswith("arn:"):
        inside = organization_of(snapshot, principal)[0] == organization
        return {"Principal": {"AWS": principal}} if inside else None
    _, org_id, *unit = principal.split("/")
    if org_id != organization:
        return None
    if unit:
        condition: Statement = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [f"{org_id}/*/{unit[0]}/*"]}}
    else:
        condition = {"StringEquals": {"aws:PrincipalOrgID": [org_id]}}
    return {"Principal": "*", "Condition": condition}


def reaches(snapshot: Snapshot, share: Row, account: str) -> bool:
    """Whether an account is among those that a share is open to."""
    org_id, org_paths = organization_of(snapshot, account)
    principal = Principal(f"arn:aws:iam::{account}:root", account, "Account", org_id=org_id, org_paths=org_paths)
    request = Request("ram:GetResourceShares", share.arn, principal, principal_context(principal))
    found = [who for association in principals_of(snapshot, share) if (who := grantee(snapshot, share, association))]
    statements = [{"Effect": "Allow", **who, "Action": "ram:GetResourceShares", "Resource": share.arn} for who in found]
    if account == share.account or not statements:
        return False
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    return compiled((("", policy),), Form.RESOURCE).evaluate(request).allowed


def trusting_organization(snapshot: Snapshot, account: str) -> str:
    """The organization of an account, if sharing within it is enabled; else ""."""
    org_id, _ = organization_of(snapshot, account)
    row = snapshot.get("organizations:Organization", org_id)
    return org_id if row and SERVICE_PRINCIPAL in row.document["_services"] else ""
