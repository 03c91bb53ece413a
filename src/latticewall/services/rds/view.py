"""Members of answers that follow from the row or from what it refers to; and what a DB instance gives back when it goes."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import engines
from latticewall.services.rds.nouns import DB_SUBNET_GROUP, SUBNET

NOT_YET = ("creating", "failing")
"""Statuses of what has never been reachable: RDS shows no endpoint then."""


def db_instance(ctx: Context, row: Row) -> Document:
    document = row.document
    group = ctx.find(DB_SUBNET_GROUP, document["_subnet_group"])
    found: Document = {
        "EngineVersion": engines.present(ctx, document["EngineVersion"]), "DbInstancePort": 0, "InstanceCreateTime": row.created_at,
        "DBSubnetGroup": ctx.view(group) if group else None, "PendingModifiedValues": {}, "DBSecurityGroups": [], "AssociatedRoles": [],
        "VpcSecurityGroups": [{"VpcSecurityGroupId": one, "Status": "active"} for one in document["_security_groups"]],
        "Endpoint": None if row.status in NOT_YET else document["_endpoint"],
        "StatusInfos": [{"StatusType": "server", "Normal": False, "Status": "error", "Message": row.reason}] if row.reason else [],
    }  # fmt: skip
    return {member: value for member, value in found.items() if value is not None}


def db_subnet_group(ctx: Context, row: Row) -> Document:
    rows = [found for identifier in row.document["_subnets"] if (found := ctx.find(SUBNET, identifier))]
    subnets = [
        {
            "SubnetIdentifier": subnet.id, "SubnetAvailabilityZone": {"Name": subnet.document["AvailabilityZone"]}, "SubnetOutpost": {},
            "SubnetStatus": "Active",
        }
        for subnet in rows
    ]  # fmt: skip
    return {"SubnetGroupStatus": "Complete", "Subnets": subnets, "SupportedNetworkTypes": ["IPV4"]}


def release(ctx: Context, row: Row) -> None:
    """Before a DB instance goes: its network interface and references go, so that its subnets and groups can be deleted."""
    interfaces = ctx.referred(row, "Interface")
    for role in ("Interface", "Subnet", "Vpc", "VpcSecurityGroupIds", "DBSubnetGroupName"):
        ctx.forget(row, role)
    for interface in interfaces:
        ctx.call("ec2:DeleteNetworkInterface", {"NetworkInterfaceId": interface.id})
