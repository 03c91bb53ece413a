"""DeleteDBInstance: the server and all its data go ("Deleting a DB instance")."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.rds import find, text


def delete(ctx: Context, params: Document) -> Document:
    """DeleteDBInstance. There are no snapshots here, so that SkipFinalSnapshot must be said."""
    row = find.db_instance(ctx, params["DBInstanceIdentifier"])
    if row.status == "deleting":
        raise text.refused("InvalidDBInstanceState", f"Instance {row.name} is already being deleted.")
    if row.document["DeletionProtection"]:
        raise text.combination("Cannot delete protected DB Instance, please disable deletion protection and try again.")
    if not params.get("SkipFinalSnapshot"):
        if params.get("FinalDBSnapshotIdentifier"):
            raise text.unsupported("FinalDBSnapshotIdentifier", "DB snapshots are not supported: set SkipFinalSnapshot, or save the data with pg_dump before")
        raise text.combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
    if params.get("FinalDBSnapshotIdentifier"):
        raise text.combination("FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is enabled.")
    removed = ctx.remove(row)
    return {"DBInstance": ctx.view(removed or row)}


OPERATIONS = {"DeleteDBInstance": delete}
