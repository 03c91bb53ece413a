"""From an access key to the caller behind it, out of the stored keys and sessions."""

from __future__ import annotations

from datetime import datetime

from latticewall.auth.sigv4 import KnownKey
from latticewall.base.caller import Caller
from latticewall.base.rows import Row
from latticewall.base.secret import Secret
from latticewall.store import Snapshot


def known_key(snapshot: Snapshot, access_key_id: str) -> KnownKey | None:
    """What verification needs to know of a key; None for an unknown one."""
    row = _key_row(snapshot, access_key_id)
    if row is None:
        return None
    token = Secret(row.document["_token"]) if row.kind == "sts:Session" else None
    expires = datetime.fromisoformat(row.document["Expiration"]) if row.kind == "sts:Session" else None
    return KnownKey(Secret(row.document["_secret"]), token, expires, active=row.document.get("Status", "Active") == "Active")


def caller_of(snapshot: Snapshot, access_key_id: str, region: str) -> Caller | None:
    """The principal that signs with a key: the account's root, an IAM user, or a role session."""
    row = _key_row(snapshot, access_key_id)
    if row is None:
        return None
    if row.kind == "sts:Session":
        role = snapshot.get("iam:Role", row.parent)
        if role is None:
            return None
        tags = {**role.tags, **row.tags}
        return Caller(row.account, region, row.document["Arn"], row.document["UserId"], "AssumedRole", role.arn, row.id, tags)
    if not row.parent:
        return root(row.account, region, row.id)
    user = snapshot.get("iam:User", row.parent)
    return Caller(row.account, region, user.arn, user.id, "User", "", row.id, dict(user.tags)) if user else None


def root(account: str, region: str, access_key_id: str = "") -> Caller:
    """The root user of an account."""
    return Caller(account, region, f"arn:aws:iam::{account}:root", account, "Account", "", access_key_id)


def _key_row(snapshot: Snapshot, access_key_id: str) -> Row | None:
    return snapshot.get("sts:Session" if access_key_id.startswith("ASIA") else "iam:AccessKey", access_key_id)
