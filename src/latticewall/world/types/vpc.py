"""VPCs and what is in them: subnets, routes, gates, interfaces, instances, and the hosted zones they see."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Vpc:
    id: str
    arn: str
    account: str
    cidrs: tuple[IPv4Network, ...]
    dns_support: bool
    dns_hostnames: bool
    ipv6_cidrs: tuple[IPv6Network, ...] = ()


@dataclass(frozen=True)
class Subnet:
    """cidr: its IPv4 block, None of one with IPv6 only."""

    id: str
    vpc_id: str
    cidr: IPv4Network | None
    availability_zone: str
    route_table_id: str
    """Its explicit association's table, else the VPC's main table."""
    network_acl_id: str
    ipv6_cidr: IPv6Network | None = None


@dataclass(frozen=True)
class Route:
    """target: the id of what it leads to ("local", tgw-, vpce-, eni-, ...)."""

    destination: Network
    target: str
    origin: str = "CreateRoute"


@dataclass(frozen=True)
class RouteTable:
    id: str
    vpc_id: str
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class SecurityGroupRule:
    """protocol: "-1", "tcp", "udp", "icmp", "icmpv6" or a number.

    Ports -1..-1 when the protocol has none. Exactly one of cidr, group_id, prefix_list_id is set."""

    id: str
    egress: bool
    protocol: str
    from_port: int
    to_port: int
    cidr: Network | None = None
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
    cidr: Network
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
    cidrs: tuple[Network, ...]


@dataclass(frozen=True)
class NetworkInterface:
    """An elastic network interface. instance_id: "" when not attached. addresses: IPv4, primary first; none where there is IPv6 only."""

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
    ipv6_addresses: tuple[IPv6Address, ...] = ()


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
    private_ip: IPv4Address | None
    """The primary IPv4 address of its primary interface; None with IPv6 only."""
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
    availability_zone_id: str = ""
    architecture: str = ""
    """x86_64 or arm64."""
    instance_profile_id: str = ""
    monitoring: str = "disabled"
    private_dns_name: str = ""
    """The name that AWS gives it, after its address or its id."""
    resource_name_records: frozenset[str] = frozenset()
    """Of which types the VPC's resolver has records of the name after its id: A, AAAA."""


@dataclass(frozen=True)
class HostedZone:
    """A hosted zone: private in its VPCs, public when it has none. records: the API's ResourceRecordSet documents."""

    id: str
    name: str
    vpc_ids: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
