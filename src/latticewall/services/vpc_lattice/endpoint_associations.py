"""Which VPC endpoints lead to a service network or to a resource: EC2 makes these associations with an endpoint, and they go with it."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.find import usable
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
    return {**times(ctx, row), "serviceNetworkArn": network.get("serviceNetworkArn"), "vpcEndpointOwnerId": row.document["vpcEndpointOwner"], "state": state}


def view_of_resource(ctx: Context, row: Row) -> Document:
    return {**times(ctx, row), **identity(ctx, RESOURCE_CONFIGURATION, "resourceConfiguration", row.document["resourceConfigurationId"])}


def list_of_network(ctx: Context, params: Document) -> Document:
    """ListServiceNetworkVpcEndpointAssociations: endpoints of whatever account."""
    network = ctx.resolve(SERVICE_NETWORK, params["serviceNetworkIdentifier"])
    return {"items": [ctx.view(row) for row in ctx.referring(network, ENDPOINT_ASSOCIATION)]}


def list_of_resource(ctx: Context, params: Document) -> Document:
    """ListResourceEndpointAssociations, with its filters."""
    configuration = ctx.resolve(RESOURCE_CONFIGURATION, params["resourceConfigurationIdentifier"])
    shown = [ctx.view(row) for row in ctx.referring(configuration, RESOURCE_ENDPOINT_ASSOCIATION)]
    for given, member in FILTERS.items():
        if params.get(given):
            shown = [one for one in shown if one[member] == params[given]]
    wanted = params.get("resourceEndpointAssociationIdentifier")
    return {"items": [one for one in shown if wanted in (None, one["id"], one["arn"])]}


def delete_of_resource(ctx: Context, params: Document) -> Document:
    """DeleteResourceEndpointAssociation, by the owner of the resource configuration: the endpoint stays and leads nowhere."""
    wanted = params["resourceEndpointAssociationIdentifier"]
    row = ctx.tx.by_arn(wanted) if wanted.startswith("arn:") else ctx.tx.get(RESOURCE_ENDPOINT_ASSOCIATION, wanted)
    configuration = ctx.find(RESOURCE_CONFIGURATION, row.document["resourceConfigurationId"]) if row and row.kind == RESOURCE_ENDPOINT_ASSOCIATION else None
    if row is None or configuration is None:
        raise text.not_found(RESOURCE_ENDPOINT_ASSOCIATION, wanted)
    usable(ctx, RESOURCE_CONFIGURATION, configuration.id)
    shown = ctx.view(row)
    ctx.remove(row)
    return shown
