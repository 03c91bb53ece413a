"""Interfaces and addresses of endpoints to VPC Lattice: one interface per Availability Zone ("Access service networks through AWS PrivateLink").

An endpoint of a service network reserves a /28 of the subnet, of which the first address is that of all its services, and has one more address for each of
the network's resources; an endpoint of a resource has one for it (of a group: one for each of its resources). Over IPv6 a service network has a /80, for
services and resources alike. Resources come and go while an endpoint stands, so `follow` is called again whenever they may have. A zone of a row's `_zones`:
SubnetId, NetworkInterfaceId, Service and Ipv6Service (addresses), Resources [AssociationId, ConfigurationId, Address, Ipv6Address], of each family that the
endpoint has; `_failed`: those without address, each with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from itertools import count
from typing import NamedTuple

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, ipv6, network_interface, subnet, text

SERVICE_NETWORK = "ServiceNetwork"
BLOCK = 28
"""Prefix length of what is reserved for services over IPv4; over IPv6 it is ipv6.DELEGATED."""
Reached = tuple[str, str]
"""The association with the service network ("" through an endpoint of the resource alone) and the resource configuration."""


@dataclass(frozen=True)
class Family:
    """An address family of endpoints. service, address: the members of a zone and of its resources. length: of the prefix that a service network's endpoint
    reserves; prefixes, prefix: the members of an interface with it. held: an interface's addresses, the primary first; members: of its document, for such
    addresses. choose: a free address of a subnet, or those wanted, checked. reserve: the address in a free block of a subnet where services will be."""

    service: str
    address: str
    length: int
    prefixes: str
    prefix: str
    held: Callable[[Row], list[str]]
    members: Callable[[Sequence[str]], Document]
    choose: Callable[[Context, Row, Sequence[str]], list[str]]
    reserve: Callable[[Context, Row], str]


class Chosen(NamedTuple):
    """What SubnetConfigurations says of an interface's primary addresses, "" for any."""

    ipv4: str = ""
    ipv6: str = ""

    def of(self, family: Family) -> list[str]:
        wanted = self.ipv4 if family is IPV4 else self.ipv6
        return [wanted] if wanted else []


ANY = Chosen()


def _in_free_block(ctx: Context, home: Row) -> str:
    """The first address of the lowest /28 of the subnet of which no address is reserved or taken."""
    network = subnet.network_of(home)
    held = {*subnet.taken(ctx, home), *cidrs.reserved(network)}
    for block in network.subnets(new_prefix=BLOCK) if network.prefixlen <= BLOCK else ():
        if not any(address in block for address in held):
            return str(block[0])
    message = f"The specified subnet '{home.id}' does not have enough free cidr blocks to satisfy the request: a free /{BLOCK} is needed"
    raise text.conflict("InsufficientCidrBlocks", message)


IPV4 = Family(
    "Service", "Address", BLOCK, "Ipv4Prefixes", "Ipv4Prefix", held=lambda row: [item["PrivateIpAddress"] for item in row.document["PrivateIpAddresses"]],
    members=network_interface.address_members, choose=network_interface.choose_addresses, reserve=_in_free_block,
)  # fmt: skip
IPV6 = Family(
    "Ipv6Service", "Ipv6Address", ipv6.DELEGATED, "Ipv6Prefixes", "Ipv6Prefix",
    held=lambda row: [item["Ipv6Address"] for item in row.document["Ipv6Addresses"]],
    members=lambda addresses: {"Ipv6Addresses": ipv6.listed(addresses)},
    choose=lambda ctx, home, wanted: ipv6.choose_addresses(ctx, home, wanted, 0 if wanted else 1),
    reserve=lambda ctx, home: str(ipv6.free_prefix(ctx, home)[1]),
)  # fmt: skip
FAMILIES: Mapping[str, tuple[Family, ...]] = {"ipv4": (IPV4,), "ipv6": (IPV6,), "dualstack": (IPV4, IPV6)}
"""By IpAddressType."""


def families_of(endpoint: Row) -> tuple[Family, ...]:
    return FAMILIES[endpoint.document["IpAddressType"]]


def reserved(zone: Document, family: Family) -> str:
    """The block that an endpoint of a service network has there."""
    return str(ip_network(f"{zone[family.service]}/{family.length}", strict=False))


def open_zone(ctx: Context, endpoint: Row, home: Row, groups: Sequence[str], chosen: Chosen = ANY) -> Document:
    """The endpoint's interface in one more subnet. Raises EC2's refusals where the subnet is too full."""
    row = network_interface.make(
        ctx, home, addresses=None, groups=groups, description=f"VPC Endpoint Interface {endpoint.id}", interface_type="vpc_endpoint", requester_managed=True,
    )  # fmt: skip
    ctx.refer(row, "VpcEndpointId", endpoint.id)
    return fit_zone(ctx, endpoint, {"SubnetId": home.id, "NetworkInterfaceId": row.id, "Resources": []}, home, chosen)


def fit_zone(ctx: Context, endpoint: Row, zone: Document, home: Row, chosen: Chosen = ANY) -> Document:
    """The zone with addresses of exactly the endpoint's families: what it has of these stays as it is."""
    zone, row, wanted = dict(zone), ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"]), families_of(endpoint)
    for family in (IPV4, IPV6):
        if family in wanted and not family.held(row):
            row = ctx.change(row, family.members(family.choose(ctx, home, chosen.of(family))))
        elif family not in wanted and family.held(row):
            row = ctx.change(row, {**family.members([]), family.prefixes: None})
            zone.pop(family.service, None)
    for family in wanted if endpoint.document["VpcEndpointType"] == SERVICE_NETWORK else ():
        if family.service not in zone:
            zone[family.service] = family.reserve(ctx, home)
            row = ctx.change(row, {family.prefixes: [{family.prefix: reserved(zone, family)}]})
    unwanted = [family.address for family in (IPV4, IPV6) if family not in wanted]
    return {**zone, "Resources": [{member: value for member, value in held.items() if member not in unwanted} for held in zone["Resources"]]}


