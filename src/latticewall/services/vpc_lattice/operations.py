"""Which function answers which operation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import NamedTuple

from latticewall.base.faults import NotFound
from latticewall.resources import verbs
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler
from latticewall.services.vpc_lattice import (
    access_log,
    associations,
    auth_policy,
    domain_verification,
    endpoint_associations,
    listener,
    own_tags,
    resource_configuration,
    resource_gateway,
    resource_policy,
    service_network,
    service_role,
    sharing,
    target_group,
    targets,
    text,
)
from latticewall.services.vpc_lattice.find import models
from latticewall.services.vpc_lattice.nouns import (
    ACCESS_LOG_SUBSCRIPTION,
    DOMAIN_VERIFICATION,
    LISTENER,
    RESOURCE_ASSOCIATION,
    RESOURCE_CONFIGURATION,
    RESOURCE_GATEWAY,
    SERVICE,
    SERVICE_ASSOCIATION,
    SERVICE_NETWORK,
    TARGET_GROUP,
    VPC_ASSOCIATION,
)

NETWORK = {"serviceNetworkIdentifier": "serviceNetworkId"}


def _local(handler: Handler) -> Handler:
    """The handler, for resources of this region only, of the caller's own account or shared with it. Of what is not there, a list whose operation models no
    such error has nothing to show."""

    @wraps(handler)
    def guarded(ctx: Context, params: Document) -> Answer:
        try:
            sharing.refuse_foreign(ctx, params)
        except NotFound:
            if models(ctx, "ResourceNotFoundException"):
                raise
            return {"items": []}
        return handler(ctx, params)

    return guarded


def _shown(ctx: Context, shown: Document) -> Document:  # noqa: ARG001 - the signature of verbs.delete
    """Deletions that answer with the resource in its last state."""
    return shown


def _of_either(kind: str, where: Mapping[str, str]) -> Handler:
    """A list of associations, which needs one of its filters: they name one side or both, the one with fewer associations last."""

    def handler(ctx: Context, params: Document) -> Document:
        *others, side = [member for member in where if params.get(member)] or [""]
        if not side:
            raise text.invalid(next(iter(where)), f"One of {' or '.join(where)} is required")
        rows = sharing.joined_to(ctx, kind, side, params[side])
        return {"items": verbs.Shown(ctx, verbs.chosen(rows, {where[member]: params[member] for member in others}))}

    return handler


def _for_its_maker(handler: Handler) -> Handler:
    """Tags of associations are for the account that made them."""

    def guarded(ctx: Context, params: Document) -> Answer:
        sharing.refuse_tags_of_others(ctx, params)
        return handler(ctx, params)

    return guarded


class _Reach(NamedTuple):
    """Whose resources a family's operations are about: to Get, to Delete, to List."""

    got: verbs.Resolve = Context.resolve
    deleted: verbs.Resolve = Context.resolve
    listed: verbs.Listed = verbs.Own


OWN = _Reach()
SHARED = _Reach(got=sharing.shared, listed=sharing.visible)
BOTH_SIDES = _Reach(sharing.association, sharing.own_association, sharing.joined)


class _Noun(NamedTuple):
    """One family of operations. shows: Delete answers with the resource. where: filters of its List."""

    kind: str
    identifier: str
    create: Handler
    update: Handler | None = None
    shows: bool = True
    where: Mapping[str, str] = {}
    needs_filter: bool = False
    reach: _Reach = OWN


