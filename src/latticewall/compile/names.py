"""What the resolver of each VPC answers.

AWS: "Understanding Amazon DNS", "DNS attributes for your VPC", "Considerations when working with a private hosted zone", "Custom domain names
for VPC Lattice resources". A hosted zone is authoritative for everything beneath it in its VPCs. Of two zones with the same
origin the one named first here answers: hosted zones, then those that VPC Lattice makes, then the VPC's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter
from typing import NamedTuple

from latticewall.base.ids import namespace
from latticewall.base.lattice_names import endpoint_resource_name, endpoint_service_name, endpoint_zone_name
from latticewall.base.memo import Memo
from latticewall.base.private_dns import is_at_or_above
from latticewall.base.segments import NAMESERVER
from latticewall.compile import addresses
from latticewall.compile.databases import database_names
from latticewall.compile.hosted_zones import Alias, absolute, address_records, record_sets, resolve_aliases
from latticewall.compile.index import Attached, Index
from latticewall.compile.internal_names import internal_domain, internal_name
from latticewall.compile.metadata import compile_metadata
from latticewall.compile.private_dns import private_zones
from latticewall.compile.resource_doors import published, reached_through
from latticewall.compile.service_network import Joined, ServiceNetworkGates
from latticewall.compile.tunnels import resolves, segment_of, tunnel_ends
from latticewall.compile.units import Units
from latticewall.plan.names import MetadataInstance, NamesPlan, Record, Resolver, Zone
from latticewall.plan.node import Problem
from latticewall.world.types import Vpc, VpcEndpoint, World

TTL = 60
"""Seconds, of the records that the region itself makes."""

MOST_NAMES = 16_384
"""Whose records are kept from round to round."""
_IN_ORDER = attrgetter(*(member.name for member in fields(Record)))
"""Records in their order, in a tenth of the time that comparing them takes."""

_Records = dict[str, list[Record]]
"""Records by origin of their zone."""
_PublicZone = tuple[Zone, tuple[Alias, ...]]
"""With its alias records, still to be resolved."""


def compile_names(units: Units) -> NamesPlan:
    """All resolvers and all metadata services."""
    memo, own = units.memo, units.follow(_own)
    shared = _network_zones(memo, units.follow(_shared), units.follow(_through_endpoints), units.follow(_members))
    zones = memo.map(_assembled, [item.zones for item in own], [shared.get(item.shared, shared[""]) for item in own])
    resolvers = memo.map(_answering, memo.map(_resolver, [item.vpc for item in own]), zones)
    return NamesPlan(resolvers=memo.once(_with_tunnels, resolvers, units.follow(_tunnelled)), metadata=units.follow(_metadata))


def _tunnelled(index: Index, gates: ServiceNetworkGates) -> tuple[tuple[str, str], ...]:
    """Resource gateways in whose tunnels names are resolved, each with its VPC."""
    ends = tunnel_ends(index, gates)
    return tuple(sorted({(end.interface.gateway.vpc_id, namespace("rgw", end.interface.gateway.id)) for end in ends if resolves(end.configuration)}))


def _with_tunnels(resolvers: tuple[Resolver, ...], tunnelled: tuple[tuple[str, str], ...]) -> tuple[Resolver, ...]:
    """In a tunnel the resolver of the gateway's VPC answers, from the same zones."""
    of_vpc = {resolver.vpc_id: resolver for resolver in resolvers}
    more = (replace(of_vpc[vpc], namespace=place, addresses=(str(NAMESERVER),)) for vpc, place in tunnelled if vpc in of_vpc and of_vpc[vpc].enabled)
    return (*resolvers, *more)


def names_problems(index: Index, _: ServiceNetworkGates) -> tuple[Problem, ...]:
    """Record sets of hosted zones that no resolver serves, with the reason."""
    return tuple(Problem("route53:HostedZone", zone.id, reason) for zone in index.world.hosted_zones for reason in record_sets(zone).refused)


def _metadata(index: Index, _: ServiceNetworkGates) -> tuple[MetadataInstance, ...]:
    return compile_metadata(index)


@dataclass(frozen=True)
class _OwnZones:
    """What a resolver answers by itself, beside the names of its VPC's service network. before: zones that win over the network's, after: that do not.
    public: the region's."""

    before: Mapping[str, Zone]
    after: Mapping[str, Zone]
    aliases: tuple[Alias, ...]
    public: tuple[_PublicZone, ...]


