"""The IPv6 half of dual-stack VPCs: what differs from IPv4 in how neighbours find each other and in the kernel's settings.

A router answers neighbour solicitations only for addresses of the interface they came in by, so that a subnet's router address is on every interface of
the subnet; duplicate address detection is off, because an address is only ever given once. Pages: "IPv6 addressing for your VPCs and subnets".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from latticewall.compile.index import Connected
from latticewall.plan.nft import Match, NftRule
from latticewall.plan.topology import Address

TRANSIT_GATEWAY_SIDE = IPv6Address("fd00:6c77:64::1")
TRANSIT_GATEWAY_VPC_SIDE = IPv6Address("fd00:6c77:64::2")
LINK_LOCAL = "fe80::/10"
DEFAULT = "::/0"
_SOLICITATION, _ADVERTISEMENT = "135", "136"

SYSCTLS = (
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_redirects", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
)
FORWARDING = (("ipv6/conf/all/forwarding", "1"),)


def dual_stack(sysctls: Iterable[tuple[str, str]], *, routes: bool) -> tuple[tuple[str, str], ...]:
    """The settings of a namespace, for IPv6 too. routes: it hands packets on."""
    own = (*SYSCTLS, *(FORWARDING if routes else ()))
    return tuple(sorted({**dict(sysctls), **dict(own)}.items()))


def addressed(key: str, found: Iterable[IPv4Address | IPv6Address | str]) -> list[Match]:
    """Conditions on addresses, one for each family that there is. key: saddr or daddr."""
    written = sorted(map(str, found))
    families = (("ip", [text for text in written if ":" not in text]), ("ip6", [text for text in written if ":" in text]))
    return [Match(f"{family} {key}", tuple(values)) for family, values in families if values]


def router(cidr: IPv6Network) -> IPv6Address:
    """The implicit router's address in a subnet."""
    return cidr.network_address + 1


def router_addresses(connected: Iterable[Connected]) -> Iterator[Address]:
    """The subnet's router, on each interface behind which somebody asks for it."""
    for item in connected:
        if item.subnet.ipv6_cidr is not None and item.interface.ipv6_addresses:
            yield Address(item.router_device, f"{router(item.subnet.ipv6_cidr)}/128")


def neighbours(devices: tuple[str, ...], key: str = "iifname") -> list[NftRule]:
    """Neighbour discovery of those devices, which no security group can close. key: which way, iifname or oifname."""
    asked = Match("icmpv6 type", (_SOLICITATION, _ADVERTISEMENT))
    return [NftRule((Match(key, devices), asked), "accept", comment="neighbour discovery")] if devices else []


def sends_as_itself(item: Connected) -> NftRule:
    """Half of the source/destination check; link-local addresses are let through for finding neighbours."""
    own = Match("ip6 saddr", (*map(str, item.interface.ipv6_addresses), LINK_LOCAL), negate=True)
    return NftRule((Match("iifname", (item.router_device,)), own), "drop", comment=f"{item.interface.id} source/destination check")


def finds_neighbours_only(connected: Iterable[Connected]) -> list[NftRule]:
    """The other half: nothing but ICMPv6 comes from a link-local address, so that nobody hides behind one from what asks for an address."""
    devices = tuple(sorted(item.router_device for item in connected if item.interface.ipv6_addresses))
    found = (Match("iifname", devices), Match("ip6 saddr", (LINK_LOCAL,)), Match("meta l4proto", ("ipv6-icmp",), negate=True))
    return [NftRule(found, "drop", comment="link-local addresses are for finding neighbours")] if devices else []


def receives_as_itself(item: Connected) -> NftRule:
    own = Match("ip6 daddr", (*map(str, item.interface.ipv6_addresses), LINK_LOCAL), negate=True)
    return NftRule((Match("oifname", (item.router_device,)), own), "drop", comment=f"{item.interface.id} source/destination check")
