"""Buckets: made, found, listed, deleted. Pages: "CreateBucket", "HeadBucket", "ListBuckets", "DeleteBucket", "General purpose bucket naming rules"."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.s3 import text

NAME = re.compile(r"(?!xn--)(?!.*(?:-s3alias|--ol-s3)\Z)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
QUOTA = 10_000
"""General purpose buckets of an account."""
PRIVATE = (None, "private")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
"""Settings of a block of public access; a new bucket has them all."""
FIRST_REGION = "us-east-1"
"""The region whose buckets have no location constraint."""


def find_bucket(ctx: Context, params: Document) -> Row:
    """The bucket that a call names, whoever owns it: access was decided with its owner in mind. Raises NotFound, and Denied for another owner than the
    expected one."""
    name = str(params["Bucket"])
    row = ctx.tx.get("s3:Bucket", name)
    if row is None:
        raise text.no_bucket(name)
    expected = params.get("ExpectedBucketOwner")
    if expected and expected != row.account:
        raise text.conflict("Access Denied", "AccessDenied")
    return row


def _check_name(name: str) -> None:
    try:
        IPv4Address(name)
    except AddressValueError:
        if NAME.match(name):
            return
    raise text.invalid("The specified bucket is not valid.", "InvalidBucketName")


def create(ctx: Context, params: Document) -> Document:
    name = str(params["Bucket"])
    _check_name(name)
    _refuse_unsupported(params)
    configuration = params.get("CreateBucketConfiguration") or {}
    wanted = configuration.get("LocationConstraint")
    if wanted not in (None, "", ctx.caller.region):
        message = f"The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
        raise text.invalid(message, "IllegalLocationConstraintException")
    found = ctx.tx.get("s3:Bucket", name)
    if found is not None and found.account == ctx.caller.account:
        if found.region == ctx.caller.region == FIRST_REGION:  # "for legacy compatibility"
            return {"Location": f"/{name}", "BucketArn": found.arn}
        raise text.conflict("Your previous request to create the named bucket succeeded and you already own it.", "BucketAlreadyOwnedByYou")
    if found is not None:
        message = "The requested bucket name is not available. The bucket namespace is shared by all users of the system."
        raise text.conflict(f"{message} Please select a different name and try again.", "BucketAlreadyExists")
    if len(ctx.tx.rows("s3:Bucket", account=ctx.caller.account)) >= QUOTA:
        raise text.invalid("You have attempted to create more buckets than allowed", "TooManyBuckets")
    tags = read_tags(configuration.get("Tags") or [], 50)
    row = ctx.create("s3:Bucket", {"_block": dict.fromkeys(BLOCKS, True)}, id=name, name=name, tags=tags)
    return {"Location": f"/{name}", "BucketArn": row.arn}


def _refuse_unsupported(params: Document) -> None:
    if params.get("ACL") not in PRIVATE or any(params.get(member) for member in params if member.startswith("Grant")):
        message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        raise text.invalid(message, "InvalidBucketAclWithObjectOwnership")
    if params.get("ObjectLockEnabledForBucket"):
        raise text.unsupported("Object Lock")
    if params.get("ObjectOwnership") not in (None, "BucketOwnerEnforced"):
        raise text.unsupported(f"Object ownership {params['ObjectOwnership']}")


def head(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    return {"BucketRegion": row.region, "BucketArn": row.arn, "AccessPointAlias": False}


def listed(ctx: Context, params: Document) -> Document:
    """All buckets of the account, of all regions, by name."""
    rows = sorted(ctx.tx.rows("s3:Bucket", account=ctx.caller.account), key=lambda row: row.name)
    prefix, region = params.get("Prefix") or "", params.get("BucketRegion")
    shown: list[dict[str, Any]] = [
        {"Name": row.name, "CreationDate": row.created_at, "BucketRegion": row.region, "BucketArn": row.arn}
        for row in rows
        if row.name.startswith(prefix) and region in (None, row.region)
    ]
    return {"Buckets": shown, "Owner": owner_of(ctx.caller.account), **({"Prefix": prefix} if prefix else {})}


def owner_of(account: str) -> Document:
    """The owner's canonical id: 64 hexadecimal digits."""
    return {"ID": account.rjust(64, "0")}


def delete(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    if not ctx.tx.objects.is_empty(row.id):
        raise text.conflict("The bucket you tried to delete is not empty", "BucketNotEmpty")
    for upload in ctx.tx.rows("s3:Upload", parent=row.id):
        ctx.tx.objects.forget_parts(row.id, upload.id)
    ctx.remove(row)
    return {}


def location(ctx: Context, params: Document) -> Document:
    region = find_bucket(ctx, params).region
    return {"LocationConstraint": None if region == FIRST_REGION else region}


def get_tags(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    if not row.tags:
        raise text.absent("NoSuchTagSet", "The TagSet does not exist")
    return {"TagSet": [{"Key": key, "Value": value} for key, value in row.tags.items()]}


def put_tags(ctx: Context, params: Document) -> Document:
    """All tags anew; those that AWS's services have set stay."""
    row = find_bucket(ctx, params)
    ctx.tx.put(replace(row, tags={**_of_services(row), **read_tags(params["Tagging"]["TagSet"], 50)}))
    return {}


def _of_services(row: Row) -> dict[str, str]:
    return {key: value for key, value in row.tags.items() if key.startswith("aws:")}


def read_tags(listed_tags: list[dict[str, str]], most: int) -> dict[str, str]:
    """Raises Invalid for too many tags, and for one key twice."""
    found = {str(tag["Key"]): str(tag["Value"]) for tag in listed_tags}
    if len(found) != len(listed_tags):
        raise text.invalid("Cannot provide multiple Tags with the same key", "InvalidTag")
    if len(found) > most:
        raise text.invalid(f"Object tags cannot be greater than {most}", "BadRequest")
    if any(key.startswith("aws:") for key in found):
        raise text.invalid("System tags cannot be added/updated by requester", "InvalidTag")
    return found


def delete_tags(ctx: Context, params: Document) -> Document:
    row = find_bucket(ctx, params)
    ctx.tx.put(replace(row, tags=_of_services(row)))
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateBucket": create,
    "HeadBucket": head,
    "ListBuckets": listed,
    "DeleteBucket": delete,
    "GetBucketLocation": location,
    "GetBucketTagging": get_tags,
    "PutBucketTagging": put_tags,
    "DeleteBucketTagging": delete_tags,
}