class _Own(NamedTuple):
    """shared: which names of service networks the VPC has, a key of `_shared`."""

    vpc: Vpc
    shared: str
    zones: _OwnZones


def _own(index: Index, gates: ServiceNetworkGates) -> tuple[_Own, ...]:
    public = _public(index.world)
    none = _OwnZones({}, {}, (), public)
    return tuple(_own_of(index, gates, vpc, none) for vpc in index.world.vpcs)


def _own_of(index: Index, gates: ServiceNetworkGates, vpc: Vpc, none: _OwnZones) -> _Own:
    association = gates.association_of.get(vpc.id)
    shared = _shared_by(vpc, association.service_network_id) if association else ""
    if not vpc.dns_hostnames:  # private zones need both attributes of the VPC
        return _Own(vpc, shared, none)
    before: _Records = {}
    after: _Records = {}
    aliases = _hosted_zones(index.world, vpc, before)
    for origin, found in private_zones(index, gates, vpc).items():
        before.setdefault(origin, found)
    _own_names(index, vpc, after)
    return _Own(vpc, shared, _OwnZones(_zones(before), _zones(after), tuple(aliases), none.public))


def _resolver(vpc: Vpc) -> Resolver:
    """Without its zones, which change more often."""
    return Resolver(vpc.id, namespace("vpc", vpc.id), tuple(map(str, addresses.resolvers(vpc))), (), enabled=vpc.dns_support)


def _answering(resolver: Resolver, zones: tuple[Zone, ...]) -> Resolver:
    return Resolver(resolver.vpc_id, resolver.namespace, resolver.addresses, zones) if resolver.enabled else resolver


def zones_in(index: Index, gates: ServiceNetworkGates, vpc: Vpc) -> tuple[Zone, ...]:
    """All zones that the VPC's resolver answers from; none when it has no resolver."""
    own = _own_of(index, gates, vpc, _OwnZones({}, {}, (), _public(index.world)))
    shared = _network_zones(Memo(), _shared(index, gates), _through_endpoints(index, gates), gates.joined_of)
    return _assembled(own.zones, shared.get(own.shared, shared[""])) if vpc.dns_support else ()


def public_zones(world: World) -> tuple[Zone, ...]:
    """The region's public hosted zones, and the names of DB instances: all that public DNS is here."""
    records: _Records = {}
    _database_names(world, records)
    zones = _zones(records)
    return _in_order(zones, _add_public(zones, _public(world)))


def _assembled(own: _OwnZones, shared: tuple[Zone, ...]) -> tuple[Zone, ...]:
    """The zones of a VPC together: those of its service network are what they are for all others, unless they meet the VPC's."""
    zones = dict(own.before)
    for zone in shared:
        zones[zone.origin] = _joined(zones[zone.origin], zone) if zone.origin in zones else zone
    for origin, zone in own.after.items():
        zones.setdefault(origin, zone)
    return _in_order(zones, [*own.aliases, *_add_public(zones, own.public)])


def _joined(one: Zone, other: Zone) -> Zone:
    return Zone(one.origin, tuple(sorted(one.records + other.records)))


def _add_public(zones: dict[str, Zone], public: Iterable[_PublicZone]) -> list[Alias]:
    """Public hosted zones, but those under a private zone: that one answers for everything beneath it. Of two with one name the first is taken as the
    one that is delegated to. Returns their alias records, still to be resolved."""
    private = tuple(zones)
    aliases: list[Alias] = []
    for zone, own_aliases in public:
        if zone.origin not in zones and not any(is_at_or_above(one, zone.origin) for one in private):
            zones[zone.origin] = zone
            aliases += own_aliases
    return aliases


def _in_order(zones: dict[str, Zone], aliases: list[Alias]) -> tuple[Zone, ...]:
    for origin, found in resolve_aliases({origin: zone.records for origin, zone in zones.items()}, aliases).items():
        zones[origin] = Zone(origin, tuple(sorted((*zones[origin].records, *found))))
    return tuple(zones[origin] for origin in sorted(zones))


def _zones(records: Mapping[str, Iterable[Record]]) -> dict[str, Zone]:
    return {origin: Zone(origin, tuple(sorted(found, key=_IN_ORDER))) for origin, found in records.items()}


def _public(world: World) -> tuple[_PublicZone, ...]:
    found = [(absolute(zone.name), record_sets(zone)) for zone in world.hosted_zones if not zone.vpc_ids]
    return tuple((Zone(origin, tuple(sorted(sets.records))), sets.aliases) for origin, sets in found)


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


