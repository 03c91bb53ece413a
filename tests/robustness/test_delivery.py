"""Every request that was answered is in the log, once, in every destination, whatever is killed meanwhile, and across rotation."""

from __future__ import annotations

import gzip
import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench.architecture import Architecture
from bench.region import Region, until

from latticewall.plan.access_log import END_OF_MEMBER
from latticewall.telemetry.followed_file import LARGE

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
PUT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
BATCH = 40
_ASK = """
import http.client, sys, time
host, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    deadline = time.monotonic() + 20
    while True:
        try:
            c = http.client.HTTPConnection(host, timeout=2)
            c.request("GET", f"/delivered/{number}?secret")
            c.getresponse().read()
            break
        except OSError:
            if time.monotonic() > deadline: raise
            time.sleep(0.05)
"""


@dataclass
class Destinations:
    """Where the records of one service go."""

    region: Region

    def __post_init__(self) -> None:
        self.s3, self.logs = self.region.client("s3", retries=5), self.region.client("logs", retries=5)

    def objects(self, bucket: str) -> list[str]:
        """The lines of all objects."""
        lines: list[str] = []
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page.get("Contents", ()):
                body = self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
                lines += (gzip.decompress(body) if one["Key"].endswith(".gz") else body).decode().splitlines()
        return lines

    def events(self) -> list[str]:
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName="/delivered")
        return [event["message"] for page in pages for event in page["events"]]

    def wait(self, count: int) -> None:
        """Every destination has each of the requests, once."""
        wanted = {f"/delivered/{number}" for number in range(count)}
        for name, read in (("logs", self.events), ("s3", lambda: self.objects("access-logs")), ("firehose", lambda: self.objects("stream-logs"))):

            def found(read: Any = read) -> list[dict[str, Any]]:
                return [record for line in read() if (record := json.loads(line))["requestPath"].startswith("/delivered/")]

            until(lambda found=found: {record["requestPath"] for record in found()} >= wanted, 30)  # type: ignore[misc]
            records = found()
            ids = Counter(record["recordId"] for record in records)
            assert max(ids.values()) == 1, name


@pytest.fixture(scope="module")
def destinations(region: Region, _architecture: Architecture) -> Iterator[Destinations]:
    lattice, iam, firehose = region.client("vpc-lattice"), region.client("iam"), region.client("firehose")
    found = Destinations(region)
    place = {"CreateBucketConfiguration": {"LocationConstraint": region.name}}
    for bucket in ("access-logs", "stream-logs"):
        found.s3.create_bucket(Bucket=bucket, **place)
    role = iam.create_role(RoleName="delivery", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="delivery", PolicyName="put", PolicyDocument=json.dumps(PUT))
    given = {"RoleARN": role, "BucketARN": "arn:aws:s3:::stream-logs", "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1}}
    stream = firehose.create_delivery_stream(DeliveryStreamName="delivered", ExtendedS3DestinationConfiguration=given)["DeliveryStreamARN"]
    found.logs.create_log_group(logGroupName="/delivered")
    group = found.logs.describe_log_groups(logGroupNamePrefix="/delivered")["logGroups"][0]["arn"]
    made = [
        lattice.create_access_log_subscription(resourceIdentifier=_architecture.service, destinationArn=arn, tags=tags)["id"]
        for arn, tags in ((group, {}), ("arn:aws:s3:::access-logs/edge", {"latticewall:interval": "1"}), (stream, {}))
    ]
    yield found
    for identifier in made:
        lattice.delete_access_log_subscription(accessLogSubscriptionIdentifier=identifier)


def ask(region: Region, built: Architecture, first: int, count: int = BATCH) -> None:
    done = region.run(built.instances["client"], "python3", "-c", _ASK, built.api, str(first), str(count), seconds=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(180)
def test_nothing_is_lost_and_nothing_comes_twice(region: Region, built: Architecture, destinations: Destinations) -> None:
    """The control plane is killed while it delivers, Envoy as soon as it has written what it answered (it keeps a line for 20 ms at most)."""
    count = 0
    for victim in ("", "control-plane", "control-plane", "envoy"):
        ask(region, built, count)
        count += BATCH
        if victim == "envoy":
            last = f"{END_OF_MEMBER}/delivered/{count - 1}{END_OF_MEMBER}"
            until(lambda last=last: last in (region.state / "logs" / "access.jsonl").read_text(), 2)  # type: ignore[misc]
        if victim:
            killed = region.kill(victim)
            until(lambda victim=victim, killed=killed: region.pid(victim) not in (0, killed))  # type: ignore[misc]
    destinations.wait(count)
    keys = [one["Key"] for one in destinations.s3.list_objects_v2(Bucket="access-logs")["Contents"]]
    account = region.client("sts").get_caller_identity()["Account"]
    assert all(key.startswith(f"edge/AWSLogs/{account}/VpcLattice/AccessLogs/{region.name}/") and key.endswith(".json.gz") for key in keys)


def counted(region: Region, built: Architecture, metric: str, dimension: str, value: str) -> float:
    """The sum of a metric over the last hour."""
    now = datetime.now(UTC)
    asked = {"Namespace": "AWS/VpcLattice", "MetricName": metric, "Dimensions": [{"Name": dimension, "Value": value}]}
    query = {"Id": "q", "MetricStat": {"Metric": asked, "Period": 3600, "Stat": "Sum"}}
    window = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1)}
    (found,) = region.client("cloudwatch", retries=5).get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
    return float(sum(found["Values"]))


