"""What an account may have ("Quotas for your Application Load Balancers": the default values)."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document

LIMITS = {
    "application-load-balancers": 50,
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "target-groups": 3000,
    "target-groups-per-action-on-application-load-balancer": 5,
    "target-groups-per-application-load-balancer": 100,
    "targets-per-application-load-balancer": 1000,
    "certificates-per-application-load-balancer": 25,
    "condition-values-per-alb-rule": 5,
    "condition-wildcards-per-alb-rule": 6,
    "target-id-registrations-per-application-load-balancer": 1000,
}


def describe_account_limits(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """DescribeAccountLimits."""
    return {"Limits": [{"Name": name, "Max": str(most)} for name, most in LIMITS.items()]}


OPERATIONS = {"DescribeAccountLimits": describe_account_limits}
