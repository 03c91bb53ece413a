"""A region's resources as typed values, the input of `compile` and `analyze`.

Attributes are AWS's members in snake case; ids stay ids, so that every finding can name its resource. Collections are tuples sorted by id.
"""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.world.types.databases import Database
from latticewall.world.types.endpoints import EndpointZone, VpcEndpoint
from latticewall.world.types.firewall import (
    Firewall,
    FirewallEndpoint,
    RuleGroup,
)
from latticewall.world.types.functions import LambdaFunction, LambdaVersion
from latticewall.world.types.identity import (
    Account,
    Credential,
    Identity,
)
from latticewall.world.types.lattice import (
    LatticeRule,
    Listener,
    ResourceAssociation,
    ResourceConfiguration,
    ResourceGateway,
    ServerCertificate,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    Target,
    TargetGroup,
    VpcAssociation,
)
from latticewall.world.types.load_balancers import (
    LoadBalancer,
    LoadBalancerListener,
    LoadBalancerNode,
    LoadBalancerRule,
    LoadBalancerTargetGroup,
)
from latticewall.world.types.transit_gateway import (
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
)
from latticewall.world.types.vpc import (
    HostedZone,
    Instance,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)

__all__ = [
    "Account",
    "Credential",
    "Database",
    "EndpointZone",
    "Firewall",
    "FirewallEndpoint",
    "HostedZone",
    "Identity",
    "Instance",
    "LambdaFunction",
    "LambdaVersion",
    "LatticeRule",
    "Listener",
    "LoadBalancer",
    "LoadBalancerListener",
    "LoadBalancerNode",
    "LoadBalancerRule",
    "LoadBalancerTargetGroup",
    "Network",
    "NetworkAcl",
    "NetworkAclEntry",
    "NetworkInterface",
    "PrefixList",
    "ResourceAssociation",
    "ResourceConfiguration",
    "ResourceGateway",
    "Route",
    "RouteTable",
    "RuleGroup",
    "SecurityGroup",
    "SecurityGroupRule",
    "ServerCertificate",
    "Service",
    "ServiceAssociation",
    "ServiceNetwork",
    "Subnet",
    "Target",
    "TargetGroup",
    "TransitGateway",
    "TransitGatewayAttachment",
    "TransitGatewayRoute",
    "TransitGatewayRouteTable",
    "Vpc",
    "VpcAssociation",
    "VpcEndpoint",
    "World",
]


@dataclass(frozen=True)
class World:
    """Everything of one region that the data plane depends on, at one revision. now: ISO time, for policies that depend on it."""

    region: str
    revision: int
    now: str
    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    network_acls: tuple[NetworkAcl, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    network_interfaces: tuple[NetworkInterface, ...] = ()
    instances: tuple[Instance, ...] = ()
    transit_gateways: tuple[TransitGateway, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    service_networks: tuple[ServiceNetwork, ...] = ()
    services: tuple[Service, ...] = ()
    certificates: tuple[ServerCertificate, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    vpc_associations: tuple[VpcAssociation, ...] = ()
    service_associations: tuple[ServiceAssociation, ...] = ()
    resource_gateways: tuple[ResourceGateway, ...] = ()
    resource_configurations: tuple[ResourceConfiguration, ...] = ()
    resource_associations: tuple[ResourceAssociation, ...] = ()
    vpc_endpoints: tuple[VpcEndpoint, ...] = ()
    load_balancers: tuple[LoadBalancer, ...] = ()
    load_balancer_target_groups: tuple[LoadBalancerTargetGroup, ...] = ()
    hosted_zones: tuple[HostedZone, ...] = ()
    accounts: tuple[Account, ...] = ()
    identities: tuple[Identity, ...] = ()
    credentials: tuple[Credential, ...] = ()
    functions: tuple[LambdaFunction, ...] = ()
    databases: tuple[Database, ...] = ()
