"""Rows -> World: references resolved, defaults explicit, sorted. What is being deleted is already gone here; a reference to nothing leaves the referrer out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from latticewall.base.memo import Memo
from latticewall.base.rows import Row
from latticewall.world.from_rows.databases import build_databases
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
    found = Rows(rows, sys.intern(region), memo)
    follow = found.follow
    subnets = follow(build_subnets)
    instances = follow(build_instances)
    return World(
        region=found.region,
        revision=revision,
        now=now,
        vpcs=follow(build_vpcs),
        subnets=subnets,
        route_tables=follow(build_route_tables),
        security_groups=follow(build_security_groups),
        network_acls=follow(build_network_acls),
        prefix_lists=follow(build_prefix_lists),
        network_interfaces=follow(build_network_interfaces),
        instances=instances,
        transit_gateways=follow(build_transit_gateways),
        firewalls=follow(build_firewalls),
        service_networks=follow(build_service_networks),
        services=follow(build_services),
        certificates=follow(build_certificates),
        target_groups=follow(build_target_groups, instances),
        vpc_associations=follow(build_vpc_associations),
        service_associations=follow(build_service_associations),
        resource_gateways=follow(build_resource_gateways),
        resource_configurations=follow(build_resource_configurations),
        resource_associations=follow(build_resource_associations),
        vpc_endpoints=follow(build_vpc_endpoints),
        load_balancers=follow(build_load_balancers),
        load_balancer_target_groups=follow(build_load_balancer_target_groups, instances),
        hosted_zones=follow(build_hosted_zones),
        accounts=follow(build_accounts),
        identities=follow(build_identities),
        credentials=build_credentials(found, now),
        functions=follow(build_functions),
        databases=follow(build_databases),
    )
