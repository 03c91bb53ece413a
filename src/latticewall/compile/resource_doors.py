"""Where clients reach TCP resources: in VPCs associated with a service network, through endpoints of it, and through endpoints of the resource alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from latticewall.base.ids import namespace
from latticewall.compile import addresses
from latticewall.compile.index import Index
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.tunnels import CIDR
from latticewall.world.types import ResourceConfiguration, ServiceNetwork, Vpc, VpcEndpoint


@dataclass(frozen=True)
class ResourceDoor:
    """One address of a resource. key: unique, of its listener's name. vpc: whose connections they are. association_id: with the service network; it and
    `network` are missing of an endpoint for the resource alone. endpoint_id: "" of a VPC association."""

    key: str
    namespace: str
    address: IPv4Address | IPv6Address
    vpc: Vpc
    configuration: ResourceConfiguration
    association_id: str = ""
    network: ServiceNetwork | None = None
    endpoint_id: str = ""


def resource_doors(index: Index, gates: ServiceNetworkGates) -> Iterator[ResourceDoor]:
    """All doors to all resources."""
    for vpc in index.world.vpcs:
        for association, configuration in gates.resources(vpc.id):
            network, key = gates.networks[association.service_network_id], f"{vpc.id}-{association.id}"
            yield ResourceDoor(key, namespace("vpc", vpc.id), association.address, vpc, configuration, association.id, network)
            if vpc.ipv6_cidrs:
                address = addresses.embedded(association.address)
                yield ResourceDoor(f"{key}-ipv6", namespace("vpc", vpc.id), address, vpc, configuration, association.id, network)
    for endpoint in index.world.vpc_endpoints:
        yield from endpoint_doors(index, gates, endpoint)


def endpoint_doors(index: Index, gates: ServiceNetworkGates, endpoint: VpcEndpoint) -> Iterator[ResourceDoor]:
    """The doors of one endpoint: of each resource one per Availability Zone and family."""
    vpc, network = index.vpcs.get(endpoint.vpc_id), gates.networks.get(endpoint.service_network_id)
    if vpc is None:
        return
    joined = {association.id for association, _ in gates.resources_of.get(endpoint.service_network_id, [])}
    for zone in endpoint.zones:
        for association_id, configuration_id, address in zone.resources:
            configuration = gates.configurations.get(configuration_id)
            if configuration is not None and configuration.type != CIDR and (association_id in joined if network else not association_id):
                key = "-".join(filter(None, (endpoint.id, association_id, configuration_id, zone.subnet_id, "ipv6" if address.version == 6 else "")))
                place = namespace("vpce", endpoint.id)
                yield ResourceDoor(key, place, address, vpc, configuration, association_id, network, endpoint.id)


@dataclass(frozen=True)
class Reached:
    """A resource behind an endpoint. addresses: in all Availability Zones of the endpoint."""

    configuration: ResourceConfiguration
    association_id: str
    addresses: tuple[IPv4Address | IPv6Address, ...]


def reached_through(index: Index, gates: ServiceNetworkGates, endpoint: VpcEndpoint) -> list[Reached]:
    """The resources behind an endpoint."""
    found: dict[tuple[str, str], list[IPv4Address | IPv6Address]] = {}
    for door in endpoint_doors(index, gates, endpoint):
        found.setdefault((door.configuration.id, door.association_id), []).append(door.address)
    return [Reached(gates.configurations[configuration], association, tuple(values)) for (configuration, association), values in sorted(found.items())]


_PUBLISHED = {"ipv4": (4,), "ipv6": (6,), "dualstack": (4, 6), "service-defined": (4, 6)}


def published(endpoint: VpcEndpoint, found: Iterable[IPv4Address | IPv6Address], *, private: bool = False) -> tuple[str, ...]:
    """Those of an endpoint's addresses that its names have ("DNS record IP type"). `service-defined` is both families, but IPv4 for private names."""
    type_ = endpoint.dns_options.get("DnsRecordIpType") or "ipv4"
    versions = (4,) if private and type_ == "service-defined" else _PUBLISHED[type_]
    return tuple(str(address) for address in found if address.version in versions)
