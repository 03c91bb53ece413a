"""What the proxy decides from: the auth policies of service networks and services, the policies of callers, and who can sign."""

from __future__ import annotations

from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AuthLayer:
    """A service network or a service. auth_type: NONE or AWS_IAM. policy: its text, "" when none is attached. org_id, org_paths: of the owner's
    account. audit: decisions are logged and nothing is denied (service networks only; of another account's services, those with auth type NONE)."""

    id: str
    arn: str
    auth_type: str
    policy: str = ""
    tags: Pairs = ()
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
    audit: bool = False


@dataclass(frozen=True)
class AuthIdentity:
    """Who holds identity policies: a role, a user, or an account's root. id: its unique id (the account of a root). policies: texts. boundary: text, ""
    without. service_control: the texts of each level of the organization that limits the account."""

    id: str
    policies: tuple[str, ...] = ()
    boundary: str = ""
    service_control: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class AuthKey:
    """Who an access key stands for, never its secret. identity: the AuthIdentity behind it. keys: further condition keys of a session. session_policies: texts,
    () = the session is not limited. expires: ISO time, "" for long-term keys. token_digest: hexadecimal SHA-256 of the session token, "" for
    long-term keys. certified: given for a certificate, which the tags describe."""

    access_key_id: str
    identity: str
    arn: str
    account: str
    principal_type: str
    user_id: str
    role_arn: str = ""
    org_id: str = ""
    org_paths: tuple[str, ...] = ()
    tags: Pairs = ()
    keys: Pairs = ()
    session_policies: tuple[str, ...] = ()
    expires: str = ""
    token_digest: str = ""
    certified: bool = False


@dataclass(frozen=True)
class AuthorizationPlan:
    """Everything the proxy decides from but the signing keys, which its applier derives for each region that services lie in: a request must be signed
    for the region of the service's ARN."""

    networks: tuple[AuthLayer, ...] = ()
    services: tuple[AuthLayer, ...] = ()
    identities: tuple[AuthIdentity, ...] = ()
    keys: tuple[AuthKey, ...] = ()
