"""VPC endpoints that lead to VPC Lattice, out of EC2's rows and the associations that VPC Lattice keeps of them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows, text
from latticewall.world.types import EndpointZone, VpcEndpoint

ASSOCIATIONS = ("vpc-lattice:ServiceNetworkVpcEndpointAssociation", "vpc-lattice:ResourceEndpointAssociation")


def build_vpc_endpoints(rows: Rows) -> tuple[VpcEndpoint, ...]:
    """Only endpoints whose association is there: the owner of a resource configuration may have ended it."""
    associated = {row.document["vpcEndpointId"]: row.document for kind in ASSOCIATIONS for row in rows.of(kind)}
    return tuple(_endpoint(row, associated[row.id]) for row in rows.of("ec2:VpcEndpoint") if row.id in associated)


def _endpoint(row: Row, association: dict[str, Any]) -> VpcEndpoint:
    document = row.document
    return VpcEndpoint(
        id=row.id, account=row.account, vpc_id=document["VpcId"], service_network_id=text(association.get("serviceNetworkId")),
        resource_configuration_id=text(association.get("resourceConfigurationId")),
        zones=tuple(sorted((_zone(item) for item in document["_zones"]), key=lambda zone: zone.subnet_id)),
        private_dns_enabled=bool(document.get("PrivateDnsEnabled")), dns_options=document.get("DnsOptions") or {},
        created_at=row.created_at,
    )  # fmt: skip


def _zone(item: dict[str, Any]) -> EndpointZone:
    services = tuple(ip_address(item[member]) for member in ("Service", "Ipv6Service") if item.get(member))
    resources = [
        (held["AssociationId"], held["ConfigurationId"], ip_address(held[member]))
        for held in item.get("Resources") or () for member in ("Address", "Ipv6Address") if held.get(member)
    ]  # fmt: skip
    resources.sort(key=lambda held: (*held[:2], held[2].version, held[2]))
    return EndpointZone(item["SubnetId"], item["NetworkInterfaceId"], services, tuple(resources), int(item.get("_Inner", -1)))
