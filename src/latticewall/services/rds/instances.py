"""DB instances: creating and describing ("Creating an Amazon RDS DB instance", "CreateDBInstance", "DescribeDBInstances").

A DB instance has one network interface in a subnet of its DB subnet group: its address is reserved there, and its security groups count as groups of the VPC.
"""

from __future__ import annotations

import base64

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import engines, find, password, settings, text
from latticewall.services.rds.nouns import DB_INSTANCE, DB_SUBNET_GROUP, SUBNET

LIMIT = 40
"""DB instances per Region ("Quotas and constraints for Amazon RDS")."""
ID_CHARACTERS = 26
KNOWN = frozenset({
    "DBInstanceIdentifier", "DBInstanceClass", "Engine", "EngineVersion", "AllocatedStorage", "MasterUsername", "MasterUserPassword", "DBName", "Port",
    "VpcSecurityGroupIds", "AvailabilityZone", "DBSubnetGroupName", "PreferredMaintenanceWindow", "DBParameterGroupName", "OptionGroupName",
    "AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DeletionProtection", "StorageType", "Tags", "TagSpecifications",
})  # fmt: skip


def create(ctx: Context, params: Document) -> Document:
    """CreateDBInstance."""
    name = settings.check_identifier(params["DBInstanceIdentifier"])
    engines.check_engine(params["Engine"])
    version = engines.chosen(ctx, params.get("EngineVersion") or "")
    settings.refuse_others(params, KNOWN - settings.ONLY.keys())
    settings.check_default_groups(params, version)
    for member in ("MasterUsername", "MasterUserPassword"):
        if not params.get(member):
            raise text.invalid(member, f"The parameter {member} must be provided and must not be blank.")
    if ctx.find(DB_INSTANCE, name):
        raise text.refused("DBInstanceAlreadyExists", "DB instance already exists")
    if len(ctx.live(DB_INSTANCE)) >= LIMIT:
        raise text.too_many("InstanceQuotaExceeded", f"The limit of {LIMIT} DB instances per Region has been reached")
    verifier = password.verifier(password.check(params["MasterUserPassword"]), ctx.random)
    major, port = engines.major(version), settings.check_port(params.get("Port") or settings.DEFAULT_PORT)
    group = find.db_subnet_group(ctx, params.get("DBSubnetGroupName") or "default")
    subnet = _subnet(ctx, group, params.get("AvailabilityZone") or "")
    groups = settings.security_groups(ctx, group.document["VpcId"], params.get("VpcSecurityGroupIds") or [])
    document: Document = {
        "DBInstanceClass": engines.check_class(params["DBInstanceClass"]), "Engine": engines.ENGINE, "EngineVersion": version,
        "MasterUsername": settings.check_user(params["MasterUsername"]), "DBName": settings.check_database(params.get("DBName") or "") or None,
        "AllocatedStorage": settings.check_storage(params.get("AllocatedStorage")), "StorageType": params.get("StorageType") or engines.STORAGE[0],
        "PreferredMaintenanceWindow": settings.check_window(params.get("PreferredMaintenanceWindow") or "") or "sun:04:00-sun:04:30",
        "AutoMinorVersionUpgrade": params.get("AutoMinorVersionUpgrade") is not False, "CopyTagsToSnapshot": bool(params.get("CopyTagsToSnapshot")),
        "DeletionProtection": bool(params.get("DeletionProtection")), "AvailabilityZone": subnet.document["AvailabilityZone"],
        "EngineLifecycleSupport": params.get("EngineLifecycleSupport") or settings.ONLY["EngineLifecycleSupport"][0],
        "DBParameterGroups": [{"DBParameterGroupName": f"default.postgres{major}", "ParameterApplyStatus": "in-sync"}],
        "OptionGroupMemberships": [{"OptionGroupName": f"default:postgres-{major}", "Status": "in-sync"}],
        "LicenseModel": engines.LICENSE, "CACertificateIdentifier": settings.AUTHORITY, "NetworkType": "IPV4", "BackupTarget": "region",
        "BackupRetentionPeriod": 0, "MultiAZ": False, "PubliclyAccessible": False, "StorageEncrypted": False, "MonitoringInterval": 0,
        "IAMDatabaseAuthenticationEnabled": False, "PerformanceInsightsEnabled": False, "DedicatedLogVolume": False,
        "_endpoint": settings.endpoint(ctx, name, port), "_verifier": verifier, "_boot": ctx.new_id(), "_subnet_group": group.name,
        "_security_groups": groups, "_vpc": group.document["VpcId"], "_subnet": subnet.id, **_interface(ctx, name, subnet, groups),
    }  # fmt: skip
    identifier = "db-" + base64.b32encode(ctx.random.token_bytes(ID_CHARACTERS)).decode()[:ID_CHARACTERS]
    given = {**tags.read(params.get("Tags")), **tags.from_specifications(params, "db-instance")}
    shown = {member: value for member, value in document.items() if value is not None}
    refs = {"DBSubnetGroupName": group, "Vpc": group.document["VpcId"], "Subnet": subnet, "Interface": document["_interface"]}
    row = ctx.create(DB_INSTANCE, shown, id=identifier, name=name, tags=given, refs=refs)
    for one in groups:
        ctx.refer(row, "VpcSecurityGroupIds", one)
    return {"DBInstance": ctx.view(row)}


def _subnet(ctx: Context, group: Row, zone: str) -> Row:
    """The subnet of the group for a new DB instance: the first, or the first in the zone asked for."""
    subnets = ctx.referred(ctx.resolve(DB_SUBNET_GROUP, group.name), "SubnetIds")
    ordered = sorted((row for row in subnets if row.kind == SUBNET), key=lambda row: group.document["_subnets"].index(row.id))
    for row in ordered:
        if zone in ("", row.document["AvailabilityZone"]):
            return row
    raise text.refused("InvalidVPCNetworkStateFault", f"The DB subnet group {group.name} has no subnet in Availability Zone {zone}")


def _interface(ctx: Context, name: str, subnet: Row, groups: list[str]) -> dict[str, str]:
    """Its network interface; EC2 picks the address."""
    try:
        wanted = {"SubnetId": subnet.id, "Description": f"RDSNetworkInterface {name}", "Groups": groups}
        made = ctx.call("ec2:CreateNetworkInterface", wanted)["NetworkInterface"]
    except Fault as fault:  # EC2's codes mean nothing to RDS's clients
        raise text.refused("InvalidVPCNetworkStateFault", fault.message) from fault
    return {"_interface": made["NetworkInterfaceId"], "_address": made["PrivateIpAddress"]}


FILTERS: dict[str, find.Meaning] = {
    "db-instance-id": lambda row: row.name,
    "dbi-resource-id": lambda row: row.id,
    "db-cluster-id": lambda _: "",
    "domain": lambda _: "",
    "engine": lambda row: str(row.document["Engine"]),
}


def describe(ctx: Context, params: Document) -> Document:
    """DescribeDBInstances. The filter `db-instance-id` takes ARNs too."""
    find.check_page_size(params)
    given = [{**one, "Values": [value.rpartition(":")[2] for value in one["Values"]]} for one in params.get("Filters") or ()]
    identifier = params.get("DBInstanceIdentifier")
    rows = [find.db_instance(ctx, identifier)] if identifier else ctx.live(DB_INSTANCE)
    return {"DBInstances": [ctx.view(row) for row in sorted(find.filtered(rows, {"Filters": given}, FILTERS), key=lambda row: row.name)]}


OPERATIONS = {"CreateDBInstance": create, "DescribeDBInstances": describe}
