"""Target groups ("Target groups in VPC Lattice", "Create a VPC Lattice target group")."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import function_target, health_check, quotas, targets, text
from latticewall.services.vpc_lattice.actions import services_of
from latticewall.services.vpc_lattice.find import usable, vpc_of
from latticewall.services.vpc_lattice.nouns import SERVICE, TARGET_GROUP

DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443, "TCP": None}
"""By protocol; the port of a TCP target group must be given."""
FLATTENED = ("port", "protocol", "ipAddressType", "vpcIdentifier", "lambdaEventStructureVersion")


def create_target_group(ctx: Context, params: Document) -> Document:
    """CreateTargetGroup."""
    given = params.get("config") or {}
    if params["type"] == "LAMBDA":
        return function_target.create_target_group(ctx, params, given)
    config = _config(params["type"], given)
    vpc = vpc_of(ctx, given.get("vpcIdentifier"), "config.vpcIdentifier")
    quotas.check(ctx, TARGET_GROUP, ctx.count(TARGET_GROUP) + 1)
    document = {"type": params["type"], "config": {**config, "vpcIdentifier": vpc.id}, "_targets": []}
    row = ctx.create(TARGET_GROUP, document, name=params["name"], tags=tags.read(params.get("tags")), refs={"vpcIdentifier": vpc.id})
    return ctx.view(row)


def _config(group_type: str, given: dict[str, Any]) -> Document:
    """The configuration with its defaults."""
    if given.get("lambdaEventStructureVersion"):
        raise text.invalid("config.lambdaEventStructureVersion", "lambdaEventStructureVersion is for LAMBDA target groups only")
    protocol = given.get("protocol") or "HTTP"
    port = given.get("port") or DEFAULT_PORTS[protocol]
    if port is None:
        raise text.invalid("config.port", f"{protocol} target groups need a port")
    if given.get("ipAddressType") and group_type != "IP":
        raise text.invalid("config.ipAddressType", "ipAddressType is for IP target groups only")
    version = _version(protocol, given.get("protocolVersion"))
    if group_type == "ALB":
        return _of_balancer(port, protocol, version, given)
    checked = {"enabled": version.get("protocolVersion") == "HTTP1"}
    check = health_check.complete({**checked, **(given.get("healthCheck") or {})}, protocol, "config.healthCheck")
    found = {"port": port, "protocol": protocol, **version, "healthCheck": check}
    return found | ({"ipAddressType": given.get("ipAddressType") or "IPV4"} if group_type == "IP" else {})


def _of_balancer(port: int, protocol: str, version: Document, given: dict[str, Any]) -> Document:
    """The load balancer checks its own targets. It takes HTTP/2 and gRPC over TLS."""
    if given.get("healthCheck"):
        raise text.invalid("config.healthCheck", "ALB target groups have no health check")
    return {"port": port, "protocol": protocol, **version}


def _version(protocol: str, given: str | None) -> Document:
    """The protocol version, which TCP has none of."""
    if protocol == "TCP":
        if given:
            raise text.invalid("config.protocolVersion", "protocolVersion is for HTTP and HTTPS target groups only")
        return {}
    return {"protocolVersion": given or "HTTP1"}


def shown(ctx: Context, row: Row) -> Document:
    """The services that use the group, and what list summaries show of its configuration."""
    arns = [service.arn for service in (ctx.tx.get(SERVICE, identifier) for identifier in services_of(ctx, row)) if service]
    config = row.document.get("config") or {}
    return {"serviceArns": arns, **{member: config[member] for member in FLATTENED if member in config}}


def update_target_group(ctx: Context, params: Document) -> Document:
    """UpdateTargetGroup: the health check; members that are not given stay."""
    row = usable(ctx, TARGET_GROUP, params["targetGroupIdentifier"])
    if row.document["type"] in ("ALB", "LAMBDA"):
        raise text.invalid("healthCheck", f"{row.document['type']} target groups have no health check")
    config = row.document["config"]
    changed = health_check.complete(params["healthCheck"], config["protocol"], "healthCheck", config["healthCheck"])
    return ctx.view(ctx.change(row, {"config": {**config, "healthCheck": changed}}))


def leave(ctx: Context, row: Row) -> None:
    """Before a target group goes: it must be made, unused and empty; its VPC can then be deleted too."""
    if row.status == "creating":
        raise text.in_progress(TARGET_GROUP, row.id, row.status)
    if users := services_of(ctx, row):
        raise text.conflict(TARGET_GROUP, row.id, f"Target group {row.id} is in use by service {users[0]}")
    if left := targets.present(ctx, row):
        raise text.conflict(TARGET_GROUP, row.id, f"Target group {row.id} still has {len(left)} targets registered or draining")
    ctx.forget(row, "vpcIdentifier")
