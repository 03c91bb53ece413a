"""Target groups and their health checks."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region, body

HEALTH_CHECK = {
    "enabled": True, "protocol": "HTTP", "protocolVersion": "HTTP1", "path": "/", "healthCheckIntervalSeconds": 30, "healthCheckTimeoutSeconds": 5,
    "healthyThresholdCount": 5, "unhealthyThresholdCount": 2, "matcher": {"httpCode": "200"},
}  # fmt: skip


def test_a_target_group_shows_its_defaults(region: Region) -> None:
    vpc = region.vpc()
    created = body(region.lattice.create_target_group(name="orders", type="IP", config={"vpcIdentifier": vpc}))
    assert created["status"] == "CREATE_IN_PROGRESS"
    assert created["config"] == {
        "port": 80, "protocol": "HTTP", "protocolVersion": "HTTP1", "ipAddressType": "IPV4", "vpcIdentifier": vpc, "healthCheck": HEALTH_CHECK,
    }  # fmt: skip
    region.settle()
    shown = body(region.lattice.get_target_group(targetGroupIdentifier=created["arn"]))
    assert (shown["status"], shown["serviceArns"]) == ("ACTIVE", [])
    assert "failureCode" not in shown
    (summary,) = region.lattice.list_target_groups(vpcIdentifier=vpc, targetGroupType="IP")["items"]
    assert (summary["port"], summary["protocol"], summary["ipAddressType"], summary["vpcIdentifier"]) == (80, "HTTP", "IPV4", vpc)
    assert region.lattice.list_target_groups(targetGroupType="INSTANCE")["items"] == []
    with region.refused("DependencyViolation", created["id"]):
        region.ec2.delete_vpc(VpcId=vpc)
    gone = body(region.lattice.delete_target_group(targetGroupIdentifier=created["id"]))
    assert gone == {"id": created["id"], "arn": created["arn"], "status": "DELETE_IN_PROGRESS"}
    region.ec2.delete_vpc(VpcId=vpc)
    region.settle()
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_target_group(targetGroupIdentifier=created["id"])


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("INSTANCE", {}, "healthCheck port protocol protocolVersion vpcIdentifier"),
        ("IP", {"ipAddressType": "IPV6"}, "healthCheck ipAddressType port protocol protocolVersion vpcIdentifier"),
        ("IP", {"protocol": "TCP", "port": 5432}, "healthCheck ipAddressType port protocol vpcIdentifier"),
        ("ALB", {"protocol": "HTTPS"}, "port protocol protocolVersion vpcIdentifier"),
        ("LAMBDA", {"lambdaEventStructureVersion": "V2"}, "lambdaEventStructureVersion"),
        ("LAMBDA", {}, ""),
        ("LAMBDA", None, ""),
    ],
)
def test_what_a_configuration_shows(region: Region, kind: str, given: dict[str, Any] | None, shown: str) -> None:
    """Whole for those that are checked, without a health check for load balancers, and for functions no more than was given: `config` itself is left out."""
    config = given if kind == "LAMBDA" else {"vpcIdentifier": region.vpc(), **(given or {})}
    created = body(region.lattice.create_target_group(name="orders", type=kind, **({} if config is None else {"config": config})))
    for answer in (created, body(region.lattice.get_target_group(targetGroupIdentifier=created["id"]))):
        assert sorted(answer.get("config", ())) == shown.split()
        assert ("config" in answer) == bool(shown)
    assert (given or {}).items() <= created.get("config", {}).items()
    if kind == "LAMBDA":
        (summary,) = region.lattice.list_target_groups(targetGroupType="LAMBDA")["items"]
        assert not {"port", "protocol", "ipAddressType", "vpcIdentifier"} & set(summary)


def test_an_instance_group_shows_no_address_type_and_checks_in_its_own_protocol(region: Region) -> None:
    group = region.target_group(region.vpc(), protocol="HTTPS", port=8443)
    config = region.lattice.get_target_group(targetGroupIdentifier=group)["config"]
    assert (config["healthCheck"]["protocol"], "ipAddressType" in config) == ("HTTPS", False)


def test_a_health_check_keeps_what_an_update_does_not_name(region: Region) -> None:
    group = region.target_group(region.vpc(), healthCheck={"path": "/ready", "healthCheckIntervalSeconds": 10, "port": 9000})
    changed = region.lattice.update_target_group(
        targetGroupIdentifier=group, healthCheck={"healthCheckIntervalSeconds": 0, "matcher": {"httpCode": "200-299,404"}, "port": 0}
    )
    assert changed["config"]["healthCheck"] == {**HEALTH_CHECK, "path": "/ready", "matcher": {"httpCode": "200-299,404"}}
    check = {"protocolVersion": "HTTP2", "healthCheckTimeoutSeconds": 0, "healthyThresholdCount": 0, "unhealthyThresholdCount": 0, "path": ""}
    changed = region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck=check)
    assert changed["config"]["healthCheck"] == {**HEALTH_CHECK, "protocolVersion": "HTTP2", "matcher": {"httpCode": "200-299,404"}}
    assert region.lattice.get_target_group(targetGroupIdentifier=group)["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"healthCheckIntervalSeconds": 4}, "between 5 and 300"),
        ({"unhealthyThresholdCount": 1}, "between 2 and 10"),
        ({"matcher": {"httpCode": "199"}}, "200-499"),
        ({"matcher": {"httpCode": "500"}}, "200-499"),
        ({"matcher": {"httpCode": "404-200"}}, "200-499"),
        ({"matcher": {"httpCode": "200-"}}, "not a list of codes"),
        ({"matcher": {"httpCode": "200,"}}, "not a list of codes"),
        ({"matcher": {"httpCode": "2xx"}}, "httpCode"),
        ({"matcher": {"httpCode": "200\n"}}, ""),
        ({"path": "/a\n"}, "path"),
        ({"path": "ready"}, "path"),
        ({"path": "/a b"}, "path"),
        ({"path": "/" + 2048 * "a"}, "path"),
        ({"port": 65536}, "port"),
        ({"protocol": "TCP"}, "HTTP or HTTPS"),
        ({"protocolVersion": "GRPC"}, "protocolVersion"),
        ({"healthCheckIntervalSeconds": 301}, "healthCheckIntervalSeconds"),
        ({"healthCheckTimeoutSeconds": 121}, "healthCheckTimeoutSeconds"),
        ({"healthyThresholdCount": 11}, "healthyThresholdCount"),
        ({"healthCheckTimeoutSeconds": 31}, "must not be longer than the interval, which is 30 seconds"),
        ({"healthCheckIntervalSeconds": 10, "healthCheckTimeoutSeconds": 11}, "must not be longer than the interval, which is 10 seconds"),
    ],
)
def test_a_health_check_out_of_range_is_refused(region: Region, check: dict[str, Any], words: str) -> None:
    """By CreateTargetGroup and by UpdateTargetGroup alike."""
    vpc = region.vpc()
    with region.refused("ValidationException", words) as error:
        region.target_group(vpc, healthCheck=check)
    assert error["fieldList"][0]["name"].removeprefix("config.").startswith("healthCheck.")
    group = region.target_group(vpc)
    with region.refused("ValidationException", words) as error:
        region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck=check)
    assert error["fieldList"][0]["name"].startswith("healthCheck.")


def test_a_health_check_is_over_when_the_next_begins(region: Region) -> None:
    """Also where an update names only one of the two; as long as the interval is not too long: that is what the defaults are with the shortest interval."""
    group = region.target_group(region.vpc(), healthCheck={"healthCheckIntervalSeconds": 5})
    with region.refused("ValidationException", "interval, which is 5 seconds") as error:
        region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"healthCheckTimeoutSeconds": 6})
    assert error["fieldList"][0]["name"] == "healthCheck.healthCheckTimeoutSeconds"
    region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"healthCheckIntervalSeconds": 60, "healthCheckTimeoutSeconds": 60})
    with region.refused("ValidationException", "interval, which is 30 seconds"):
        region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"healthCheckIntervalSeconds": 0})


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("ALB", {"port": 80, "protocol": "HTTP", "healthCheck": {"enabled": True}}, "no health check"),
        ("INSTANCE", {"protocol": "TCP"}, "TCP target groups need a port"),
        ("IP", {"protocol": "TCP", "port": 80, "protocolVersion": "HTTP1"}, "HTTP and HTTPS target groups only"),
        ("INSTANCE", {"protocolVersion": "HTTP3"}, ""),
        ("INSTANCE", {"ipAddressType": "IPV4"}, "IP target groups only"),
        ("INSTANCE", {"lambdaEventStructureVersion": "V1"}, "LAMBDA target groups only"),
    ],
)
def test_what_is_not_there_is_refused_openly(region: Region, kind: str, config: dict[str, Any], words: str) -> None:
    vpc = region.vpc()
    with region.refused("ValidationException", words):
        region.lattice.create_target_group(name="orders", type=kind, config={**config, "vpcIdentifier": vpc})


def test_a_tcp_group_has_no_version_and_checks_only_on_request(region: Region) -> None:
    vpc = region.vpc()
    config = region.lattice.get_target_group(targetGroupIdentifier=region.target_group(vpc, protocol="TCP"))["config"]
    assert (config["protocol"], config["port"], "protocolVersion" in config) == ("TCP", 5044, False)
    assert config["healthCheck"] == {**HEALTH_CHECK, "enabled": False}
    checked = region.target_group(vpc, "checked", protocol="TCP", healthCheck={"enabled": True, "protocol": "HTTPS", "path": "/ready"})
    found = region.lattice.get_target_group(targetGroupIdentifier=checked)["config"]["healthCheck"]
    assert (found["enabled"], found["protocol"], found["path"]) == (True, "HTTPS", "/ready")


def test_a_target_group_needs_a_vpc(region: Region) -> None:
    with region.refused("ValidationException", "VPC"):
        region.lattice.create_target_group(name="orders", type="IP", config={"port": 80, "protocol": "HTTP"})
    with region.refused("ResourceNotFoundException", "vpc-0123456789abcdef0"):
        region.lattice.create_target_group(name="orders", type="IP", config={"vpcIdentifier": "vpc-0123456789abcdef0"})


@pytest.mark.parametrize(("version", "checked"), [("HTTP1", True), ("HTTP2", False), ("GRPC", False)])
def test_targets_of_http_2_are_checked_on_request_only(region: Region, version: str, checked: bool) -> None:
    made = region.lattice.create_target_group(name="orders", type="IP", config={"protocolVersion": version, "vpcIdentifier": region.vpc()})
    assert (made["config"]["protocolVersion"], made["config"]["healthCheck"]["enabled"]) == (version, checked)
    assert made["config"]["healthCheck"]["protocolVersion"] == "HTTP1"
    region.settle()
    changed = region.lattice.update_target_group(targetGroupIdentifier=made["id"], healthCheck={"enabled": True, "protocolVersion": "HTTP2"})
    assert changed["config"]["healthCheck"]["enabled"] is True
