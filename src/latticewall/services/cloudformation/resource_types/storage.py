"""Types of S3 and Firehose ("AWS::S3 resource type reference", "AWS::KinesisFirehose resource type reference")."""

from __future__ import annotations

import json
from typing import Any

from latticewall.resources.context import Context
from latticewall.services.cloudformation.resource_types.row import Made, Properties, ResourceType, Work


def _domain(middle: str) -> Any:
    """bucket.s3[.region].amazonaws.com; `middle` is what stands between."""

    def domain(ctx: Context, made: Made) -> str:
        return f"{made.physical_id}.{middle.format(region=ctx.caller.region)}.amazonaws.com"

    return domain


def _put_policy(work: Work, properties: Properties) -> Made:
    document = properties["PolicyDocument"]
    written = document if isinstance(document, str) else json.dumps(document)
    work.call("s3:PutBucketPolicy", {"Bucket": properties["Bucket"], "Policy": written})
    return Made(str(properties["Bucket"]))


def _change_policy(work: Work, _: Made, properties: Properties) -> None:
    _put_policy(work, properties)


def _delete_policy(work: Work, made: Made) -> None:
    work.call("s3:DeleteBucketPolicy", {"Bucket": made.properties["Bucket"]})


def _change_stream(work: Work, made: Made, properties: Properties) -> None:
    """The destination, on top of the stream's present version."""
    found = work.call("firehose:DescribeDeliveryStream", {"DeliveryStreamName": made.physical_id})["DeliveryStreamDescription"]
    about = {
        "DeliveryStreamName": made.physical_id, "CurrentDeliveryStreamVersionId": found["VersionId"],
        "DestinationId": found["Destinations"][0]["DestinationId"],
    }  # fmt: skip
    given = {name.replace("Configuration", "Update"): properties[name] for name in DESTINATIONS if properties.get(name)}
    work.call("firehose:UpdateDestination", {**about, **work.input("firehose:UpdateDestination", given)})


DESTINATIONS = ("ExtendedS3DestinationConfiguration", "S3DestinationConfiguration")
TYPES = (
    ResourceType(
        "AWS::S3::Bucket", "BucketName= PublicAccessBlockConfiguration", kind="s3:Bucket", create="s3:CreateBucket", ref="name", name="BucketName:63:lower",
        key="Bucket=name", delete="s3:DeleteBucket", renames={"BucketName": "Bucket"}, tagging="s3",
        settings={"PublicAccessBlockConfiguration": "s3:PutPublicAccessBlock"}, clears={"PublicAccessBlockConfiguration": "s3:DeletePublicAccessBlock"},
        attributes={"Arn": "@arn", "DomainName": _domain("s3"), "RegionalDomainName": _domain("s3.{region}"),
                    "DualStackDomainName": _domain("s3.dualstack.{region}")},
    ),
    ResourceType(
        "AWS::S3::BucketPolicy", "Bucket=! PolicyDocument!", making=_put_policy, changing=_change_policy, removing=_delete_policy,
        by_hand=frozenset({"Bucket", "PolicyDocument"}),
    ),
    ResourceType(
        "AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName= DeliveryStreamType= ExtendedS3DestinationConfiguration S3DestinationConfiguration",
        kind="firehose:DeliveryStream", create="firehose:CreateDeliveryStream", made="DeliveryStreamARN", ref="name", key="DeliveryStreamName=name",
        name="DeliveryStreamName:64", delete="firehose:DeleteDeliveryStream", tagging="firehose", changing=_change_stream, attributes={"Arn": "@arn"},
    ),
)  # fmt: skip
