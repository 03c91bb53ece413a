"""Transit Gateways with their attachments and route tables."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.world.types.vpc import Network


@dataclass(frozen=True)
class TransitGatewayAttachment:
    """A VPC attachment. subnets: its attachment subnets, one per Availability Zone. route_table_id: its association, "" without."""

    id: str
    transit_gateway_id: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    appliance_mode: bool
    route_table_id: str = ""
    ipv6_support: bool = False


@dataclass(frozen=True)
class TransitGatewayRoute:
    """attachment_id "" = blackhole."""

    destination: Network
    attachment_id: str
    type: str = "static"


@dataclass(frozen=True)
class TransitGatewayRouteTable:
    """routes: effective ones only (static wins over propagated of the same prefix)."""

    id: str
    transit_gateway_id: str
    routes: tuple[TransitGatewayRoute, ...]


@dataclass(frozen=True)
class TransitGateway:
    id: str
    attachments: tuple[TransitGatewayAttachment, ...]
    route_tables: tuple[TransitGatewayRouteTable, ...]
