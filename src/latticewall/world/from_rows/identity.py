"""Who can sign: accounts in their organizations, holders of identity policies, access keys and sessions."""

from __future__ import annotations

from latticewall.base.identity_policies import boundary_text, identity_texts
from latticewall.base.memo import Memo
from latticewall.base.organization_policies import SERVICE_CONTROL, levels
from latticewall.base.principal_tags import principal_tags
from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows, tag_pairs, text
from latticewall.world.types import Account, Credential, Identity

ROOT_POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
"""What an account's root may do; service control policies may still limit it."""


def build_accounts(rows: Rows) -> tuple[Account, ...]:
    """Accounts that are in an organization; any other is in none."""
    return tuple(
        Account(row.id, row.parent, (text(row.document.get("_path")),), levels(rows.get, row.id, SERVICE_CONTROL))
        for row in rows.of("organizations:Account")
        if row.parent
    )


def build_identities(rows: Rows) -> tuple[Identity, ...]:
    """Roles, users, and the root of every account that has an access key."""

    def find(arn: str) -> Row | None:
        return rows.by_arn("iam:Policy", arn) or rows.by_arn("iam:Group", arn)

    found = [
        Identity(row.id, kind, row.arn, row.name, row.account, identity_texts(row, find), boundary_text(row, find), tag_pairs(row.tags))
        for kind in ("Role", "User")
        for row in rows.of(f"iam:{kind}")
    ]
    roots = {row.account for row in rows.of("iam:AccessKey") if not row.parent}
    found += [Identity(account, "Root", f"arn:aws:iam::{account}:root", "", account, (ROOT_POLICY,)) for account in roots]
    return tuple(sorted(found, key=lambda identity: identity.id))


_SIGNING = ("iam:AccessKey", "iam:Role", "iam:User", "sts:Session")
"""Kinds of rows from which it follows who can sign."""


def build_credentials(rows: Rows, now: str) -> tuple[Credential, ...]:
    """Access keys that are active and sessions that have not expired, of principals that exist."""
    memo = rows.memo
    return memo.once(_credentials, memo, memo.kept("credentials", (rows.region, now)), *(rows.all(kind) for kind in _SIGNING))


def _credentials(memo: Memo, region_and_now: tuple[str, str], *found: tuple[Row, ...]) -> tuple[Credential, ...]:
    region, now = region_and_now
    rows = Rows(dict(zip(_SIGNING, found, strict=True)), region)
    keys = [row for row in rows.of("iam:AccessKey") if row.document.get("Status") == "Active"]
    users = [rows.get("iam:User", row.parent) for row in keys]
    sessions = [row for row in rows.of("sts:Session") if row.document["Expiration"] > now]
    holders = [rows.get("iam:Role" if _kind(row) == "AssumedRole" else "iam:User", row.parent) for row in sessions]
    credentials = memo.map(_long_term, keys, users) + memo.map(_session, sessions, holders)
    return tuple(credential for credential in credentials if credential)


def _long_term(row: Row, user: Row | None) -> Credential | None:
    """Of an IAM user, or of the account's root (no user)."""
    if not row.parent:
        return Credential(row.id, row.account, f"arn:aws:iam::{row.account}:root", row.account, "Account", row.account)
    return Credential(row.id, user.id, user.arn, row.account, "User", user.id, tags=tag_pairs(user.tags)) if user else None


def _kind(session: Row) -> str:
    return str(session.document.get("_kind", "AssumedRole"))


def _session(row: Row, holder: Row | None) -> Credential | None:
    """Of a role, or of a user (GetSessionToken, GetFederationToken)."""
    if holder is None and row.parent:
        return None
    document, kind = row.document, _kind(row)
    own_tags = holder.tags if holder else {}
    return Credential(
        access_key_id=row.id, identity=row.parent or row.account, arn=document["Arn"], account=row.account, principal_type=kind if row.parent else "Account",
        user_id=document["UserId"], role_arn=holder.arn if holder and kind == "AssumedRole" else "", tags=tag_pairs(principal_tags(own_tags, row.tags)),
        keys=tag_pairs(document.get("_keys") or {}), session_policies=tuple(document.get("_session_policies") or ()), expires=document["Expiration"],
        token_digest=document["_token_digest"], certified=bool(document.get("_certified")),
    )  # fmt: skip
