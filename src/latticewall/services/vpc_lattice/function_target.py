"""Target groups of type LAMBDA and their one target ("Lambda functions as targets in VPC Lattice")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import quotas, text
from latticewall.services.vpc_lattice.nouns import TARGET_GROUP

PRINCIPAL = "vpc-lattice.amazonaws.com"
NOT_FOR_FUNCTIONS = ("port", "protocol", "protocolVersion", "ipAddressType", "vpcIdentifier", "healthCheck")


def create_target_group(ctx: Context, params: Document, given: Mapping[str, Any]) -> Document:
    """CreateTargetGroup: a LAMBDA group needs no configuration and is answered with what it was given."""
    for member in NOT_FOR_FUNCTIONS:
        if given.get(member):
            raise text.invalid(f"config.{member}", f"{member} is not for LAMBDA target groups")
    quotas.check(ctx, TARGET_GROUP, ctx.count(TARGET_GROUP) + 1)
    version = given.get("lambdaEventStructureVersion")
    config = {"config": {"lambdaEventStructureVersion": version}} if version else {}
    document = {"type": "LAMBDA", **config, "_targets": []}
    return ctx.view(ctx.create(TARGET_GROUP, document, name=params["name"], tags=tags.read(params.get("tags"))))


def register(ctx: Context, group: Row, targets: list[Document]) -> Document:
    """RegisterTargets: exactly one function, of the group's account and region; VPC Lattice is then let in by the function's policy."""
    held = list(group.document["_targets"])
    successful, unsuccessful = [], []
    for given in targets:
        target = {"id": given["id"]}
        refusal = "port is not for Lambda targets" if given.get("port") else _refusal(ctx, group, target["id"])
        if not refusal and held and held != [target]:
            refusal = "A target group of type LAMBDA can have one target only"
        if refusal:
            unsuccessful.append({**target, "failureCode": "UnsupportedTarget", "failureMessage": refusal})
            continue
        _let_in(ctx, group, target["id"])
        successful.append(target)
        held = [target]
    ctx.change(group, {"_targets": held})
    return {"successful": successful, "unsuccessful": unsuccessful}


def deregister(ctx: Context, group: Row, targets: list[Document]) -> Document:
    """DeregisterTargets. The function's policy stays as it is."""
    held = list(group.document["_targets"])
    successful, unsuccessful = [], []
    for given in targets:
        target = {"id": given["id"]}
        if target in held:
            held.remove(target)
            successful.append(target)
        else:
            message = f"Target {target['id']} is not registered with target group {group.id}"
            unsuccessful.append({**target, "failureCode": "TargetNotFound", "failureMessage": message})
    ctx.change(group, {"_targets": held})
    return {"successful": successful, "unsuccessful": unsuccessful}


def _refusal(ctx: Context, group: Row, arn: str) -> str:
    """Why the target cannot be in the group; empty if it can."""
    parts = arn.split(":")
    if len(parts) not in (7, 8) or parts[:3] != ["arn", "aws", "lambda"] or parts[5] != "function":
        return f"{arn} is not the ARN of a Lambda function"
    if (parts[4], parts[3]) != (group.account, group.region):
        return "Lambda targets must be in the same account and Region as their target group"
    try:
        ctx.call("lambda:GetFunction", {"FunctionName": arn})
    except NotFound:
        return f"Lambda function {arn} does not exist"
    return ""


def _let_in(ctx: Context, group: Row, arn: str) -> None:
    """The permission that the group needs, as registering a function in the console or the command line gives it; once."""
    try:
        policy = json.loads(ctx.call("lambda:GetPolicy", {"FunctionName": arn})["Policy"])
    except NotFound:
        policy = {"Statement": []}
    if not any(lets_in(one, group) for one in policy["Statement"]):
        permission = {"Action": "lambda:InvokeFunction", "Principal": PRINCIPAL, "SourceArn": group.arn}
        ctx.call("lambda:AddPermission", {"FunctionName": arn, "StatementId": _sid(group), **permission})


def lets_in(statement: Mapping[str, Any], group: Row) -> bool:
    """Whether a statement of a function's policy is the permission that the group needs, given by the user or by an earlier registration."""
    source = ((statement.get("Condition") or {}).get("ArnLike") or {}).get("AWS:SourceArn")
    given = statement["Principal"] == {"Service": PRINCIPAL} and statement["Action"] == "lambda:InvokeFunction" and source == group.arn
    return bool(given or statement["Sid"] == _sid(group))


def _sid(group: Row) -> str:
    return f"vpc-lattice-{group.id}"
