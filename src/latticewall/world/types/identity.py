"""Who can sign, and what identity policies say of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Credential:
    """An access key and the principal behind it, as far as decisions need it. Never the secret."""

    access_key_id: str
    arn: str
    account: str
    principal_type: str
    user_id: str
    role_arn: str
    org_id: str
    org_paths: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    policies: tuple[str, ...]
    boundary: str = ""
    session_policy: str = ""
    expires: str = ""
    token_digest: str = ""


@dataclass(frozen=True)
class Role:
    """An IAM role with its identity policies' texts."""

    arn: str
    name: str
    account: str
    role_id: str
    policies: tuple[str, ...]
    boundary: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
