"""Rows -> World: references resolved, defaults explicit, sorted. What is being deleted is already gone here; a reference to nothing leaves the referrer out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from latticewall.base.memo import Memo
from latticewall.base.rows import Row
from latticewall.world.from_rows.ec2 import (
    build_instances,
    build_network_acls,
    build_network_interfaces,
    build_prefix_lists,
    build_route_tables,
    build_security_groups,
    build_subnets,
    build_vpcs,
)
from latticewall.world.from_rows.endpoints import build_vpc_endpoints
from latticewall.world.from_rows.firewall import build_firewalls
from latticewall.world.from_rows.functions import build_functions
from latticewall.world.from_rows.identity import build_accounts, build_credentials, build_identities
from latticewall.world.from_rows.lattice import (
    build_certificates,
    build_resource_associations,
    build_resource_configurations,
    build_resource_gateways,
    build_service_associations,
    build_service_networks,
    build_services,
    build_target_groups,
    build_vpc_associations,
)
from latticewall.world.from_rows.load_balancers import build_load_balancer_target_groups, build_load_balancers
from latticewall.world.from_rows.rows import Rows
from latticewall.world.from_rows.transit_gateway import build_transit_gateways
from latticewall.world.from_rows.zones import build_hosted_zones
from latticewall.world.types import World

__all__ = ["build_world"]


def build_world(rows: Iterable[Row] | Mapping[str, tuple[Row, ...]], region: str, revision: int, now: str, memo: Memo | None = None) -> World:
    """The world of one region. rows: of every kind, or by kind and then by id; those of other regions are left out, global ones stay. now: ISO 8601.
    memo: of this region's rounds."""
    found = Rows(rows, region, memo)
    subnets = build_subnets(found)
    instances = build_instances(found)
    return World(
        region=region,
        revision=revision,
        now=now,
        vpcs=build_vpcs(found),
        subnets=subnets,
        route_tables=build_route_tables(found),
        security_groups=build_security_groups(found),
        network_acls=build_network_acls(found),
        prefix_lists=build_prefix_lists(found),
        network_interfaces=build_network_interfaces(found),
        instances=instances,
        transit_gateways=build_transit_gateways(found),
        firewalls=build_firewalls(found),
        service_networks=build_service_networks(found),
        services=build_services(found),
        certificates=build_certificates(found),
        target_groups=build_target_groups(found, instances),
        vpc_associations=build_vpc_associations(found),
        service_associations=build_service_associations(found),
        resource_gateways=build_resource_gateways(found),
        resource_configurations=build_resource_configurations(found),
        resource_associations=build_resource_associations(found),
        vpc_endpoints=build_vpc_endpoints(found),
        load_balancers=build_load_balancers(found),
        load_balancer_target_groups=build_load_balancer_target_groups(found, instances),
        hosted_zones=build_hosted_zones(found),
        accounts=build_accounts(found),
        identities=build_identities(found),
        credentials=build_credentials(found, now),
        functions=build_functions(found),
    )
