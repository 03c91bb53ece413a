"""Where clients enter a service network: a VPC's association with it, and every VPC endpoint that leads to it ("Access service networks through AWS
PrivateLink"). What listens is the same at all of them; an endpoint has a network namespace of its own, on the VPC's routed paths like an instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from latticewall.base.ids import namespace
from latticewall.base.lattice_names import endpoint_service_name
from latticewall.compile import addresses
from latticewall.compile.index import Index
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.world.types import Service, ServiceAssociation, ServiceNetwork, Vpc

EVERYWHERE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - in a namespace that has the endpoint's addresses only
"""Where services listen inside an endpoint's namespace, by family. Its filter says which of its addresses are meant: a change of subnets touches no socket."""


@dataclass(frozen=True)
class Entrance:
    """One way in. key: the VPC's or the endpoint's id (and the family, but for IPv4), in the names of its
    listeners. vpc: whose requests they are. endpoint_id: "" of an association."""

    key: str
    namespace: str
    address: str
    vpc: Vpc
    network: ServiceNetwork
    endpoint_id: str = ""


def entrances(index: Index, gates: ServiceNetworkGates) -> Iterator[Entrance]:
    """All ways into all service networks: of associations by VPC, then of endpoints."""
    for vpc in index.world.vpcs:
        association = gates.association_of.get(vpc.id)
        if association is not None and association.service_network_id in gates.networks:
            network = gates.networks[association.service_network_id]
            yield Entrance(vpc.id, namespace("vpc", vpc.id), str(addresses.LATTICE_SERVICES), vpc, network)
            if vpc.ipv6_cidrs:
                yield Entrance(f"{vpc.id}-ipv6", namespace("vpc", vpc.id), str(addresses.embedded(addresses.LATTICE_SERVICES)), vpc, network)
    for endpoint in index.world.vpc_endpoints:
        if endpoint.vpc_id in index.vpcs and endpoint.service_network_id in gates.networks:
            vpc, network = index.vpcs[endpoint.vpc_id], gates.networks[endpoint.service_network_id]
            for version in sorted({address.version for zone in endpoint.zones for address in zone.services}):
                key = endpoint.id if version == 4 else f"{endpoint.id}-ipv6"
                yield Entrance(key, namespace("vpce", endpoint.id), EVERYWHERE[version], vpc, network, endpoint.id)


def host_names(service: Service) -> tuple[str, ...]:
    """What a service is called everywhere, lower case: its generated and custom names."""
    return tuple(name.lower() for name in (service.dns_name, service.custom_domain_name) if name)


def endpoint_name(region: str, entrance: Entrance, association: ServiceAssociation) -> str:
    """The name that leads to a service through an endpoint."""
    return endpoint_service_name(region, entrance.endpoint_id, association.id)
