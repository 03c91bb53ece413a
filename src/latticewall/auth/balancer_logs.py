"""Whether Elastic Load Balancing may put access logs into a bucket ("Enable access logs for your Application Load Balancer")."""

from __future__ import annotations

from latticewall.auth.permissions import compiled
from latticewall.base.rows import Row
from latticewall.policy.document import Form
from latticewall.policy.request import Principal, Request

PRINCIPAL = "logdelivery.elasticloadbalancing.amazonaws.com"
ACCOUNTS = {
    "us-east-1": "127311923021", "us-east-2": "033677994240", "us-west-1": "027434742980", "us-west-2": "797873946194", "ca-central-1": "985666609251",
    "eu-central-1": "054676820928", "eu-west-1": "156460612806", "eu-west-2": "652711504416", "eu-west-3": "009996457667", "eu-north-1": "897822967062",
    "ap-northeast-1": "582318560864", "ap-northeast-2": "600734575887", "ap-south-1": "718504428378", "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266", "sa-east-1": "507241528517",
}  # fmt: skip
"""The account that policies may name in place of the principal, of Regions that were there before August 2022."""


def folder(prefix: str, account: str) -> str:
    """Where all that is logged for an account lies in a bucket, without a slash at its end."""
    return f"{prefix}/AWSLogs/{account}" if prefix else f"AWSLogs/{account}"


def balancer_logs_allowed(bucket: Row, key: str, balancer_arn: str) -> bool:
    """Only a policy of the bucket lets them in, whosever bucket it is."""
    region, account = balancer_arn.split(":")[3:5]
    policy = bucket.document.get("_policy")
    if policy is None:
        return False
    principals = [Principal.service(PRINCIPAL)]
    if own := ACCOUNTS.get(region):
        principals.append(Principal(f"arn:aws:iam::{own}:root", own, "Account"))
    context = {
        "aws:SourceAccount": account, "aws:SourceArn": balancer_arn, "aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true",
        "s3:x-amz-acl": "bucket-owner-full-control",
    }  # fmt: skip
    allowed = compiled((("", str(policy)),), Form.RESOURCE)
    decisions = [allowed.evaluate(Request("s3:PutObject", f"{bucket.arn}/{key}", principal, context)) for principal in principals]
    return any(decision.allowed for decision in decisions) and not any(decision.denied for decision in decisions)
