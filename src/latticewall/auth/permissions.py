"""The policy texts that limit a caller, out of the stored identities."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.caller import Caller
from latticewall.base.identity_policies import boundary_text, identity_texts
from latticewall.base.rows import Row
from latticewall.store import Snapshot


@dataclass(frozen=True)
class Permissions:
    """Texts as stored. session is "" for other callers and for sessions without a session policy. org_id, org_paths: of the caller's account."""

    identity: tuple[str, ...] = ()
    boundary: str = ""
    session: str = ""
    org_id: str = ""
    org_paths: tuple[str, ...] = ()


def permissions_of(snapshot: Snapshot, caller: Caller) -> Permissions:
    """What speaks for and limits the caller; nothing at all for a principal that is no longer stored."""

    def find(arn: str) -> Row | None:
        return snapshot.by_arn(arn)

    org_id, org_paths = organization_of(snapshot, caller.account)
    holder = snapshot.by_arn(caller.role_arn or caller.arn)
    if holder is None:
        return Permissions(org_id=org_id, org_paths=org_paths)
    session = snapshot.get("sts:Session", caller.access_key_id) if caller.role_arn else None
    session_policy = str(session.document.get("_session_policy") or "") if session else ""
    return Permissions(identity_texts(holder, find), boundary_text(holder, find), session_policy, org_id, org_paths)


def organization_of(snapshot: Snapshot, account: str) -> tuple[str, tuple[str, ...]]:
    """(organization id, organization paths) of an account; empty when it is in none."""
    member = snapshot.get("organizations:Account", account)
    if member is None or not member.parent:
        return "", ()
    return member.parent, (str(member.document.get("_path", "")),)
