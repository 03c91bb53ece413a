"""Target groups ("Target groups for your Application Load Balancers", "Health checks for Application Load Balancer target groups")."""

from __future__ import annotations

import re
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import find, text
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.attributes import TARGET_GROUP_DEFAULTS
from latticewall.services.elbv2.load_balancers import check_name
from latticewall.services.elbv2.nouns import LOAD_BALANCER, RULE, TARGET_GROUP, VPC

TYPES = ("instance", "ip")
CHECK_MEMBERS = (
    "HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath", "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount",
    "UnhealthyThresholdCount", "HealthCheckEnabled", "Matcher",
)  # fmt: skip
CODES = {"HttpCode": (200, 499), "GrpcCode": (0, 99)}
_PATH = re.compile(r"/[!-~]*")
_LIST = re.compile(r"\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*")


def create_target_group(ctx: Context, params: Document) -> Document:
    """CreateTargetGroup; the same once more answers with what is there."""
    name = check_name("Name", params["Name"])
    asked = {member: value for member, value in params.items() if member != "Tags"}
    for existing in ctx.live(TARGET_GROUP, name=name):
        if existing.document["_asked"] == asked:
            return {"TargetGroups": [ctx.view(existing)]}
        raise text.refused("DuplicateTargetGroupName", f"A target group with the same name '{name}' exists, but with different settings")
    if len(ctx.live(TARGET_GROUP)) >= LIMITS["target-groups"]:
        raise text.too_many("TooManyTargetGroups", f"The limit of {LIMITS['target-groups']} target groups per Region has been reached")
    kind = params.get("TargetType") or "instance"
    if kind not in TYPES:
        raise text.unsupported("TargetType", f"Target type {kind} is not supported yet; instance and ip are")
    family = params.get("IpAddressType") or "ipv4"
    if family not in ("ipv4", "ipv6"):
        raise text.invalid("IpAddressType", f"IP address type '{family}' must be ipv4 or ipv6")
    if (family, kind) == ("ipv6", "instance"):
        raise text.unsupported("IpAddressType", "Target groups of IPv6 with targets of type instance are not supported: instances have no primary IPv6 address")
    if params.get("TargetControlPort"):
        raise text.unsupported("TargetControlPort", "TargetControlPort is not supported yet")
    protocol, port = params.get("Protocol"), params.get("Port")
    if not protocol or not port:
        raise text.invalid("Protocol" if not protocol else "Port", "A protocol and a port must be specified")
    if protocol not in ("HTTP", "HTTPS"):
        raise text.unsupported("Protocol", f"Target groups of protocol {protocol} are for Network and Gateway Load Balancers, which are not supported")
    vpc = ctx.find(VPC, params.get("VpcId") or "")
    if vpc is None:
        raise text.invalid("VpcId", f"The VPC ID '{params.get('VpcId') or ''}' is not found")
    version = params.get("ProtocolVersion") or "HTTP1"
    if version not in ("HTTP1", "HTTP2", "GRPC"):
        raise text.invalid("ProtocolVersion", f"Protocol version '{version}' must be one of HTTP1, HTTP2, GRPC")
    document: Document = {
        "Protocol": protocol, "Port": port, "VpcId": vpc.id, "TargetType": kind, "ProtocolVersion": version, "IpAddressType": family,
        **health_check(params, _default_check(version)), "_attributes": dict(TARGET_GROUP_DEFAULTS), "_targets": [], "_asked": asked,
    }  # fmt: skip
    identifier = f"{name}/{ctx.new_id(digits=16)}"
    row = ctx.create(TARGET_GROUP, document, id=identifier, name=name, tags=tags.read(params.get("Tags")), refs={"VpcId": vpc.id})
    return {"TargetGroups": [ctx.view(row)]}


