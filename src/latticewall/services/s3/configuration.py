"""What a bucket is set to: its policy and its block of public access, and the true answers about everything that a bucket here cannot have.

Pages: "PutBucketPolicy", "The meaning of public", "GetBucketAcl", "Controlling ownership of objects and disabling ACLs for your bucket".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.rows import Row
from latticewall.policy.document import Effect, Form, Malformed, Policy, parse_policy
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.s3 import text
from latticewall.services.s3.buckets import BLOCKS, PRIVATE, find_bucket, owner_of

POLICY_LIMIT = 20 * 1024
"""Bytes of a bucket policy."""
ABSENT: Mapping[str, tuple[str, str]] = {
    "GetBucketCors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "GetBucketEncryption": ("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found"),
    "GetBucketLifecycleConfiguration": ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    "GetBucketReplication": ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    "GetBucketWebsite": ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    "GetObjectLockConfiguration": ("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
}
"""Questions about what no bucket here has."""
EMPTY = ("GetBucketAccelerateConfiguration", "GetBucketLogging", "GetBucketNotificationConfiguration", "GetBucketVersioning")
"""Questions whose answer is empty where nothing is set."""


def put_policy(ctx: Context, params: Document) -> Document:
    row, written = find_bucket(ctx, params), str(params["Policy"])
    if len(written.encode()) > POLICY_LIMIT:
        raise text.invalid("Normalized policy document exceeds the maximum allowed size of 20480 bytes.", "PolicyTooLarge")
    try:
        policy = parse_policy(written, Form.RESOURCE)
    except Malformed as problem:
        raise text.invalid(problem.message, "MalformedPolicy") from None
    for resource in {resource for statement in policy.statements for resource in statement.resources or statement.not_resources or ()}:
        if resource != "*" and resource != row.arn and not resource.startswith(f"{row.arn}/"):
            raise text.invalid("Policy has invalid resource", "MalformedPolicy")
    if is_public(policy) and row.document.get("_block", {}).get("BlockPublicPolicy"):
        message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting"
        raise text.conflict(message, "AccessDenied")
    ctx.change(row, {"_policy": written})
    return {}


def is_public(policy: Policy) -> bool:
    """Whether it grants something to everyone, without any condition."""
    return any(
        statement.effect == Effect.ALLOW and not statement.conditions and any(one.value == "*" for one in statement.principals or ())
        for statement in policy.statements
    )


def get_policy(ctx: Context, params: Document) -> Document:
    return {"Policy": _policy_of(find_bucket(ctx, params))}


def _policy_of(row: Row) -> str:
    if "_policy" not in row.document:
        raise text.absent("NoSuchBucketPolicy", "The bucket policy does not exist")
    return str(row.document["_policy"])


def policy_status(ctx: Context, params: Document) -> Document:
    return {"PolicyStatus": {"IsPublic": is_public(parse_policy(_policy_of(find_bucket(ctx, params)), Form.RESOURCE))}}


def delete_policy(ctx: Context, params: Document) -> Document:
    ctx.change(find_bucket(ctx, params), {"_policy": None})
    return {}


def put_block(ctx: Context, params: Document) -> Document:
    given = params["PublicAccessBlockConfiguration"]
    ctx.change(find_bucket(ctx, params), {"_block": {name: bool(given.get(name)) for name in BLOCKS}})
    return {}


def get_block(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    if "_block" not in row.document:
        raise text.absent("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
    return {"PublicAccessBlockConfiguration": row.document["_block"]}


def delete_block(ctx: Context, params: Document) -> Document:
    ctx.change(find_bucket(ctx, params), {"_block": None})
    return {}


def get_acl(ctx: Context, params: Document) -> Document:
    """The one ACL there is: the owner may do everything."""
    owner = owner_of(find_bucket(ctx, params).account)
    return {"Owner": owner, "Grants": [{"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"}]}


def put_acl(ctx: Context, params: Document) -> Document:
    find_bucket(ctx, params)
    if params.get("ACL") not in PRIVATE or any(params.get(member) for member in params if member.startswith("Grant")) or params.get("AccessControlPolicy"):
        raise text.invalid("The bucket does not allow ACLs", "AccessControlListNotSupported")
    return {}


def get_ownership(ctx: Context, params: Document) -> Document:
    find_bucket(ctx, params)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}


def put_ownership(ctx: Context, params: Document) -> Document:
    find_bucket(ctx, params)
    for rule in params["OwnershipControls"]["Rules"]:
        if rule["ObjectOwnership"] != "BucketOwnerEnforced":
            raise text.unsupported(f"Object ownership {rule['ObjectOwnership']}")
    return {}


def request_payment(ctx: Context, params: Document) -> Document:
    find_bucket(ctx, params)
    return {"Payer": "BucketOwner"}


def _absent(code: str, message: str) -> Handler:
    def handler(ctx: Context, params: Document) -> Document:
        find_bucket(ctx, params)
        raise text.absent(code, message)

    return handler


def _empty(ctx: Context, params: Document) -> dict[str, Any]:
    find_bucket(ctx, params)
    return {}


OPERATIONS: dict[str, Handler] = {
    "PutBucketPolicy": put_policy,
    "GetBucketPolicy": get_policy,
    "GetBucketPolicyStatus": policy_status,
    "DeleteBucketPolicy": delete_policy,
    "PutPublicAccessBlock": put_block,
    "GetPublicAccessBlock": get_block,
    "DeletePublicAccessBlock": delete_block,
    "GetBucketAcl": get_acl,
    "PutBucketAcl": put_acl,
    "GetBucketOwnershipControls": get_ownership,
    "PutBucketOwnershipControls": put_ownership,
    "GetBucketRequestPayment": request_payment,
    **{name: _absent(*words) for name, words in ABSENT.items()},
    **dict.fromkeys(EMPTY, _empty),
}
