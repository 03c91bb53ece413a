"""VPC endpoints that lead to a service network, to one resource or to a network segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class EndpointZone:
    """An endpoint in one Availability Zone. services: where the services of the network are, one address of each family that the endpoint has; none of an
    endpoint for a resource. resources: (association with the service network, "" without one; resource configuration, of one address or name or a segment;
    one of its addresses), for each family too. inner: of a tunnel, the number of its block of inner addresses."""

    subnet_id: str
    interface_id: str
    services: tuple[Address, ...]
    resources: tuple[tuple[str, str, Address], ...] = ()
    inner: int = -1

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Everything that is served there, IPv4 first."""
        return tuple(sorted({*self.services, *(address for _, _, address in self.resources)}, key=lambda address: (address.version, address)))


@dataclass(frozen=True)
class VpcEndpoint:
    """An endpoint of type ServiceNetwork, Resource or Tunnel: one of the two ids is "". account: its owner's, who is the VPC's. zones: by subnet id."""

    id: str
    account: str
    vpc_id: str
    service_network_id: str
    resource_configuration_id: str
    zones: tuple[EndpointZone, ...]
    private_dns_enabled: bool = False
    dns_options: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
