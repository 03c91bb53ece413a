"""Whether AWS's log delivery may put files into a bucket ("Enable logging from AWS services": "Logs sent to Amazon S3")."""

from __future__ import annotations

from latticewall.auth.permissions import compiled
from latticewall.base.rows import Row
from latticewall.policy.document import Form
from latticewall.policy.request import Principal, Request

DELIVERY_PRINCIPAL = "delivery.logs.amazonaws.com"
INTERVAL_TAG = "latticewall:interval"
"""Tag of an access log subscription to a bucket: seconds of records that go into one object, in place of DEFAULT_INTERVAL."""
DEFAULT_INTERVAL = 300
LONGEST_INTERVAL = 900


def delivery_allowed(bucket: Row, object_arn: str, account: str, region: str) -> bool:
    """account, region: whose logs they are. Into a bucket of the same account they may go unless its policy denies it: AWS adds what is missing there."""
    policy = bucket.document.get("_policy")
    if policy is None:
        return bucket.account == account
    context = {
        "aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:logs:{region}:{account}:*", "s3:x-amz-acl": "bucket-owner-full-control",
        "aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true",
    }  # fmt: skip
    request = Request("s3:PutObject", object_arn, Principal.service(DELIVERY_PRINCIPAL), context)
    decision = compiled((("", str(policy)),), Form.RESOURCE).evaluate(request)
    return decision.allowed or (bucket.account == account and not decision.denied)
