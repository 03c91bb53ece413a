"""Target groups, their health checks and the state of their targets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.region import Region

from latticewall.services.elbv2.targets import failure

from .pieces import balancer, forward, group, listener, network


def states(region: Region, arn: str, *targets: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = region.elbv2.describe_target_health(TargetGroupArn=arn, **({"Targets": list(targets)} if targets else {}))["TargetHealthDescriptions"]
    return {f"{item['Target']['Id']}:{item['Target']['Port']}": (item["TargetHealth"]["State"], item["TargetHealth"].get("Reason", "")) for item in found}


def test_a_target_group_shows_its_defaults_and_keeps_what_is_not_named(region: Region) -> None:
    vpc = region.vpc()
    arn = group(region, vpc, TargetType="instance")
    (shown,) = region.elbv2.describe_target_groups(Names=["web"])["TargetGroups"]
    check = {member: value for member, value in shown.items() if member.startswith(("Health", "Unhealthy", "Matcher"))}
    assert check == {
        "HealthCheckEnabled": True, "HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2, "HealthCheckPath": "/", "Matcher": {"HttpCode": "200"},
    }  # fmt: skip
    assert (shown["TargetGroupArn"], shown["ProtocolVersion"], shown["LoadBalancerArns"], shown["IpAddressType"]) == (arn, "HTTP1", [], "ipv4")
    changed = region.elbv2.modify_target_group(TargetGroupArn=arn, HealthCheckPath="/ready", Matcher={"HttpCode": "200-299,404"})["TargetGroups"][0]
    assert (changed["HealthCheckPath"], changed["HealthCheckIntervalSeconds"], changed["Matcher"]) == ("/ready", 30, {"HttpCode": "200-299,404"})
    assert group(region, vpc, TargetType="instance") == arn
    with region.refused("DuplicateTargetGroupName"):
        group(region, vpc)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"TargetType": "lambda"}, "InvalidConfigurationRequest"),
        ({"Protocol": "TCP"}, "InvalidConfigurationRequest"),
        ({"IpAddressType": "ipv6", "TargetType": "instance"}, "InvalidConfigurationRequest"),
        ({"VpcId": "vpc-0123456789abcdef0"}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 5}, "ValidationError"),
        ({"HealthCheckIntervalSeconds": 4}, "ValidationError"),
        ({"HealthCheckTimeoutSeconds": 1}, "ValidationError"),
        ({"HealthCheckTimeoutSeconds": 30}, "ValidationError"),
        ({"HealthCheckTimeoutSeconds": 121, "HealthCheckIntervalSeconds": 300}, "ValidationError"),
        ({"HealthyThresholdCount": 11}, "ValidationError"),
        ({"UnhealthyThresholdCount": 1}, "ValidationError"),
        ({"HealthCheckProtocol": "TCP"}, "ValidationError"),
        ({"HealthCheckPort": "65536"}, "ValidationError"),
        ({"HealthCheckPath": "/a b"}, "ValidationError"),
        ({"HealthCheckPath": "/" + 1024 * "a"}, "ValidationError"),
        ({"Matcher": {"HttpCode": "200", "GrpcCode": "0"}}, "InvalidConfigurationRequest"),
        ({"HealthCheckPath": "ready"}, "ValidationError"),
        ({"HealthCheckPort": "0"}, "ValidationError"),
        ({"HealthCheckEnabled": False}, "InvalidConfigurationRequest"),
        ({"Matcher": {"HttpCode": "500"}}, "ValidationError"),
        ({"Matcher": {"GrpcCode": "0"}}, "InvalidConfigurationRequest"),
        ({"Name": "web_1"}, "ValidationError"),
    ],
)
def test_what_a_target_group_cannot_be(region: Region, more: dict[str, Any], code: str) -> None:
    vpc = region.vpc()
    with region.refused(code):
        group(region, vpc, **more)


@pytest.mark.parametrize(
    "check",
    [{"HealthCheckIntervalSeconds": 5}, {"HealthCheckTimeoutSeconds": 30}, {"HealthCheckPath": "ready"}, {"Matcher": {"GrpcCode": "0"}}],
    ids=lambda check: next(iter(check)),
)
def test_what_a_health_check_cannot_become(region: Region, check: dict[str, Any]) -> None:
    arn = group(region, region.vpc())
    with region.refused("InvalidConfigurationRequest" if "Matcher" in check else "ValidationError"):
        region.elbv2.modify_target_group(TargetGroupArn=arn, **check)


@pytest.mark.parametrize(
    "address", ["10.0.1.0", "10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.255", "169.254.169.253", "127.0.0.1", "224.0.0.1", "0.0.0.0", "10.0.1.9%eth0"]
)
def test_addresses_that_are_no_targets(region: Region, address: str) -> None:
    """What a subnet reserves, and what is neither in the VPC nor in a private range."""
    vpc, *_ = network(region)
    arn = group(region, vpc)
    with region.refused("InvalidTarget", address):
        region.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": address}])


def test_targets_are_registered_checked_and_drained(region: Region) -> None:
    vpc, one, two = network(region)
    arn = group(region, vpc)
    region.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.1.9"}, {"Id": "10.0.1.9", "Port": 81}, {"Id": "10.0.2.9"}])
    assert set(states(region, arn).values()) == {("unused", "Target.NotInUse")}
    listener(region, balancer(region, one, two)["LoadBalancerArn"], forward(arn))
    assert states(region, arn)["10.0.1.9:8080"] == ("initial", "Elb.RegistrationInProgress")
    assert states(region, arn, {"Id": "10.0.1.77"}) == {"10.0.1.77:8080": ("unused", "Target.NotRegistered")}
    with region.refused("InvalidTarget", "192.0.2.1"):
        region.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": "192.0.2.1"}])
    region.elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}])
    region.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.1.9"}])
    assert states(region, arn)["10.0.1.9:81"] == ("draining", "Target.DeregistrationInProgress")
    region.clock.moment += timedelta(seconds=21)
    assert list(states(region, arn)) == ["10.0.2.9:8080"]
    region.elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "10.0.2.9"}])
    assert states(region, arn)["10.0.2.9:8080"] == ("draining", "Target.DeregistrationInProgress")
    region.clock.moment -= timedelta(hours=1)
    assert states(region, arn) == {}  # the clock was set: nothing drains for an hour


def test_instances_that_stop_or_end(region: Region) -> None:
    vpc, one, two = network(region)
    arn = group(region, vpc, TargetType="instance")
    image = region.ec2.describe_images()["Images"][0]
    kind = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    made = region.ec2.run_instances(ImageId=image["ImageId"], InstanceType=kind, MinCount=1, MaxCount=1, SubnetId=one)["Instances"][0]["InstanceId"]
    region.settle()
    region.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": made}])
    listener(region, balancer(region, one, two)["LoadBalancerArn"], forward(arn))
    region.ec2.stop_instances(InstanceIds=[made])
    region.settle()
    assert states(region, arn) == {f"{made}:8080": ("unused", "Target.InvalidState")}
    with region.refused("InvalidTarget", made):
        region.elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": made, "Port": 81}])
    region.ec2.terminate_instances(InstanceIds=[made])
    assert states(region, arn) == {}


@pytest.mark.parametrize(
    ("found", "reason", "description"),
    [
        (["502"], "Target.ResponseCodeMismatch", "Health checks failed with these codes: [502]"),
        (["502", "timeout", "404", "502"], "Target.ResponseCodeMismatch", "Health checks failed with these codes: [404, 502]"),
        (["timeout", ""], "Target.Timeout", "Request timed out"),
        (["", None], "Target.FailedHealthChecks", "Health checks failed"),
    ],
    ids=["code", "codes", "timeout", "no-answer"],
)
def test_why_nodes_find_a_target_unhealthy(found: list[str | None], reason: str, description: str) -> None:
    assert failure(found) == (reason, description)
