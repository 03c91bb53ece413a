"""What VPC Lattice's calls, and calls that lead to it, take beside their own action ("Amazon VPC Lattice API permissions").

VPC Lattice asks the other services in the caller's name, so that these questions have aws:CalledVia. What its service-linked role does instead of the caller
(network interfaces of resource gateways) is not asked; VPCLatticeFullAccess does not hold it either. See docs/features/identity.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.auth.log_delivery import delivery_named
from latticewall.base.rows import Row
from latticewall.control_plane.access.ec2_keys import Keys
from latticewall.control_plane.access.named import ALL, Named
from latticewall.resources.context import Context
from latticewall.services.vpc_lattice import service_role
from latticewall.services.vpc_lattice.function_target import PRINCIPAL, lets_in

Asked = tuple[str, Named, Keys]

DESCRIBED: Mapping[str, tuple[str, ...]] = {
    "CreateResourceConfiguration": ("ec2:DescribeSubnets",),
    "CreateResourceGateway": ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
    "CreateServiceNetworkVpcAssociation": ("ec2:DescribeVpcs",),
    "CreateTargetGroup": ("ec2:DescribeVpcs",),
    "UpdateResourceGateway": ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
    "CreateAccessLogSubscription": ("logs:GetLogDelivery", "logs:CreateLogDelivery"),
    "DeleteAccessLogSubscription": ("logs:DeleteLogDelivery",),
    "UpdateAccessLogSubscription": ("logs:UpdateLogDelivery",),
}
"""By operation, what it always takes; none of these is about a resource."""
WITH_SECURITY_GROUPS = ("CreateServiceNetworkVpcAssociation", "UpdateServiceNetworkVpcAssociation")
OF_TARGETS: Mapping[str, tuple[str, ...]] = {
    "INSTANCE": ("ec2:DescribeInstances", "ec2:DescribeVpcs", "ec2:DescribeSubnets"),
    "IP": ("ec2:DescribeVpcs", "ec2:DescribeSubnets"),
}
"""By type of the target group."""


def lattice_questions(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> Iterator[Asked]:
    """(action, resource, condition keys) of all that must be allowed beside the call's own action."""
    if operation.qualified_name == "ec2:CreateVpcEndpoint":
        yield from _endpoint(params)
    if operation.service.name != "vpc-lattice":
        return
    via = (*ctx.caller.called_via, PRINCIPAL)
    keys: Keys = {"aws:ViaAWSService": "true", "aws:CalledVia": via, "aws:CalledViaFirst": via[0], "aws:CalledViaLast": PRINCIPAL}
    for action in _described(ctx, operation.name, params):
        yield action, ALL, keys
    if service_role.makes_role(ctx, operation.name):
        role = Named(service_role.ARN.format(account=ctx.caller.account), "role", ctx.caller.account)
        yield "iam:CreateServiceLinkedRole", role, {**keys, "iam:AWSServiceName": PRINCIPAL}
    for action, resource, more in (*_function_targets(ctx, operation.name, params), *_destination(ctx, operation.name, params)):
        yield action, resource, {**keys, **more}


def _described(ctx: Context, name: str, params: Mapping[str, Any]) -> Iterable[str]:
    yield from DESCRIBED.get(name, ())
    if name in WITH_SECURITY_GROUPS and params.get("securityGroupIds"):
        yield "ec2:DescribeSecurityGroups"
    if name == "CreateResourceConfiguration" and "arnResource" in (params.get("resourceConfigurationDefinition") or {}):
        yield from ("rds:DescribeDBInstances", "rds:DescribeDBClusters")
    if name == "RegisterTargets" and (group := _group(ctx, params)):
        yield from OF_TARGETS.get(str(group.document["type"]), ())


def _group(ctx: Context, params: Mapping[str, Any]) -> Row | None:
    return ctx.find("vpc-lattice:TargetGroup", str(params.get("targetGroupIdentifier") or ""))


def _endpoint(params: Mapping[str, Any]) -> Iterator[Asked]:
    """An endpoint of a service network takes VPC Lattice's permission too, which is about no resource ("Actions, resources, and condition keys for Amazon
    VPC Lattice"); what the owner of the network allows, the operation itself asks."""
    if params.get("ServiceNetworkArn"):
        keys: Keys = {"vpc-lattice:ServiceNetworkArn": str(params["ServiceNetworkArn"]), "vpc-lattice:VpcId": str(params.get("VpcId"))}
        yield "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation", ALL, keys


def _function_targets(ctx: Context, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
    """Registering a function reads it, and lets VPC Lattice invoke it where its policy does not yet."""
    group = _group(ctx, params) if name == "RegisterTargets" else None
    for target in (params.get("targets") or ()) if group else ():
        arn = str(target.get("id") or "")
        if arn.startswith("arn:aws:lambda:") and group is not None:
            *parts, qualifier = [*arn.split(":"), ""][:8]
            row = ctx.tx.by_arn(":".join(parts[:7]))
            function = Named(row.arn, "function", row.account, row.tags, row) if row else Named(arn, "function")
            yield "lambda:GetFunction", function, {}
            statements = (row.document["_policies"].get(qualifier) or {}).get("statements", ()) if row else ()
            if not any(lets_in(one, group) for one in statements):
                yield "lambda:AddPermission", function, {"lambda:Principal": PRINCIPAL}


def _destination(ctx: Context, name: str, params: Mapping[str, Any]) -> Iterator[Asked]:
    """Log delivery marks a stream, and adds to a bucket's policy what it lacks ("Enable logging from AWS services")."""
    if name not in ("CreateAccessLogSubscription", "UpdateAccessLogSubscription"):
        return
    arn = str(params.get("destinationArn") or "")
    if arn.startswith("arn:aws:firehose:"):
        row = ctx.tx.by_arn(arn)
        yield "firehose:TagDeliveryStream", Named(arn, "deliverystream", row.account if row else "", row.tags if row else {}, row), {}
    if arn.startswith("arn:aws:s3:::"):
        bucket = ctx.find("s3:Bucket", arn.rpartition(":::")[2].partition("/")[0])
        if bucket and bucket.account == ctx.caller.account and not delivery_named(bucket, ctx.caller.account, ctx.caller.region):
            for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy"):
                yield action, Named(bucket.arn, "bucket", bucket.account, bucket.tags, bucket), {}
