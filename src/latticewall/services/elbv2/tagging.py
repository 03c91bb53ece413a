"""Tags of load balancers, listeners, rules and target groups."""

from __future__ import annotations

from collections.abc import Sequence

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import access_logs, find, text
from latticewall.services.elbv2.nouns import LISTENER, LOAD_BALANCER, RULE, TARGET_GROUP

NOUNS = {"loadbalancer": LOAD_BALANCER, "listener": LISTENER, "listener-rule": RULE, "targetgroup": TARGET_GROUP}
MOST = 50


def _named(ctx: Context, arns: Sequence[str]) -> list[Row]:
    found = []
    for arn in arns:
        kind = NOUNS.get(arn.split(":", 5)[-1].partition("/")[0])
        if kind is None:
            raise text.invalid("ResourceArns", f"'{arn}' is not the ARN of a load balancer, listener, rule or target group")
        found.append(find.by_arn(ctx, kind, arn))
    return found


def add_tags(ctx: Context, params: Document) -> Document:
    """AddTags."""
    added = tags.read(params["Tags"])
    for row in _named(ctx, params["ResourceArns"]):
        if len({**row.tags, **added}) > MOST:
            raise text.too_many("TooManyTags", f"A resource can have at most {MOST} tags")
        if row.kind == LOAD_BALANCER:
            access_logs.check_tags(added)
        ctx.tag(row, added)
    return {}


def remove_tags(ctx: Context, params: Document) -> Document:
    """RemoveTags."""
    for row in _named(ctx, params["ResourceArns"]):
        ctx.tag(row, removed=params["TagKeys"])
    return {}


def describe_tags(ctx: Context, params: Document) -> Document:
    """DescribeTags."""
    return {"TagDescriptions": [{"ResourceArn": row.arn, "Tags": tags.as_list(row.tags)} for row in _named(ctx, params["ResourceArns"])]}


OPERATIONS = {"AddTags": add_tags, "RemoveTags": remove_tags, "DescribeTags": describe_tags}