def close_zone(ctx: Context, zone: Document) -> None:
    ctx.remove(ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"]), force=True)


def reached(ctx: Context, endpoint: Row) -> list[Reached]:
    """The resources that the endpoint leads to."""
    return [(association.id if association else "", leaf.id) for association, _, leaf in leads_to(ctx, endpoint)]


def leads_to(ctx: Context, endpoint: Row) -> Iterator[tuple[Row | None, Row, Row]]:
    """(association with the service network or None, the configuration associated, each single resource in it)."""
    for association in ctx.referring(endpoint, "vpc-lattice:ResourceEndpointAssociation"):
        for configuration in ctx.referred(association, "resourceConfigurationIdentifier"):
            for leaf in _leaves(ctx, configuration):
                yield None, configuration, leaf
    for joined in ctx.referring(endpoint, "vpc-lattice:ServiceNetworkVpcEndpointAssociation"):
        for network in ctx.referred(joined, "serviceNetworkIdentifier"):
            for association in ctx.referring(network, "vpc-lattice:ServiceNetworkResourceAssociation"):
                yield from _joined(ctx, association) if association.status != "deleting" else ()


def _joined(ctx: Context, association: Row) -> Iterator[tuple[Row, Row, Row]]:
    """The resource of an association; a group has none of its own, its children are each associated themselves."""
    for configuration in ctx.referred(association, "resourceConfigurationIdentifier"):
        if configuration.document["type"] != "GROUP":
            yield association, configuration, configuration
    for child in ctx.referred(association, "child"):
        for group in ctx.referred(child, "resourceConfigurationGroupIdentifier"):
            yield association, group, child


def _leaves(ctx: Context, configuration: Row) -> list[Row]:
    if configuration.document["type"] != "GROUP":
        return [configuration]
    return ctx.referring(configuration, configuration.kind, "resourceConfigurationGroupIdentifier")


def follow_all(ctx: Context, endpoints: Iterable[Row]) -> None:
    """As follow; a network with many endpoints is looked at once."""
    known: dict[str, list[Reached]] = {}
    for endpoint in endpoints:
        where = endpoint.document.get("ServiceNetworkArn") or endpoint.id
        if where not in known:
            known[where] = reached(ctx, endpoint)
        follow(ctx, endpoint, known[where])


def follow(ctx: Context, endpoint: Row, wanted: list[Reached]) -> Row:
    """Give every resource an address in every zone, and take back what is needed no longer."""
    failed: list[Document] = []
    zones = [_followed(ctx, endpoint, zone, wanted, failed) for zone in endpoint.document["_zones"]]
    if zones == endpoint.document["_zones"] and failed == endpoint.document["_failed"]:
        return endpoint
    return ctx.change(endpoint, {"_zones": zones, "_failed": failed}, settle=True)


def _followed(ctx: Context, endpoint: Row, zone: Document, wanted: list[Reached], failed: list[Document]) -> Document:
    interface, home = ctx.tx.get("ec2:NetworkInterface", zone["NetworkInterfaceId"]), ctx.tx.get("ec2:Subnet", zone["SubnetId"])
    if interface is None or home is None:
        return zone
    families = families_of(endpoint)
    present = {_key(held): held for held in zone["Resources"] if _key(held) in wanted}
    interface = _without_unused(ctx, interface, present.values())
    kept: list[Document] = []
    for key in wanted:
        more = dict(present.pop(key, None) or {"AssociationId": key[0], "ConfigurationId": key[1]})
        try:
            for family in families:
                if family.address not in more:
                    more[family.address], interface = _one_more(ctx, zone, interface, home, family, [*kept, *present.values()])
        except Fault as fault:
            failed.append({"AssociationId": key[0], "ConfigurationId": key[1], "Code": fault.code, "Message": fault.message})
            interface = _without_unused(ctx, interface, [*kept, *present.values()])
            continue
        kept.append(more)
    return {**zone, "Resources": kept}


def _key(held: Document) -> Reached:
    return held["AssociationId"], held["ConfigurationId"]


def _one_more(ctx: Context, zone: Document, interface: Row, home: Row, family: Family, others: Iterable[Document]) -> tuple[str, Row]:
    """An address for one more resource, and the interface that has it: of a service network's endpoint over IPv6 in its block, else one of its own."""
    in_use = {held.get(family.address) for held in others}
    of_network = family.service in zone
    if not of_network and (primary := family.held(interface)[0]) not in in_use:
        return primary, interface
    if of_network and family is IPV6:
        services = IPv6Address(zone[family.service])
        return next(address for number in count(1) if (address := str(services + number)) not in in_use), interface
    address = family.choose(ctx, home, ())[0]
    return address, ctx.change(interface, family.members([*family.held(interface), address]))


def _without_unused(ctx: Context, interface: Row, kept: Iterable[Document]) -> Row:
    """The interface with its primary addresses and those of resources only."""
    used = {one[family.address] for one in kept for family in (IPV4, IPV6) if family.address in one}
    for family in (IPV4, IPV6):
        held = family.held(interface)
        left = [address for index, address in enumerate(held) if index == 0 or address in used]
        interface = interface if left == held else ctx.change(interface, family.members(left))
    return interface
