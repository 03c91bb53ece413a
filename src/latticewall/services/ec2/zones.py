"""Regions and Availability Zones: any region name works and has three zones ("Availability Zone IDs")."""

from __future__ import annotations

import re
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.resources import filters
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import text
from latticewall.services.ec2.requests import only

LETTERS = "abc"
REGIONS = (
    "af-south-1 ap-east-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 "
    "ap-southeast-4 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 "
    "me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2"
)
"""What DescribeRegions lists besides the caller's own; the names matter only to tools that print menus."""
ZONE_FILTERS = {
    "zone-name": "ZoneName", "zone-id": "ZoneId", "region-name": "RegionName", "state": "State", "zone-type": "ZoneType",
    "group-name": "GroupName", "opt-in-status": "OptInStatus", "message": "Messages.Message",
}  # fmt: skip


def short_region(region: str) -> str:
    """ "us-east-1" -> "use1", "ap-southeast-2" -> "apse2": the region's part of zone ids."""
    words = [word for word in region.split("-") if word]
    compass = {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}
    return words[0] + "".join(compass.get(word, word if word.isdigit() else word[:1]) for word in words[1:]) if words else ""


def zones(region: str) -> dict[str, str]:
    """Zone name -> zone id."""
    return {f"{region}{letter}": f"{short_region(region)}-az{number}" for number, letter in enumerate(LETTERS, start=1)}


def pick(region: str, name: str = "", zone_id: str = "") -> tuple[str, str]:
    """The zone (name, id) that was asked for, the first zone when none was. Raises InvalidParameterValue for an unknown one."""
    known = zones(region)
    if name and name not in known:
        listed = ", ".join(known)
        raise text.bad_value(name, "availabilityZone", f"Subnets can currently only be created in the following availability zones: {listed}.")
    found = [pair for pair in known.items() if name in ("", pair[0]) and zone_id in ("", pair[1])]
    if not found:
        raise text.bad_value(zone_id, "availabilityZoneId", f"It is not a zone of {region}" + (f" or not that of {name}." if name else "."))
    return found[0]


def describe_availability_zones(ctx: Context, params: Document) -> Document:
    """DescribeAvailabilityZones."""
    region = ctx.caller.region
    shown: list[dict[str, Any]] = [
        {
            "ZoneName": name, "ZoneId": zone_id, "RegionName": region, "State": "available", "OptInStatus": "opt-in-not-required", "Messages": [],
            "GroupName": f"{region}-zg-1", "NetworkBorderGroup": region, "ZoneType": "availability-zone",
        }
        for name, zone_id in zones(region).items()
    ]  # fmt: skip
    for member, key in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        for wanted in params.get(member) or ():
            if wanted not in {zone[key] for zone in shown}:
                raise Invalid(f"Invalid availability zone: [{wanted}]", code="InvalidParameterValue")
        if wanted_all := params.get(member):
            shown = [zone for zone in shown if zone[key] in wanted_all]
    return {"AvailabilityZones": filters.select(shown, params.get("Filters"), ZONE_FILTERS, ZONE_FILTERS.values())}


def describe_regions(ctx: Context, params: Document) -> Document:
    """DescribeRegions: the caller's region, the well-known ones, and any that is asked for by name."""
    names = params.get("RegionNames") or sorted({*REGIONS.split(), ctx.caller.region})
    for name in names:
        if not re.fullmatch(r"[a-z0-9-]{1,64}", name):
            raise text.bad_value(name, "regionName", "It is not a region name.")
    shown = [{"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": "opt-in-not-required"} for name in names]
    members = {"region-name": "RegionName", "endpoint": "Endpoint", "opt-in-status": "OptInStatus"}
    return {"Regions": filters.select(shown, params.get("Filters"), members, members.values())}


def describe_account_attributes(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of an operation
    """DescribeAccountAttributes: VPC only, no default VPC."""
    only(params, "AttributeNames")
    values = {
        "supported-platforms": "VPC", "default-vpc": "none", "vpc-max-security-groups-per-interface": "5", "max-instances": "20",
        "max-elastic-ips": "5", "vpc-max-elastic-ips": "5",
    }  # fmt: skip
    wanted = params.get("AttributeNames") or list(values)
    for name in wanted:
        if name not in values:
            raise text.bad_value(name, "attributeName")
    return {"AccountAttributes": [{"AttributeName": name, "AttributeValues": [{"AttributeValue": values[name]}]} for name in wanted]}