NOUNS = {
    "ServiceNetwork": _Noun(
        SERVICE_NETWORK, "serviceNetworkIdentifier", service_network.create_service_network, service_network.update_service_network, shows=False,
        reach=SHARED,
    ),
    "Service": _Noun(SERVICE, "serviceIdentifier", service_network.create_service, service_network.update_service, reach=SHARED),
    "TargetGroup": _Noun(
        TARGET_GROUP, "targetGroupIdentifier", target_group.create_target_group, target_group.update_target_group,
        where={"vpcIdentifier": "config.vpcIdentifier", "targetGroupType": "type"},
    ),
    "ServiceNetworkServiceAssociation": _Noun(
        SERVICE_ASSOCIATION, "serviceNetworkServiceAssociationIdentifier", associations.create_service_association,
        where={**NETWORK, "serviceIdentifier": "serviceId"}, needs_filter=True, reach=BOTH_SIDES,
    ),
    "ServiceNetworkVpcAssociation": _Noun(
        VPC_ASSOCIATION, "serviceNetworkVpcAssociationIdentifier", associations.create_vpc_association, associations.update_vpc_association,
        where={**NETWORK, "vpcIdentifier": "vpcId"}, needs_filter=True, reach=BOTH_SIDES,
    ),
    "ServiceNetworkResourceAssociation": _Noun(
        RESOURCE_ASSOCIATION, "serviceNetworkResourceAssociationIdentifier", associations.create_resource_association, reach=BOTH_SIDES,
    ),
    "ResourceGateway": _Noun(
        RESOURCE_GATEWAY, "resourceGatewayIdentifier", resource_gateway.create_resource_gateway, resource_gateway.update_resource_gateway
    ),
    "ResourceConfiguration": _Noun(
        RESOURCE_CONFIGURATION, "resourceConfigurationIdentifier", resource_configuration.create_resource_configuration,
        resource_configuration.update_resource_configuration, shows=False, reach=SHARED,
        where={
            "resourceGatewayIdentifier": "resourceGatewayId", "resourceConfigurationGroupIdentifier": "resourceConfigurationGroupId",
            "domainVerificationIdentifier": "domainVerificationId",
        },
    ),
    "AccessLogSubscription": _Noun(
        ACCESS_LOG_SUBSCRIPTION, "accessLogSubscriptionIdentifier", access_log.create_access_log_subscription,
        access_log.update_access_log_subscription, shows=False,
    ),
}  # fmt: skip
OTHERS: dict[str, Handler] = {
    "CreateListener": listener.create_listener,
    "GetListener": listener.get_listener,
    "ListListeners": verbs.listing(LISTENER, parent="serviceIdentifier", parent_kind=SERVICE),
    "UpdateListener": listener.update_listener,
    "DeleteListener": listener.delete_listener,
    "CreateRule": listener.create_rule,
    "GetRule": listener.get_rule,
    "ListRules": listener.list_rules,
    "UpdateRule": listener.update_rule,
    "BatchUpdateRule": listener.batch_update_rule,
    "DeleteRule": listener.delete_rule,
    "RegisterTargets": targets.register_targets,
    "DeregisterTargets": targets.deregister_targets,
    "ListTargets": targets.list_targets,
    "DeleteServiceNetworkResourceAssociation": associations.delete_resource_association,
    "ListServiceNetworkResourceAssociations": associations.list_resource_associations,
    "ListAccessLogSubscriptions": access_log.list_access_log_subscriptions,
    "PutAuthPolicy": auth_policy.put_auth_policy,
    "GetAuthPolicy": auth_policy.get_auth_policy,
    "DeleteAuthPolicy": auth_policy.delete_auth_policy,
    "PutResourcePolicy": resource_policy.put_resource_policy,
    "GetResourcePolicy": resource_policy.get_resource_policy,
    "DeleteResourcePolicy": resource_policy.delete_resource_policy,
    "StartDomainVerification": domain_verification.start_domain_verification,
    "GetDomainVerification": domain_verification.get_domain_verification,
    "ListDomainVerifications": domain_verification.list_domain_verifications,
    "DeleteDomainVerification": verbs.delete(DOMAIN_VERIFICATION, "domainVerificationIdentifier"),
    "ListServiceNetworkVpcEndpointAssociations": endpoint_associations.list_of_network,
    "ListResourceEndpointAssociations": endpoint_associations.list_of_resource,
    "DeleteResourceEndpointAssociation": endpoint_associations.delete_of_resource,
    "TagResource": _for_its_maker(verbs.tag_resource("resourceArn", "tags")),
    "UntagResource": _for_its_maker(verbs.untag_resource("resourceArn", "tagKeys")),
    "ListTagsForResource": _for_its_maker(verbs.list_tags("resourceArn", "tags", as_map=True)),
}


def _family(name: str, noun: _Noun) -> dict[str, Handler]:
    """Create, Get, Update, Delete and List of one noun."""
    listed = noun.reach.listed
    listing = _of_either(noun.kind, noun.where) if noun.needs_filter else verbs.listing(noun.kind, where=noun.where, listed=listed)
    found = {
        f"Create{name}": noun.create,
        f"Get{name}": verbs.get(noun.kind, noun.identifier, resolve=noun.reach.got),
        f"Delete{name}": verbs.delete(noun.kind, noun.identifier, answer=_shown if noun.shows else None, resolve=noun.reach.deleted),
        f"List{name}s": listing,
    }
    return found | ({f"Update{name}": noun.update} if noun.update else {})


OPERATIONS: Mapping[str, Handler] = {
    operation: _local(own_tags.checked(operation, service_role.with_role(operation, handler)))
    for found in (*(_family(name, noun) for name, noun in NOUNS.items()), OTHERS)
    for operation, handler in found.items()
}
