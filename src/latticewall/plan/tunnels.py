"""Tunnels: where encapsulated packets come in, and where what is in them goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TunnelZone:
    """A tunnel endpoint in one Availability Zone. addresses: where it takes encapsulated packets. device: its end of the link to the resource gateway's
    namespace; far_device: the other end. block, block_ipv6: the addresses that clients stand for in there ("" without that family)."""

    addresses: tuple[str, ...]
    device: str
    far_device: str
    block: str
    block_ipv6: str = ""


@dataclass(frozen=True)
class TunnelPlan:
    """The engine of one endpoint. namespace: the endpoint's; far: the resource gateway's. mtu: of the packets inside, in bytes."""

    id: str
    namespace: str
    far: str
    zones: tuple[TunnelZone, ...]
    mtu: int
