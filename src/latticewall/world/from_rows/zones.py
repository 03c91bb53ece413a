"""Route 53's private hosted zones."""

from __future__ import annotations

from latticewall.world.from_rows.rows import Rows
from latticewall.world.types import HostedZone


def build_hosted_zones(rows: Rows) -> tuple[HostedZone, ...]:
    """Zones with a VPC of this region; public zones answer nobody here."""
    found = []
    for row in rows.of("route53:HostedZone"):
        vpcs = tuple(sorted(vpc["VPCId"] for vpc in row.document.get("_vpcs") or () if vpc.get("VPCRegion") in (rows.region, None)))
        if vpcs:
            found.append(HostedZone(row.id, row.name, vpcs, tuple(row.document.get("_records") or ())))
    return tuple(found)
