"""Who asks: principals and their policies out of a world, as decisions need them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from latticewall.analyze.gate import Unclear
from latticewall.base.faults import Fault
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, Policy, parse_policy
from latticewall.policy.engine import NO_POLICIES, PolicySet
from latticewall.policy.request import Principal
from latticewall.world.types import Account, Credential, Identity, World

SESSION = "explain"
"""Session name of a role that is only supposed to ask."""


@dataclass(frozen=True)
class Caller:
    """A principal and what limits it. unreadable: why a stored policy does not count; such a caller may do nothing."""

    principal: Principal
    policies: PrincipalPolicies
    unreadable: str = ""

    def document(self) -> dict[str, Any]:
        principal = self.principal
        found = {"arn": principal.display, "type": principal.type, "account": principal.account, "organization": principal.org_id}
        return {name: value for name, value in found.items() if value} | ({"tags": dict(principal.tags)} if principal.tags else {})


@dataclass(frozen=True)
class PolicyNames:
    """What the policies are called whose texts a world has, in the same order: of an identity, its boundary, and each level of its organization. Names that
    are not told, or are too few, are counted instead."""

    identity: Sequence[str] = ()
    boundary: str = ""
    levels: Sequence[Sequence[str]] = ()


Naming = Callable[[Identity], PolicyNames]


def nameless(_: Identity) -> PolicyNames:
    """For those who only need the decision."""
    return PolicyNames()


ANONYMOUS = Caller(Principal.anonymous(), PrincipalPolicies())


def of_credential(world: World, credential: Credential, naming: Naming = nameless) -> Caller:
    """The principal behind an access key or session."""
    identity = next((item for item in world.identities if item.id == credential.identity), None)
    account = _account(world, credential.account)
    principal = Principal(
        arn=credential.arn, account=credential.account, type=credential.principal_type, role_arn=credential.role_arn, userid=credential.user_id,
        username=identity.name if identity and identity.kind == "User" else "", tags=dict(credential.tags), org_id=account.org_id,
        org_paths=account.org_paths, session_keys=dict(credential.keys),
    )  # fmt: skip
    return _caller(principal, identity, account, credential.session_policies, naming)


def of_identity(world: World, identity: Identity, session: str = SESSION, naming: Naming = nameless) -> Caller:
    """A role as a session of that name would ask, a user, or an account's root."""
    account = _account(world, identity.account)
    role = identity.kind == "Role"
    principal = Principal(
        arn=f"arn:aws:sts::{identity.account}:assumed-role/{identity.name}/{session}" if role else identity.arn,
        account=identity.account, type={"Role": "AssumedRole", "User": "User"}.get(identity.kind, "Account"), role_arn=identity.arn if role else "",
        userid=f"{identity.id}:{session}" if role else identity.id, username=identity.name if identity.kind == "User" else "", tags=dict(identity.tags),
        org_id=account.org_id, org_paths=account.org_paths,
    )  # fmt: skip
    return _caller(principal, identity, account, (), naming)


def find_identity(world: World, wanted: str) -> Identity:
    """A role or user by ARN, or by name (roles first). Raises Unclear."""
    if wanted.startswith("arn:"):
        found = [item for item in world.identities if item.arn == wanted]
    else:
        found = [item for item in world.identities if item.kind == "Role" and item.name == wanted]
        found = found or [item for item in world.identities if item.kind == "User" and item.name == wanted]
    if not found:
        raise Unclear(f"there is no role or user `{wanted}`")
    if len(found) > 1:
        raise Unclear(f"several accounts have a role or user `{wanted}`: give its ARN, one of {', '.join(item.arn for item in found)}")
    return found[0]


def find_credential(world: World, access_key_id: str) -> Credential | None:
    return next((item for item in world.credentials if item.access_key_id == access_key_id), None)


def _account(world: World, number: str) -> Account:
    return next((account for account in world.accounts if account.id == number), Account(number))


def _caller(principal: Principal, identity: Identity | None, account: Account, session: Iterable[str], naming: Naming) -> Caller:
    if identity is None:
        return Caller(principal, PrincipalPolicies(), "the role or user behind the access key no longer exists")
    limits, names = tuple(session), naming(identity)
    levels = names.levels if len(names.levels) == len(account.service_control) else [()] * len(account.service_control)
    try:
        policies = PrincipalPolicies(
            identity=_named("identity-based policy", identity.policies, names.identity, f" of {identity.name or identity.arn}"),
            boundary=_named("permissions boundary", [identity.boundary], [names.boundary] if names.boundary else ()) if identity.boundary else None,
            session=_named("session policy", limits) if limits else None,
            service_control=tuple(
                _named("service control policy", texts, named, f", level {at}")
                for at, (texts, named) in enumerate(zip(account.service_control, levels, strict=True))
            ),
        )
    except Fault as fault:
        return Caller(principal, PrincipalPolicies(identity=NO_POLICIES, boundary=NO_POLICIES), fault.message)
    return Caller(principal, policies)


def _named(kind: str, texts: Sequence[str], names: Sequence[str] = (), owner: str = "") -> PolicySet:
    """A set of policies called "kind name owner", or "kind owner (1 of 3)" where their names are not known."""
    count = len(texts)
    if len(names) == count:
        called = [f"{kind} {name}{owner}" for name in names]
    else:
        called = [f"{kind}{owner}" if count == 1 else f"{kind}{owner} ({at} of {count})" for at in range(1, count + 1)]
    return PolicySet(parsed(text, name) for text, name in zip(texts, called, strict=True))


@lru_cache(maxsize=512)
def parsed(text: str, name: str, form: Form = Form.IDENTITY) -> Policy:
    """A stored policy, read once. Raises Fault."""
    return parse_policy(text, form, name)
