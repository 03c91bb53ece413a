"""The service network inside each VPC: which addresses are local, and who may reach them.

Sources: "Control traffic in VPC Lattice using security groups", "Manage the associations for a VPC Lattice service network". Auth policies on resource
configurations are latticewall's own (docs/features/auth-policies.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter
from typing import NamedTuple

from latticewall.base.memo import Memo
from latticewall.compile import addresses, ipv6
from latticewall.compile.authorization import audits_connections
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
    TargetGroup,
    VpcAssociation,
)

TLS_PASSTHROUGH = "TLS_PASSTHROUGH"
CAPTURE_PORT = 15001
"""Where one socket takes the connections to all ports of a resource that has too many for a socket each."""


@dataclass(frozen=True)
class ServiceSockets:
    """What routers have to know of services and target groups, of which there are many and which change often. ports: of a service network's listeners, by
    its id; target_vpcs: where requests come out, and where they do with IPv6."""

    ports: Mapping[str, tuple[int, ...]]
    target_vpcs: frozenset[str]
    target_vpcs_ipv6: frozenset[str]


def service_sockets(index: Index, gates: ServiceNetworkGates) -> ServiceSockets:
    ports = {network: tuple(sorted(found)) for network, found in gates.ports_of.items()}
    places = index.derived(_target_places, "target_groups")
    return ServiceSockets(ports, frozenset(vpc_id for vpc_id, _ in places), frozenset(vpc_id for vpc_id, is_ipv6 in places if is_ipv6))


def _target_places(memo: Memo, groups: tuple[TargetGroup, ...]) -> Collection[tuple[str, bool]]:
    """Where target groups are: VPC and whether with IPv6."""
    return memo.grouped(_target_places, memo.map(_place_of, groups), groups).keys()


Joined = tuple[ServiceAssociation, Service]
"""A service of a service network."""
JoinedListener = tuple[ServiceAssociation, Service, Listener]


class _Members(NamedTuple):
    """The services of every service network; their listeners by protocol; the ports of these."""

    joined: Mapping[str, tuple[Joined, ...]]
    listeners: Mapping[str, Mapping[str, tuple[JoinedListener, ...]]]
    ports: Mapping[str, Set[int]]


def _members(memo: Memo, services: tuple[Service, ...], associations: tuple[ServiceAssociation, ...]) -> _Members:
    by_id = memo.index(_members, memo.map(_id_of, services), services)
    found = memo.flat(_joined, memo.map(_joined, associations, memo.values_of(_members, memo.map(_service_of, associations), by_id)))
    each = memo.flat(_listeners, memo.map(_listeners, found))
    by_protocol: dict[str, dict[str, tuple[JoinedListener, ...]]] = {}
    for (network, protocol), listeners in memo.grouped("listeners", memo.map(_network_and_protocol, each), each).items():
        by_protocol.setdefault(network, {})[protocol] = listeners
    ports: dict[str, set[int]] = {}
    for network, port in memo.grouped("ports", memo.map(_network_and_port, each), each):
        ports.setdefault(network, set()).add(port)
    return _Members(memo.grouped("joined", memo.map(_network_of, found), found), by_protocol, ports)


_id_of, _service_of, _place_of = attrgetter("id"), attrgetter("service_id"), attrgetter("vpc_id", "is_ipv6")


def _joined(association: ServiceAssociation, service: Service | None) -> tuple[Joined, ...]:
    return ((association, service),) if service else ()


def _listeners(joined: Joined) -> tuple[JoinedListener, ...]:
    return tuple((*joined, listener) for listener in joined[1].listeners)


def _network_of(joined: Joined) -> str:
    return joined[0].service_network_id


def _network_and_protocol(joined: JoinedListener) -> tuple[str, str]:
    return joined[0].service_network_id, joined[2].protocol


def _network_and_port(joined: JoinedListener) -> tuple[str, int]:
    return joined[0].service_network_id, joined[2].port


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
    def joined_of(self) -> Mapping[str, tuple[Joined, ...]]:
        """Service network id -> its services and how they belong to it."""
        return self._members.joined

    @cached_property
    def services_of(self) -> dict[str, list[Service]]:
        """Service network id -> its services."""
        return {network: [service for _, service in joined] for network, joined in self.joined_of.items()}

    @property
    def listeners_of(self) -> Mapping[str, Mapping[str, tuple[JoinedListener, ...]]]:
        """Service network id -> protocol -> the listeners of its services."""
        return self._members.listeners

    @property
    def ports_of(self) -> Mapping[str, Set[int]]:
        """Service network id -> ports of these listeners."""
        return self._members.ports

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
        if vpc_id in self.sockets.target_vpcs_ipv6:
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
            if configuration.has_policy and not audits_connections(self.networks[association.service_network_id], configuration):
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
