"""Targets of a target group ("Register targets with a VPC Lattice target group", "Target health status").

A deregistered target gets no new request from then on, is DRAINING for a minute while requests under way end, and then gone. When that is over is part
of what is stored, and looked at whenever the targets are: no timer has to survive anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

from latticewall.base.inet import is_reserved, parse_address, spelled
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import balancer_target, function_target, quotas, text
from latticewall.services.vpc_lattice.actions import services_of
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import (
    ENDPOINT_ASSOCIATION,
    INSTANCE,
    NETWORK_INTERFACE,
    SERVICE,
    SERVICE_ASSOCIATION,
    SERVICE_NETWORK,
    SUBNET,
    TARGET_GROUP,
    VPC_ASSOCIATION,
)

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network
Health = Callable[[str], Mapping[tuple[str, int], str]]
"""The port "target_health": target group id -> {(address, port): "HEALTHY" or "UNHEALTHY"}, for the targets that have been checked."""
RUNNABLE = ("creating", "starting", "ready", "updating")
DRAINING = "DRAINING"
REASONS = {
    "INITIAL": "InitialHealthChecking", "UNHEALTHY": "HealthCheckFailed", "UNUSED": "TargetGroupNotInUse", DRAINING: "TargetDeregistrationInProgress",
    "UNAVAILABLE": "HealthCheckDisabled",
}  # fmt: skip
"""The reason code of each status but HEALTHY ("Check the health of your targets"). Those of UNHEALTHY and UNUSED have been seen in answers of AWS's, and so
has UNCHECKED; the others are made after the Application Load Balancer's."""
UNCHECKED = "HealthCheckNotSupported"
"""Why targets of types that have no health check are UNAVAILABLE."""
DRAINING_TIME = timedelta(seconds=60)
"""How long a deregistered target is still listed ("Deregister targets": one minute)."""


def present(ctx: Context, group: Row) -> list[Document]:
    """The group's targets as stored, those that drain too; without those that have drained, those with nothing to drain from because nobody uses the
    group, and instances that are terminated (nobody has said what AWS does with them; load balancers deregister them)."""
    used = in_use(ctx, group)
    found = [target for target in group.document["_targets"] if "until" not in target or (used and ctx.lasts(target["until"], DRAINING_TIME))]
    return [target for target in found if group.document["type"] != "INSTANCE" or _instance(ctx, target["id"])]


def in_use(ctx: Context, group: Row) -> bool:
    """Whether requests can reach the group: by a service that forwards to it, in a service network that can be entered. Else its targets are not checked."""
    services = (ctx.tx.get(SERVICE, identifier) for identifier in services_of(ctx, group))
    joined = (row for service in services if service for row in ctx.referring(service, SERVICE_ASSOCIATION) if row.status != "deleting")
    networks = (ctx.tx.get(SERVICE_NETWORK, row.document["serviceNetworkId"]) for row in joined)
    return any(ctx.count_referring(network, entrance) for network in networks if network for entrance in (VPC_ASSOCIATION, ENDPOINT_ASSOCIATION))


def _instance(ctx: Context, identifier: str) -> Row | None:
    found = ctx.find(INSTANCE, identifier)
    return found if found and found.status != "deleting" else None


def register_targets(ctx: Context, params: Document) -> Document:
    """RegisterTargets: those that cannot be are reported, the others are registered."""
    group = usable(ctx, TARGET_GROUP, params["targetGroupIdentifier"])
    if group.status == "creating":
        raise text.in_progress(TARGET_GROUP, group.id, group.status)
    if group.document["type"] == "LAMBDA":
        return function_target.register(ctx, group, params["targets"])
    targets = present(ctx, group)
    successful, unsuccessful = [], []
    for target in _with_ports(group, params["targets"]):
        if refusal := _refusal(ctx, group, target):
            unsuccessful.append({**target, "failureCode": "UnsupportedTarget", "failureMessage": refusal})
            continue
        successful.append(target)
        if target not in targets:
            targets = [*(other for other in targets if not _same(other, target)), target]
    quotas.check(ctx, "vpc-lattice:Target", sum("until" not in target for target in targets), group.id)
    ctx.change(group, {"_targets": targets})
    return {"successful": successful, "unsuccessful": unsuccessful}


def deregister_targets(ctx: Context, params: Document) -> Document:
    """DeregisterTargets; once more for a target that drains changes nothing."""
    group = usable(ctx, TARGET_GROUP, params["targetGroupIdentifier"])
    if group.document["type"] == "LAMBDA":
        return function_target.deregister(ctx, group, params["targets"])
    targets = present(ctx, group)
    until = ctx.after(DRAINING_TIME)
    successful, unsuccessful = [], []
    for target in _with_ports(group, params["targets"]):
        if target in targets:
            targets[targets.index(target)] = {**target, "until": until}
        elif not any(_same(other, target) for other in targets):
            message = f"Target {target['id']} on port {target['port']} is not registered with target group {group.id}"
            unsuccessful.append({**target, "failureCode": "TargetNotFound", "failureMessage": message})
            continue
        successful.append(target)
    ctx.change(group, {"_targets": targets})
    return {"successful": successful, "unsuccessful": unsuccessful}