def _default_check(version: str) -> Document:
    """The defaults of a health check, as CreateTargetGroup documents them."""
    grpc = version == "GRPC"
    return {
        "HealthCheckEnabled": True, "HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/AWS.ALB/healthcheck" if grpc else "/", "Matcher": {"GrpcCode": "12"} if grpc else {"HttpCode": "200"},
    }  # fmt: skip


def health_check(given: Document, current: Document) -> Document:
    """The whole health check: what is given over what is current, checked."""
    found: dict[str, Any] = {member: given[member] if given.get(member) not in (None, "") else current[member] for member in CHECK_MEMBERS}
    if found["HealthCheckProtocol"] not in ("HTTP", "HTTPS"):
        raise text.invalid("HealthCheckProtocol", f"Health check protocol '{found['HealthCheckProtocol']}' must be HTTP or HTTPS")
    if not found["HealthCheckEnabled"]:
        raise text.configuration("Health check enabled must be true for target groups with target type 'instance' or 'ip'")
    port = str(found["HealthCheckPort"])
    if port != "traffic-port" and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise text.invalid("HealthCheckPort", f"Health check port '{port}' must be in range 1-65535 or 'traffic-port'")
    if not _PATH.fullmatch(str(found["HealthCheckPath"])):
        raise text.invalid("HealthCheckPath", f"Health check path '{found['HealthCheckPath']}' must begin with a '/' character and be a valid URI")
    if found["HealthCheckTimeoutSeconds"] >= found["HealthCheckIntervalSeconds"]:
        raise text.invalid("HealthCheckTimeoutSeconds", "Health check timeout must be smaller than the interval")
    kind = next(iter(current["Matcher"]))
    if not set(found["Matcher"]) <= {kind}:
        raise text.configuration(f"The matcher of this target group must be a {kind}")
    _check_codes(kind, str(found["Matcher"].get(kind) or ""))
    return found


def _check_codes(kind: str, codes: str) -> None:
    lowest, highest = CODES[kind]
    spans = [part.partition("-") for part in codes.split(",")] if _LIST.fullmatch(codes) else []
    if not spans or any(not lowest <= int(first) <= int(last or first) <= highest for first, _, last in spans):
        raise text.invalid("Matcher", f"Health check matcher '{codes}' must be codes within {lowest}-{highest}, such as '200,202' or '200-299'")


def modify_target_group(ctx: Context, params: Document) -> Document:
    """ModifyTargetGroup: the health check; members that are not given stay."""
    row = find.by_arn(ctx, TARGET_GROUP, params["TargetGroupArn"])
    return {"TargetGroups": [ctx.view(ctx.change(row, health_check(params, row.document)))]}


def delete_target_group(ctx: Context, params: Document) -> Document:
    """DeleteTargetGroup: not while a rule forwards to it; one that is gone already is no error."""
    row = ctx.find(TARGET_GROUP, params["TargetGroupArn"])
    if row is None:
        return {}
    if users := ctx.referring(row, RULE):
        raise text.in_use(row.id, f"Target group '{row.arn}' is currently in use by a listener or a rule: {users[0].arn}")
    ctx.remove(row)
    return {}


def _chosen(ctx: Context, params: Document) -> list[Row]:
    given = [member for member in ("LoadBalancerArn", "TargetGroupArns", "Names") if params.get(member)]
    if len(given) > 1:
        raise text.invalid(given[1], f"You cannot specify {' and '.join(given)} in one call")
    if not params.get("LoadBalancerArn"):
        return find.chosen(ctx, TARGET_GROUP, params.get("TargetGroupArns") or (), params.get("Names") or ())
    balancer = find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    return [row for row in ctx.live(TARGET_GROUP) if balancer.arn in ctx.view(row)["LoadBalancerArns"]]


OPERATIONS = {
    "CreateTargetGroup": create_target_group,
    "DescribeTargetGroups": find.described("TargetGroups", _chosen),
    "ModifyTargetGroup": modify_target_group,
    "DeleteTargetGroup": delete_target_group,
}
