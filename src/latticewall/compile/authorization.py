"""What the proxy decides from, out of the world: layers with their policies, holders of identity policies, and who can sign."""

from __future__ import annotations

from latticewall.base.organization_policies import SERVICE_LINKED
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan
from latticewall.world.types import Account, Identity, Service, ServiceNetwork, World

AUTH_MODE_TAG = "latticewall:auth-mode"
"""On a service network; the value `audit` logs every decision and denies nothing (docs/features/auth-policies.md)."""


def compile_authorization(world: World) -> AuthorizationPlan:
    """Identities nobody can sign for are left out."""
    accounts = {account.id: account for account in world.accounts}
    signing = {key.identity for key in world.credentials}
    return AuthorizationPlan(
        networks=tuple(_layer(network, accounts) for network in world.service_networks),
        services=tuple(_layer(service, accounts) for service in world.services),
        identities=tuple(
            AuthIdentity(item.id, item.policies, item.boundary, _service_control(item, accounts))
            for item in world.identities
            if item.id in signing
        ),
        keys=tuple(
            AuthKey(
                access_key_id=key.access_key_id, identity=key.identity, arn=key.arn, account=key.account, principal_type=key.principal_type,
                user_id=key.user_id, role_arn=key.role_arn, org_id=account.org_id, org_paths=account.org_paths, tags=key.tags, keys=key.keys,
                session_policies=key.session_policies, expires=key.expires, token_digest=key.token_digest,
            )
            for key in sorted(world.credentials, key=lambda key: key.access_key_id)
            for account in [accounts.get(key.account) or Account(key.account)]
        ),
    )  # fmt: skip


def _service_control(identity: Identity, accounts: dict[str, Account]) -> tuple[tuple[str, ...], ...]:
    """The levels of the organization that limit an identity; none limits a service-linked role."""
    return () if SERVICE_LINKED in identity.arn or identity.account not in accounts else accounts[identity.account].service_control


def _layer(resource: ServiceNetwork | Service, accounts: dict[str, Account]) -> AuthLayer:
    owner = accounts.get(resource.account) or Account(resource.account)
    audit = isinstance(resource, ServiceNetwork) and dict(resource.tags).get(AUTH_MODE_TAG) == "audit"
    return AuthLayer(resource.id, resource.arn, resource.auth_type, resource.policy, resource.tags, owner.org_id, owner.org_paths, audit)
