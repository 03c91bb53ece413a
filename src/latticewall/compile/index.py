"""Look-ups over a world that several concerns need, built once per compilation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

from latticewall.base.ids import device, namespace
from latticewall.base.memo import Memo
from latticewall.world.types import (
    Credential,
    Database,
    FirewallEndpoint,
    Instance,
    LoadBalancer,
    LoadBalancerNode,
    Network,
    NetworkInterface,
    ResourceGateway,
    SecurityGroup,
    Subnet,
    TransitGatewayAttachment,
    Vpc,
    VpcEndpoint,
    World,
)

T = TypeVar("T")
RUNNING = ("pending", "running")
SOURCE_INSTANCE = "ec2:SourceInstanceArn"
"""The condition key that only sessions handed out by instance metadata have."""


@dataclass(frozen=True)
class Connected:
    """A network interface at the end of a link to its VPC's router."""

    interface: NetworkInterface
    subnet: Subnet

    @property
    def router_device(self) -> str:
        return device("e", self.interface.id)


@dataclass(frozen=True)
class Attached(Connected):
    """A network interface of a running instance, with the names of both ends of its link."""

    instance: Instance

    @property
    def instance_device(self) -> str:
        return f"eth{self.interface.device_index}"

    @property
    def instance_namespace(self) -> str:
        return namespace("i", self.instance.id)


@dataclass(frozen=True)
class EndpointInterface(Connected):
    """A VPC endpoint's network interface in one subnet; its addresses are those that are served there."""

    endpoint: VpcEndpoint

    @property
    def endpoint_device(self) -> str:
        return device("v", self.interface.id)


@dataclass(frozen=True)
class BalancerInterface(Connected):
    """A load balancer's network interface in one subnet."""

    balancer: LoadBalancer
    node: LoadBalancerNode

    @property
    def balancer_device(self) -> str:
        return device("b", self.interface.id)

    @property
    def balancer_namespace(self) -> str:
        return namespace("alb", self.balancer.id.rpartition("/")[2])


@dataclass(frozen=True)
class DatabaseInterface(Connected):
    """The network interface of a DB instance that runs."""

    database: Database

    @property
    def database_device(self) -> str:
        return device("d", self.interface.id)

    @property
    def database_namespace(self) -> str:
        return namespace("db", self.database.id)


@dataclass(frozen=True)
class GatewayInterface(Connected):
    """A resource gateway's network interface in one subnet."""

    gateway: ResourceGateway

    @property
    def gateway_device(self) -> str:
        return device("r", self.interface.id)


@dataclass(frozen=True)
class AttachmentSubnet:
    """A Transit Gateway attachment's presence in one Availability Zone."""

    attachment: TransitGatewayAttachment
    subnet: Subnet

    @property
    def vpc_device(self) -> str:
        return device("t", self.attachment.id, self.subnet.id)

    @property
    def gateway_device(self) -> str:
        return device("a", self.attachment.id, self.subnet.id)


