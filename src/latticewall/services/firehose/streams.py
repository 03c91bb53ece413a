"""Streams and where they deliver. Pages: "CreateDeliveryStream", "ExtendedS3DestinationConfiguration", "UpdateDestination", "Custom prefixes"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from latticewall.auth.assuming import Assumption, refused_action
from latticewall.base.faults import Conflict, Invalid, LimitExceeded, NotFound, Unsupported
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.store import Snapshot

STREAM = "firehose:DeliveryStream"
SERVICE_PRINCIPAL = "firehose.amazonaws.com"
QUOTA = 50
"""Streams of an account in a region ("Amazon Data Firehose Quota")."""
DESTINATION_ID = "destinationId-000000000001"
DEFAULTS = {"CompressionFormat": "UNCOMPRESSED", "S3BackupMode": "Disabled", "CustomTimeZone": "UTC", "Prefix": "", "ErrorOutputPrefix": ""}
HINTS = {"SizeInMBs": 5, "IntervalInSeconds": 300}
KEPT = ("RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat", "FileExtension", "S3BackupMode")
UNLESS = {
    "DataFormatConversionConfiguration": "Enabled", "DynamicPartitioningConfiguration": "Enabled", "ProcessingConfiguration": "Enabled",
    "CloudWatchLoggingOptions": "Enabled",
}  # fmt: skip
"""Parts of a destination that are not there; saying that they are off is no wish."""
_EXPRESSION = re.compile(r"!\{([^}]*)\}")
_KNOWN = re.compile(r"timestamp:[^{}]+|firehose:random-string\Z")


def create(ctx: Context, params: Document) -> Document:
    if params.get("DeliveryStreamType") not in (None, "DirectPut"):
        raise Unsupported(f"Streams of type {params['DeliveryStreamType']} are not supported by latticewall")
    known = ("DeliveryStreamName", "DeliveryStreamType", "ExtendedS3DestinationConfiguration", "S3DestinationConfiguration", "Tags")
    if other := next((name for name, value in params.items() if value and name not in known), None):
        raise Unsupported(f"{other} is not supported by latticewall")
    given = params.get("ExtendedS3DestinationConfiguration") or params.get("S3DestinationConfiguration")
    if not given or (params.get("ExtendedS3DestinationConfiguration") and params.get("S3DestinationConfiguration")):
        raise Invalid("Exactly one destination configuration is supported for a Firehose")
    name = params["DeliveryStreamName"]
    if ctx.find(STREAM, name):
        raise Conflict(f"Firehose {name} under accountId {ctx.caller.account} already exists", code="ResourceInUseException")
    if len(ctx.live(STREAM)) >= QUOTA:
        raise LimitExceeded(f"You have already consumed your firehose quota of {QUOTA} hoses.")
    document = {"DeliveryStreamType": "DirectPut", "VersionId": "1", "CreateTimestamp": ctx.now, "_destination": _destination(ctx, {}, given)}
    row = ctx.create(STREAM, document, name=name, tags=tags.read(params.get("Tags")))
    return {"DeliveryStreamARN": row.arn}


def _destination(ctx: Context, before: Mapping[str, Any], given: Mapping[str, Any]) -> Document:
    """The destination with what was given over what was before. Raises Invalid and Unsupported."""
    for member, off in UNLESS.items():
        if (given.get(member) or {}).get(off):
            raise Unsupported(f"{member} is not supported by latticewall")
    if (given.get("EncryptionConfiguration") or {}).get("KMSEncryptionConfig"):
        raise Unsupported("KMSEncryptionConfig is not supported by latticewall")
    if given.get("S3BackupMode") == "Enabled" or given.get("CustomTimeZone") not in (None, "", "UTC"):
        raise Unsupported("Backup to S3 and time zones other than UTC are not supported by latticewall")
    found = {**DEFAULTS, **before, **{name: given[name] for name in KEPT if given.get(name) is not None}}
    if found["CompressionFormat"] not in ("UNCOMPRESSED", "GZIP"):
        raise Unsupported(f"Compression {found['CompressionFormat']} is not supported by latticewall")
    found["BufferingHints"] = {**HINTS, **(before.get("BufferingHints") or {}), **(given.get("BufferingHints") or {})}
    for expression in _EXPRESSION.findall(found["Prefix"]):
        if not _KNOWN.match(expression):
            raise Invalid(f"Prefix has an expression that is not supported: !{{{expression}}}")
    _check_role(ctx, str(found["RoleARN"]))
    if ctx.tx.get("s3:Bucket", str(found["BucketARN"]).rpartition(":")[2]) is None:
        raise Invalid(f"Firehose was unable to find the bucket {found['BucketARN']}. Please check that it exists.")
    return found


def _check_role(ctx: Context, arn: str) -> None:
    """The role that Firehose writes as must be of this account, and let it in."""
    role = ctx.tx.by_arn(arn)
    if role is None or role.account != ctx.caller.account or not lets_firehose_in(ctx.tx, role, ctx.now_datetime):
        raise Invalid(f"Firehose is unable to assume role {arn}. Please check the role provided.")


def lets_firehose_in(snapshot: Snapshot, role: Row, now: datetime) -> bool:
    """Whether Firehose may assume the role, which it does for the role's account ("Grant Firehose access to an Amazon S3 destination")."""
    principal = Principal.service(SERVICE_PRINCIPAL)
    wish = Assumption("sts:AssumeRole", "firehose", context={"sts:ExternalId": role.account, "aws:SourceAccount": role.account})
    allowed = role.kind == "iam:Role"
    return allowed and not refused_action(snapshot, role, wish, principal, PrincipalPolicies(), global_context(principal, now=now, region=""))


