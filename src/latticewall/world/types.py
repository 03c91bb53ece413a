"""A region's resources as typed values, the input of `compile` and `analyze`.

Attributes are AWS's members in snake case; ids stay ids, so that every finding can name its resource. Collections are tuples sorted by id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any


@dataclass(frozen=True)
class Vpc:
    id: str
    arn: str
    account: str
    cidrs: tuple[IPv4Network, ...]
    dns_support: bool
    dns_hostnames: bool


@dataclass(frozen=True)
class Subnet:
    id: str
    vpc_id: str
    cidr: IPv4Network
    availability_zone: str
    route_table_id: str
    """Its explicit association's table, else the VPC's main table."""
    network_acl_id: str


@dataclass(frozen=True)
class Route:
    """target: the id of what it leads to ("local", tgw-, vpce-, eni-, ...)."""

    destination: IPv4Network
    target: str
    origin: str = "CreateRoute"


@dataclass(frozen=True)
class RouteTable:
    id: str
    vpc_id: str
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class SecurityGroupRule:
    """protocol: "-1", "tcp", "udp", "icmp" or a number. Ports -1..-1 when the protocol has none. Exactly one of cidr, group_id, prefix_list_id is set."""

    id: str
    egress: bool
    protocol: str
    from_port: int
    to_port: int
    cidr: IPv4Network | None = None
    group_id: str = ""
    prefix_list_id: str = ""


@dataclass(frozen=True)
class SecurityGroup:
    id: str
    vpc_id: str
    name: str
    rules: tuple[SecurityGroupRule, ...]


@dataclass(frozen=True)
class NetworkAclEntry:
    number: int
    egress: bool
    allow: bool
    protocol: str
    cidr: IPv4Network
    from_port: int = 0
    to_port: int = 65535


@dataclass(frozen=True)
class NetworkAcl:
    id: str
    vpc_id: str
    entries: tuple[NetworkAclEntry, ...]


@dataclass(frozen=True)
class PrefixList:
    id: str
    name: str
    cidrs: tuple[IPv4Network, ...]


@dataclass(frozen=True)
class NetworkInterface:
    """An elastic network interface. instance_id: "" when not attached. addresses: primary first."""

    id: str
    vpc_id: str
    subnet_id: str
    addresses: tuple[IPv4Address, ...]
    mac: str
    security_group_ids: tuple[str, ...]
    source_dest_check: bool = True
    instance_id: str = ""
    device_index: int = 0
    interface_type: str = "interface"


@dataclass(frozen=True)
class Instance:
    """state: pending, running, stopping, stopped, shutting-down, terminated. boot: changes at every start."""

    id: str
    arn: str
    account: str
    vpc_id: str
    subnet_id: str
    availability_zone: str
    state: str
    instance_type: str
    image_id: str
    private_ip: IPv4Address
    interface_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    user_data: str
    role_arn: str
    """The role of its instance profile, "" without."""
    role_name: str
    instance_profile_arn: str
    boot: str
    metadata_options: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    launch_time: str = ""
    reservation_id: str = ""
    launch_index: int = 0


@dataclass(frozen=True)
class TransitGatewayAttachment:
    """A VPC attachment. subnets: its attachment subnets, one per Availability Zone. route_table_id: its association, "" without."""

    id: str
    transit_gateway_id: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    appliance_mode: bool
    route_table_id: str = ""


@dataclass(frozen=True)
class TransitGatewayRoute:
    """attachment_id "" = blackhole."""

    destination: IPv4Network
    attachment_id: str
    type: str = "static"


@dataclass(frozen=True)
class TransitGatewayRouteTable:
    """routes: effective ones only (static wins over propagated of the same prefix)."""

    id: str
    transit_gateway_id: str
    routes: tuple[TransitGatewayRoute, ...]


@dataclass(frozen=True)
class TransitGateway:
    id: str
    attachments: tuple[TransitGatewayAttachment, ...]
    route_tables: tuple[TransitGatewayRouteTable, ...]


@dataclass(frozen=True)
class FirewallEndpoint:
    """A firewall's endpoint in one subnet."""

    id: str
    subnet_id: str
    vpc_id: str
    availability_zone: str


