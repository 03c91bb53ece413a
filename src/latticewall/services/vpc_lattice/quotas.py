"""What may not be exceeded ("Quotas for Amazon VPC Lattice"): AWS's defaults, or what Service Quotas has given the account."""

from __future__ import annotations

from latticewall.base.faults import LimitExceeded
from latticewall.base.lattice_quotas import BY_CODE, RAISED, row_name
from latticewall.resources.context import Context
from latticewall.services.vpc_lattice.nouns import (
    DOMAIN_VERIFICATION,
    LISTENER,
    RESOURCE_ASSOCIATION,
    RESOURCE_CONFIGURATION,
    RESOURCE_GATEWAY,
    RULE,
    SERVICE,
    SERVICE_ASSOCIATION,
    SERVICE_NETWORK,
    TARGET_GROUP,
    VPC_ASSOCIATION,
)

CODES = {
    SERVICE_NETWORK: "L-9CAD07FB",
    SERVICE: "L-620C821E",
    LISTENER: "L-D64E952E",
    RULE: "L-CF78395E",
    TARGET_GROUP: "L-BB11C6B9",
    SERVICE_ASSOCIATION: "L-75D4A19E",
    VPC_ASSOCIATION: "L-EF6E2D62",
    RESOURCE_ASSOCIATION: "L-6095700C",
    RESOURCE_GATEWAY: "L-0DCA4434",
    RESOURCE_CONFIGURATION: "L-5FF8F9B9",
    DOMAIN_VERIFICATION: "L-73D0F278",
    "vpc-lattice:ChildResourceConfiguration": "L-9BC96FEF",
    "vpc-lattice:Target": "L-D71303F3",
    "vpc-lattice:ServiceTargetGroup": "L-3DEC3B9F",
}
"""What is counted -> its quota."""


def check(ctx: Context, kind: str, count: int, where: str = "") -> None:
    """Raise LimitExceeded (402) when `count` of the kind would be too many; where: id of what they belong to."""
    quota = BY_CODE[CODES[kind]]
    if count <= quota.default:
        return
    raised = ctx.find(RAISED, row_name(quota.code))
    limit = int(raised.document["Value"]) if raised else quota.default
    if count > limit:
        members = {"quotaCode": quota.code, **({"resourceId": where} if where else {})}
        raise LimitExceeded(f"The limit of {limit} {quota.counted} has been reached", kind=kind, id=where, members=members)
