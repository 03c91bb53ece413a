"""VPC endpoints that lead to a service network or to one resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any


@dataclass(frozen=True)
class EndpointZone:
    """An endpoint in one Availability Zone. service: where the services of the network are, None of an endpoint for a resource. resources: (association with
    the service network, "" without one; resource configuration, of one address or name; its address)."""

    subnet_id: str
    interface_id: str
    service: IPv4Address | None
    resources: tuple[tuple[str, str, IPv4Address], ...] = ()

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Everything that is served there."""
        found = [address for _, _, address in self.resources]
        return tuple(sorted({*found, self.service} if self.service else set(found)))


@dataclass(frozen=True)
class VpcEndpoint:
    """An endpoint of type ServiceNetwork or Resource: one of the two ids is "". account: its owner's, who is the VPC's. zones: by subnet id."""

    id: str
    account: str
    vpc_id: str
    service_network_id: str
    resource_configuration_id: str
    zones: tuple[EndpointZone, ...]
    private_dns_enabled: bool = False
    dns_options: dict[str, Any] = field(default_factory=dict)
    created_at: str = ""
