"""Members of answers that follow from the row or from what refers to it."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice.associations import OF_CHILD
from latticewall.services.vpc_lattice.nouns import (
    DOMAIN_VERIFICATION,
    RESOURCE_ASSOCIATION,
    RESOURCE_CONFIGURATION,
    SERVICE,
    SERVICE_ASSOCIATION,
    SERVICE_NETWORK,
    VPC_ASSOCIATION,
)
from latticewall.services.vpc_lattice.sharing import local_arn


def times(row: Row) -> Document:
    """When it was made and changed, and why it failed."""
    shown = {"createdAt": row.created_at, "lastUpdatedAt": row.updated_at}
    if row.reason:
        shown |= {"failureCode": "InternalFailure", "failureMessage": row.reason, "failureReason": row.reason}
    return shown


def service_network(ctx: Context, row: Row) -> Document:
    return {
        "numberOfAssociatedVPCs": ctx.count_referring(row, VPC_ASSOCIATION),
        "numberOfAssociatedServices": ctx.count_referring(row, SERVICE_ASSOCIATION),
        "numberOfAssociatedResourceConfigurations": ctx.count_referring(row, RESOURCE_ASSOCIATION, OF_CHILD),
    }


def identity(ctx: Context, kind: str, prefix: str, identifier: str) -> Document:
    """The Id, Arn and Name of a resource that an answer speaks of."""
    row = ctx.tx.get(kind, identifier)
    return {f"{prefix}Id": row.id, f"{prefix}Arn": row.arn, f"{prefix}Name": row.name} if row else {}


def association(ctx: Context, row: Row) -> Document:
    """What all three associations show of their service network, and of the other side."""
    shown = {"arn": local_arn(ctx, row), **identity(ctx, SERVICE_NETWORK, "serviceNetwork", row.document["serviceNetworkId"])}
    if row.kind == SERVICE_ASSOCIATION:
        shown |= identity(ctx, SERVICE, "service", row.document["serviceId"])
    return shown


def resource_association(ctx: Context, row: Row) -> Document:
    """With its resource configuration. A group's association is PARTIAL while one of its children's is not what it should be."""
    shown = {**association(ctx, row), **identity(ctx, RESOURCE_CONFIGURATION, "resourceConfiguration", row.document["resourceConfigurationId"])}
    shown |= verification_status(ctx, ctx.tx.get(RESOURCE_CONFIGURATION, row.document["resourceConfigurationId"]))
    broken = [child for child in ctx.referring(row, RESOURCE_ASSOCIATION, "group") if child.reason and child.status != "deleting"]
    if row.status == "ready" and broken:
        reason = f"{broken[0].id} ({broken[0].document['resourceConfigurationId']}): {broken[0].reason}"
        shown |= {"status": "PARTIAL", "failureCode": "InternalFailure", "failureReason": reason}
    return shown


def resource_configuration(ctx: Context, row: Row) -> Document:
    return {"amazonManaged": False, **verification_status(ctx, row)}


def verification_status(ctx: Context, configuration: Row | None) -> Document:
    """The state of the domain verification that a resource configuration names."""
    named = configuration.document.get("domainVerificationId") if configuration else None
    found = ctx.tx.get(DOMAIN_VERIFICATION, named) if named else None
    return {"domainVerificationStatus": found.document["status"]} if found else {}


def rule(row: Row) -> Document:
    """A match without header conditions shows an empty list of them, as GetRule does."""
    shown = times(row)
    http = (row.document.get("match") or {}).get("httpMatch")
    return {**shown, "match": {"httpMatch": {"headerMatches": [], **http}}} if http else shown


def resource_gateway(row: Row) -> Document:
    """AWS says vpcIdentifier in some answers and vpcId in others."""
    return {**times(row), "vpcIdentifier": row.document["vpcId"], "serviceManaged": False}


def domain_verification(row: Row) -> Document:
    return {**times(row), "tags": dict(row.tags)}
