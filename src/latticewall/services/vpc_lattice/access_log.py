"""Access log subscriptions ("Access logs for VPC Lattice"): to CloudWatch log groups of the region; Amazon S3 and Firehose are refused."""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text
from latticewall.services.vpc_lattice.find import elsewhere, usable
from latticewall.services.vpc_lattice.nouns import ACCESS_LOG_SUBSCRIPTION, LOG_GROUP, RESOURCE_CONFIGURATION, SERVICE, SERVICE_NETWORK

KIND_OF_PREFIX = {"sn": SERVICE_NETWORK, "svc": SERVICE, "rcfg": RESOURCE_CONFIGURATION}


def kind_of(identifier: str) -> str:
    """The kind that a resourceIdentifier (id or ARN) names; the model's pattern admits only these three."""
    return KIND_OF_PREFIX[identifier.rpartition("/")[2].partition("-")[0]]


def create_access_log_subscription(ctx: Context, params: Document) -> Document:
    """CreateAccessLogSubscription: one per resource and log type."""
    resource = usable(ctx, kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    log_type = params.get("serviceNetworkLogType")
    if log_type and resource.kind != SERVICE_NETWORK:
        raise text.invalid("serviceNetworkLogType", "serviceNetworkLogType is for service networks only")
    document = {"resourceId": resource.id, "resourceArn": resource.arn, "destinationArn": _destination(ctx, params["destinationArn"])}
    if resource.kind == SERVICE_NETWORK:
        document["serviceNetworkLogType"] = log_type or "SERVICE"
    for other in ctx.live(ACCESS_LOG_SUBSCRIPTION, parent=resource.id):
        if other.document.get("serviceNetworkLogType") == document.get("serviceNetworkLogType"):
            message = f"An access log subscription of {resource.id} with a CloudWatch Logs destination already exists: {other.id}"
            raise text.conflict(ACCESS_LOG_SUBSCRIPTION, other.id, message)
    return ctx.view(ctx.create(ACCESS_LOG_SUBSCRIPTION, document, parent=resource.id, tags=tags.read(params.get("tags"))))


def update_access_log_subscription(ctx: Context, params: Document) -> Document:
    """UpdateAccessLogSubscription: its destination."""
    row = usable(ctx, ACCESS_LOG_SUBSCRIPTION, params["accessLogSubscriptionIdentifier"])
    return ctx.view(ctx.change(row, {"destinationArn": _destination(ctx, params["destinationArn"])}))


def list_access_log_subscriptions(ctx: Context, params: Document) -> Document:
    """ListAccessLogSubscriptions of one resource."""
    resource = ctx.find(kind_of(params["resourceIdentifier"]), params["resourceIdentifier"])
    rows: list[Row] = ctx.live(ACCESS_LOG_SUBSCRIPTION, parent=resource.id) if resource else []
    return {"items": [ctx.view(row) for row in rows]}


def _destination(ctx: Context, arn: str) -> str:
    """The destination, which must be an existing log group of this account and region; echoed as it was given."""
    _, _, service, region, account, resource = [*arn.split(":", 5), "", "", "", ""][:6]
    if service != "logs" or not resource.startswith("log-group:"):
        raise text.unsupported("destinationArn", f"Access log destination {arn} is not supported yet; CloudWatch log groups are")
    name = resource.removeprefix("log-group:").removesuffix(":*")
    if (region, account) != (ctx.caller.region, ctx.caller.account):
        raise text.not_found(LOG_GROUP, arn)
    elsewhere(ctx, LOG_GROUP, name)
    return arn
