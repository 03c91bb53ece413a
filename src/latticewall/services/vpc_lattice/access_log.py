"""Access log subscriptions ("Access logs for VPC Lattice"): to CloudWatch log groups, S3 buckets and Firehose streams of the region."""

from __future__ import annotations

from latticewall.auth.log_delivery import DELIVERY_PRINCIPAL, delivery_allowed
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.find import elsewhere, usable
from latticewall.services.vpc_lattice.nouns import (
    ACCESS_LOG_SUBSCRIPTION,
    BUCKET,
    DELIVERY_STREAM,
    LOG_GROUP,
    RESOURCE_CONFIGURATION,
    SERVICE,
    SERVICE_NETWORK,
)

DESTINATIONS = {"logs": "CloudWatch Logs", "s3": "S3", "firehose": "Firehose"}
"""Kinds of destinations, by the service in their ARNs."""
KIND_OF_PREFIX = {"sn": SERVICE_NETWORK, "svc": SERVICE, "rcfg": RESOURCE_CONFIGURATION}


def kind_of(identifier: str) -> str:
    """The kind that a resourceIdentifier (id or ARN) names; the model's pattern admits only these three."""
    return KIND_OF_PREFIX[identifier.rpartition("/")[2].partition("-")[0]]


def create_access_log_subscription(ctx: Context, params: Document) -> Document:
    """CreateAccessLogSubscription: one per resource, log type and kind of destination."""
    resource = usable(ctx, kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    if resource.document.get("type") == "CIDR":
        raise text.unsupported("resourceIdentifier", f"Resource configuration {resource.id} is of type CIDR: there are no access logs of tunnels")
    log_type = params.get("serviceNetworkLogType")
    if log_type and resource.kind != SERVICE_NETWORK:
        raise text.invalid("serviceNetworkLogType", "serviceNetworkLogType is for service networks only")
    document = {"resourceId": resource.id, "resourceArn": resource.arn, "destinationArn": _destination(ctx, params["destinationArn"])}
    if resource.kind == SERVICE_NETWORK:
        document["serviceNetworkLogType"] = log_type or "SERVICE"
    for other in ctx.live(ACCESS_LOG_SUBSCRIPTION, parent=resource.id):
        if other.document.get("serviceNetworkLogType") == document.get("serviceNetworkLogType") and _kind(other) == _noun(document["destinationArn"]):
            message = f"An access log subscription of {resource.id} with a destination in {_kind(other)} already exists: {other.id}"
            raise text.conflict(ACCESS_LOG_SUBSCRIPTION, other.id, message)
    return ctx.view(ctx.create(ACCESS_LOG_SUBSCRIPTION, document, parent=resource.id, tags=tags.read(params.get("tags"))))


def update_access_log_subscription(ctx: Context, params: Document) -> Document:
    """UpdateAccessLogSubscription: its destination, of the same kind."""
    row = usable(ctx, ACCESS_LOG_SUBSCRIPTION, params["accessLogSubscriptionIdentifier"])
    arn = _destination(ctx, params["destinationArn"])
    if _noun(arn) != _kind(row):
        raise text.invalid("destinationArn", f"The destination of {row.id} is in {_kind(row)} and cannot be changed to one in {_noun(arn)}")
    return ctx.view(ctx.change(row, {"destinationArn": arn}))


def list_access_log_subscriptions(ctx: Context, params: Document) -> Document:
    """ListAccessLogSubscriptions of one resource."""
    resource = ctx.find(kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    rows: list[Row] = ctx.live(ACCESS_LOG_SUBSCRIPTION, parent=resource.id) if resource else []
    return {"items": [ctx.view(row) for row in rows]}


def _noun(arn: str) -> str:
    """The service that a destination belongs to."""
    return DESTINATIONS[arn.split(":")[2]]


def _kind(row: Row) -> str:
    return _noun(str(row.document["destinationArn"]))


def _destination(ctx: Context, arn: str) -> str:
    """The destination, which must exist: a log group or a stream of this account and region, or a bucket that takes log files; echoed as it was given."""
    _, _, service, region, account, resource = [*arn.split(":", 5), "", "", "", ""][:6]
    if service == "logs" and resource.startswith("log-group:"):
        kind, name = LOG_GROUP, resource.removeprefix("log-group:").removesuffix(":*")
    elif service == "firehose" and resource.startswith("deliverystream/"):
        kind, name = DELIVERY_STREAM, resource.removeprefix("deliverystream/")
    elif service == "s3" and resource and not region and not account:
        _check_bucket(ctx, resource.partition("/")[0], arn)
        return arn
    else:
        raise text.invalid("destinationArn", f"{arn} is neither a CloudWatch log group nor an S3 bucket nor a Firehose delivery stream")
    if (region, account) != (ctx.caller.region, ctx.caller.account):
        raise text.not_found(kind, arn)
    elsewhere(ctx, kind, name)
    return arn


def _check_bucket(ctx: Context, name: str, arn: str) -> None:
    """A bucket of another account must let the delivery service in; one's own need not."""
    row = ctx.tx.get(BUCKET, name)
    if row is None:
        raise text.not_found(BUCKET, arn)
    if not delivery_allowed(row, f"{row.arn}/AWSLogs/{ctx.caller.account}/x", ctx.caller.account, ctx.caller.region):
        raise text.invalid("destinationArn", f"The policy of the bucket {name} does not allow {DELIVERY_PRINCIPAL} to put objects")
