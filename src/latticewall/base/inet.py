"""Internet addresses as text.

An address has no zone here (`fe80::1%eth0`): what follows the % may be any text at all, means nothing outside one host, and stays with the address wherever
it is written again. Python reads it; these do not.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

RESERVED = 4
"""How many addresses a subnet begins with that are reserved: the network's, the router's, the resolver's, and one for future use."""


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """One address. Raises ValueError."""
    _refuse_zone(text)
    return ip_address(text)


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """A block, whatever bits of the host are set; an address is a block of one. Raises ValueError."""
    _refuse_zone(text)
    return ip_network(text, strict=False)


def spelled(text: str) -> str:
    """An address in its one canonical spelling (RFC 5952), so that it can be compared as text; what is no address as it is."""
    try:
        return str(parse_address(text))
    except ValueError:
        return text


def is_reserved(address: IPv4Address | IPv6Address, subnet: IPv4Network | IPv6Network) -> bool:
    """Whether an address of a subnet is one that no interface can have: the first four and the last ("Subnet CIDR blocks")."""
    return int(address) - int(subnet.network_address) < RESERVED or address == subnet.broadcast_address


def _refuse_zone(text: str) -> None:
    if "%" in text:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address without a zone")
