"""Who can sign, and what identity policies say of them."""

from __future__ import annotations

from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Account:
    """An account's place in its organization. service_control: policy texts of each level that limits it, from the root downwards; () when none does."""

    id: str
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
    service_control: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Identity:
    """A holder of identity policies: an IAM role, an IAM user, or an account's root user. id: its unique id, the account's for root. kind: Role, User or
    Root. policies: texts. boundary: text, "" without."""

    id: str
    kind: str
    arn: str
    name: str
    account: str
    policies: tuple[str, ...]
    boundary: str = ""
    tags: Pairs = ()


@dataclass(frozen=True)
class Credential:
    """An access key and the principal behind it, as far as decisions need it. Never the secret. identity: id of the Identity. tags: as policies see them,
    session tags over the identity's own. keys: further condition keys of a session. expires: ISO time, "" for long-term keys. certified: given for a
    certificate, which the tags describe."""

    access_key_id: str
    identity: str
    arn: str
    account: str
    principal_type: str
    user_id: str
    role_arn: str = ""
    tags: Pairs = ()
    keys: Pairs = ()
    session_policies: tuple[str, ...] = ()
    expires: str = ""
    token_digest: str = ""
    certified: bool = False
