"""Addresses and CIDR blocks of VPCs and subnets ("Subnet CIDR blocks")."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network, NetmaskValueError

from latticewall.base.faults import Invalid
from latticewall.base.inet import RESERVED, parse_network
from latticewall.services.ec2 import text

RESTRICTED = tuple(IPv4Network(cidr) for cidr in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"))
UNROUTABLE = IPv4Network("169.254.168.0/22")
"""Destinations that no route may name; link-local services live there."""


def parse(cidr: str, parameter: str = "cidrBlock") -> IPv4Network:
    """An IPv4 block in canonical form (100.68.0.18/18 -> 100.68.0.0/18). Raises InvalidParameterValue."""
    try:
        if "/" not in cidr:
            raise ValueError("no prefix length")
        network = IPv4Network(cidr, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise text.bad_value(cidr, parameter, "This is not a valid CIDR block.") from None
    if not cidr.split("/")[1].isdigit():
        raise text.bad_value(cidr, parameter, "This is not a valid CIDR block.")
    return network


def parse_v6(cidr: str, parameter: str) -> IPv6Network:
    try:
        network = parse_network(cidr)
    except ValueError:
        network = None
    if not isinstance(network, IPv6Network):
        raise text.bad_value(cidr, parameter, "This is not a valid IPv6 CIDR block.")
    return network


def parse_vpc(cidr: str) -> IPv4Network:
    """A VPC's block: /16 to /28 and outside the restricted ranges. Raises InvalidVpc.Range."""
    network = parse(cidr)
    if not 16 <= network.prefixlen <= 28 or any(network.overlaps(range_) for range_ in RESTRICTED):
        raise Invalid(f"The CIDR '{cidr}' is invalid.", code="InvalidVpc.Range")
    return network


def parse_address(address: str, parameter: str = "privateIpAddress") -> IPv4Address:
    try:
        return IPv4Address(address)
    except AddressValueError:
        raise text.bad_value(address, parameter, "This is not a valid IP address.") from None


def reserved(network: IPv4Network) -> set[IPv4Address]:
    """Network, router, resolver, future use and last address."""
    return {*(network[offset] for offset in range(RESERVED)), network[-1]}


def lowest_free(network: IPv4Network, taken: Collection[IPv4Address]) -> IPv4Address | None:
    """The first address that is neither reserved nor taken."""
    held = reserved(network).union(taken)
    return next((address for address in network if address not in held), None)


def free_count(network: IPv4Network, taken: Collection[IPv4Address]) -> int:
    return network.num_addresses - len(reserved(network).union(address for address in taken if address in network))
