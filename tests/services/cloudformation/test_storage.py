"""Buckets and their policies in stacks."""

from __future__ import annotations

import json
from typing import Any

from .region import Region, client
from .test_stacks import template
from .test_types import att, come_and_go, of, ref


def buckets(action: str, tag: str, *, block: bool) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": action, "Resource": [att("Logs", "Arn")]}
    settings = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": False}} if block else {}
    return template(
        {"Arn": {"Value": att("Logs", "Arn")}, "Domain": {"Value": att("Logs", "DomainName")}},
        Logs=of("S3::Bucket", BucketName="stack-logs", Tags=[{"Key": "team", "Value": tag}], **settings),
        Policy=of("S3::BucketPolicy", Bucket=ref("Logs"), PolicyDocument={"Version": "2012-10-17", "Statement": [statement]}),
    )


def test_buckets(region: Region) -> None:
    before, after = buckets("s3:ListBucket", "one", block=True), buckets("s3:GetBucketPolicy", "two", block=False)
    come_and_go(region, before, after)
    s3 = client("s3")
    assert region.outputs() == {"Arn": "arn:aws:s3:::stack-logs", "Domain": "stack-logs.s3.amazonaws.com"}
    (statement,) = json.loads(s3.get_bucket_policy(Bucket="stack-logs")["Policy"])["Statement"]
    assert statement["Action"] == "s3:GetBucketPolicy"
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="stack-logs")["TagSet"]}
    assert tags["team"] == "two"
    assert tags["aws:cloudformation:logical-id"] == "Logs"
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert s3.list_buckets()["Buckets"] == []


def streams(prefix: str, tag: str) -> dict[str, Any]:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}], "Version": "2012-10-17"}
    hints = {"IntervalInSeconds": 60, "SizeInMBs": 1}
    destination = {"RoleARN": att("Role", "Arn"), "BucketARN": att("Logs", "Arn"), "Prefix": prefix, "BufferingHints": hints, "CompressionFormat": "GZIP"}
    return template(
        {"Name": {"Value": ref("Stream")}, "Arn": {"Value": att("Stream", "Arn")}},
        Logs=of("S3::Bucket"),
        Role=of("IAM::Role", AssumeRolePolicyDocument=trust),
        Stream=of("KinesisFirehose::DeliveryStream", ExtendedS3DestinationConfiguration=destination, Tags=[{"Key": "team", "Value": tag}]),
    )


def test_delivery_streams(region: Region) -> None:
    come_and_go(region, streams("one/", "red"), streams("two/", "blue"))
    firehose, outputs = client("firehose"), region.outputs()
    described = firehose.describe_delivery_stream(DeliveryStreamName=outputs["Name"])["DeliveryStreamDescription"]
    assert (described["DeliveryStreamARN"], described["VersionId"]) == (outputs["Arn"], "2")
    assert described["Destinations"][0]["ExtendedS3DestinationDescription"]["Prefix"] == "two/"
    tags = {tag["Key"]: tag["Value"] for tag in firehose.list_tags_for_delivery_stream(DeliveryStreamName=outputs["Name"])["Tags"]}
    assert tags["team"] == "blue"
    assert region.delete() == "DELETE_COMPLETE", region.reasons()
    assert firehose.list_delivery_streams()["DeliveryStreamNames"] == []
