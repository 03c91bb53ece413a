"""Targets of a target group and their health ("Register targets with your Application Load Balancer target group", "Target health status").

A deregistered target gets no new request and drains for the group's deregistration delay; when that is over is stored with the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, NamedTuple

from latticewall.base.inet import is_reserved
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import find, text
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.nouns import INSTANCE, SUBNET, TARGET_GROUP, VPC
from latticewall.services.elbv2.view import balancer_of

Health = Callable[[str], Mapping[tuple[str, int], str]]
"""The port "target_health": name of a cluster -> {(address, port): "HEALTHY" or "UNHEALTHY"}, for the targets that have been checked."""
Failures = Callable[[str], Mapping[tuple[str, int], str]]
"""The port "failed_checks": name of a cluster -> {(address, port) of a check: the code that came back, "timeout", or "" for no answer}."""
PRIVATE = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
"""Where IP targets may be beside the group's VPC."""


class Standing(NamedTuple):
    """State, reason and description of a target."""

    state: str
    reason: str = ""
    description: str = ""

    def shown(self) -> Document:
        more = {"Reason": self.reason, "Description": self.description} if self.reason else {}
        return {"State": self.state, **more}


NOT_REGISTERED = Standing("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = Standing("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
DRAINING = Standing("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
REGISTERING = Standing("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Standing("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")


def failure(found: Iterable[str | None]) -> tuple[str, str]:
    """Reason and description of a target, out of why the last check of each node that finds it unhealthy did not pass; None: not known (yet)."""
    reasons = {*found}
    if codes := sorted((reason for reason in reasons if reason and reason.isdecimal()), key=int):
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{', '.join(codes)}]"
    return ("Target.Timeout", "Request timed out") if "timeout" in reasons else ("Target.FailedHealthChecks", "Health checks failed")


def present(ctx: Context, group: Row) -> list[Document]:
    """The group's targets as stored, those that drain too; without those that have drained, and without terminated instances."""
    used, delay = balancer_of(ctx, group) is not None, _delay(group)
    found = [target for target in group.document["_targets"] if "until" not in target or (used and ctx.lasts(target["until"], delay))]
    return [target for target in found if group.document["TargetType"] != "instance" or _instance(ctx, target["Id"])]


def _delay(group: Row) -> timedelta:
    return timedelta(seconds=int(group.document["_attributes"]["deregistration_delay.timeout_seconds"]))


def _instance(ctx: Context, identifier: str) -> Row | None:
    found = ctx.find(INSTANCE, identifier)
    return found if found and found.status != "deleting" else None


def register_targets(ctx: Context, params: Document) -> Document:
    """RegisterTargets: all of them or none."""
    group = find.by_arn(ctx, TARGET_GROUP, params["TargetGroupArn"])
    targets = present(ctx, group)
    for target in _with_ports(group, params["Targets"]):
        if refusal := _refusal(ctx, group, target["Id"]):
            raise text.refused("InvalidTarget", refusal)
        if target not in targets:
            targets = [*(other for other in targets if not _same(other, target)), target]
    if len(targets) > LIMITS["targets-per-application-load-balancer"]:
        raise text.too_many("TooManyTargets", f"The limit of {LIMITS['targets-per-application-load-balancer']} targets has been reached")
    ctx.change(group, {"_targets": targets})
    return {}


def deregister_targets(ctx: Context, params: Document) -> Document:
    """DeregisterTargets: without a port, all registrations of the target. Targets that are not registered do not matter."""
    group = find.by_arn(ctx, TARGET_GROUP, params["TargetGroupArn"])
    until = ctx.after(_delay(group))
    targets = [
        {**target, "until": until} if "until" not in target and any(_named(target, one) for one in params["Targets"]) else target
        for target in present(ctx, group)
    ]
    ctx.change(group, {"_targets": targets})
    return {}


def _with_ports(group: Row, targets: list[Document]) -> list[Document]:
    for target in targets:
        if target.get("AvailabilityZone") not in (None, "", "all"):
            raise text.unsupported("Targets.AvailabilityZone", "Availability Zones of targets are not supported: targets are where their addresses are")
        if target.get("QuicServerId"):
            raise text.configuration("QuicServerId is for Network Load Balancers only")
    return [{"Id": _spelt(target["Id"]), "Port": target.get("Port") or group.document["Port"]} for target in targets]


def _spelt(identifier: str) -> str:
    """An IPv6 address as it is always written; anything else as it is."""
    try:
        return str(IPv6Address(identifier))
    except AddressValueError:
        return identifier


def _named(target: Document, wanted: Mapping[str, Any]) -> bool:
    return bool(target["Id"] == _spelt(wanted["Id"]) and wanted.get("Port") in (None, target["Port"]))


def _same(one: Document, other: Document) -> bool:
    return bool(one["Id"] == other["Id"] and one["Port"] == other["Port"])


def _refusal(ctx: Context, group: Row, identifier: str) -> str:
    """Why the target cannot be in the group; empty if it can."""
    vpc_id = group.document["VpcId"]
    if group.document["TargetType"] == "instance":
        instance = _instance(ctx, identifier)
        if instance is None:
            return f"The following targets are not valid instances: '{identifier}'"
        if instance.document.get("VpcId") != vpc_id:
            return f"The following targets are not in the target group VPC '{vpc_id}': '{identifier}'"
        if "PrivateIpAddress" not in instance.document:
            return f"The following targets have no IPv4 address: '{identifier}'"
        return "" if instance.status != "stopped" else f"The following targets are not in a running state: '{identifier}'"
    if group.document["IpAddressType"] == "ipv6":
        return _refusal_of_ipv6(ctx, vpc_id, identifier)
    try:
        address = IPv4Address(identifier)
    except AddressValueError:
        return f"The IP address '{identifier}' is not a valid IPv4 address"
    vpc = ctx.find(VPC, vpc_id)
    subnets = [
        IPv4Network(subnet.document["CidrBlock"])
        for subnet in ctx.live(SUBNET) if vpc and subnet.document["VpcId"] == vpc.id and "CidrBlock" in subnet.document
    ]  # fmt: skip
    if any(address in network and is_reserved(address, network) for network in subnets):
        return f"The IP address '{identifier}' is reserved in its subnet: the first four addresses and the last one are no targets"
    if any(address in network for network in (*subnets, *PRIVATE)):
        return ""
    return f"The IP address '{identifier}' is not within the VPC '{vpc_id}' or a private range"


def _refusal_of_ipv6(ctx: Context, vpc_id: str, identifier: str) -> str:
    try:
        address = IPv6Address(identifier)
    except AddressValueError:
        return f"The IP address '{identifier}' is not a valid IPv6 address"
    found = [item for subnet in ctx.live(SUBNET) if subnet.document["VpcId"] == vpc_id for item in subnet.document["Ipv6CidrBlockAssociationSet"]]
    networks = [IPv6Network(item["Ipv6CidrBlock"]) for item in found]
    if any(address in network and is_reserved(address, network) for network in networks):
        return f"The IP address '{identifier}' is reserved in its subnet: the first four addresses and the last one are no targets"
    return "" if any(address in network for network in networks) else f"The IP address '{identifier}' is not within a subnet of the VPC '{vpc_id}'"


def describe_target_health(ctx: Context, params: Document) -> Document:
    """DescribeTargetHealth: of all registered targets, or of those that are named."""
    group = find.by_arn(ctx, TARGET_GROUP, params["TargetGroupArn"])
    registered = present(ctx, group)
    wanted = [{"Id": one["Id"], "Port": one.get("Port")} for one in params.get("Targets") or ()]
    standing = _standings(ctx, group)
    listed = [target for target in registered if not wanted or any(_named(target, item) for item in wanted)]
    absent = [item for item in wanted if not any(_named(target, item) for target in registered)]
    found = [_description(group, target, standing(target)) for target in listed]
    found += [_description(group, {"Id": item["Id"], "Port": item["Port"] or group.document["Port"]}, NOT_REGISTERED) for item in absent]
    return {"TargetHealthDescriptions": found}


def _description(group: Row, target: Document, standing: Standing) -> Document:
    port = group.document["HealthCheckPort"]
    shown = {"Id": target["Id"], "Port": target["Port"]}
    return {"Target": shown, "HealthCheckPort": str(target["Port"]) if port == "traffic-port" else port, "TargetHealth": standing.shown()}


def _standings(ctx: Context, group: Row) -> Callable[[Document], Standing]:
    """What tells the standing of a target: every node of the load balancer checks for itself, and all must find it healthy."""
    balancer = balancer_of(ctx, group)
    health: Health | None = ctx.ports.get("target_health")
    nodes = balancer.document["_nodes"] if balancer else ()
    clusters = [f"{group.id}@{node['SubnetId']}" for node in nodes]
    seen = [health(cluster) for cluster in clusters] if health else []
    failed: Failures | None = ctx.ports.get("failed_checks")

    @cache
    def reasons() -> list[Mapping[tuple[str, int], str]]:
        return [failed(cluster) if failed else {} for cluster in clusters]

    def standing(target: Document) -> Standing:
        if "until" in target:
            return DRAINING
        if balancer is None:
            return NOT_IN_USE
        instance = _instance(ctx, target["Id"]) if group.document["TargetType"] == "instance" else None
        if instance and instance.status in ("stopping", "stopped"):
            return Standing("unused", "Target.InvalidState", "Target is in the stopped state")
        address = str(instance.document.get("PrivateIpAddress", "")) if instance else target["Id"]
        found = [known.get((address, target["Port"])) for known in seen]
        if "UNHEALTHY" in found:
            port = group.document["HealthCheckPort"]
            checked = address, target["Port"] if port == "traffic-port" else int(port)
            return Standing("unhealthy", *failure(why.get(checked) for why, state in zip(reasons(), found, strict=True) if state == "UNHEALTHY"))
        if None in found or not found:
            return CHECKING if any(found) else REGISTERING
        return Standing("healthy")

    return standing


OPERATIONS = {
    "RegisterTargets": register_targets,
    "DeregisterTargets": deregister_targets,
    "DescribeTargetHealth": describe_target_health,
}
