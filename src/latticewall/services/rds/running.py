"""Rebooting, stopping and starting DB instances ("Rebooting a DB instance", "Stopping an Amazon RDS DB instance temporarily")."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import find, settings, text


def in_state(ctx: Context, identifier: str, *wanted: str) -> Row:
    """The DB instance, in one of these of the engine's states."""
    row = find.db_instance(ctx, identifier)
    if row.status not in wanted:
        shown = str(ctx.view(row)["DBInstanceStatus"])
        expected = " or ".join(ctx.registry.kind(row.kind).lifecycle.spell(one) for one in wanted)
        raise text.refused("InvalidDBInstanceState", f"Instance {row.name} is not in {expected} state: it is {shown}.")
    return row


def reboot(ctx: Context, params: Document) -> Document:
    """RebootDBInstance: its server is stopped and started again."""
    row = in_state(ctx, params["DBInstanceIdentifier"], "ready", "impaired")
    if params.get("ForceFailover"):
        raise text.combination("Cannot force a failover because it is not a Multi-AZ DB instance")
    return {"DBInstance": ctx.view(ctx.change(row, {"_boot": ctx.new_id()}, status="rebooting"))}


def stop(ctx: Context, params: Document) -> Document:
    """StopDBInstance: it keeps its address and its data."""
    row = in_state(ctx, params["DBInstanceIdentifier"], "ready", "impaired")
    settings.refuse_others(params, frozenset({"DBInstanceIdentifier"}))
    return {"DBInstance": ctx.view(ctx.change(row, status="stopping"))}


def start(ctx: Context, params: Document) -> Document:
    """StartDBInstance."""
    row = in_state(ctx, params["DBInstanceIdentifier"], "stopped")
    return {"DBInstance": ctx.view(ctx.change(row, {"_boot": ctx.new_id()}, status="starting"))}


OPERATIONS = {"RebootDBInstance": reboot, "StopDBInstance": stop, "StartDBInstance": start}