@dataclass(frozen=True)
class _Shared:
    """What VPCs share that have the same service network. services: where the names of its services lead. others: further records, by zone."""

    network_id: str
    services: tuple[str, ...]
    others: Mapping[str, tuple[Record, ...]]


def _shared(index: Index, gates: ServiceNetworkGates) -> dict[str, _Shared]:
    """By network, and once more for VPCs with IPv6 where there are such; "" for VPCs without a service network."""
    everywhere: _Records = {}
    for endpoint in index.world.vpc_endpoints:
        for item in reached_through(index, gates, endpoint):
            name = endpoint_resource_name(index.world.region, endpoint.id, item.association_id, item.configuration.id)
            _add_below(everywhere, name, 2, published(endpoint, item.addresses))
        for name, labels, values in _names_of_tunnel(index, gates, endpoint):
            _add_below(everywhere, name, labels, values)
    _load_balancer_names(index.world, everywhere)
    _database_names(index.world, everywhere)
    found = {"": _Shared("", (), _frozen(everywhere))}
    for vpc_id, association in gates.association_of.items():
        vpc, network = index.vpcs[vpc_id], association.service_network_id
        if _shared_by(vpc, network) not in found:
            records = {origin: list(own) for origin, own in everywhere.items()}
            for resource, _ in gates.resources_of.get(network, ()):
                _add_below(records, resource.dns_name, 2, addresses.both_families(vpc, resource.address))
            found[_shared_by(vpc, network)] = _Shared(network, addresses.both_families(vpc, addresses.LATTICE_SERVICES), _frozen(records))
    return found


def _frozen(records: _Records) -> dict[str, tuple[Record, ...]]:
    return {origin: tuple(found) for origin, found in records.items()}


@dataclass(frozen=True)
class _Through:
    """An endpoint of a service network. leads: where the names of services through it lead."""

    endpoint_id: str
    network_id: str
    leads: tuple[str, ...]
    region: str


def _through_endpoints(index: Index, _: ServiceNetworkGates) -> dict[str, _Through]:
    """By endpoint."""
    region = index.world.region
    found = (
        _Through(endpoint.id, endpoint.service_network_id, published(endpoint, (address for zone in endpoint.zones for address in zone.services)), region)
        for endpoint in index.world.vpc_endpoints
    )
    return {item.endpoint_id: item for item in found if item.leads}


def _members(_: Index, gates: ServiceNetworkGates) -> Mapping[str, tuple[Joined, ...]]:
    return gates.joined_of


def _network_zones(
    memo: Memo, shared: Mapping[str, _Shared], through: Mapping[str, _Through], joined: Mapping[str, tuple[Joined, ...]]
) -> dict[str, tuple[Zone, ...]]:
    """The generated names of the services and resources of each service network, which lead nowhere else (on AWS they resolve everywhere all the same), and
    those of all endpoints and load balancers, which lead there from wherever packets can. By the keys of `shared`."""
    ways = memo.steady(_Through, through)
    there = [
        part.map(_named_through, joined.get(ways[endpoint].network_id, ()), given=(ways[endpoint],)) for endpoint, part in memo.parts(_Through, ways).items()
    ]
    steady, everywhere = memo.steady(_Shared, shared), memo.joined(_named_through, *there)
    return {
        key: part.once(_zones_shared, part, steady[key], joined.get(steady[key].network_id, ()), everywhere)
        for key, part in memo.parts(_Shared, steady).items()
    }


def _zones_shared(memo: Memo, shared: _Shared, joined: tuple[Joined, ...], everywhere: tuple[_Below, ...]) -> tuple[Zone, ...]:
    below = memo.joined(_Below, memo.map(_named_there, joined, given=(shared.services,)), everywhere)
    named = memo.grouped(Zone, memo.map(_origin_of, below), memo.map(_records_of, below))
    found = []
    for origin, part in memo.parts(Zone, sorted({*named, *shared.others})).items():
        records = part.joined(Record, part.flat(Record, named.get(origin, ())), shared.others.get(origin, ()))
        found.append(part.kept(Zone, Zone(origin, part.ordered(Record, _IN_ORDER, records))))
    return memo.kept(_zones_shared, tuple(found))


class _Below(NamedTuple):
    """The zone that a name is in, and its records there."""

    origin: str
    records: tuple[Record, ...]


_origin_of, _records_of = attrgetter("origin"), attrgetter("records")


