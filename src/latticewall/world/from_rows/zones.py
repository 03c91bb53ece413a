"""Route 53's hosted zones."""

from __future__ import annotations

from latticewall.world.from_rows.rows import Rows
from latticewall.world.types import HostedZone


def build_hosted_zones(rows: Rows) -> tuple[HostedZone, ...]:
    """Private zones with a VPC of this region, and public zones."""
    found = []
    for row in rows.of("route53:HostedZone"):
        associated = row.document.get("_vpcs") or ()
        vpcs = tuple(sorted(vpc["VPCId"] for vpc in associated if vpc.get("VPCRegion") in (rows.region, None)))
        if vpcs or not associated:
            found.append(HostedZone(row.id, row.name, vpcs, tuple(row.document.get("_records") or ())))
    return tuple(found)
