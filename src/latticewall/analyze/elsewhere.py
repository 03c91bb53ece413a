"""Addresses that are none of the service network's: whose they are, and that nothing more is told of the way there."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from latticewall.analyze.gate import Gate, Outcome
from latticewall.analyze.packets import Address
from latticewall.analyze.path import Region, Source
from latticewall.compile import addresses
from latticewall.compile.index import EndpointInterface

_ONLY = "ways by routes, over Transit Gateways, through firewalls and in tunnels are not explained; try it with `latticewall exec`"


def elsewhere_gate(region: Region, source: Source, trail: str, found: Sequence[Address]) -> Gate | None:
    """None where one of the addresses is the service network's, in whatever VPC. trail: what was looked up, and what came of it."""
    served = {item.address for item in region.plan.proxy.tcp_listeners}
    if not found or any(_is_ours(address) or str(address) in served for address in found):
        return None
    detail = f"{trail}: {_whose(region, source, found[0])}, no service and no TCP resource of the service network; {_ONLY}"
    return Gate("name", Outcome.UNKNOWN, detail)


def _is_ours(address: Address) -> bool:
    if address.version == 6:
        return address in addresses.LATTICE_IPV6
    return address in addresses.LATTICE_RANGE or address in addresses.LATTICE_RESOURCES


def tunnel_gate(region: Region, door: EndpointInterface, address: Address) -> Gate | None:
    """Of an endpoint into a network segment, which takes packets inside packets; None of others."""
    configurations = {item.id: item for item in region.index.world.resource_configurations}
    segment = configurations.get(door.endpoint.resource_configuration_id)
    if segment is None or segment.type != "CIDR":
        return None
    detail = (
        f"{address} is tunnel endpoint {door.endpoint.id} into network segment {segment.id}: clients send it GENEVE (UDP 6081), not connections, "
        "and what goes on inside is not told here"
    )
    return Gate("vpc-endpoint", Outcome.UNKNOWN, detail, door.endpoint.id)


def _whose(region: Region, source: Source, address: Address) -> str:
    """The interface, network segment or VPC that an address belongs to, the client's own VPC first: others may have the same addresses."""
    index = region.index
    ordered = sorted(index.vpcs.values(), key=lambda vpc: (vpc.id != source.vpc.id, vpc.id))
    here = [vpc for vpc in ordered if any(address in block for block in vpc.cidrs) or any(address in block for block in vpc.ipv6_cidrs)]
    for vpc in here:
        for item in index.attached_of.get(vpc.id, []):
            if address in (*item.interface.addresses, *item.interface.ipv6_addresses):
                return f"interface {item.interface.id} of {item.instance.id} in {vpc.id}"
        for interface in index.world.network_interfaces:
            if interface.vpc_id == vpc.id and address in (*interface.addresses, *interface.ipv6_addresses):
                return f"interface {interface.id} in {vpc.id}"
    entered = {endpoint.resource_configuration_id: endpoint.id for endpoint in index.world.vpc_endpoints if endpoint.vpc_id == source.vpc.id}
    for segment in index.world.resource_configurations:
        ranges = segment.definition.get("cidrResource", {}).get("cidrRanges", ())
        if segment.id in entered and any(address in ip_network(text) for text in ranges):
            return f"an address in network segment {segment.id}, which tunnel endpoint {entered[segment.id]} leads into"
    if here:
        return f"an address of {here[0].id} that no interface has"
    return "the VPC's own (metadata, time, resolver)" if address.is_link_local else "an address of no VPC here"
