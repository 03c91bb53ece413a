"""Access logs of load balancers: that the bucket takes them, when they are enabled ("Enable access logs for your Application Load Balancer")."""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.auth.balancer_logs import balancer_logs_allowed, folder
from latticewall.auth.log_delivery import INTERVAL_TAG, INTERVALS, is_interval
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.elbv2 import text
from latticewall.services.elbv2.nouns import BUCKET

ENABLED, IN_BUCKET, PREFIX = (f"access_logs.s3.{word}" for word in ("enabled", "bucket", "prefix"))
TEST_FILE = "ELBAccessLogTestFile"
TEST_WORDS = b"Enable AccessLog for ELB: %s at %s"


def check(ctx: Context, balancer: Row, attributes: Mapping[str, str]) -> None:
    """attributes: those that the load balancer shall have. Proves that the bucket takes its logs by putting a file there, whenever that is said anew."""
    now = balancer.document["_attributes"]
    if attributes[ENABLED] != "true" or all(attributes[key] == now[key] for key in (ENABLED, IN_BUCKET, PREFIX)):
        return
    name, prefix = attributes[IN_BUCKET], attributes[PREFIX]
    if not name:
        raise text.configuration(f"The value of '{IN_BUCKET}' cannot be empty when access logs are enabled")
    if "AWSLogs" in prefix or prefix.startswith("/") or prefix.endswith("/"):
        raise text.configuration(f"The value of '{PREFIX}' must not contain AWSLogs, and must neither begin nor end with a slash")
    bucket = ctx.tx.get(BUCKET, name)
    if bucket is None or bucket.region != balancer.region:
        raise text.configuration(f"The S3 bucket '{name}' does not exist in {balancer.region}")
    key = f"{folder(prefix, balancer.account)}/{TEST_FILE}"
    if not balancer_logs_allowed(bucket, key, balancer.arn):
        raise text.configuration(f"Access Denied for bucket: {name}. Please check S3bucket permission")
    ctx.call("s3:PutObject", {"Bucket": name, "Key": key, "Body": TEST_WORDS % (balancer.id.encode(), ctx.now.encode())})


def check_tags(given: Mapping[str, str]) -> None:
    """Of a load balancer: latticewall's own one says how many seconds of entries go into one file."""
    if not is_interval(given.get(INTERVAL_TAG, "1")):
        raise text.invalid("Tags", f"The tag {INTERVAL_TAG} {INTERVALS}")
