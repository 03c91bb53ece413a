"""Network segments behind tunnel VPC endpoints: what the API, the plan and the engine must say alike ("Access network segments through AWS PrivateLink")."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

NEVER_IN_SEGMENTS = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/127", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""What AWS reserves (100.64.0.0/10, 169.254.0.0/16, 224.0.0.0/4, fe80::/10, ff00::/8), and what is nobody's address anywhere."""
NAMESERVER = IPv4Address("169.254.168.253")
"""Inside a tunnel: resolves names as the provider's VPC does."""
GENEVE_PORT = 6081

INNER = IPv4Network("100.64.0.0/10")
INNER_IPV6 = IPv6Network("fd00:6c77:66::/48")
"""What clients of tunnels stand for inside resource gateways. These are in no segment, whatever it is."""
BLOCKS = 4096
"""Of inner addresses; one per Availability Zone of each endpoint."""


def inner_block(number: int) -> IPv4Network:
    """A block of 1024 addresses, number 0 to BLOCKS - 1."""
    return IPv4Network((int(INNER[0]) + number * 1024, 22))


def inner_block_ipv6(number: int) -> IPv6Network:
    """The same for IPv6."""
    return IPv6Network((int(INNER_IPV6[0]) + (number << 64), 64))
