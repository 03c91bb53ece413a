"""Firehose as boto3 sees it, and what arrives in the bucket, whenever the process that delivers ends."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.base.faults import Unavailable
from latticewall.control_plane.delivery import GIVEN_UP_HOURS, Batches
from latticewall.store.pending import Pending

TRUSTED = {"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [TRUSTED]}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/stream"


class Lab:
    """A bucket, a role that may write to it, and a stream. interval, size: its buffering hints."""

    def __init__(self, region: Region, **destination: Any) -> None:
        self.region = region
        self.s3, self.firehose = client("s3"), client("firehose")
        self.s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": NAME})
        region.iam.create_role(RoleName="stream", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.allow("Allow")
        hints = {"IntervalInSeconds": 60, "SizeInMBs": 1}
        given = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::records", "BufferingHints": hints, **destination}
        self.firehose.create_delivery_stream(DeliveryStreamName="flow", ExtendedS3DestinationConfiguration=given)
        self.batches = Batches(region.app)

    def allow(self, effect: str) -> None:
        statement = {"Effect": effect, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::records/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.region.iam.put_role_policy(RoleName="stream", PolicyName="put", PolicyDocument=policy)

    def put(self, *records: bytes) -> list[str]:
        answer = self.firehose.put_record_batch(DeliveryStreamName="flow", Records=[{"Data": record} for record in records])
        assert answer["FailedPutCount"] == 0
        return [one["RecordId"] for one in answer["RequestResponses"]]

    def later(self, seconds: int = 61) -> None:
        self.region.clock.moment += timedelta(seconds=seconds)
        self.batches.step()

    def found(self) -> dict[str, bytes]:
        keys = [one["Key"] for one in self.s3.list_objects_v2(Bucket="records").get("Contents", ())]
        return {key: self.s3.get_object(Bucket="records", Key=key)["Body"].read() for key in keys}


def test_records_arrive_when_the_interval_is_over(region: Region) -> None:
    lab = Lab(region)
    assert len(set(lab.put(b"one\n", b"two\n"))) == 2
    lab.firehose.put_record(DeliveryStreamName="flow", Record={"Data": b"three\n"})
    lab.batches.step()
    assert lab.found() == {}
    lab.later()
    ((key, content),) = lab.found().items()
    assert content == b"one\ntwo\nthree\n"
    assert key.startswith("2026/01/02/03/flow-1-2026-01-02-03-04-")


def test_records_arrive_when_they_are_many(region: Region) -> None:
    lab = Lab(region, CompressionFormat="GZIP", Prefix="in/!{timestamp:yyyy/MM}/")
    for number in range(3):
        lab.put(bytes([65 + number]) * 600_000)
    lab.batches.step()
    assert sorted(gzip.decompress(content)[:1] for content in lab.found().values()) == [b"A", b"B"]
    key = next(iter(lab.found()))
    assert key.startswith("in/2026/01/flow-1-")
    assert key.endswith(".gz")
    lab.later()
    assert sum(len(gzip.decompress(content)) for content in lab.found().values()) == 1_800_000


@pytest.mark.parametrize("when", ["settle", "delivered"])
def test_a_crash_loses_nothing_and_doubles_nothing(region: Region, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    lab = Lab(region)
    lab.put(b"kept\n")
    whole = getattr(Pending, when)

    def crash(*arguments: Any, **named: Any) -> None:
        whole(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(Pending, when, crash)
    with pytest.raises(KeyboardInterrupt):
        lab.later()
    monkeypatch.undo()
    assert lab.found() == {}
    lab.batches = Batches(region.app)
    lab.later()
    assert list(lab.found().values()) == [b"kept\n"]


def test_what_cannot_be_delivered_waits(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(region)
    lab.put(b"kept\n")
    lab.allow("Deny")
    lab.later()
    assert lab.found() == {}
    lab.allow("Allow")
    lab.batches = Batches(region.app)
    lab.later()
    assert list(lab.found().values()) == [b"kept\n"]


def test_a_clock_that_is_set_back_delays_nothing(region: Region) -> None:
    """What came in the future, by the new time, has waited for nobody knows how long."""
    lab = Lab(region)
    lab.put(b"before\n")
    lab.later(-3600)
    assert list(lab.found().values()) == [b"before\n"]
    lab.put(b"after\n")
    lab.batches.step()
    assert len(lab.found()) == 1
    lab.later()
    assert len(lab.found()) == 2


def test_a_clock_that_is_set_forward_gives_nothing_up(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is given up after it has been tried for long, not because it is old when it is tried first: a machine that slept has tried nothing."""
    lab, now = Lab(region), [1000.0]
    monkeypatch.setattr("latticewall.control_plane.delivery.time.monotonic", lambda: now[0])
    lab.put(b"kept\n")
    lab.allow("Deny")
    lab.later(GIVEN_UP_HOURS * 3600 + 61)
    now[0] += 60
    lab.later(60)
    lab.allow("Allow")
    now[0] += 60
    lab.later(60)
    assert list(lab.found().values()) == [b"kept\n"]
    lab.put(b"lost\n")
    lab.allow("Deny")
    for _ in range(GIVEN_UP_HOURS + 2):
        now[0] += 3600
        lab.later(3600)
    lab.allow("Allow")
    now[0] += 3600
    lab.later(3600)
    assert list(lab.found().values()) == [b"kept\n"]


