"""VPC Lattice's service networks, services, targets and resources."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any


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
    certificate_arn: str = ""


@dataclass(frozen=True)
class ServerCertificate:
    """A certificate of ACM that can be served. fingerprint: changes when another one takes its place. names: for which it is, lower case; the rest as ACM
    shows it."""

    arn: str
    fingerprint: str
    names: tuple[str, ...] = ()
    key_algorithm: str = ""
    signature_algorithm: str = ""
    not_after: str = ""


@dataclass(frozen=True)
class Target:
    """id: instance id, IP, or ARN of a load balancer (then there is one of these for each of its addresses) or a function (port 0 then); address:
    resolved, None when it cannot be; draining targets are left out of the world."""

    id: str
    port: int
    address: IPv4Address | IPv6Address | None


@dataclass(frozen=True)
class TargetGroup:
    """health_check: the API's complete, defaulted healthCheck ({} when it has none). event_structure: of a LAMBDA group, V1 or V2."""

    id: str
    arn: str
    type: str
    protocol: str
    protocol_version: str
    port: int
    vpc_id: str
    health_check: dict[str, Any]
    targets: tuple[Target, ...]
    event_structure: str = ""
    is_ipv6: bool = False
    """Its targets have IPv6 addresses."""


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
    """addresses: of all its network interfaces, one of each subnet first. resolution: PUBLIC or IN_VPC, how the names of its resources are resolved."""

    id: str
    arn: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]
    resolution: str = "PUBLIC"


@dataclass(frozen=True)
class ResourceConfiguration:
    """type: SINGLE, GROUP, CHILD, ARN or CIDR. port_ranges: inclusive. definition: the API's resourceConfigurationDefinition, {} of a GROUP; of an ARN the
    ipResource that its DB instance is while it runs. policy: its own auth policy, else its group's, "" = none. domain_verified: the domain verification that
    it names has succeeded; verification_lost_at: when it ceased to be so (ISO 8601), "" = never. group_id, group_arn: of a CHILD. group_domain: of a GROUP
    and of its children. custom_domain_name: of an ARN the DB instance's own name."""

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
    verification_lost_at: str = ""
    group_id: str = ""
    group_arn: str = ""
    group_domain: str = ""
    tags: tuple[tuple[str, str], ...] = ()


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
    created_at: str = ""
