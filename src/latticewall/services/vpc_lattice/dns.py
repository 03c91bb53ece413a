"""The names that Lattice gives ("Services in VPC Lattice", "Custom domain names for VPC resources")."""

from __future__ import annotations

import base64
import hashlib

from latticewall.resources.kind import Document

SERVICE_PARTITION = "7d67968"
RESOURCE_PARTITION = "4232ccc"
"""The partition labels seen in every region's names."""


def service_entry(region: str, name: str, service_id: str) -> Document:
    """A service's dnsEntry: the same through every service network."""
    label = f"{name}-{service_id.removeprefix('svc-')}"
    return {"domainName": f"{label}.{SERVICE_PARTITION}.vpc-lattice-svcs.{region}.on.aws", "hostedZoneId": zone_id("svcs", region)}


def resource_entry(region: str, association_id: str, configuration_id: str) -> Document:
    """The dnsEntry of a resource in a service network."""
    name = f"{association_id}.{configuration_id}.{RESOURCE_PARTITION}.vpc-lattice-rsc.{region}.on.aws"
    return {"domainName": name, "hostedZoneId": zone_id("rsc", region)}


def zone_id(domain: str, region: str) -> str:
    """The hosted zone of a region's names: a constant, as in AWS."""
    return "Z" + base64.b32encode(hashlib.sha256(f"vpc-lattice-{domain}.{region}".encode()).digest()).decode()[:20]
