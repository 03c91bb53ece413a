"""Whether AWS's log delivery may put files into a bucket ("Enable logging from AWS services": "Logs sent to Amazon S3")."""

from __future__ import annotations

import re

from latticewall.auth.permissions import compiled
from latticewall.base.rows import Row
from latticewall.policy.decision import Decision
from latticewall.policy.document import Form
from latticewall.policy.request import Principal, Request

DELIVERY_PRINCIPAL = "delivery.logs.amazonaws.com"
INTERVAL_TAG = "latticewall:interval"
"""Tag of an access log subscription to a bucket, or of a load balancer: seconds of records that go into one object, in place of DEFAULT_INTERVAL."""
DEFAULT_INTERVAL = 300
LONGEST_INTERVAL = 900
INTERVALS = f"is a number of seconds from 1 to {LONGEST_INTERVAL}"


def is_interval(text: str) -> bool:
    """Whether it is a value of INTERVAL_TAG."""
    return re.fullmatch(r"[1-9][0-9]{0,2}", text) is not None and int(text) <= LONGEST_INTERVAL


def delivery_allowed(bucket: Row, object_arn: str, account: str, region: str) -> bool:
    """account, region: whose logs they are. Into a bucket of the same account they may go unless its policy denies it: AWS adds what is missing there."""
    decision = _decision(bucket, object_arn, account, region)
    if decision is None:
        return bucket.account == account
    return decision.allowed or (bucket.account == account and not decision.denied)


def delivery_named(bucket: Row, account: str, region: str) -> bool:
    """Whether the bucket's own policy lets the log delivery in, so that nothing is missing there."""
    decision = _decision(bucket, f"{bucket.arn}/AWSLogs/{account}/x", account, region)
    return decision is not None and decision.allowed


def _decision(bucket: Row, object_arn: str, account: str, region: str) -> Decision | None:
    policy = bucket.document.get("_policy")
    if policy is None:
        return None
    context = {
        "aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:logs:{region}:{account}:*", "s3:x-amz-acl": "bucket-owner-full-control",
        "aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true",
    }  # fmt: skip
    request = Request("s3:PutObject", object_arn, Principal.service(DELIVERY_PRINCIPAL), context)
    return compiled((("", str(policy)),), Form.RESOURCE).evaluate(request)
