"""What may not be exceeded ("Quotas for Amazon VPC Lattice": the default values)."""

from __future__ import annotations

from latticewall.base.faults import LimitExceeded
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

QUOTAS = {
    SERVICE_NETWORK: (50, "L-9CAD07FB", "service networks per Region"),
    SERVICE: (2000, "L-620C821E", "services per Region"),
    LISTENER: (2, "L-D64E952E", "listeners per service"),
    RULE: (10, "L-CF78395E", "rules per listener"),
    TARGET_GROUP: (500, "L-BB11C6B9", "target groups per Region"),
    SERVICE_ASSOCIATION: (500, "L-75D4A19E", "service associations per service network"),
    VPC_ASSOCIATION: (500, "L-EF6E2D62", "VPC associations per service network"),
    RESOURCE_ASSOCIATION: (500, "L-6095700C", "resource configurations per service network"),
    RESOURCE_GATEWAY: (500, "L-0DCA4434", "resource gateways per VPC"),
    RESOURCE_CONFIGURATION: (2000, "L-5FF8F9B9", "resource configurations per Region"),
    DOMAIN_VERIFICATION: (5, "L-73D0F278", "domain verifications"),
    "vpc-lattice:ChildResourceConfiguration": (60, "L-9BC96FEF", "child resource configurations per group"),
    "vpc-lattice:Target": (1000, "L-D71303F3", "targets per target group"),
    "vpc-lattice:ServiceTargetGroup": (10, "L-3DEC3B9F", "target groups per service"),
}
"""Kind -> most there may be of it, AWS's quota code, what is counted."""


def check(kind: str, count: int, where: str = "") -> None:
    """Raise LimitExceeded (402) when `count` of the kind would be too many; where: id of what they belong to."""
    limit, code, noun = QUOTAS[kind]
    if count > limit:
        members = {"quotaCode": code, **({"resourceId": where} if where else {})}
        raise LimitExceeded(f"The limit of {limit} {noun} has been reached", kind=kind, id=where, members=members)
