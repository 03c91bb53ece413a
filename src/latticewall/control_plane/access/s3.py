"""What S3's calls ask: their actions, the buckets and objects they are about, their condition keys, and the policy of the bucket.

Pages: "Actions, resources, and condition keys for Amazon S3", "Required permissions for Amazon S3 API operations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from latticewall.apimodel.catalog import Operation
from latticewall.auth.permissions import compiled
from latticewall.base.caller import Caller
from latticewall.base.faults import Invalid
from latticewall.control_plane.access.ec2_keys import Keys
from latticewall.control_plane.access.named import ALL, Named
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet
from latticewall.resources.context import Context
from latticewall.services.s3.configuration import is_public
from latticewall.services.s3.objects import copy_source

ABOUT_THE_POLICY = frozenset({"s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"})
_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
S3_ACTIONS: Mapping[str, str] = {f"s3:{name}": f"s3:{action}" for name, action in _ACTIONS.items()}
"""Operations whose action has another name."""
VERSIONED = {
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}
"""Actions that are others, and not these too, for whoever says which version he means."""
LISTING = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys"}

Asked = tuple[str, Named, Keys]


def s3_questions(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> Iterator[Asked]:
    """(action, resource, condition keys) of all that must be allowed."""
    action = S3_ACTIONS.get(operation.qualified_name, operation.qualified_name)
    bucket = str(params.get("Bucket") or "")
    if not bucket:
        yield action, ALL, {}
        return
    if operation.name == "DeleteObjects":
        listed = (params.get("Delete") or {}).get("Objects") or [{"Key": "*"}]
        for key, version in dict.fromkeys((str(one.get("Key") or "*"), str(one.get("VersionId") or "")) for one in listed):
            yield _of_version(version, action, _object(ctx, bucket, key), {})
        return
    if "Key" not in params:
        keys: Keys = {key: str(params[member]) for key, member in LISTING.items() if params.get(member) is not None}
        yield action, _bucket(ctx, bucket), keys
        return
    about = _object(ctx, bucket, str(params["Key"]))
    yield _of_version(str(params.get("VersionId") or ""), action, about, _keys(ctx, params, bucket))
    if params.get("Tagging") and operation.name != "PutObjectTagging":
        yield "s3:PutObjectTagging", about, _keys(ctx, params, bucket)
    if params.get("CopySource"):
        with suppress(Invalid):  # of what names no object nothing can be read
            source = copy_source(params)
            read = _object(ctx, source["Bucket"], source["Key"])
            yield _of_version(source.get("VersionId", ""), "s3:GetObject", read, _existing_tags(ctx, source["Bucket"], source["Key"]))


def _of_version(version: str, action: str, about: Named, keys: Keys) -> Asked:
    """The question about that version of an object; version: "" for the current one."""
    return (VERSIONED.get(action, action), about, {**keys, "s3:VersionId": version}) if version else (action, about, keys)


def _bucket(ctx: Context, name: str) -> Named:
    row = ctx.tx.get("s3:Bucket", name)
    return Named(f"arn:aws:s3:::{name}", "bucket", row.account if row else "", row.tags if row else {}, row)


def _object(ctx: Context, bucket: str, key: str) -> Named:
    row = ctx.tx.get("s3:Bucket", bucket)
    return Named(f"arn:aws:s3:::{bucket}/{key}", "object", row.account if row else "", {}, row)


def _keys(ctx: Context, params: Mapping[str, Any], bucket: str) -> Keys:
    tagging = params.get("Tagging")
    pairs = dict(parse_qsl(tagging, keep_blank_values=True)) if isinstance(tagging, str) else _tag_set(tagging)
    given: Keys = {f"s3:RequestObjectTag/{key}": value for key, value in pairs.items()}
    if pairs:
        given["s3:RequestObjectTagKeys"] = tuple(pairs)
    if params.get("ACL"):
        given["s3:x-amz-acl"] = str(params["ACL"])
    return {**given, **_existing_tags(ctx, bucket, str(params["Key"]))}


def _tag_set(tagging: Any) -> dict[str, str]:
    return {str(tag.get("Key")): str(tag.get("Value")) for tag in (tagging or {}).get("TagSet") or ()}


def _existing_tags(ctx: Context, bucket: str, key: str) -> Keys:
    found = ctx.tx.objects.get(bucket, key)
    tags = (found.document.get("_tags") or {}) if found else {}
    return {f"s3:ExistingObjectTag/{name}": value for name, value in tags.items()}


def bucket_policy(resource: Named, caller: Caller, action: str) -> PolicySet | None:
    """The policy of the bucket that a question is about; None for all other resources, where there is none, for strangers where public policies are
    restricted, and for the owning account's root user at the policy itself ("the root principal can perform [these] API actions, even if their bucket policy
    explicitly denies the root principal's access", says "PutBucketPolicy"): nobody is locked out for good."""
    row = resource.row
    if row is None or row.kind != "s3:Bucket" or "_policy" not in row.document:
        return None
    if action in ABOUT_THE_POLICY and caller.principal_type == "Account" and caller.account == row.account:
        return None
    found = compiled((("", str(row.document["_policy"])),), Form.RESOURCE)
    restricted = (row.document.get("_block") or {}).get("RestrictPublicBuckets") and caller.account != row.account
    return None if restricted and any(map(is_public, found.policies)) else found
