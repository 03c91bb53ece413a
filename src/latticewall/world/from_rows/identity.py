"""Who can sign: access keys and sessions with what their principals may do."""

from __future__ import annotations

from latticewall.base.identity_policies import boundary_text, identity_texts
from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows, tag_pairs, text
from latticewall.world.types import Credential, Role


def organization_of(rows: Rows, account: str) -> tuple[str, tuple[str, ...]]:
    """(organization id, organization paths) of an account, empty when it is in none."""
    member = rows.get("organizations:Account", account)
    if member is None or not member.parent:
        return "", ()
    return member.parent, (text(member.document.get("_path")),)


def policies_of(rows: Rows, row: Row) -> tuple[str, ...]:
    """Texts of a role's or user's identity policies."""
    return identity_texts(row, lambda arn: rows.by_arn("iam:Policy", arn))


def boundary_of(rows: Rows, row: Row) -> str:
    return boundary_text(row, lambda arn: rows.by_arn("iam:Policy", arn))


def build_roles(rows: Rows) -> tuple[Role, ...]:
    found = []
    for row in rows.of("iam:Role"):
        org, paths = organization_of(rows, row.account)
        found.append(Role(row.arn, row.name, row.account, row.id, policies_of(rows, row), boundary_of(rows, row), tag_pairs(row.tags), org, paths))
    return tuple(found)


def build_credentials(rows: Rows, now: str) -> tuple[Credential, ...]:
    """Access keys that are active and sessions that have not expired."""
    keys = [_user_key(rows, row) for row in rows.of("iam:AccessKey") if row.document.get("Status") == "Active"]
    sessions = [_session(rows, row) for row in rows.of("sts:Session") if row.document["Expiration"] > now]
    return tuple(key for key in (*keys, *sessions) if key)


def _user_key(rows: Rows, row: Row) -> Credential | None:
    """A long-term key: of an IAM user, or of the account's root (no user)."""
    org, paths = organization_of(rows, row.account)
    if not row.parent:
        everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
        arn = f"arn:aws:iam::{row.account}:root"
        return Credential(row.id, arn, row.account, "Account", row.account, "", org, paths, (), (everything,))
    user = rows.get("iam:User", row.parent)
    if user is None:
        return None
    return Credential(
        row.id, user.arn, row.account, "User", user.id, "", org, paths, tag_pairs(user.tags), policies_of(rows, user), boundary_of(rows, user)
    )


def _session(rows: Rows, row: Row) -> Credential | None:
    role = rows.get("iam:Role", row.parent)
    if role is None:
        return None
    org, paths = organization_of(rows, row.account)
    document = row.document
    return Credential(
        access_key_id=row.id, arn=document["Arn"], account=row.account, principal_type="AssumedRole", user_id=document["UserId"], role_arn=role.arn,
        org_id=org, org_paths=paths, tags=tag_pairs({**role.tags, **row.tags}), policies=policies_of(rows, role), boundary=boundary_of(rows, role),
        session_policy=text(document.get("_session_policy")), expires=document["Expiration"], token_digest=document["_token_digest"],
    )  # fmt: skip
