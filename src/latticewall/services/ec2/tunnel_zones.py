"""Tunnel endpoints, zone by zone ("Access a network segment through a tunnel VPC endpoint").

A zone of a tunnel has a block of inner addresses (`_Inner`, its number: base/segments.py) besides what zones of other endpoints have: inside the resource
gateway every client stands for one of them, so that clients with the same inner address are not mixed up. A zone keeps its block, whatever others come and go.
"""

from __future__ import annotations

from collections.abc import Sequence

from latticewall.base.lattice_names import endpoint_zone_name
from latticewall.base.rows import Row
from latticewall.base.segments import BLOCKS
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_zones, text

TUNNEL = "Tunnel"
_CONFIGURATION, _GATEWAY = "vpc-lattice:ResourceConfiguration", "vpc-lattice:ResourceGateway"


def check(ctx: Context, target: Row | None, homes: Sequence[Row]) -> None:
    """The subnets of a tunnel must be in Availability Zones of the segment's resource gateway. target: what the endpoint leads to."""
    if target is None or target.document.get("type") != "CIDR":
        return
    gateway = ctx.tx.get(_GATEWAY, target.document["resourceGatewayId"])
    subnets = [ctx.tx.get("ec2:Subnet", identifier) for identifier in gateway.document["subnetIds"]] if gateway else []
    zones = sorted({subnet.document["AvailabilityZone"] for subnet in subnets if subnet})
    for home in homes:
        if home.document["AvailabilityZone"] not in zones:
            where = f"The subnet {home.id} is in {home.document['AvailabilityZone']}, where the resource gateway of {target.id} is not"
            raise text.invalid("InvalidParameter", f"{where}: it is in {', '.join(zones)}.")


def numbered(ctx: Context, endpoint: Row, zones: Sequence[Document]) -> list[Document]:
    """The zones of an endpoint; of a tunnel each with a block that no other zone of the region has."""
    if endpoint.document["VpcEndpointType"] != TUNNEL:
        return list(zones)
    others = (zone for row in ctx.tx.rows(endpoint.kind) if row.id != endpoint.id for zone in row.document.get("_zones") or ())
    taken = {zone["_Inner"] for zone in (*others, *zones) if "_Inner" in zone}
    free = (number for number in range(BLOCKS) if number not in taken)
    found = []
    for zone in zones:
        number = zone["_Inner"] if "_Inner" in zone else next(free, None)
        if number is None:
            raise text.conflict("VpcEndpointLimitExceeded", f"There are no more than {BLOCKS} zones of tunnel endpoints in a region.")
        found.append({**zone, "_Inner": number})
    return found


def names(ctx: Context, row: Row) -> list[str]:
    """The names of a tunnel zone by zone."""
    found = [ctx.tx.get("ec2:Subnet", zone["SubnetId"]) for zone in row.document["_zones"]]
    zones = [subnet.document["AvailabilityZone"] for subnet in found if subnet]
    return [endpoint_zone_name(row.region, row.id, zone, leaf.id) for _, _, leaf in endpoint_zones.leads_to(ctx, row) for zone in zones]


def prefixes(row: Row) -> Document:
    """Ipv4Prefixes and Ipv6Prefixes: where a tunnel takes packets, which is one address of each family in a zone."""
    return {
        family.prefixes: [
            {"SubnetId": zone["SubnetId"], "IpPrefixes": [f"{held[family.address]}/{length}" for held in zone["Resources"] if family.address in held]}
            for zone in row.document["_zones"]
        ]
        for family, length in ((endpoint_zones.IPV4, 32), (endpoint_zones.IPV6, 128))
        if family in endpoint_zones.families_of(row)
    }  # fmt: skip
