"""Members of answers that follow from the row or from what refers to it; and what a load balancer gives back when it goes."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2.nouns import LISTENER, LOAD_BALANCER, RULE

STATES = {"creating": "provisioning", "failed": "failed"}
"""Every other status is `active`: a load balancer that changes goes on as it was until the data plane has the change."""


def load_balancer(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    state = {"Code": STATES.get(row.status, "active"), **({"Reason": row.reason} if row.reason else {})}
    return {"CreatedTime": row.created_at, "State": state, "Type": "application"}


def release(ctx: Context, row: Row) -> None:
    """Before a load balancer goes: its network interfaces and references go, so that its subnets and groups can be deleted."""
    interfaces = ctx.referred(row, "Interfaces")
    for role in ("Interfaces", "Subnets", "SecurityGroups", "Vpc"):
        ctx.forget(row, role)
    for interface in interfaces:
        ctx.call("ec2:DeleteNetworkInterface", {"NetworkInterfaceId": interface.id})


def listener(ctx: Context, row: Row) -> Document:
    """The default actions are those of the default rule."""
    balancer = ctx.tx.get(LOAD_BALANCER, row.parent)
    default = next((rule for rule in ctx.live(RULE, parent=row.id) if rule.document["IsDefault"]), None)
    return {"LoadBalancerArn": balancer.arn if balancer else "", "DefaultActions": default.document["Actions"] if default else []}


def rule(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    return {"Priority": "default" if row.document["IsDefault"] else str(row.document["_priority"])}


def balancer_of(ctx: Context, group: Row) -> Row | None:
    """The load balancer whose rules forward to the target group; there is at most one."""
    for user in ctx.referring(group, RULE):
        owner = ctx.tx.get(LISTENER, user.parent)
        found = ctx.tx.get(LOAD_BALANCER, owner.parent) if owner else None
        if found and found.status != "deleting":
            return found
    return None


def target_group(ctx: Context, row: Row) -> Document:
    balancer = balancer_of(ctx, row)
    return {"LoadBalancerArns": [balancer.arn] if balancer else []}
