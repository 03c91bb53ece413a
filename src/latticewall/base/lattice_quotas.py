"""The quotas of VPC Lattice ("Quotas for Amazon VPC Lattice"): what the service refuses to exceed and Service Quotas shows and raises."""

from __future__ import annotations

from dataclasses import dataclass

SERVICE_CODE = "vpc-lattice"
SERVICE_NAME = "Amazon VPC Lattice"


@dataclass(frozen=True)
class Quota:
    """default: how many there may be of it. name: what is counted, as Service Quotas calls it."""

    code: str
    name: str
    default: int
    adjustable: bool = True

    @property
    def counted(self) -> str:
        """The name within a sentence."""
        return self.name if self.name[1].isupper() else self.name[0].lower() + self.name[1:]


QUOTAS = (
    Quota("L-9BC96FEF", "Child resource configurations per group", 60),
    Quota("L-73D0F278", "Domain verifications", 5),
    Quota("L-D64E952E", "Listeners per service", 2),
    Quota("L-6095700C", "Resource configurations per service network", 500),
    Quota("L-5FF8F9B9", "Resource configurations per Region", 2000),
    Quota("L-0DCA4434", "Resource gateways per VPC", 500),
    Quota("L-CF78395E", "Rules per listener", 10),
    Quota("L-CA6A1CC5", "Security groups per association", 5, adjustable=False),
    Quota("L-75D4A19E", "Service associations per service network", 500),
    Quota("L-9CAD07FB", "Service networks per Region", 50),
    Quota("L-620C821E", "Services per Region", 2000),
    Quota("L-BB11C6B9", "Target groups per Region", 500),
    Quota("L-3DEC3B9F", "Target groups per service", 10),
    Quota("L-D71303F3", "Targets per target group", 1000),
    Quota("L-EF6E2D62", "VPC associations per service network", 500),
    Quota("L-89DEA27F", "VPC endpoints of type service network per service network", 200),
)
BY_CODE = {quota.code: quota for quota in QUOTAS}
RAISED = "service-quotas:Quota"
"""The kind of row that holds what an account has of a quota in a region, once that is not the default: its name is `row_name`, its member `Value`."""


def row_name(code: str) -> str:
    return f"{SERVICE_CODE}/{code}"
