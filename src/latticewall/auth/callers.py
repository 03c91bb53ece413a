"""From an access key to the caller behind it, out of the stored keys and sessions."""

from __future__ import annotations

from datetime import datetime

from latticewall.auth.sessions import ASSUMED_ROLE, USER, holder_of
from latticewall.auth.sigv4 import KnownKey
from latticewall.base.caller import Caller
from latticewall.base.principal_tags import principal_tags
from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.store import Snapshot


def known_key(row: Row | None) -> KnownKey | None:
    """What verification needs to know of a key (`key_row`); None for an unknown one."""
    return row.kept(_known_key) if row else None


def _known_key(row: Row) -> KnownKey:
    token = Secret(row.document["_token"]) if row.kind == "sts:Session" else None
    expires = datetime.fromisoformat(row.document["Expiration"]) if row.kind == "sts:Session" else None
    return KnownKey(Secret(row.document["_secret"]), token, expires, active=row.document.get("Status", "Active") == "Active")


def caller_of(snapshot: Snapshot, access_key_id: str, region: str) -> Caller | None:
    """The principal that signs with a key: the account's root, an IAM user, a role session, a user's session or a federated user."""
    return caller_with(snapshot, key_row(snapshot, access_key_id), region)


def caller_with(snapshot: Snapshot, row: Row | None, region: str) -> Caller | None:
    """As `caller_of`, of a key that was looked up already."""
    if row is None:
        return None
    if row.kind == "sts:Session":
        return _of_session(snapshot, row, region)
    if not row.parent:
        return root(row.account, region, row.id)
    user = snapshot.get("iam:User", row.parent)
    return Caller(row.account, region, user.arn, user.id, "User", "", row.id, dict(user.tags)) if user else None


def _of_session(snapshot: Snapshot, row: Row, region: str) -> Caller | None:
    kind, arn, user_id = row.kept(_identity)
    holder = holder_of(snapshot, row)
    if holder is None and row.parent:
        return None
    if holder is None and kind == USER:
        return root(row.account, region, row.id)
    role_arn = holder.arn if holder and kind == ASSUMED_ROLE else ""
    tags = principal_tags(holder.tags if holder else {}, row.tags)
    return Caller(row.account, region, arn, user_id, kind, role_arn, row.id, tags)


def _identity(session: Row) -> tuple[str, str, str]:
    return session.document["_kind"], session.document["Arn"], session.document["UserId"]


def root(account: str, region: str, access_key_id: str = "") -> Caller:
    """The root user of an account."""
    return Caller(account, region, f"arn:aws:iam::{account}:root", account, "Account", "", access_key_id)


def key_row(snapshot: Snapshot, access_key_id: str) -> Row | None:
    """The stored key or session; None for an unknown one. None too for a session in the form of an earlier latticewall: its limits would not be read."""
    if not access_key_id.startswith("ASIA"):
        return snapshot.get("iam:AccessKey", access_key_id)
    row = snapshot.get("sts:Session", access_key_id)
    return row if row and row.kept(_says_limits) else None


def _says_limits(session: Row) -> bool:
    return "_session_policies" in session.document