def _named_there(joined: Joined, values: tuple[str, ...]) -> _Below:
    """A service in its service network."""
    _, service = joined
    return _below(service.dns_name, 1, values)


def _named_through(joined: Joined, way: _Through) -> _Below:
    """A service through an endpoint."""
    association, _ = joined
    return _below(endpoint_service_name(way.region, way.endpoint_id, association.id), 1, way.leads)


def _names_of_tunnel(index: Index, gates: ServiceNetworkGates, endpoint: VpcEndpoint) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Of the whole endpoint, and of each Availability Zone."""
    segment = segment_of(gates, endpoint)
    if segment is None:
        return
    region = index.world.region
    yield endpoint_resource_name(region, endpoint.id, "", segment.id), 2, published(endpoint, (one for zone in endpoint.zones for one in zone.addresses))
    for zone in endpoint.zones:
        name = endpoint_zone_name(region, endpoint.id, index.subnets[zone.subnet_id].availability_zone, segment.id)
        yield name, 2, published(endpoint, zone.addresses)


def _load_balancer_names(world: World, records: _Records) -> None:
    """The names of all load balancers, known everywhere, as the private addresses that their nodes have."""
    for balancer in world.load_balancers:
        name = absolute(balancer.dns_name)
        own = sorted(str(address) for node in balancer.nodes for address in (node.address, node.ipv6) if address is not None)
        records.setdefault(name.split(".", 1)[1], []).extend(address_records(name, TTL, own))


def _database_names(world: World, records: _Records) -> None:
    """The names of all DB instances, known everywhere, as their private addresses."""
    for record in database_names(world):
        records.setdefault(record.name.split(".", 1)[1], []).append(record)


def _add_below(records: _Records, dns_name: str, labels: int, values: tuple[str, ...]) -> None:
    """A record of each family in the zone that begins after so many labels of the name."""
    origin, found = _below(dns_name, labels, values)
    records.setdefault(origin, []).extend(found)


@lru_cache(maxsize=MOST_NAMES)
def _below(dns_name: str, labels: int, values: tuple[str, ...]) -> _Below:
    """The zone that begins after so many labels of the name, and the name's records: the same objects each time."""
    name = absolute(dns_name)
    return _Below(name.split(".", labels)[labels], tuple(address_records(name, TTL, values)))


def _shared_by(vpc: Vpc, network_id: str) -> str:
    """Which names of service networks the VPC shares with others."""
    return f"{network_id} IPv6" if vpc.ipv6_cidrs else network_id


def _own_names(index: Index, vpc: Vpc, records: _Records) -> None:
    """ip-10-1-2-3.<domain> of the resolver and every network interface, and the way back from address to name; the names of instances after their ids."""
    found = {addresses.base_plus_two(vpc.cidrs[0])}
    found |= {address for interface in index.world.network_interfaces if interface.vpc_id == vpc.id for address in interface.addresses}
    domain = absolute(internal_domain(index.world.region))
    forward = [Record(absolute(internal_name(index.world.region, address)), "A", TTL, (str(address),)) for address in found]
    backward = [Record(absolute(address.reverse_pointer), "PTR", TTL, (absolute(internal_name(index.world.region, address)),)) for address in found]
    after_ids = [record for attached in _primaries(index, vpc) for record in _after_id(attached, domain)]
    records.setdefault(domain, [*forward, *after_ids])
    records.setdefault("in-addr.arpa.", backward)
    if back := [Record(absolute(ip_address(one.values[0]).reverse_pointer), "PTR", TTL, (one.name,)) for one in after_ids if one.type == "AAAA"]:
        records.setdefault("ip6.arpa.", back)


def _primaries(index: Index, vpc: Vpc) -> list[Attached]:
    """The primary interfaces of the VPC's running instances."""
    return [attached for attached in index.attached_of.get(vpc.id, []) if attached.interface.device_index == 0]


def _after_id(attached: Attached, domain: str) -> list[Record]:
    """The records of an instance's name after its id: its primary address of each family that it is to be known with."""
    instance, interface = attached.instance, attached.interface
    held: dict[str, tuple[IPv4Address | IPv6Address, ...]] = {"A": interface.addresses, "AAAA": interface.ipv6_addresses}
    types = [type_ for type_ in ("A", "AAAA") if type_ in instance.resource_name_records and held[type_]]
    return [Record(f"{instance.id}.{domain}", type_, TTL, (str(held[type_][0]),)) for type_ in types]