@dataclass(frozen=True)
class RuleGroup:
    """document: the API's RuleGroup member; type STATEFUL or STATELESS."""

    arn: str
    type: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Firewall:
    """policy: the API's FirewallPolicy member. logging: LogDestinationConfigs."""

    arn: str
    name: str
    account: str
    vpc_id: str
    endpoints: tuple[FirewallEndpoint, ...]
    policy_arn: str
    policy: dict[str, Any]
    rule_groups: tuple[RuleGroup, ...]
    logging: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class ServiceNetwork:
    id: str
    arn: str
    account: str
    auth_type: str
    policy: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LatticeRule:
    """A listener rule; the default rule has priority 0 and match {}. match and action as in the API."""

    id: str
    priority: int
    is_default: bool
    match: dict[str, Any]
    action: dict[str, Any]


@dataclass(frozen=True)
class Listener:
    """rules: in order of evaluation, the default rule last."""

    id: str
    arn: str
    service_id: str
    protocol: str
    port: int
    rules: tuple[LatticeRule, ...]


@dataclass(frozen=True)
class Service:
    id: str
    arn: str
    account: str
    name: str
    auth_type: str
    policy: str
    dns_name: str
    custom_domain_name: str
    idle_timeout: int
    listeners: tuple[Listener, ...]
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Target:
    """id: instance id or IP; address: resolved, None when it cannot be; draining targets are left out of the world."""

    id: str
    port: int
    address: IPv4Address | None


@dataclass(frozen=True)
class TargetGroup:
    """health_check: the API's complete, defaulted healthCheck ({} when it has none)."""

    id: str
    arn: str
    type: str
    protocol: str
    protocol_version: str
    port: int
    vpc_id: str
    health_check: dict[str, Any]
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class VpcAssociation:
    id: str
    arn: str
    service_network_id: str
    vpc_id: str
    security_group_ids: tuple[str, ...]
    private_dns_enabled: bool = False
    dns_options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ServiceAssociation:
    id: str
    arn: str
    service_network_id: str
    service_id: str


@dataclass(frozen=True)
class ResourceGateway:
    """addresses: one per subnet, reserved in the subnet for the gateway's network interface."""

    id: str
    arn: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    addresses: tuple[IPv4Address, ...]


@dataclass(frozen=True)
class ResourceConfiguration:
    """port_ranges: inclusive. definition: the API's resourceConfigurationDefinition. policy: its own auth policy, "" = none."""

    id: str
    arn: str
    account: str
    type: str
    gateway_id: str
    protocol: str
    port_ranges: tuple[tuple[int, int], ...]
    definition: dict[str, Any]
    custom_domain_name: str
    policy: str
    has_policy: bool
    """An auth policy has been put (even if it says nothing): Connect is then decided by it."""
    domain_verified: bool = False


@dataclass(frozen=True)
class ResourceAssociation:
    """address: the 129.224.0.0/17 address under which VPCs of the service network reach it."""

    id: str
    arn: str
    service_network_id: str
    resource_configuration_id: str
    address: IPv4Address
    private_dns_enabled: bool
    dns_name: str


@dataclass(frozen=True)
class HostedZone:
    """A private hosted zone. records: the API's ResourceRecordSet documents."""

    id: str
    name: str
    vpc_ids: tuple[str, ...]
    records: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Credential:
    """An access key and the principal behind it, as far as decisions need it. Never the secret."""

    access_key_id: str
    arn: str
    account: str
    principal_type: str
    user_id: str
    role_arn: str
    org_id: str
    org_paths: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    policies: tuple[str, ...]
    boundary: str = ""
    session_policy: str = ""
    expires: str = ""
    token_digest: str = ""


@dataclass(frozen=True)
class Role:
    """An IAM role with its identity policies' texts."""

    arn: str
    name: str
    account: str
    role_id: str
    policies: tuple[str, ...]
    boundary: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    org_id: str = ""
    org_paths: tuple[str, ...] = ()


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
    target_groups: tuple[TargetGroup, ...] = ()
    vpc_associations: tuple[VpcAssociation, ...] = ()
    service_associations: tuple[ServiceAssociation, ...] = ()
    resource_gateways: tuple[ResourceGateway, ...] = ()
    resource_configurations: tuple[ResourceConfiguration, ...] = ()
    resource_associations: tuple[ResourceAssociation, ...] = ()
    hosted_zones: tuple[HostedZone, ...] = ()
    credentials: tuple[Credential, ...] = ()
    roles: tuple[Role, ...] = ()