def find_stream(ctx: Context, name: str) -> Row:
    row = ctx.find(STREAM, name)
    if row is None:
        message = f"Firehose {name} under account {ctx.caller.account} not found."
        raise NotFound(message, code="ResourceNotFoundException")
    return row


def destination_of(row: Row) -> Document:
    """What delivering for a stream takes, as it is kept with the records."""
    return {**row.document["_destination"], "Name": row.name, "Version": row.document["VersionId"], "Account": row.account, "Region": row.region}


def describe(ctx: Context, params: Document) -> Document:
    row = find_stream(ctx, params["DeliveryStreamName"])
    kept = {name: value for name, value in row.document["_destination"].items() if value != ""}
    plain = {name: kept[name] for name in ("RoleARN", "BucketARN", "Prefix", "BufferingHints", "CompressionFormat") if name in kept}
    encryption = {"EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"}, "CloudWatchLoggingOptions": {"Enabled": False}}
    destination = {
        "DestinationId": DESTINATION_ID, "S3DestinationDescription": {**plain, **encryption}, "ExtendedS3DestinationDescription": {**kept, **encryption},
    }  # fmt: skip
    described = {
        **ctx.view(row), "DeliveryStreamARN": row.arn, "DeliveryStreamStatus": "ACTIVE", "HasMoreDestinations": False, "Destinations": [destination],
        "DeliveryStreamEncryptionConfiguration": {"Status": "DISABLED"},
    }  # fmt: skip
    return {"DeliveryStreamDescription": described}


def listed(ctx: Context, params: Document) -> Document:
    after, limit = params.get("ExclusiveStartDeliveryStreamName") or "", params.get("Limit") or 10
    wanted = params.get("DeliveryStreamType") in (None, "DirectPut")
    names = sorted(row.name for row in ctx.live(STREAM) if row.name > after and wanted)
    return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}


def update(ctx: Context, params: Document) -> Document:
    row = find_stream(ctx, params["DeliveryStreamName"])
    if params["CurrentDeliveryStreamVersionId"] != row.document["VersionId"]:
        message = f"Cannot update firehose {row.name} since the current version id {row.document['VersionId']} and specified version id do not match"
        raise Conflict(message, code="ConcurrentModificationException")
    if params["DestinationId"] != DESTINATION_ID:
        raise Invalid(f"Destination Id {params['DestinationId']} not found")
    given = params.get("ExtendedS3DestinationUpdate") or params.get("S3DestinationUpdate")
    if not given:
        raise Unsupported("Only S3 destinations are supported by latticewall")
    version = str(int(row.document["VersionId"]) + 1)
    ctx.change(row, {"VersionId": version, "LastUpdateTimestamp": ctx.now, "_destination": _destination(ctx, row.document["_destination"], given)})
    return {}


def delete(ctx: Context, params: Document) -> Document:
    """What it has accepted is still delivered."""
    ctx.remove(find_stream(ctx, params["DeliveryStreamName"]))
    return {}


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_stream(ctx, params["DeliveryStreamName"]), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_stream(ctx, params["DeliveryStreamName"]), removed=params["TagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    after, limit = params.get("ExclusiveStartTagKey") or "", params.get("Limit") or 50
    row = find_stream(ctx, params["DeliveryStreamName"])
    found = sorted((key, value) for key, value in row.tags.items() if key > after)
    return {"Tags": [{"Key": key, "Value": value} for key, value in found[:limit]], "HasMoreTags": len(found) > limit}


OPERATIONS: dict[str, Handler] = {
    "CreateDeliveryStream": create,
    "DescribeDeliveryStream": describe,
    "ListDeliveryStreams": listed,
    "UpdateDestination": update,
    "DeleteDeliveryStream": delete,
    "TagDeliveryStream": tag,
    "UntagDeliveryStream": untag,
    "ListTagsForDeliveryStream": list_tags,
}
