"""Application Load Balancers as targets ("Application Load Balancers as targets in VPC Lattice")."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.vpc_lattice.nouns import LISTENER_OF_BALANCER, LOAD_BALANCER, TARGET_GROUP

MOST_GROUPS = 2
"""Target groups that one load balancer can be in."""
USABLE = ("ready", "updating")


def refusal(ctx: Context, group: Row, arn: str, port: int) -> str:
    """Why the load balancer cannot be the group's target; empty if it can."""
    balancer = ctx.find(LOAD_BALANCER, arn) if arn.startswith("arn:") else None
    if balancer is None or balancer.status == "deleting":
        return f"{arn} is not the ARN of an Application Load Balancer of this account and Region"
    if balancer.status not in USABLE:
        return f"Load balancer {arn} is not active"
    if balancer.document["Scheme"] != "internal":
        return f"Load balancer {arn} is not internal"
    if balancer.document["VpcId"] != group.document["config"]["vpcIdentifier"]:
        return "Application Load Balancer targets must be in the same VPC as their target group"
    if not any(listener.document["Port"] == port for listener in ctx.live(LISTENER_OF_BALANCER, parent=balancer.id)):
        return f"Load balancer {arn} has no listener on port {port}"
    if any(target["id"] != arn or target["port"] != port for target in _registered(group)):
        return f"Target group {group.id} has a target already: a group of type ALB has exactly one"
    others = [row for row in ctx.live(TARGET_GROUP) if row.id != group.id and any(target["id"] == arn for target in _registered(row))]
    return f"Load balancer {arn} is in {MOST_GROUPS} target groups already" if len(others) >= MOST_GROUPS else ""


def _registered(group: Row) -> list[dict[str, object]]:
    return [target for target in group.document["_targets"] if "until" not in target]
