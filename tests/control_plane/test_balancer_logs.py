"""Access logs of load balancers: who may have them, and that each entry arrives once, whatever ends in between."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.region import ACCOUNT, NAME, Region, client
from tests.telemetry.test_balancer_log import LINE

from latticewall.control_plane.appliers import Appliers
from latticewall.control_plane.shipping import Shipper
from latticewall.reconcile.loop import Loop

SERVICE = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def balancer(region: Region) -> str:
    vpc = region.vpc()
    subnets = [region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")]
    made = region.elbv2.create_load_balancer(Name="web", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
    region.settle()
    client("s3").create_bucket(Bucket="balancer-logs", CreateBucketConfiguration={"LocationConstraint": NAME})
    return str(made)


def let_in(region: Region, principal: Any = SERVICE, folder: str = "AWSLogs", **more: Any) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::balancer-logs/{folder}/*", **more}
    client("s3").put_bucket_policy(Bucket="balancer-logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def enable(region: Region, arn: str, bucket: str = "balancer-logs", prefix: str = "") -> None:
    attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": bucket, "access_logs.s3.prefix": prefix}
    region.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value} for key, value in attributes.items()])


def test_only_a_bucket_that_lets_them_in_gets_them(region: Region) -> None:
    arn = balancer(region)
    for bucket, prefix, words in (
        ("", "", "cannot be empty"), ("no-such-bucket", "", "does not exist"), ("balancer-logs", "a/AWSLogs", "must not contain"),
        ("balancer-logs", "/a", "slash"), ("balancer-logs", "", "Access Denied for bucket: balancer-logs. Please check S3bucket permission"),
    ):  # fmt: skip
        with region.refused("InvalidConfigurationRequest", words):
            enable(region, arn, bucket, prefix)
    for principal, folder, more in (
        (SERVICE, "other", {}), ({"Service": "delivery.logs.amazonaws.com"}, "AWSLogs", {}), ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "AWSLogs", {}),
        (SERVICE, "AWSLogs", {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}),
    ):  # fmt: skip
        let_in(region, principal, folder, **more)
        with region.refused("InvalidConfigurationRequest", "Access Denied"):
            enable(region, arn)
    let_in(region, Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:elasticloadbalancing:{NAME}:{ACCOUNT}:loadbalancer/*"}})
    enable(region, arn)
    keys = [item["Key"] for item in client("s3").list_objects_v2(Bucket="balancer-logs")["Contents"]]
    assert keys == [f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"]
    for value in ("0", "901", "x"):
        with region.refused("ValidationError", "latticewall:interval"):
            region.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": "latticewall:interval", "Value": value}])


def test_each_entry_arrives_once(region: Region, tmp_path: Path) -> None:
    arn, log = balancer(region), tmp_path / "access.log"
    let_in(region)
    enable(region, arn)
    places = SimpleNamespace(access_log=log, engine_logs=tmp_path / "engines", reopen_access_log=lambda: None)
    loop = cast("Loop", SimpleNamespace(plan=None))

    def shipper() -> Shipper:
        """As after a restart: nothing is known but what is stored."""
        return Shipper(region.app, cast("Appliers", places), loop, region.objects)

    def write(agent: str, node: str, of: str = "") -> None:
        line = {**LINE, "balancer": of or arn.partition("loadbalancer/")[2], "node": node, "agent": agent}
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def files() -> dict[str, list[str]]:
        found = [item["Key"] for item in client("s3").list_objects_v2(Bucket="balancer-logs")["Contents"] if item["Key"].endswith(".gz")]
        bodies = {key: gzip.decompress(client("s3").get_object(Bucket="balancer-logs", Key=key)["Body"].read()).decode() for key in found}
        return {key.split("_")[-2]: [line.split('"')[3] for line in body.splitlines()] for key, body in bodies.items()}

    write("one", "10.0.1.4")
    write("two", "10.0.2.4")
    write("another's", "10.0.2.4", of=arn.partition("loadbalancer/")[2][:-1] + "x")
    shipper().step()
    write("three", "10.0.1.4")
    assert files() == {}
    region.clock.moment += timedelta(seconds=301)
    client("s3").delete_bucket_policy(Bucket="balancer-logs")
    shipper().step()
    assert files() == {}
    let_in(region)
    shipper().step()
    shipper().step()
    assert files() == {"10.0.1.4": ["one", "three"], "10.0.2.4": ["two"]}
