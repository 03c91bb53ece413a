"""The names that AWS gives to private addresses ("Amazon EC2 instance hostnames and domains", "Understanding Amazon DNS")."""

from __future__ import annotations

from ipaddress import IPv4Address


def internal_domain(region: str) -> str:
    """The domain of instances' own names."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def internal_name(region: str, address: IPv4Address) -> str:
    """ip-10-1-2-3.<domain>, without a final dot."""
    return f"ip-{str(address).replace('.', '-')}.{internal_domain(region)}"
