"""The names that VPC Lattice generates, which both the API and every VPC's resolver must know ("Services in VPC Lattice", "Custom domain names for VPC
resources", "Access service networks through AWS PrivateLink")."""

from __future__ import annotations

import base64
import hashlib

SERVICE_PARTITION = "7d67968"
RESOURCE_PARTITION = "4232ccc"
"""The partition labels seen in every region's names."""


def service_name(region: str, label: str) -> str:
    """The name of a service: label is `<name>-<id without prefix>`."""
    return f"{label}.{SERVICE_PARTITION}.vpc-lattice-svcs.{region}.on.aws"


def resource_name(region: str, reached_by: str, configuration_id: str) -> str:
    """The name of a resource, as reached through an association with a service network or through an endpoint."""
    return f"{reached_by}.{configuration_id}.{RESOURCE_PARTITION}.vpc-lattice-rsc.{region}.on.aws"


def endpoint_service_name(region: str, endpoint_id: str, association_id: str) -> str:
    """The name of a service as reached through an endpoint of its service network."""
    return service_name(region, f"{endpoint_id}-{association_id}")


def endpoint_resource_name(region: str, endpoint_id: str, association_id: str, configuration_id: str) -> str:
    """The name of a resource as reached through an endpoint: of a service network, or (association_id "") of the resource alone."""
    return resource_name(region, f"{endpoint_id}-{association_id}" if association_id else endpoint_id, configuration_id)


def endpoint_zone_name(region: str, endpoint_id: str, zone: str, configuration_id: str) -> str:
    """The name of a tunnel endpoint in one Availability Zone."""
    return resource_name(region, f"{endpoint_id}-{zone}", configuration_id)


def zone_id(domain: str, region: str) -> str:
    """The hosted zone of a region's names (domain: svcs or rsc): a constant, as in AWS."""
    return "Z" + base64.b32encode(hashlib.sha256(f"vpc-lattice-{domain}.{region}".encode()).digest()).decode()[:20]
