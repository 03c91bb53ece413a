"""Targets of a target group ("Register targets with a VPC Lattice target group", "Target health status").

There is no draining period: a deregistered target gets no new request and is gone from ListTargets at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import quotas, text
from latticewall.services.vpc_lattice.actions import services_of
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import INSTANCE, SUBNET, TARGET_GROUP

Health = Callable[[str], Mapping[tuple[str, int], str]]
"""The port "target_health": target group id -> {(address, port): "HEALTHY" or "UNHEALTHY"}, for the targets that have been checked."""
RUNNABLE = ("creating", "starting", "ready", "updating")


def register_targets(ctx: Context, params: Document) -> Document:
    """RegisterTargets: those that cannot be are reported, the others are registered."""
    group = usable(ctx, TARGET_GROUP, params["targetGroupIdentifier"])
    if group.status == "creating":
        raise text.in_progress(TARGET_GROUP, group.id, group.status)
    targets = list(group.document["_targets"])
    successful, unsuccessful = [], []
    for target in _with_ports(group, params["targets"]):
        if refusal := _refusal(ctx, group, target["id"]):
            unsuccessful.append({**target, "failureCode": "UnsupportedTarget", "failureMessage": refusal})
            continue
        successful.append(target)
        if target not in targets:
            targets.append(target)
    quotas.check("vpc-lattice:Target", len(targets), group.id)
    ctx.change(group, {"_targets": targets})
    return {"successful": successful, "unsuccessful": unsuccessful}


def deregister_targets(ctx: Context, params: Document) -> Document:
    """DeregisterTargets."""
    group = usable(ctx, TARGET_GROUP, params["targetGroupIdentifier"])
    targets = list(group.document["_targets"])
    successful, unsuccessful = [], []
    for target in _with_ports(group, params["targets"]):
        if target in targets:
            targets.remove(target)
            successful.append(target)
        else:
            message = f"Target {target['id']} on port {target['port']} is not registered with target group {group.id}"
            unsuccessful.append({**target, "failureCode": "TargetNotFound", "failureMessage": message})
    ctx.change(group, {"_targets": targets})
    return {"successful": successful, "unsuccessful": unsuccessful}


def list_targets(ctx: Context, params: Document) -> Document:
    """ListTargets, of the given ids (and ports) only if any are given."""
    group = ctx.resolve(TARGET_GROUP, params["targetGroupIdentifier"])
    wanted = params.get("targets") or ()
    listed = [target for target in group.document["_targets"] if not wanted or any(_named(target, one) for one in wanted)]
    return {"items": [{**target, **standing} for target, standing in zip(listed, _standings(ctx, group, listed), strict=True)]}


def _named(target: Document, wanted: Mapping[str, Any]) -> bool:
    return bool(target["id"] == wanted["id"] and wanted.get("port") in (None, target["port"]))


def _with_ports(group: Row, targets: list[Document]) -> list[Document]:
    """The targets with the group's port where they have none of their own."""
    return [{"id": target["id"], "port": target.get("port") or group.document["config"]["port"]} for target in targets]


def _refusal(ctx: Context, group: Row, target_id: str) -> str:
    """Why the target cannot be in the group; empty if it can."""
    vpc_id = group.document["config"]["vpcIdentifier"]
    if group.document["type"] == "INSTANCE":
        instance = ctx.find(INSTANCE, target_id)
        if instance is None:
            return f"Instance {target_id} does not exist"
        if instance.document.get("VpcId") != vpc_id:
            return "Instance targets must be in the same VPC as their target group"
        return "" if instance.status in RUNNABLE else f"Instance {target_id} is not running"
    try:
        address = IPv4Address(target_id)
    except AddressValueError:
        return f"{target_id} is not an IPv4 address"
    subnets = [IPv4Network(subnet.document["CidrBlock"]) for subnet in ctx.live(SUBNET) if subnet.document["VpcId"] == vpc_id]
    return "" if any(address in subnet for subnet in subnets) else "IP targets must be in a subnet of the VPC of their target group"


def _standings(ctx: Context, group: Row, targets: list[Document]) -> list[Document]:
    """Status (and reason) of each target. Without word from the data plane a checked target is INITIAL."""
    if not services_of(ctx, group):
        return [{"status": "UNUSED"} for _ in targets]
    if not group.document["config"]["healthCheck"]["enabled"]:
        return [{"status": "UNAVAILABLE"} for _ in targets]
    health: Health | None = ctx.ports.get("target_health")
    known = health(group.id) if health else {}
    statuses = [known.get((_address(ctx, target["id"]), target["port"]), "INITIAL") for target in targets]
    return [{"status": status, **({"reasonCode": "HealthCheckFailed"} if status == "UNHEALTHY" else {})} for status in statuses]


def _address(ctx: Context, target_id: str) -> str:
    if not target_id.startswith("i-"):
        return target_id
    instance = ctx.find(INSTANCE, target_id)
    return str(instance.document.get("PrivateIpAddress", "")) if instance else ""
