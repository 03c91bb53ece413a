"""Addresses that latticewall itself uses inside every VPC, in one place.

169.254.171.0/24 and 129.224.0.0/17 are VPC Lattice's own ("How VPC Lattice works"); 169.254.64.0/23 carries the links to Transit Gateways and
firewall endpoints, which AWS does not show.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from latticewall.world.types import Vpc

LATTICE_RANGE = IPv4Network("169.254.171.0/24")
LATTICE_SERVICES = IPv4Address("169.254.171.32")
LATTICE_UPSTREAM = IPv4Address("169.254.171.2")
LATTICE_RESOURCES = IPv4Network("129.224.0.0/17")
LATTICE_IPV6 = IPv6Network("fd00:ec2:80::/64")

METADATA = IPv4Address("169.254.169.254")
API_PORT = 4566
"""On the metadata address: where instances reach the region's own endpoint, whatever port it has outside."""
RESOLVER = IPv4Address("169.254.169.253")
METADATA_IPV6 = IPv6Address("fd00:ec2::254")
RESOLVER_IPV6 = IPv6Address("fd00:ec2::253")
"""The same over IPv6, in VPCs that have it."""

TRANSIT_GATEWAY_SIDE = IPv4Address("169.254.64.1")
TRANSIT_GATEWAY_VPC_SIDE = IPv4Address("169.254.64.2")
FIREWALL_SIDE = IPv4Address("169.254.65.1")
FIREWALL_VPC_SIDE = IPv4Address("169.254.65.2")

VPC_MTU = 9001
TRANSIT_GATEWAY_MTU = 8500
"""Bytes, as AWS documents them; also used for firewall endpoints."""


def embedded(address: IPv4Address) -> IPv6Address:
    """The IPv6 address beside one of VPC Lattice's IPv4 addresses, which stands in its low 32 bits."""
    return LATTICE_IPV6[int(address)]


def both_families(vpc: Vpc, address: IPv4Address) -> tuple[str, ...]:
    """One of VPC Lattice's addresses, and the IPv6 one beside it where the VPC has IPv6."""
    return (str(address), str(embedded(address))) if vpc.ipv6_cidrs else (str(address),)


def resolvers(vpc: Vpc) -> tuple[IPv4Address | IPv6Address, ...]:
    """Where the VPC's resolver is; nowhere if it has none."""
    if not vpc.dns_support:
        return ()
    return (base_plus_two(vpc.cidrs[0]), RESOLVER, *((RESOLVER_IPV6,) if vpc.ipv6_cidrs else ()))


def base_plus_two(cidr: IPv4Network) -> IPv4Address:
    """The resolver's address in a VPC or subnet."""
    return cidr.network_address + 2


def router(cidr: IPv4Network) -> IPv4Address:
    """The implicit router's address in a subnet."""
    return cidr.network_address + 1
