"""ModifyDBInstance, of one that runs ("Modifying an Amazon RDS DB instance"). Without maintenance windows all is applied at once, ApplyImmediately or not."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import engines, password, settings, text
from latticewall.services.rds.running import in_state

KNOWN = frozenset({
    "DBInstanceIdentifier", "DBInstanceClass", "AllocatedStorage", "StorageType", "VpcSecurityGroupIds", "ApplyImmediately", "MasterUserPassword",
    "DBParameterGroupName", "OptionGroupName", "PreferredMaintenanceWindow", "EngineVersion", "AllowMajorVersionUpgrade", "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot", "DBPortNumber", "DeletionProtection", "DBSubnetGroupName", "Engine",
})  # fmt: skip
_AS_GIVEN = ("AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DeletionProtection", "StorageType", "EngineLifecycleSupport")


def modify(ctx: Context, params: Document) -> Document:
    """ModifyDBInstance. Another port restarts the server, as on AWS; another password counts for new connections at once."""
    row = in_state(ctx, params["DBInstanceIdentifier"], "ready", "impaired")
    document = row.document
    settings.refuse_others(params, KNOWN - settings.ONLY.keys())
    settings.check_default_groups(params, document["EngineVersion"])
    _refuse_moves(ctx, params, document)
    changes: Document = {member: params[member] for member in _AS_GIVEN if params.get(member) is not None}
    if params.get("DBInstanceClass"):
        changes["DBInstanceClass"] = engines.check_class(params["DBInstanceClass"])
    if params.get("AllocatedStorage") is not None:
        changes["AllocatedStorage"] = settings.check_storage(params["AllocatedStorage"])
        if changes["AllocatedStorage"] < document["AllocatedStorage"]:
            raise text.combination(f"Requested storage size cannot be less than the current size of {document['AllocatedStorage']} GiB")
    if params.get("PreferredMaintenanceWindow"):
        changes["PreferredMaintenanceWindow"] = settings.check_window(params["PreferredMaintenanceWindow"])
    if params.get("MasterUserPassword"):
        changes["_verifier"] = password.verifier(password.check(params["MasterUserPassword"]), ctx.random)
    if params.get("DBPortNumber"):
        changes["_endpoint"] = {**document["_endpoint"], "Port": settings.check_port(params["DBPortNumber"])}
    if params.get("VpcSecurityGroupIds"):
        groups = changes["_security_groups"] = settings.security_groups(ctx, document["_vpc"], params["VpcSecurityGroupIds"])
        ctx.call("ec2:ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": document["_interface"], "Groups": groups})
        ctx.forget(row, "VpcSecurityGroupIds")
        for group in groups:
            ctx.refer(row, "VpcSecurityGroupIds", group)
    return {"DBInstance": ctx.view(ctx.change(row, changes, settle=True))}


def _refuse_moves(ctx: Context, params: Document, document: Document) -> None:
    """Engine, version and subnet group stay; saying them again changes nothing."""
    if params.get("Engine"):
        engines.check_engine(params["Engine"])
    asked, present = params.get("EngineVersion"), engines.present(ctx, document["EngineVersion"])
    if asked and asked not in (present, engines.major(present)):
        raise text.combination(f"Cannot upgrade postgres from {present} to {asked}: a DB instance stays with the major version that it was made with")
    if params.get("DBSubnetGroupName") not in (None, "", document["_subnet_group"]):
        raise text.unsupported("DBSubnetGroupName", "A DB instance cannot move to another DB subnet group")


OPERATIONS = {"ModifyDBInstance": modify}