def _same(one: Document, other: Document) -> bool:
    return bool(one["id"] == other["id"] and one["port"] == other["port"])


def list_targets(ctx: Context, params: Document) -> Document:
    """ListTargets, of the given ids (and ports) only if any are given."""
    group = ctx.resolve(TARGET_GROUP, params["targetGroupIdentifier"])
    wanted = params.get("targets") or ()
    listed = [target for target in present(ctx, group) if not wanted or any(_named(target, one) for one in wanted)]
    standing = _standings(ctx, group)
    return {"items": [{**{member: target[member] for member in ("id", "port") if member in target}, **standing(target)} for target in listed]}


def _named(target: Document, wanted: Mapping[str, Any]) -> bool:
    return bool(target["id"] == spelled(wanted["id"]) and wanted.get("port") in (None, target.get("port")))


def _with_ports(group: Row, targets: list[Document]) -> list[Document]:
    """The targets with the group's port where they have none of their own, and with addresses in their one spelling: an IPv6 address has many."""
    return [{"id": spelled(target["id"]), "port": target.get("port") or group.document["config"]["port"]} for target in targets]


def _refusal(ctx: Context, group: Row, target: Document) -> str:
    """Why the target cannot be in the group; empty if it can."""
    if group.document["type"] == "ALB":
        return balancer_target.refusal(ctx, group, target["id"], target["port"])
    target_id, vpc_id = target["id"], group.document["config"]["vpcIdentifier"]
    if group.document["type"] == "INSTANCE":
        instance = ctx.find(INSTANCE, target_id)
        if instance is None:
            return f"Instance {target_id} does not exist"
        if instance.document.get("VpcId") != vpc_id:
            return "Instance targets must be in the same VPC as their target group"
        if "PrivateIpAddress" not in instance.document:
            return f"Instance {target_id} has no IPv4 address: targets with IPv6 only are registered by address, in a target group of type IP"
        return "" if instance.status in RUNNABLE else f"Instance {target_id} is not running"
    family = group.document["config"].get("ipAddressType") or "IPV4"
    try:
        address = parse_address(target_id)
    except ValueError:
        address = None
    if address is None or f"IPV{address.version}" != family:
        return f"{target_id} is not an {family.replace('IPV', 'IPv')} address"
    home, block = _home(ctx, vpc_id, address)
    if home is None or block is None:
        return "IP targets must be in a subnet of the VPC of their target group"
    if is_reserved(address, block):
        return f"{address} is reserved in subnet {home.id}: the first four addresses of a subnet and the last one are no targets"
    endpoint = next((row for row in ctx.live(NETWORK_INTERFACE, parent=home.id) if _is_of_endpoint(row.document, address)), None)
    return f"{address} is an address of a VPC endpoint (interface {endpoint.id}), which is no target" if endpoint else ""


def _home(ctx: Context, vpc_id: str, address: Address) -> tuple[Row | None, Block | None]:
    """The subnet of the VPC that an address is in, and which of its blocks."""
    for subnet in ctx.live(SUBNET):
        if subnet.document["VpcId"] == vpc_id:
            of_ipv4 = [subnet.document["CidrBlock"]] if "CidrBlock" in subnet.document else []
            for block in (*of_ipv4, *(item["Ipv6CidrBlock"] for item in subnet.document["Ipv6CidrBlockAssociationSet"])):
                if address in (network := ip_network(block)):
                    return subnet, network
    return None, None


def _is_of_endpoint(interface: Mapping[str, Any], address: Address) -> bool:
    """Whether the address is one that a VPC endpoint has there, or in a block that it has reserved for services."""
    if interface["InterfaceType"] != "vpc_endpoint":
        return False
    single = {item["PrivateIpAddress"] for item in interface["PrivateIpAddresses"]} | {item["Ipv6Address"] for item in interface["Ipv6Addresses"]}
    blocks = [item["Ipv4Prefix"] for item in interface.get("Ipv4Prefixes") or ()] + [item["Ipv6Prefix"] for item in interface.get("Ipv6Prefixes") or ()]
    return str(address) in single or any(address in ip_network(block) for block in blocks)


def _standings(ctx: Context, group: Row) -> Callable[[Document], Document]:
    """What tells the status (and reason) of a target. Without word from the data plane a checked target is INITIAL."""
    used = in_use(ctx, group)
    checked = used and ((group.document.get("config") or {}).get("healthCheck") or {}).get("enabled", False)
    health: Health | None = ctx.ports.get("target_health") if checked else None
    known = health(group.id) if health else {}

    def standing(target: Document) -> Document:
        status = _status(target)
        reason = UNCHECKED if status == "UNAVAILABLE" and group.document["type"] in ("ALB", "LAMBDA") else REASONS.get(status)
        return {"status": status, **({"reasonCode": reason} if reason else {})}

    def _status(target: Document) -> str:
        if "until" in target:
            return DRAINING
        if not used:
            return "UNUSED"
        return known.get((_address(ctx, target["id"]), target["port"]), "INITIAL") if checked else "UNAVAILABLE"

    return standing


def _address(ctx: Context, target_id: str) -> str:
    if not target_id.startswith("i-"):
        return target_id
    instance = ctx.find(INSTANCE, target_id)
    return str(instance.document.get("PrivateIpAddress", "")) if instance else ""