class Index:
    """The world by id and by VPC. derive: answers for `derived` what it has answered to others."""

    def __init__(self, world: World, derive: Callable[..., Any] | None = None) -> None:
        self.world = world
        self._derive = derive

    def derived(self, function: Callable[..., T], *parts: str) -> T:
        """`function(memo, ...)` of collections of the world, by their names: found once for all who ask, as long as these collections are the same."""
        answer: T = self._derive(function, *parts) if self._derive else function(Memo(), *(getattr(self.world, part) for part in parts))
        return answer

    @cached_property
    def subnets(self) -> dict[str, Subnet]:
        return {subnet.id: subnet for subnet in self.world.subnets}

    @cached_property
    def vpcs(self) -> dict[str, Vpc]:
        return {vpc.id: vpc for vpc in self.world.vpcs}

    @cached_property
    def security_groups(self) -> dict[str, SecurityGroup]:
        return {group.id: group for group in self.world.security_groups}

    @cached_property
    def prefix_lists(self) -> dict[str, tuple[Network, ...]]:
        return {prefix_list.id: prefix_list.cidrs for prefix_list in self.world.prefix_lists}

    def has_ipv6(self, vpc_id: str) -> bool:
        """Whether the VPC has an IPv6 block."""
        vpc = self.vpcs.get(vpc_id)
        return vpc is not None and bool(vpc.ipv6_cidrs)

    @cached_property
    def subnets_of(self) -> dict[str, list[Subnet]]:
        found = defaultdict(list)
        for subnet in self.world.subnets:
            found[subnet.vpc_id].append(subnet)
        return found

    @cached_property
    def attached_of(self) -> dict[str, list[Attached]]:
        """VPC id -> interfaces of its running instances."""
        instances = {instance.id: instance for instance in self.world.instances if instance.state in RUNNING}
        found = defaultdict(list)
        for interface in self.world.network_interfaces:
            if interface.instance_id in instances and interface.subnet_id in self.subnets:
                found[interface.vpc_id].append(Attached(interface, self.subnets[interface.subnet_id], instances[interface.instance_id]))
        return found

    @cached_property
    def sessions_of_instances(self) -> dict[str, Credential]:
        """Instance ARN -> the session of its role that its metadata hands out, the one that lasts longest. A session that somebody else named after the
        instance is not one."""
        found: dict[str, Credential] = {}
        for session in self.world.credentials:
            instance = dict(session.keys).get(SOURCE_INSTANCE)
            if instance and (instance not in found or session.expires > found[instance].expires):
                found[instance] = session
        return found

    @cached_property
    def endpoint_interfaces_of(self) -> dict[str, list[EndpointInterface]]:
        """VPC id -> interfaces of its VPC endpoints."""
        interfaces = {interface.id: interface for interface in self.world.network_interfaces}
        found = defaultdict(list)
        for endpoint in self.world.vpc_endpoints:
            for zone in endpoint.zones:
                if zone.interface_id in interfaces and zone.subnet_id in self.subnets and zone.addresses:
                    interface = replace(
                        interfaces[zone.interface_id], addresses=tuple(address for address in zone.addresses if isinstance(address, IPv4Address)),
                        ipv6_addresses=tuple(address for address in zone.addresses if isinstance(address, IPv6Address)),
                    )  # fmt: skip
                    found[endpoint.vpc_id].append(EndpointInterface(interface, self.subnets[zone.subnet_id], endpoint))
        return found

    @cached_property
    def balancer_interfaces_of(self) -> dict[str, list[BalancerInterface]]:
        """VPC id -> interfaces of its load balancers."""
        interfaces = {interface.id: interface for interface in self.world.network_interfaces} if self.world.load_balancers else {}
        found = defaultdict(list)
        for balancer in self.world.load_balancers:
            for node in balancer.nodes:
                if node.interface_id in interfaces and node.subnet_id in self.subnets:
                    found[balancer.vpc_id].append(BalancerInterface(interfaces[node.interface_id], self.subnets[node.subnet_id], balancer, node))
        return found

    @cached_property
    def database_interfaces_of(self) -> dict[str, list[DatabaseInterface]]:
        """VPC id -> interfaces of its DB instances that run."""
        interfaces = {interface.id: interface for interface in self.world.network_interfaces} if self.world.databases else {}
        found = defaultdict(list)
        for database in self.world.databases:
            if database.running and database.interface_id in interfaces and database.subnet_id in self.subnets:
                interface = interfaces[database.interface_id]
                found[database.vpc_id].append(DatabaseInterface(interface, self.subnets[database.subnet_id], database))
        return found

    @cached_property
    def gateway_interfaces_of(self) -> dict[str, list[GatewayInterface]]:
        """VPC id -> interfaces of its resource gateways, with the addresses that connections come from."""
        owners = {address: gateway for gateway in self.world.resource_gateways for address in ((gateway.vpc_id, one) for one in gateway.addresses)}
        found = defaultdict(list)
        for interface in self.world.network_interfaces if owners else ():
            held: tuple[IPv4Address | IPv6Address, ...] = (*interface.addresses, *interface.ipv6_addresses)
            own = [one for one in held if (interface.vpc_id, one) in owners]
            if own and interface.subnet_id in self.subnets:
                used = replace(
                    interface, addresses=tuple(one for one in own if isinstance(one, IPv4Address)),
                    ipv6_addresses=tuple(one for one in own if isinstance(one, IPv6Address)),
                )  # fmt: skip
                found[interface.vpc_id].append(GatewayInterface(used, self.subnets[interface.subnet_id], owners[interface.vpc_id, own[0]]))
        return found

    def connected(self, vpc_id: str) -> list[Connected]:
        """All interfaces that packets of a VPC can come from and go to."""
        of_services = (self.endpoint_interfaces_of, self.balancer_interfaces_of, self.database_interfaces_of, self.gateway_interfaces_of)
        return [*self.attached_of.get(vpc_id, []), *(item for found in of_services for item in found.get(vpc_id, []))]

    @cached_property
    def attachment_subnets_of(self) -> dict[str, list[AttachmentSubnet]]:
        """VPC id -> its Transit Gateway attachments, one entry per subnet."""
        found = defaultdict(list)
        for gateway in self.world.transit_gateways:
            for attachment in gateway.attachments:
                for subnet_id in attachment.subnet_ids:
                    if subnet_id in self.subnets:
                        found[attachment.vpc_id].append(AttachmentSubnet(attachment, self.subnets[subnet_id]))
        return found

    @cached_property
    def firewall_endpoints_of(self) -> dict[str, list[FirewallEndpoint]]:
        found = defaultdict(list)
        for firewall in self.world.firewalls:
            for endpoint in firewall.endpoints:
                found[endpoint.vpc_id].append(endpoint)
        return found

    @cached_property
    def members_of_group(self) -> dict[str, tuple[IPv4Address | IPv6Address, ...]]:
        """Security group id -> addresses of what carries it (interfaces of running instances, endpoints, resource gateways and others), IPv4 first."""
        found: dict[str, set[IPv4Address | IPv6Address]] = defaultdict(set)
        for item in (item for vpc in self.world.vpcs for item in self.connected(vpc.id)):
            for group in item.interface.security_group_ids:
                found[group].update(item.interface.addresses, item.interface.ipv6_addresses)
        return {group: tuple(sorted(addresses, key=lambda item: (item.version, int(item)))) for group, addresses in found.items()}


def firewall_device(endpoint_id: str) -> str:
    """The VPC side of a firewall endpoint's link."""
    return device("f", endpoint_id)
