"""S3, Firehose and CloudWatch over the network, by the clients people have: the AWS CLI, curl, presigned requests, awscrt's chunked uploads."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from .lab import Lab
from .test_command_line import Cli

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
BIG = 20 * 1024 * 1024


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(lab, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def bucket(lab: Lab) -> Iterator[str]:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="clients", CreateBucketConfiguration={"LocationConstraint": lab.region.name})
    yield "clients"
    for one in s3.list_objects_v2(Bucket="clients").get("Contents", ()):
        s3.delete_object(Bucket="clients", Key=one["Key"])
    s3.delete_bucket(Bucket="clients")


def s3_client(lab: Lab, **options: Any) -> Any:
    credentials = lab.region.session.credentials
    return boto3.client(
        "s3", region_name=lab.region.name, endpoint_url=lab.region.session.endpoint, aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key.reveal(), config=Config(signature_version="s3v4", **options),
    )  # fmt: skip


def curl(*words: str) -> tuple[int, str]:
    done = subprocess.run(["curl", "-s", "-m", "10", "-w", "\n%{http_code}", *words], capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_the_command_line_copies_files_of_any_size(cli: Cli, bucket: str, tmp_path: Path) -> None:
    """A large file goes up in parts and comes down in ranges."""

    def s3(*words: str) -> str:
        done = cli.run("s3", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(BIG))
    s3("cp", str(source), f"s3://{bucket}/big/file", "--no-progress")
    s3("cp", f"s3://{bucket}/big/file", str(copy), "--no-progress")
    assert copy.read_bytes() == source.read_bytes()
    assert s3("ls", "--recursive", f"s3://{bucket}").split()[-1] == "big/file"
    s3("rm", "--recursive", f"s3://{bucket}")


def test_presigned_requests(lab: Lab, bucket: str) -> None:
    s3 = s3_client(lab)
    where = {"Bucket": bucket, "Key": "signed/ünï 1"}
    assert curl("-X", "PUT", "-d", "by url", s3.generate_presigned_url("put_object", Params=where))[0] == 200
    address = s3.generate_presigned_url("get_object", Params=where)
    assert curl(address) == (200, "by url")
    status, body = curl(address.replace("signed/", "other/"))
    assert status == 403
    assert "<Error><Code>SignatureDoesNotMatch</Code>" in body


def test_buckets_in_the_host(lab: Lab, bucket: str) -> None:
    """As curl resolves it; the signature is over the host that was asked."""
    lab.client("s3").put_object(Bucket=bucket, Key="a/b", Body=b"hosted")
    credentials, endpoint = lab.region.session.credentials, lab.region.session.endpoint
    port = endpoint.rpartition(":")[2]
    host = f"{bucket}.s3.{lab.region.name}.amazonaws.com"
    signed = ("--aws-sigv4", f"aws:amz:{lab.region.name}:s3", "-u", f"{credentials.access_key_id}:{credentials.secret_access_key.reveal()}")
    reach = ("--resolve", f"{host}:{port}:127.0.0.1", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    assert curl(*signed, *reach, f"http://{host}:{port}/a/b") == (200, "hosted")
    assert curl(*signed, *reach, f"http://{host}:{port}/a%2Fb")[0] == 200
    assert curl(*signed, *reach, f"http://{host}:{port}/a/../a/b", "--path-as-is")[0] == 404


def test_nobody_in_particular_may_nothing(lab: Lab, bucket: str) -> None:
    status, body = curl(f"{lab.region.session.endpoint}/{bucket}/a/b")
    assert status in (403, 404)
    assert "hosted" not in body


def test_a_missing_object_has_no_body(lab: Lab, bucket: str) -> None:
    with pytest.raises(lab.client("s3").exceptions.ClientError) as caught:
        lab.client("s3").head_object(Bucket=bucket, Key="none")
    assert caught.value.response["Error"]["Code"] == "404"


def test_too_large_a_body_is_refused(lab: Lab, bucket: str) -> None:
    with pytest.raises(Exception, match=r"413|Entity Too Large|reset|closed|Broken pipe"):
        s3_client(lab, retries={"total_max_attempts": 1}).put_object(Bucket=bucket, Key="large", Body=bytes(80 * 1024 * 1024))
    assert "large" not in [one["Key"] for one in lab.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_metrics_by_the_command_line(cli: Cli, lab: Lab) -> None:
    cli("cloudwatch", "put-metric-data", "--namespace", "Shop", "--metric-name", "Sales", "--value", "3", "--dimensions", "Shop=one")
    found = lab.client("cloudwatch").list_metrics(Namespace="Shop")
    assert found["Metrics"] == [{"Namespace": "Shop", "MetricName": "Sales", "Dimensions": [{"Name": "Shop", "Value": "one"}]}]


def test_logs_by_the_command_line(cli: Cli, lab: Lab) -> None:
    """What `aws logs tail` asks, page by page."""
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="/cli")
    logs.create_log_stream(logGroupName="/cli", logStreamName="one")
    logs.put_log_events(logGroupName="/cli", logStreamName="one", logEvents=[{"timestamp": number, "message": f"m{number}"} for number in range(1, 6)])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/cli", startTime=2, interleaved=True, PaginationConfig={"PageSize": 2})
    events = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in events] == ["m2", "m3", "m4", "m5"]
    assert len({event["eventId"] for event in events}) == 4
    (stream,) = logs.describe_log_streams(logGroupName="/cli", orderBy="LastEventTime", descending=True)["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (1, 5)
    got = cli("logs", "get-log-events", "--log-group-name", "/cli", "--log-stream-name", "one", "--limit", "2")
    assert [event["message"] for event in got["events"]] == ["m4", "m5"]
