"""Amazon RDS, as far as a VPC needs it: DB instances that run PostgreSQL, in DB subnet groups ("Amazon RDS API Reference, 2014-10-31").

Lives here: DB instances and DB subnet groups, what is refused, in RDS's words. Never enters: packets, processes, SQL. Not there, and refused by name: other
engines, clusters, replicas, Multi-AZ, snapshots and backups, parameter and option groups of one's own, encryption, IAM authentication, public access.
"""

from __future__ import annotations

from latticewall.resources.kind import Handler, Service
from latticewall.services.rds import deleting, engines, instances, modifying, running, subnet_groups, tagging
from latticewall.services.rds.kinds import KINDS

OPERATIONS: dict[str, Handler] = {
    **subnet_groups.OPERATIONS,
    **instances.OPERATIONS,
    **modifying.OPERATIONS,
    **running.OPERATIONS,
    **deleting.OPERATIONS,
    **engines.OPERATIONS,
    **tagging.OPERATIONS,
}
SERVICE = Service("rds", KINDS, OPERATIONS)

__all__ = ["SERVICE"]
