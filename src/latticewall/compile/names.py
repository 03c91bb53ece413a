"""What the resolver of each VPC answers.

AWS: "Understanding Amazon DNS", "DNS attributes for your VPC", "Considerations when working with a private hosted zone", "Custom domain names
for VPC Lattice resources". A hosted zone is authoritative for everything beneath it in its VPCs. Of two zones with the same
origin the one named first here answers: hosted zones, then those that VPC Lattice makes, then the VPC's own.
"""

from __future__ import annotations

from latticewall.base.ids import namespace
from latticewall.base.private_dns import is_at_or_above
from latticewall.compile import addresses
from latticewall.compile.hosted_zones import Alias, absolute, record_sets, resolve_aliases
from latticewall.compile.index import Index
from latticewall.compile.internal_names import internal_domain, internal_name
from latticewall.compile.metadata import compile_metadata
from latticewall.compile.private_dns import private_zones
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.names import NamesPlan, Record, Resolver, Zone
from latticewall.plan.node import Problem
from latticewall.world.types import Vpc, World

TTL = 60
"""Seconds, of the records that the region itself makes."""

_Records = dict[str, list[Record]]
"""Records by origin of their zone."""


def compile_names(world: World) -> NamesPlan:
    """World -> all resolvers and all metadata services."""
    index = Index(world)
    gates = ServiceNetworkGates(index)
    return NamesPlan(
        resolvers=tuple(_resolver(index, gates, vpc) for vpc in world.vpcs),
        metadata=compile_metadata(index),
    )


def names_problems(world: World) -> list[Problem]:
    """Record sets of hosted zones that no resolver serves, with the reason."""
    return [Problem("route53:HostedZone", zone.id, reason) for zone in world.hosted_zones for reason in record_sets(zone).refused]


def _resolver(index: Index, gates: ServiceNetworkGates, vpc: Vpc) -> Resolver:
    name = namespace("vpc", vpc.id)
    if not vpc.dns_support:
        return Resolver(vpc.id, name, (), (), enabled=False)
    listens = (str(addresses.base_plus_two(vpc.cidrs[0])), str(addresses.RESOLVER))
    return Resolver(vpc.id, name, listens, zones_in(index, gates, vpc))


def zones_in(index: Index, gates: ServiceNetworkGates, vpc: Vpc) -> tuple[Zone, ...]:
    """All zones that the VPC's resolver answers from; none when it has no resolver."""
    if not vpc.dns_support:
        return ()
    records: _Records = {}
    aliases: list[Alias] = []
    if vpc.dns_hostnames:  # private zones need both attributes of the VPC
        aliases = _hosted_zones(index.world, vpc, records)
        for origin, found in private_zones(index, gates, vpc).items():
            records.setdefault(origin, found)
    _lattice_names(gates, vpc, records)
    _load_balancer_names(index.world, records)
    if vpc.dns_hostnames:
        _own_names(index, vpc, records)
    aliases += _public_zones(index.world, records)
    resolve_aliases(records, aliases)
    return _zones(records)


def public_zones(world: World) -> tuple[Zone, ...]:
    """The region's public hosted zones: all that public DNS is here."""
    records: _Records = {}
    resolve_aliases(records, _public_zones(world, records))
    return _zones(records)


def _public_zones(world: World, records: _Records) -> list[Alias]:
    """Public hosted zones, but those under a private zone: that one answers for everything beneath it. Of two with one name the first is taken as the
    one that is delegated to. Returns their alias records, still to be resolved."""
    private = tuple(records)
    aliases: list[Alias] = []
    for zone in world.hosted_zones:
        origin = absolute(zone.name)
        if zone.vpc_ids or origin in records or any(is_at_or_above(one, origin) for one in private):
            continue
        found = record_sets(zone)
        records[origin] = list(found.records)
        aliases += found.aliases
    return aliases


def _zones(records: _Records) -> tuple[Zone, ...]:
    return tuple(Zone(origin, tuple(sorted(found))) for origin, found in sorted(records.items()))


def _hosted_zones(world: World, vpc: Vpc, records: _Records) -> list[Alias]:
    """Private hosted zones associated with the VPC; returns their alias records, still to be resolved."""
    aliases: list[Alias] = []
    for zone in world.hosted_zones:
        origin = absolute(zone.name)
        if vpc.id in zone.vpc_ids and origin not in records:
            found = record_sets(zone)
            records[origin] = list(found.records)
            aliases += found.aliases
    return aliases


def _lattice_names(gates: ServiceNetworkGates, vpc: Vpc, records: _Records) -> None:
    """The generated names of the services and resources of the VPC's service network, which lead nowhere else (on AWS they resolve everywhere all the
    same), and those of all endpoints, which lead there from wherever packets can."""
    association = gates.association_of.get(vpc.id)
    for service in gates.services_of.get(association.service_network_id, []) if association else ():
        _add_below(records, service.dns_name, 1, (str(addresses.LATTICE_SERVICES),))
    for resource, _ in gates.resources(vpc.id):
        _add_below(records, resource.dns_name, 2, (str(resource.address),))
    for name, labels, values in gates.names_through_endpoints:
        _add_below(records, name, labels, values)


def _load_balancer_names(world: World, records: _Records) -> None:
    """The names of all load balancers, known everywhere, as the private addresses that their nodes have."""
    for balancer in world.load_balancers:
        name = absolute(balancer.dns_name)
        addresses_of = tuple(sorted(str(node.address) for node in balancer.nodes))
        records.setdefault(name.split(".", 1)[1], []).append(Record(name, "A", TTL, addresses_of))


def _add_below(records: _Records, dns_name: str, labels: int, values: tuple[str, ...]) -> None:
    """An A record in the zone that begins after so many labels of the name."""
    name = absolute(dns_name)
    records.setdefault(name.split(".", labels)[labels], []).append(Record(name, "A", TTL, values))


def _own_names(index: Index, vpc: Vpc, records: _Records) -> None:
    """ip-10-1-2-3.<domain> of the resolver and every network interface, and the way back from address to name."""
    found = {addresses.base_plus_two(vpc.cidrs[0])}
    found |= {address for interface in index.world.network_interfaces if interface.vpc_id == vpc.id for address in interface.addresses}
    domain = internal_domain(index.world.region)
    forward = [Record(absolute(internal_name(index.world.region, address)), "A", TTL, (str(address),)) for address in found]
    backward = [Record(absolute(address.reverse_pointer), "PTR", TTL, (absolute(internal_name(index.world.region, address)),)) for address in found]
    records.setdefault(absolute(domain), forward)
    records.setdefault("in-addr.arpa.", backward)