def test_every_request_is_counted_once(region: Region, built: Architecture) -> None:
    """Across the death of the process that counts; and connections are those that were really made."""
    service = built.service.rpartition("/")[2]
    ask(region, built, 0)
    killed = region.kill("control-plane")
    until(lambda: region.pid("control-plane") not in (0, killed))
    ask(region, built, 0)
    written = (region.state / "logs" / "access.jsonl").read_text().count(f"service/{service} ")
    assert written >= 2 * BATCH
    until(lambda: counted(region, built, "TotalRequestCount", "Service", service) == written, 30, 0.5)
    group = region.client("vpc-lattice").list_target_groups()["items"][0]["id"]
    assert counted(region, built, "HTTPCode_2XX_Count", "TargetGroup", group) >= 2 * BATCH
    until(lambda: counted(region, built, "TotalConnectionCount", "TargetGroup", group) >= 1, 30, 0.5)
    listed = region.client("cloudwatch").list_metrics(Namespace="AWS/VpcLattice", MetricName="RequestTime")["Metrics"]
    dimensions = {frozenset(one["Name"] for one in metric["Dimensions"]) for metric in listed}
    assert dimensions == {frozenset({"Service"}), frozenset({"TargetGroup"}), frozenset({"Service", "AvailabilityZone"}),
                          frozenset({"TargetGroup", "AvailabilityZone"})}  # fmt: skip
    text = urllib.request.urlopen(f"{region.session.endpoint}/_latticewall/metrics", timeout=10).read().decode()
    assert f'vpc_lattice_total_request_count_total{{service="{service}",' in text


def test_rotation_loses_nothing(region: Region, built: Architecture, destinations: Destinations) -> None:
    """A log that has grown large is put aside while requests go on."""
    log = region.state / "logs" / "access.jsonl"
    first = log.stat().st_ino
    with log.open("ab") as file:
        file.writelines(b"x" * 500_000 + b"\n" for _ in range(LARGE // 500_000 + 1))
    ask(region, built, 1000)
    until(lambda: log.exists() and log.stat().st_ino != first, 30)
    ask(region, built, 1000 + BATCH)
    wanted = {f"/delivered/{number}" for number in range(1000, 1000 + 2 * BATCH)}
    until(lambda: {json.loads(line)["requestPath"] for line in destinations.events()} >= wanted, 30, 0.5)
    assert (region.state / "logs" / "access.jsonl.1").exists()
