"""Interfaces and addresses of endpoints to VPC Lattice: one interface per Availability Zone ("Access service networks through AWS PrivateLink").

An endpoint of a service network reserves a /28 of the subnet, of which the first address is that of all its services, and has one more address for each of
the network's resources; an endpoint of a resource has one for it (of a group: one for each of its resources). Resources come and go while an endpoint
stands, so `follow` is called again whenever they may have. A zone of a row's `_zones`:
SubnetId, NetworkInterfaceId, Service (address), Resources [AssociationId, ConfigurationId, Address]; `_failed`: those without address, each with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, network_interface, subnet, text

SERVICE_NETWORK = "ServiceNetwork"
BLOCK = 28
"""Prefix length of what is reserved for services."""
Reached = tuple[str, str]
"""The association with the service network ("" through an endpoint of the resource alone) and the resource configuration."""


def open_zone(ctx: Context, endpoint: Row, home: Row, groups: Sequence[str], address: str = "") -> Document:
    """The endpoint's interface in one more subnet. address: wanted for it, "" for any. Raises EC2's refusals where the subnet is too full."""
    row = network_interface.make(
        ctx, home, addresses=[address] if address else [], groups=groups, description=f"VPC Endpoint Interface {endpoint.id}", interface_type="vpc_endpoint",
        requester_managed=True,
    )  # fmt: skip
    zone: Document = {"SubnetId": home.id, "NetworkInterfaceId": row.id, "Resources": []}
    if endpoint.document["VpcEndpointType"] == SERVICE_NETWORK:
        block = _free_block(ctx, home)
        row = ctx.change(row, {"Ipv4Prefixes": [{"Ipv4Prefix": str(block)}]})
        zone["Service"] = str(block[0])
    ctx.refer(row, "VpcEndpointId", endpoint.id)
    return zone


def close_zone(ctx: Context, zone: Document) -> None:
    ctx.remove(ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"]), force=True)


def _free_block(ctx: Context, home: Row) -> IPv4Network:
    """The lowest /28 of the subnet of which no address is reserved or taken."""
    network = subnet.network_of(home)
    held = {*subnet.taken(ctx, home), *cidrs.reserved(network)}
    for block in network.subnets(new_prefix=BLOCK) if network.prefixlen <= BLOCK else ():
        if not any(address in block for address in held):
            return block
    message = f"The specified subnet '{home.id}' does not have enough free cidr blocks to satisfy the request: a free /{BLOCK} is needed"
    raise text.conflict("InsufficientCidrBlocks", message)


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
    kept = [held for held in zone["Resources"] if (held["AssociationId"], held["ConfigurationId"]) in wanted]
    interface, home = ctx.tx.get("ec2:NetworkInterface", zone["NetworkInterfaceId"]), ctx.tx.get("ec2:Subnet", zone["SubnetId"])
    if interface is None or home is None:
        return zone
    primary = interface.document["PrivateIpAddress"]
    interface = _set_addresses(ctx, interface, [primary, *(held["Address"] for held in kept if held["Address"] != primary)])
    own = endpoint.document["VpcEndpointType"] != SERVICE_NETWORK
    for association, configuration in wanted:
        if any((held["AssociationId"], held["ConfigurationId"]) == (association, configuration) for held in kept):
            continue
        try:
            use_primary = own and not any(held["Address"] == primary for held in kept)
            address = primary if use_primary else network_interface.choose_addresses(ctx, home, ())[0]
        except Fault as fault:
            failed.append({"AssociationId": association, "ConfigurationId": configuration, "Code": fault.code, "Message": fault.message})
            continue
        kept.append({"AssociationId": association, "ConfigurationId": configuration, "Address": address})
        if not use_primary:
            interface = _set_addresses(ctx, interface, [*_addresses(interface), address])
    return {**zone, "Resources": kept}


def _addresses(interface: Row) -> list[str]:
    return [item["PrivateIpAddress"] for item in interface.document["PrivateIpAddresses"]]


def _set_addresses(ctx: Context, interface: Row, addresses: list[str]) -> Row:
    return interface if _addresses(interface) == addresses else ctx.change(interface, network_interface.address_members(addresses))
