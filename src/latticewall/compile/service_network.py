"""The service network inside each VPC: which addresses are local, and who may reach them.

Sources: "Control traffic in VPC Lattice using security groups", "Manage the associations for a VPC Lattice service network". Auth policies on resource
configurations are latticewall's own (docs/features/auth-policies.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from latticewall.compile import addresses, ipv6
from latticewall.compile.connect import allowed
from latticewall.compile.index import Index
from latticewall.compile.render.envoy_tcp import MAX_PORTS
from latticewall.compile.security_groups import gate, gate_name
from latticewall.plan.nft import Chain, Match, NftRule
from latticewall.world.types import (
    Listener,
    ResourceAssociation,
    ResourceConfiguration,
    ResourceGateway,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    VpcAssociation,
)

TLS_PASSTHROUGH = "TLS_PASSTHROUGH"
CAPTURE_PORT = 15001
"""Where one socket takes the connections to all ports of a resource that has too many for a socket each."""


@dataclass(frozen=True)
class ServiceSockets:
    """What routers have to know of services and target groups, of which there are many and which change often. ports: of a service network's listeners, by
    its id; target_vpcs: where requests come out."""

    ports: Mapping[str, tuple[int, ...]]
    target_vpcs: frozenset[str]


def service_sockets(index: Index, gates: ServiceNetworkGates) -> ServiceSockets:
    listeners = {network: {listener.port for service in services for listener in service.listeners} for network, services in gates.services_of.items()}
    ports = {network: tuple(sorted(found)) for network, found in listeners.items()}
    return ServiceSockets(ports, frozenset(group.vpc_id for group in index.world.target_groups))


class _Members(NamedTuple):
    """The services of every service network, and their listeners by protocol."""

    joined: Mapping[str, list[tuple[ServiceAssociation, Service]]]
    listeners: Mapping[str, Mapping[str, list[tuple[ServiceAssociation, Service, Listener]]]]


def _members(services: tuple[Service, ...], associations: tuple[ServiceAssociation, ...]) -> _Members:
    by_id = {service.id: service for service in services}
    joined: dict[str, list[tuple[ServiceAssociation, Service]]] = {}
    listeners: dict[str, dict[str, list[tuple[ServiceAssociation, Service, Listener]]]] = {}
    for association in associations:
        service = by_id.get(association.service_id)
        if service is not None:
            joined.setdefault(association.service_network_id, []).append((association, service))
            for listener in service.listeners:
                listeners.setdefault(association.service_network_id, {}).setdefault(listener.protocol, []).append((association, service, listener))
    return _Members(joined, listeners)


class ServiceNetworkGates:
    """What the service network adds to the router of each VPC."""

    def __init__(self, index: Index, sockets: ServiceSockets | None = None) -> None:
        self.index = index
        self._given = sockets

    @cached_property
    def sockets(self) -> ServiceSockets:
        return service_sockets(self.index, self) if self._given is None else self._given

    @cached_property
    def networks(self) -> dict[str, ServiceNetwork]:
        return {network.id: network for network in self.index.world.service_networks}

    @cached_property
    def configurations(self) -> dict[str, ResourceConfiguration]:
        return {found.id: found for found in self.index.world.resource_configurations}

    @cached_property
    def associations(self) -> dict[str, ResourceAssociation]:
        return {found.id: found for found in self.index.world.resource_associations}

    @cached_property
    def gateways(self) -> dict[str, ResourceGateway]:
        return {gateway.id: gateway for gateway in self.index.world.resource_gateways}

    @cached_property
    def services(self) -> dict[str, Service]:
        return {service.id: service for service in self.index.world.services}

    @cached_property
    def association_of(self) -> dict[str, VpcAssociation]:
        """VPC id -> its association; a VPC has at most one."""
        return {association.vpc_id: association for association in self.index.world.vpc_associations if association.vpc_id in self.index.vpcs}

    @cached_property
    def _members(self) -> _Members:
        return self.index.derived(_members, "services", "service_associations")

    @property
    def joined_of(self) -> Mapping[str, list[tuple[ServiceAssociation, Service]]]:
        """Service network id -> its services and how they belong to it."""
        return self._members.joined

    @cached_property
    def services_of(self) -> dict[str, list[Service]]:
        """Service network id -> its services."""
        return {network: [service for _, service in joined] for network, joined in self.joined_of.items()}

    @property
    def listeners_of(self) -> Mapping[str, Mapping[str, list[tuple[ServiceAssociation, Service, Listener]]]]:
        """Service network id -> protocol -> the listeners of its services."""
        return self._members.listeners

    @cached_property
    def resources_of(self) -> dict[str, list[tuple[ResourceAssociation, ResourceConfiguration]]]:
        """Service network id -> its resources."""
        found = defaultdict(list)
        for association in self.index.world.resource_associations:
            if association.resource_configuration_id in self.configurations:
                found[association.service_network_id].append((association, self.configurations[association.resource_configuration_id]))
        return found

    def resources(self, vpc_id: str) -> list[tuple[ResourceAssociation, ResourceConfiguration]]:
        """The TCP resources that clients in the VPC can reach."""
        association = self.association_of.get(vpc_id)
        return self.resources_of.get(association.service_network_id, []) if association else []

    def local_addresses(self, vpc_id: str) -> set[IPv4Address]:
        """Addresses that Envoy's sockets use inside the VPC's router."""
        found: set[IPv4Address] = set()
        if vpc_id in self.association_of:
            found.add(addresses.LATTICE_SERVICES)
        if vpc_id in self.sockets.target_vpcs:
            found.add(addresses.LATTICE_UPSTREAM)
        found |= {association.address for association, _ in self.resources(vpc_id)}
        return found

    def local_ipv6_addresses(self, vpc_id: str) -> set[IPv6Address]:
        """The same for IPv6, where the VPC has it."""
        if not self.index.has_ipv6(vpc_id):
            return set()
        found = [addresses.LATTICE_SERVICES] if vpc_id in self.association_of else []
        if any(group.vpc_id == vpc_id and group.is_ipv6 for group in self.index.world.target_groups):
            found.append(addresses.LATTICE_UPSTREAM)
        found += [association.address for association, _ in self.resources(vpc_id)]
        return {addresses.embedded(address) for address in found}

    def _both(self, vpc_id: str, address: IPv4Address) -> list[IPv4Address | IPv6Address]:
        """One of VPC Lattice's addresses in the VPC, and the IPv6 one beside it where the VPC has IPv6."""
        return [address, addresses.embedded(address)] if self.index.has_ipv6(vpc_id) else [address]

    # -- filters ------------------------------------------------------------------------------------------------------------------------

    def input_rules(self, vpc_id: str) -> list[NftRule]:
        """Which local ports belong to the service network: each leads to the chain `lattice`, which decides."""
        devices = tuple(sorted(item.router_device for item in self.index.attached_of.get(vpc_id, [])))
        if not devices or vpc_id not in self.association_of:
            return []
        here = Match("iifname", devices)
        found = []
        if ports := self.sockets.ports.get(self.association_of[vpc_id].service_network_id, ()):
            asked = Match("tcp dport", tuple(str(port) for port in ports))
            meant = ipv6.addressed("daddr", self._both(vpc_id, addresses.LATTICE_SERVICES))
            found += [NftRule((here, there, asked), "jump lattice", comment="services") for there in meant]
        for association, configuration in self.resources(vpc_id):
            asked = Match("tcp dport", port_texts(configuration))
            meant = ipv6.addressed("daddr", self._both(vpc_id, association.address))
            found += [NftRule((here, there, asked), "jump lattice", comment=association.id) for there in meant]
        return found

    def capture_chain(self, vpc_id: str) -> list[Chain]:
        """What hands packets to the one socket of a resource with many ports."""
        found = [item for item in self.resources(vpc_id) if capture_port(item[1])]
        doors = [(address, association, configuration) for association, configuration in found for address in self._both(vpc_id, association.address)]
        return captured([capture_rule(address, configuration, association.id) for address, association, configuration in doors])

    def chains(self, vpc_id: str) -> list[Chain]:
        """`lattice` (client's egress gate, the association's gate, the resource's auth policy, accept) and what it jumps to."""
        found: list[Chain] = []
        association = self.association_of.get(vpc_id)
        attached = self.index.attached_of.get(vpc_id, [])
        if association is None or not attached:
            return found
        rules = [NftRule((Match("iifname", (item.router_device,)),), f"jump {gate_name('eg', item.interface.id)}") for item in attached]
        if association.security_group_ids:
            name = gate_name("in", association.id)
            found.append(gate(self.index, name, association.security_group_ids, egress=False, owner=association.id))
            rules.append(NftRule((), f"jump {name}", comment=association.id))
        for resource, configuration in self.resources(vpc_id):
            if configuration.has_policy:
                name = gate_name("au", resource.id)
                found.append(connect_chain(self.index, name, vpc_id, self.networks[association.service_network_id], configuration))
                meant = ipv6.addressed("daddr", self._both(vpc_id, resource.address))
                rules += [NftRule((there,), f"jump {name}", comment=f"{configuration.id} auth policy") for there in meant]
        return [*found, Chain("lattice", (*rules, NftRule((), "accept", comment=association.id)))]


