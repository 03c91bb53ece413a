"""Which VPC endpoints lead to a service network or to a resource: EC2 makes these associations with an endpoint, and they go with it."""

from __future__ import annotations

from latticewall.base.endpoint_payers import ENDPOINT_ACCOUNT, GATEWAY_PAYER
from latticewall.base.faults import NotFound
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import sharing, text
from latticewall.services.vpc_lattice.nouns import (
    ENDPOINT_ASSOCIATION,
    RESOURCE_CONFIGURATION,
    RESOURCE_ENDPOINT_ASSOCIATION,
    SERVICE_NETWORK,
    VPC_ENDPOINT,
)
from latticewall.services.vpc_lattice.view import identity, times

FILTERS = {"vpcEndpointId": "vpcEndpointId", "vpcEndpointOwner": "vpcEndpointOwner"}


def view_of_network(ctx: Context, row: Row) -> Document:
    """An association of a service network: as far as its endpoint is."""
    endpoint = ctx.tx.get(VPC_ENDPOINT, row.document["vpcEndpointId"])
    network = identity(ctx, SERVICE_NETWORK, "serviceNetwork", row.document["serviceNetworkId"])
    state = text.STATUS["ready" if endpoint and endpoint.status == "updating" else endpoint.status if endpoint else "deleting"]
    return {**times(row), "serviceNetworkArn": network.get("serviceNetworkArn"), "vpcEndpointOwnerId": row.document["vpcEndpointOwner"], "state": state}


def view_of_resource(ctx: Context, row: Row) -> Document:
    configuration = identity(ctx, RESOURCE_CONFIGURATION, "resourceConfiguration", row.document["resourceConfigurationId"])
    endpoint = ctx.tx.get(VPC_ENDPOINT, row.document["vpcEndpointId"])
    paid_there = endpoint is not None and endpoint.document.get(GATEWAY_PAYER) == ENDPOINT_ACCOUNT
    payers = [{"scope": "ResourceGatewayCharges", "payerResponsibilityType": "VpcEndpointAccount" if paid_there else "ResourceGatewayAccount"}]
    return {**times(row), **configuration, "arn": sharing.local_arn(ctx, row), "payerResponsibility": payers}


def list_of_network(ctx: Context, params: Document) -> Document:
    """ListServiceNetworkVpcEndpointAssociations: to the network's owner endpoints of whatever account, to who shares it his own."""
    return {"items": [ctx.view(row) for row in _of(ctx, SERVICE_NETWORK, params["serviceNetworkIdentifier"], ENDPOINT_ASSOCIATION)]}


def list_of_resource(ctx: Context, params: Document) -> Document:
    """ListResourceEndpointAssociations, with its filters."""
    shown = [ctx.view(row) for row in _of(ctx, RESOURCE_CONFIGURATION, params["resourceConfigurationIdentifier"], RESOURCE_ENDPOINT_ASSOCIATION)]
    for given, member in FILTERS.items():
        if params.get(given):
            shown = [one for one in shown if one[member] == params[given]]
    wanted = params.get("resourceEndpointAssociationIdentifier")
    return {"items": [one for one in shown if wanted in (None, one["id"], one["arn"])]}


def _of(ctx: Context, kind: str, identifier: str, association: str) -> list[Row]:
    """The associations of a resource with a side in the caller's account, in the order in which they were made. One that does not exist has none: these
    operations model no other answer."""
    try:
        row = sharing.shared(ctx, kind, identifier)
    except NotFound:
        return []
    found = (found for found in ctx.referring(row, association) if sharing.is_side(ctx, found))
    return sorted(found, key=lambda found: (found.created_at, found.id))


def delete_of_resource(ctx: Context, params: Document) -> Document:
    """DeleteResourceEndpointAssociation, by the owner of the resource configuration: the endpoint stays and leads nowhere."""
    row = sharing.own_association(ctx, RESOURCE_ENDPOINT_ASSOCIATION, params["resourceEndpointAssociationIdentifier"])
    if ctx.find(RESOURCE_CONFIGURATION, row.document["resourceConfigurationId"]) is None:
        raise text.denied(ctx.caller.arn, ctx.operation, sharing.local_arn(ctx, row))
    shown = ctx.view(row)
    ctx.remove(row)
    return shown