def test_a_full_disk_is_not_acknowledged(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(region)

    def full(*_: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(Pending, "add", full)
    with region.refused("ServiceUnavailable"):
        lab.put(b"lost\n")


def test_what_a_deleted_stream_has_accepted_is_delivered(region: Region) -> None:
    lab = Lab(region)
    lab.put(b"last\n")
    lab.firehose.delete_delivery_stream(DeliveryStreamName="flow")
    lab.batches.step()
    assert list(lab.found().values()) == [b"last\n"]


def test_description_update_and_tags(region: Region) -> None:
    lab = Lab(region, Prefix="p/")
    described = lab.firehose.describe_delivery_stream(DeliveryStreamName="flow")["DeliveryStreamDescription"]
    assert (described["DeliveryStreamStatus"], described["VersionId"]) == ("ACTIVE", "1")
    (destination,) = described["Destinations"]
    assert destination["ExtendedS3DestinationDescription"]["Prefix"] == "p/"
    about = {"DeliveryStreamName": "flow", "DestinationId": destination["DestinationId"], "ExtendedS3DestinationUpdate": {"Prefix": "q/"}}
    lab.firehose.update_destination(CurrentDeliveryStreamVersionId="1", **about)
    with region.refused("ConcurrentModificationException"):
        lab.firehose.update_destination(CurrentDeliveryStreamVersionId="1", **about)
    lab.put(b"x")
    lab.later()
    assert next(iter(lab.found())).startswith("q/2026/")
    lab.firehose.tag_delivery_stream(DeliveryStreamName="flow", Tags=[{"Key": "a", "Value": "b"}])
    assert lab.firehose.list_tags_for_delivery_stream(DeliveryStreamName="flow")["Tags"] == [{"Key": "a", "Value": "b"}]
    lab.firehose.untag_delivery_stream(DeliveryStreamName="flow", TagKeys=["a", "never"])
    assert lab.firehose.list_tags_for_delivery_stream(DeliveryStreamName="flow")["Tags"] == []
    with lab.region.refused("ResourceNotFoundException"):
        lab.firehose.untag_delivery_stream(DeliveryStreamName="none", TagKeys=["a"])
    assert lab.firehose.list_delivery_streams()["DeliveryStreamNames"] == ["flow"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/none"}, "InvalidArgumentException", "unable to assume role"),
        ({"BucketARN": "arn:aws:s3:::nowhere"}, "InvalidArgumentException", "unable to find the bucket"),
        ({"CompressionFormat": "Snappy"}, "InvalidArgumentException", "not supported"),
        ({"ProcessingConfiguration": {"Enabled": True}}, "InvalidArgumentException", "not supported"),
        ({"Prefix": "!{partitionKeyFromQuery:a}/"}, "InvalidArgumentException", "expression"),
    ],
)
def test_refusals(region: Region, change: dict[str, Any], code: str, words: str) -> None:
    lab = Lab(region)
    given = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::records", **change}
    with region.refused(code, words):
        lab.firehose.create_delivery_stream(DeliveryStreamName="other", ExtendedS3DestinationConfiguration=given)
    with region.refused("ResourceNotFoundException"):
        lab.firehose.put_record(DeliveryStreamName="other", Record={"Data": b"x"})


def test_a_role_that_no_longer_lets_firehose_in_delivers_nothing(region: Region) -> None:
    """Its trust may ask for the account's number as external id, as Firehose gives it."""
    lab = Lab(region)
    for number, arrives in (("999988887777", 0), (ACCOUNT, 1)):
        asking = {**TRUST, "Statement": [{**TRUSTED, "Condition": {"StringEquals": {"sts:ExternalId": number}}}]}
        region.iam.update_assume_role_policy(RoleName="stream", PolicyDocument=json.dumps(asking))
        lab.put(b"one\n")
        lab.later()
        lab.batches._failed.clear()
        lab.batches.step()
        assert (len(lab.found()) > 0) is bool(arrives)
