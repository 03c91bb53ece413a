"""DB subnet groups ("Working with DB subnet groups"): the subnets of one VPC in which DB instances may have their address."""

from __future__ import annotations

import re
from collections.abc import Sequence

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import find, text
from latticewall.services.rds.nouns import DB_INSTANCE, DB_SUBNET_GROUP, SUBNET

LIMIT, MOST_SUBNETS = 50, 20
"""DB subnet groups per Region, and subnets in one ("Quotas and constraints for Amazon RDS")."""
FEWEST_ZONES = 2
_NAME = re.compile(r"[a-z0-9 ._-]{1,255}")


def create(ctx: Context, params: Document) -> Document:
    """CreateDBSubnetGroup."""
    name = params["DBSubnetGroupName"].lower()
    if not _NAME.fullmatch(name) or name == "default":
        message = "can have at most 255 letters, digits, periods, underscores, spaces and hyphens, and must not be default"
        raise text.invalid("DBSubnetGroupName", f"The parameter DBSubnetGroupName is not valid: {params['DBSubnetGroupName']!r} {message}")
    if ctx.find(DB_SUBNET_GROUP, name):
        raise text.refused("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    if len(ctx.live(DB_SUBNET_GROUP)) >= LIMIT:
        raise text.too_many("DBSubnetGroupQuotaExceeded", f"The limit of {LIMIT} DB subnet groups per Region has been reached")
    subnets = _subnets(ctx, params["SubnetIds"])
    document: Document = {
        "DBSubnetGroupDescription": params["DBSubnetGroupDescription"], "VpcId": subnets[0].document["VpcId"], "_subnets": [row.id for row in subnets],
    }  # fmt: skip
    row = ctx.create(DB_SUBNET_GROUP, document, name=name, tags=tags.read(params.get("Tags")), refs={"Vpc": document["VpcId"]})
    for subnet in subnets:
        ctx.refer(row, "SubnetIds", subnet)
    return {"DBSubnetGroup": ctx.view(row)}


def _subnets(ctx: Context, identifiers: Sequence[str]) -> list[Row]:
    """Subnets of one VPC, in at least two Availability Zones."""
    found: list[Row] = []
    for identifier in dict.fromkeys(identifiers):
        row = ctx.find(SUBNET, identifier)
        if row is None:
            raise text.refused("InvalidSubnet", f"Some input subnets in :[{', '.join(identifiers)}] are invalid: {identifier} does not exist")
        found.append(row)
    if native := [row.id for row in found if row.document["Ipv6Native"]]:
        raise text.refused("InvalidSubnet", f"Some input subnets are invalid: {', '.join(native)} are IPv6-only subnets, where DB instances cannot be")
    if len(found) > MOST_SUBNETS:
        raise text.too_many("DBSubnetQuotaExceededFault", f"A DB subnet group can have at most {MOST_SUBNETS} subnets")
    if len({row.document["VpcId"] for row in found}) > 1:
        raise text.refused("InvalidSubnet", "The subnets of a DB subnet group must all be in one VPC")
    zones = sorted({row.document["AvailabilityZone"] for row in found})
    if len(zones) < FEWEST_ZONES:
        covered = f"Current AZ coverage: {', '.join(zones)}"
        raise text.refused(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            f"The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. {covered}. Add subnets to cover at least {FEWEST_ZONES} AZs.",
        )
    return found


def describe(ctx: Context, params: Document) -> Document:
    """DescribeDBSubnetGroups."""
    find.check_page_size(params)
    name = params.get("DBSubnetGroupName")
    rows = [find.db_subnet_group(ctx, name)] if name else ctx.live(DB_SUBNET_GROUP)
    return {"DBSubnetGroups": [ctx.view(row) for row in sorted(find.filtered(rows, params, {}), key=lambda row: row.name)]}


def modify(ctx: Context, params: Document) -> Document:
    """ModifyDBSubnetGroup: exactly these subnets from now on. One that a DB instance has its address in must stay."""
    row = find.db_subnet_group(ctx, params["DBSubnetGroupName"])
    subnets = _subnets(ctx, params["SubnetIds"])
    if subnets[0].document["VpcId"] != row.document["VpcId"]:
        raise text.refused("InvalidSubnet", f"The subnets must be in VPC {row.document['VpcId']}, as those that the group has")
    kept = {subnet.id for subnet in subnets}
    for instance in ctx.referring(row, DB_INSTANCE):
        if instance.document["_subnet"] not in kept:
            raise text.in_use("SubnetAlreadyInUse", f"The subnet {instance.document['_subnet']} is in use by DB instance {instance.name}")
    ctx.forget(row, "SubnetIds")
    for subnet in subnets:
        ctx.refer(row, "SubnetIds", subnet)
    description = params.get("DBSubnetGroupDescription") or row.document["DBSubnetGroupDescription"]
    return {"DBSubnetGroup": ctx.view(ctx.change(row, {"DBSubnetGroupDescription": description, "_subnets": [subnet.id for subnet in subnets]}))}


def delete(ctx: Context, params: Document) -> Document:
    """DeleteDBSubnetGroup: not while a DB instance is in it."""
    row = find.db_subnet_group(ctx, params["DBSubnetGroupName"])
    for instance in ctx.referring(row, DB_INSTANCE):
        words = f"Cannot delete the subnet group '{row.name}' because at least one database instance: {instance.name} is still using it."
        raise text.in_use("InvalidDBSubnetGroupStateFault", words)
    ctx.remove(row)
    return {}


OPERATIONS = {
    "CreateDBSubnetGroup": create,
    "DescribeDBSubnetGroups": describe,
    "ModifyDBSubnetGroup": modify,
    "DeleteDBSubnetGroup": delete,
}
