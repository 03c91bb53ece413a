"""What endpoints lead to, one by one, with the names that lead there through them ("DescribeVpcEndpointAssociations")."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.base.lattice_names import endpoint_resource_name, endpoint_service_name, zone_id
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_private_dns, endpoint_zones, lattice_endpoint
from latticewall.services.ec2.describe import choose, paths, select

KIND = "ec2:VpcEndpoint"
FILTERS = paths(
    "vpc-endpoint-id associated-resource-accessibility service-network-arn resource-configuration-group-arn",
    association_id="Id", associated_resource_id="_resource",
)  # fmt: skip
SPOKEN = {"available": "Accessible", "accessible": "Accessible", "pending": "Pending", "failed": "Failed"}
"""The filter's words, which AWS's page spells AVAILABLE, PENDING and FAILED, and its answers otherwise."""


def describe_vpc_endpoint_associations(ctx: Context, params: Document) -> Document:
    """DescribeVpcEndpointAssociations: of the services and resources behind endpoints, whoever owns these."""
    endpoints = [row for row in choose(ctx, KIND, params.get("VpcEndpointIds")) if row.document.get("VpcEndpointType") in lattice_endpoint.TYPES]
    shown = [one for row in endpoints if row.status != "deleting" for one in _associations(ctx, row)]
    chosen = select(shown, [_spoken(rule) for rule in params.get("Filters") or ()], FILTERS)
    return {"VpcEndpointAssociations": [{member: value for member, value in one.items() if not member.startswith("_")} for one in chosen]}


def _spoken(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    if rule.get("Name") != "associated-resource-accessibility":
        return rule
    return {**rule, "Values": [SPOKEN.get(str(value).lower(), value) for value in rule.get("Values") or ()]}


def _associations(ctx: Context, endpoint: Row) -> Iterator[Document]:
    joined = ctx.referring(endpoint, lattice_endpoint.TYPES["ServiceNetwork"].association)
    network = next((found for one in joined for found in ctx.referred(one, "serviceNetworkIdentifier")), None)
    of_network = {"ServiceNetworkArn": network.arn, "ServiceNetworkName": network.name} if network else {}
    for association in ctx.referring(network, "vpc-lattice:ServiceNetworkServiceAssociation") if network else ():
        name = endpoint_service_name(endpoint.region, endpoint.id, association.id)
        for service in ctx.referred(association, "serviceIdentifier"):
            yield _association(endpoint, association, service, name, of_network, _state(endpoint, association))
    private = {(by, leaf.id): domain for by, leaf, domain in endpoint_private_dns.private_names(ctx, endpoint)}
    for through, configuration, leaf in endpoint_zones.leads_to(ctx, endpoint):
        key = (through.id if through else "", leaf.id)
        name = endpoint_resource_name(endpoint.region, endpoint.id, *key)
        shown = _association(endpoint, through, leaf, name, of_network, _state(endpoint, through, leaf, key))
        if key in private:
            shown["PrivateDnsEntry"] = {"DnsName": private[key]}
        if configuration.id != leaf.id:
            shown["ResourceConfigurationGroupArn"] = configuration.arn
        yield shown


def _association(endpoint: Row, association: Row | None, resource: Row, name: str, of_network: Document, state: Document) -> Document:
    domain = "svcs" if resource.kind == "vpc-lattice:Service" else "rsc"
    digest = hashlib.sha256("/".join((endpoint.id, association.id if association else "", resource.id)).encode()).hexdigest()[:17]
    return {
        "Id": f"vpce-rsc-asc-{digest}", "VpcEndpointId": endpoint.id, **of_network, "AssociatedResourceArn": resource.arn, **state,
        "DnsEntry": {"DnsName": name, "HostedZoneId": zone_id(domain, endpoint.region)}, "Tags": [], "_resource": resource.id,
    }  # fmt: skip


def _state(endpoint: Row, association: Row | None, leaf: Row | None = None, key: endpoint_zones.Reached = ("", "")) -> Document:
    """Accessible only when the data plane has it."""
    for failed in endpoint.document["_failed"] if leaf else ():
        if (failed["AssociationId"], failed["ConfigurationId"]) == key:
            return {"AssociatedResourceAccessibility": "Failed", "FailureCode": failed["Code"], "FailureReason": failed["Message"]}
    on_the_way = [row for row in (endpoint, association, leaf) if row is not None]
    for row in on_the_way:
        if row.reason or row.status == "failed":
            return {"AssociatedResourceAccessibility": "Failed", "FailureCode": "InternalError", "FailureReason": row.reason or f"{row.id} has failed"}
    addressed = leaf is None or all(
        any((held["AssociationId"], held["ConfigurationId"]) == key for held in zone["Resources"]) for zone in endpoint.document["_zones"]
    )
    ready = addressed and all(row.status == "ready" for row in on_the_way)
    return {"AssociatedResourceAccessibility": "Accessible" if ready else "Pending"}
