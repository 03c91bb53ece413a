"""The policies that speak for and limit a caller, and what policies may ask about him, out of the stored identities."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.base.caller import Caller
from latticewall.base.identity_policies import boundary_text, identity_texts
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal
from latticewall.store import Snapshot


@dataclass(frozen=True)
class Permissions:
    """Texts as stored. session is "" for other callers and for sessions without a session policy. org_id, org_paths: of the caller's account."""

    identity: tuple[str, ...] = ()
    boundary: str = ""
    session: str = ""
    org_id: str = ""
    org_paths: tuple[str, ...] = ()

    @property
    def policies(self) -> PrincipalPolicies:
        """As the policy language reads them."""
        return PrincipalPolicies(
            identity=PolicySet([parse_policy(text, Form.IDENTITY) for text in self.identity]),
            boundary=PolicySet([parse_policy(self.boundary, Form.IDENTITY)]) if self.boundary else None,
            session=PolicySet([parse_policy(self.session, Form.IDENTITY)]) if self.session else None,
        )


def principal_of(snapshot: Snapshot, caller: Caller, found: Permissions) -> Principal:
    """The caller as conditions see him ("Principal key values"): user names only for IAM users, the keys of a session only for sessions."""
    session = snapshot.get("sts:Session", caller.access_key_id)
    return Principal(
        arn=caller.arn, account=caller.account, type=caller.principal_type, role_arn=caller.role_arn, userid=caller.user_id,
        username=caller.arn.rsplit("/", 1)[-1] if caller.principal_type == "User" else "", tags=caller.tags, org_id=found.org_id, org_paths=found.org_paths,
        session_keys=_session_keys(session) if session else {},
    )  # fmt: skip


def _session_keys(session: Row) -> dict[str, str]:
    """The condition keys of temporary credentials; a session stored without them has those that follow from its other members."""
    if "_keys" in session.document:
        return {str(key): str(value) for key, value in session.document["_keys"].items()}
    kept = {"aws:SourceIdentity": session.document.get("_source_identity"), "aws:TokenIssueTime": session.document.get("_issued")}
    return {"aws:MultiFactorAuthPresent": "false", **{key: str(value) for key, value in kept.items() if value}}


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