def connect_chain(index: Index, name: str, vpc_id: str, network: ServiceNetwork | None, configuration: ResourceConfiguration) -> Chain:
    """Only the instances whose role the resource configuration's auth policy allows get an answer at all."""
    rules = [
        NftRule((source, Match("tcp dport", (port_text(ports),))), "return", comment=f"{configuration.id} allowed")
        for found, ports in allowed(index, vpc_id, network, configuration)
        for source in ipv6.addressed("saddr", found)
    ]
    return Chain(name, (*rules, NftRule((), "drop", comment=f"{configuration.id} auth policy: no role or no allow")))


def capture_rule(address: IPv4Address | IPv6Address, configuration: ResourceConfiguration, comment: str) -> NftRule:
    """Packets to a resource with many ports go to one socket, as they are: the gates still see the port that was meant."""
    socket = f"ip to {address}" if address.version == 4 else f"ip6 to [{address}]"
    matches = (*ipv6.addressed("daddr", [address]), Match("tcp dport", port_texts(configuration)))
    return NftRule(matches, f"tproxy {socket}:{CAPTURE_PORT} ; accept", comment=comment)


def captured(rules: list[NftRule]) -> list[Chain]:
    return [Chain("capture", tuple(rules), hook="prerouting", priority=-150)] if rules else []


def capture_port(configuration: ResourceConfiguration) -> int:
    """The port of the one socket that serves them all, 0 when each port has its own."""
    return CAPTURE_PORT if sum(last - first + 1 for first, last in configuration.port_ranges) > MAX_PORTS else 0


def port_text(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def port_texts(configuration: ResourceConfiguration) -> tuple[str, ...]:
    return tuple(port_text(ports) for ports in configuration.port_ranges)
