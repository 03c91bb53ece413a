"""Private zones that VPC Lattice makes for custom domain names of resources ("Custom domain names for VPC resources").

A SINGLE has a zone of the name itself, the children of a GROUP have one together, of the group's domain; without group domain they have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.base.private_dns import covers, is_at_or_above
from latticewall.compile import addresses
from latticewall.compile.hosted_zones import absolute, address_records
from latticewall.compile.index import Index
from latticewall.compile.resource_doors import published, reached_through
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.names import Record
from latticewall.world.types import ResourceConfiguration, Vpc, VpcAssociation, VpcEndpoint

TTL = 60
IN_VPC = "IN_VPC"


def private_zones(index: Index, gates: ServiceNetworkGates, vpc: Vpc) -> dict[str, list[Record]]:
    """Records by zone. Of two resources of one name the first has it: those of the VPC's association before those of its endpoints."""
    found: dict[str, list[Record]] = {}
    for configuration, found_addresses in (*_associated(gates, vpc), *_through_endpoints(index, gates, vpc)):
        name, records = absolute(configuration.custom_domain_name), found.setdefault(zone_of(configuration), [])
        if all(record.name != name for record in records):
            records += address_records(name, TTL, found_addresses)
    return found


def _associated(gates: ServiceNetworkGates, vpc: Vpc) -> Iterator[tuple[ResourceConfiguration, tuple[str, ...]]]:
    """Without private DNS on the resource's association there is no zone anywhere; with it, the VPC's association says whether and for which domains."""
    association = gates.association_of.get(vpc.id)
    for resource, configuration in gates.resources(vpc.id) if association else ():
        enabled = resource.private_dns_enabled and _takes(association, configuration)
        if association and enabled and is_wanted(gates, vpc, association.dns_options, resource.created_at, configuration):
            yield configuration, addresses.both_families(vpc, resource.address)


def _takes(consumer: VpcAssociation | VpcEndpoint | None, configuration: ResourceConfiguration) -> bool:
    """Whether private DNS is on for the consumer, which for the names of DB instances (ARN) is not asked ("Custom domain names for service network owners")."""
    return consumer is not None and (consumer.private_dns_enabled or configuration.type == "ARN")


def _through_endpoints(index: Index, gates: ServiceNetworkGates, vpc: Vpc) -> Iterator[tuple[ResourceConfiguration, tuple[str, ...]]]:
    """The same with endpoints; one of a resource alone has no association to ask."""
    for endpoint in index.world.vpc_endpoints:
        for item in reached_through(index, gates, endpoint) if endpoint.vpc_id == vpc.id else ():
            association = gates.associations[item.association_id] if item.association_id else None
            since = max(association.created_at if association else "", endpoint.created_at)
            enabled = association.private_dns_enabled and _takes(endpoint, item.configuration) if association else endpoint.private_dns_enabled
            if enabled and is_wanted(gates, vpc, endpoint.dns_options, since, item.configuration):
                yield item.configuration, published(endpoint, item.addresses, private=True)


def zone_of(configuration: ResourceConfiguration) -> str:
    """The zone that holds the configuration's custom domain name, "" for none."""
    if not configuration.custom_domain_name:
        return ""
    domain = configuration.group_domain if configuration.group_id else configuration.custom_domain_name
    return absolute(domain) if domain else ""


def is_wanted(gates: ServiceNetworkGates, vpc: Vpc, options: Mapping[str, Any], since: str, configuration: ResourceConfiguration) -> bool:
    """Whether a consumer with these DNS options takes the name into its VPC. since: when the resource became reachable there (ISO 8601): a domain that
    has lost its verification later still counts as verified."""
    if not zone_of(configuration) or _hides_its_target(gates, vpc, configuration):
        return False
    verified = configuration.domain_verified or since < configuration.verification_lost_at
    return any(covers(options, domain, verified=verified) for domain in (configuration.custom_domain_name, configuration.group_domain) if domain)


def _hides_its_target(gates: ServiceNetworkGates, vpc: Vpc, configuration: ResourceConfiguration) -> bool:
    """In the gateway's own VPC, a zone at or above the name by which the gateway looks for the resource there, or by which a DB instance is known there."""
    gateway = gates.gateways.get(configuration.gateway_id)
    if configuration.type == "ARN":  # there its name leads to the DB instance itself
        return gateway is not None and gateway.vpc_id == vpc.id
    target = configuration.definition.get("dnsResource", {}).get("domainName", "")
    if gateway is None or not target or gateway.vpc_id != vpc.id or gateway.resolution != IN_VPC:
        return False
    return is_at_or_above(zone_of(configuration), target)
