"""What the proxy decides from, out of the world: layers with their policies, holders of identity policies, and who can sign."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from latticewall.base.memo import Memo
from latticewall.base.organization_policies import is_service_linked
from latticewall.plan.authorization import AuthIdentity, AuthKey, AuthLayer, AuthorizationPlan
from latticewall.world.types import Account, Credential, Identity, ResourceConfiguration, Service, ServiceNetwork, World

AUTH_MODE_TAG = "latticewall:auth-mode"
"""On a service network; the value `audit` logs every decision and denies nothing (docs/features/auth-policies.md)."""

Place = tuple[str, tuple[str, ...]]
"""An organization and the paths in it."""
NOWHERE: Place = ("", ())


def audits(network: ServiceNetwork, service: Service) -> bool:
    """Whether what is denied passes all the same. The owner of a network opens what is his: not the service of another account that has AWS_IAM itself."""
    own = service.account == network.account or service.auth_type == "NONE"
    return own and _is_audit(network)


def audits_connections(network: ServiceNetwork | None, configuration: ResourceConfiguration) -> bool:
    """The same of connections to a TCP resource, which has a policy only by its owner's will. network: None through an endpoint for the resource alone."""
    return network is not None and configuration.account == network.account and _is_audit(network)


def _is_audit(network: ServiceNetwork) -> bool:
    return dict(network.tags).get(AUTH_MODE_TAG) == "audit"


def compile_authorization(world: World, memo: Memo | None = None) -> AuthorizationPlan:
    """Identities nobody can sign for are left out. memo: of this region's rounds."""
    memo = memo or Memo()
    places = memo.kept("places", {account.id: (account.org_id, account.org_paths) for account in world.accounts})
    keys = memo.once(_keys, memo, world.credentials, places)
    signing = memo.once(_identities_of, keys)
    return AuthorizationPlan(
        networks=memo.once(_networks, memo, world.service_networks, world.accounts),
        services=memo.once(_services, memo, world.services, world.accounts),
        identities=memo.once(_identities, world.identities, world.accounts, signing),
        keys=keys,
    )


def _identities(identities: tuple[Identity, ...], accounts: tuple[Account, ...], signing: frozenset[str]) -> tuple[AuthIdentity, ...]:
    known = {account.id: account for account in accounts}
    return tuple(AuthIdentity(item.id, item.policies, item.boundary, _service_control(item, known)) for item in identities if item.id in signing)


def _keys(memo: Memo, credentials: tuple[Credential, ...], places: Mapping[str, Place]) -> tuple[AuthKey, ...]:
    ordered = sorted(credentials, key=attrgetter("access_key_id"))
    return memo.map(_key, ordered, [places.get(key.account, NOWHERE) for key in ordered])


def _identities_of(keys: tuple[AuthKey, ...]) -> frozenset[str]:
    return frozenset(key.identity for key in keys)


def _key(key: Credential, place: Place) -> AuthKey:
    org_id, org_paths = place
    return AuthKey(
        access_key_id=key.access_key_id, identity=key.identity, arn=key.arn, account=key.account, principal_type=key.principal_type,
        user_id=key.user_id, role_arn=key.role_arn, org_id=org_id, org_paths=org_paths, tags=key.tags, keys=key.keys,
        session_policies=key.session_policies, expires=key.expires, token_digest=key.token_digest,
        certified=key.certified,
    )  # fmt: skip


def _service_control(identity: Identity, accounts: dict[str, Account]) -> tuple[tuple[str, ...], ...]:
    """The levels of the organization that limit an identity; none limits a service-linked role."""
    return () if is_service_linked(identity.arn) or identity.account not in accounts else accounts[identity.account].service_control


def _networks(memo: Memo, networks: tuple[ServiceNetwork, ...], accounts: tuple[Account, ...]) -> tuple[AuthLayer, ...]:
    owners = {account.id: account for account in accounts}
    return memo.map(_network, networks, memo.values_of(_network, memo.map(_account_of, networks, of=_network), owners))


def _services(memo: Memo, services: tuple[Service, ...], accounts: tuple[Account, ...]) -> tuple[AuthLayer, ...]:
    owners = {account.id: account for account in accounts}
    return memo.map(_service, services, memo.values_of(_service, memo.map(_account_of, services, of=_service), owners))


_account_of = attrgetter("account")


def _network(network: ServiceNetwork, owner: Account | None) -> AuthLayer:
    return _layer(network, owner, audit=_is_audit(network))


def _service(service: Service, owner: Account | None) -> AuthLayer:
    return _layer(service, owner, audit=False)


def _layer(resource: ServiceNetwork | Service, account: Account | None, *, audit: bool) -> AuthLayer:
    owner = account or Account(resource.account)
    return AuthLayer(resource.id, resource.arn, resource.auth_type, resource.policy, resource.tags, owner.org_id, owner.org_paths, audit)
