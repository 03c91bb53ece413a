"""Target groups, their health checks and their targets."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Network
from typing import Any

import pytest

from .region import Region, body, forward

HEALTH_CHECK = {
    "enabled": True, "protocol": "HTTP", "protocolVersion": "HTTP1", "path": "/", "healthCheckIntervalSeconds": 30, "healthCheckTimeoutSeconds": 5,
    "healthyThresholdCount": 5, "unhealthyThresholdCount": 2, "matcher": {"httpCode": "200"},
}  # fmt: skip


def statuses(region: Region, group: str, **filters: Any) -> list[tuple[str, int, str]]:
    items = region.lattice.list_targets(targetGroupIdentifier=group, **filters)["items"]
    return [(item["id"], item["port"], item["status"]) for item in items]


def register(region: Region, group: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return body(region.lattice.register_targets(targetGroupIdentifier=group, targets=list(targets)))


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
        ("ALB", {"port": 80, "protocol": "HTTPS", "protocolVersion": "HTTP2"}, "INSTANCE and IP target groups only"),
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


def test_targets_cannot_be_registered_before_the_group_is_there(region: Region) -> None:
    vpc = region.vpc()
    region.subnet(vpc)
    group = region.lattice.create_target_group(name="orders", type="IP", config={"vpcIdentifier": vpc})["id"]
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        register(region, group, {"id": "10.0.1.9"})
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        region.lattice.delete_target_group(targetGroupIdentifier=group)


def test_instances_must_be_in_the_groups_vpc(region: Region) -> None:
    vpc, far = region.vpc(), region.vpc("10.9.0.0/16")
    near, away = region.instance(region.subnet(vpc))["InstanceId"], region.instance(region.subnet(far, "10.9.1.0/24"))["InstanceId"]
    group = region.target_group(vpc)
    answer = register(region, group, {"id": near}, {"id": away, "port": 81}, {"id": "i-0123456789abcdef0"})
    assert answer["successful"] == [{"id": near, "port": 5044}]
    first, second = answer["unsuccessful"]
    assert first == {
        "id": away, "port": 81, "failureCode": "UnsupportedTarget", "failureMessage": "Instance targets must be in the same VPC as their target group"
    }  # fmt: skip
    assert (second["port"], second["failureCode"]) == (5044, "UnsupportedTarget")
    assert statuses(region, group) == [(near, 5044, "UNUSED")]


def test_a_stopped_instance_is_no_target(region: Region) -> None:
    vpc = region.vpc()
    instance = region.instance(region.subnet(vpc))["InstanceId"]
    group = region.target_group(vpc)
    region.ec2.stop_instances(InstanceIds=[instance])
    region.settle()
    assert "not running" in register(region, group, {"id": instance})["unsuccessful"][0]["failureMessage"]


def test_addresses_must_be_in_a_subnet_of_the_groups_vpc(region: Region) -> None:
    vpc = region.vpc()
    region.subnet(vpc)
    group = region.target_group(vpc, kind="IP")
    answer = register(region, group, {"id": "10.0.1.9"}, {"id": "10.0.2.9"}, {"id": "192.0.2.1"}, {"id": "fd00::1"}, {"id": "host"})
    assert [target["id"] for target in answer["successful"]] == ["10.0.1.9"]
    assert [target["id"] for target in answer["unsuccessful"]] == ["10.0.2.9", "192.0.2.1", "fd00::1", "host"]


@pytest.mark.parametrize("last", [0, 1, 2, 3, 255])
def test_what_a_subnet_reserves_is_no_target(region: Region, last: int) -> None:
    """Network, router, resolver, future use and last address ("Subnet CIDR blocks"): nobody's, and some of them the region's own."""
    vpc = region.vpc()
    region.subnet(vpc)
    group = region.target_group(vpc, kind="IP")
    (refused,) = register(region, group, {"id": f"10.0.1.{last}"})["unsuccessful"]
    assert (refused["failureCode"], "reserved" in refused["failureMessage"]) == ("UnsupportedTarget", True)


@pytest.mark.parametrize(
    "address", ["169.254.169.253", "169.254.169.254", "169.254.171.32", "129.224.0.10", "127.0.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255", "10.0.0.2"]
)
def test_what_is_in_no_subnet_is_no_target(region: Region, address: str) -> None:
    """Nor is the resolver of a VPC whose first subnet is another one."""
    vpc = region.vpc()
    region.subnet(vpc)
    (refused,) = register(region, region.target_group(vpc, kind="IP"), {"id": address})["unsuccessful"]
    assert "must be in a subnet" in refused["failureMessage"]


def test_a_reserved_ipv6_address_is_no_target(region: Region) -> None:
    vpc = region.vpc()
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    region.ec2.associate_subnet_cidr_block(SubnetId=region.subnet(vpc), Ipv6CidrBlock=block.replace("/56", "/64"))
    group, subnet = region.target_group(vpc, kind="IP", ipAddressType="IPV6"), IPv6Network(block.replace("/56", "/64"))
    answer = register(region, group, *({"id": str(subnet[offset])} for offset in (0, 1, 3, 4, -1)), *({"id": one} for one in ("::1", "fe80::1", "ff02::1")))
    assert [target["id"] for target in answer["successful"]] == [str(subnet[4])]
    words = [target["failureMessage"] for target in answer["unsuccessful"]]
    assert [sum(word in text for text in words) for word in ("reserved", "must be in a subnet")] == [4, 3]


def test_a_vpc_endpoint_is_no_target(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    region.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    network = region.lattice.get_service_network(serviceNetworkIdentifier=region.network())["arn"]
    region.ec2.create_vpc_endpoint(VpcId=vpc, VpcEndpointType="ServiceNetwork", ServiceNetworkArn=network, SubnetIds=[subnet])
    (interface,) = region.ec2.describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": ["vpc_endpoint"]}])["NetworkInterfaces"]
    addresses = [interface["PrivateIpAddress"], interface["Ipv4Prefixes"][0]["Ipv4Prefix"].replace("/28", "")]
    answer = register(region, region.target_group(vpc, kind="IP"), *({"id": address} for address in addresses))
    assert [("VPC endpoint" in target["failureMessage"]) for target in answer["unsuccessful"]] == [True, True]


def test_an_ipv6_address_is_one_target_however_it_is_spelled(region: Region) -> None:
    vpc = region.vpc()
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    region.ec2.associate_subnet_cidr_block(SubnetId=region.subnet(vpc), Ipv6CidrBlock=block.replace("/56", "/64"))
    group = region.target_group(vpc, kind="IP", ipAddressType="IPV6")
    address = IPv6Network(block)[0xAB]
    spellings = [str(address), str(address).upper(), address.exploded]
    answer = register(region, group, *({"id": one} for one in spellings))
    assert (answer["successful"], answer["unsuccessful"]) == ([{"id": str(address), "port": 5044}] * 3, [])
    assert statuses(region, group) == [(str(address), 5044, "UNUSED")]
    assert statuses(region, group, targets=[{"id": address.exploded}]) == [(str(address), 5044, "UNUSED")]
    assert [one["id"] for one in register(region, group, {"id": f"{address}%eth0"})["unsuccessful"]] == [f"{address}%eth0"]
    gone = body(region.lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": address.exploded}]))
    assert gone == {"successful": [{"id": str(address), "port": 5044}], "unsuccessful": []}
    assert statuses(region, group) == []


def test_targets_come_and_go(region: Region) -> None:
    vpc = region.vpc()
    region.subnet(vpc)
    group = region.target_group(vpc, kind="IP")
    register(region, group, {"id": "10.0.1.9"}, {"id": "10.0.1.9", "port": 81}, {"id": "10.0.1.10"})
    register(region, group, {"id": "10.0.1.9", "port": 5044})
    assert [target[:2] for target in statuses(region, group)] == [("10.0.1.9", 5044), ("10.0.1.9", 81), ("10.0.1.10", 5044)]
    assert [target[1] for target in statuses(region, group, targets=[{"id": "10.0.1.9"}])] == [5044, 81]
    assert statuses(region, group, targets=[{"id": "10.0.1.9", "port": 81}]) == [("10.0.1.9", 81, "UNUSED")]
    assert len(region.lattice.list_targets(targetGroupIdentifier=group, maxResults=2)["items"]) == 2
    with region.refused("ConflictException", "targets registered or draining"):
        region.lattice.delete_target_group(targetGroupIdentifier=group)
    answer = body(region.lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": "10.0.1.9"}, {"id": "10.0.1.99"}]))
    assert answer["successful"] == [{"id": "10.0.1.9", "port": 5044}]
    assert (answer["unsuccessful"][0]["failureCode"], answer["unsuccessful"][0]["port"]) == ("TargetNotFound", 5044)
    assert [target[:2] for target in statuses(region, group)] == [("10.0.1.9", 81), ("10.0.1.10", 5044)]
    region.lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": "10.0.1.9", "port": 81}, {"id": "10.0.1.10"}])
    region.lattice.delete_target_group(targetGroupIdentifier=group)


def test_health_is_what_the_data_plane_says(region: Region) -> None:
    vpc = region.vpc()
    instance = region.instance(region.subnet(vpc))
    group, service = region.target_group(vpc), region.service()
    register(region, group, {"id": instance["InstanceId"]})

    def standing() -> tuple[str, str | None]:
        (target,) = region.lattice.list_targets(targetGroupIdentifier=group)["items"]
        return target["status"], target.get("reasonCode")

    assert standing() == ("UNUSED", "TargetGroupNotInUse")
    region.listener(service, **forward(group))
    assert standing() == ("UNUSED", "TargetGroupNotInUse")  # by a service that nobody reaches
    _, entered = region.used(service, vpc)
    assert standing() == ("INITIAL", "InitialHealthChecking")
    address = (instance["PrivateIpAddress"], 5044)
    for status, reason in (("HEALTHY", None), ("UNHEALTHY", "HealthCheckFailed")):
        region.health[group] = {address: status}
        assert standing() == (status, reason)
    region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"enabled": False})
    assert standing() == ("UNAVAILABLE", "HealthCheckDisabled")
    region.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=entered)
    region.settle()
    assert standing() == ("UNUSED", "TargetGroupNotInUse")


def test_a_target_of_a_used_group_drains_for_a_minute(region: Region) -> None:
    vpc = region.vpc()
    region.subnet(vpc)
    group, service = region.target_group(vpc, kind="IP"), region.service()
    register(region, group, {"id": "10.0.1.9"}, {"id": "10.0.1.10"})
    listener = region.listener(service, **forward(group))
    joined, _ = region.used(service, vpc)

    def leave(*addresses: str) -> list[str]:
        answer = region.lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": address} for address in addresses])
        return [target["id"] for target in answer["successful"]]

    assert leave("10.0.1.9") == ["10.0.1.9"]
    assert statuses(region, group) == [("10.0.1.9", 5044, "DRAINING"), ("10.0.1.10", 5044, "INITIAL")]
    region.clock.moment += timedelta(seconds=50)
    assert leave("10.0.1.9") == ["10.0.1.9"]
    assert statuses(region, group)[0][2] == "DRAINING"
    region.clock.moment += timedelta(seconds=11)
    assert [target[0] for target in statuses(region, group)] == ["10.0.1.10"]
    assert leave("10.0.1.9") == []
    leave("10.0.1.10")
    register(region, group, {"id": "10.0.1.10"})
    assert [target[2] for target in statuses(region, group)] == ["INITIAL"]
    leave("10.0.1.10")
    assert [target[2] for target in statuses(region, group)] == ["DRAINING"]
    region.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=joined)
    assert statuses(region, group) == []
    region.lattice.delete_listener(serviceIdentifier=service, listenerIdentifier=listener)
    region.lattice.delete_target_group(targetGroupIdentifier=group)


def test_a_terminated_instance_is_no_longer_registered(region: Region) -> None:
    vpc = region.vpc()
    instance = region.instance(region.subnet(vpc))["InstanceId"]
    group = region.target_group(vpc)
    register(region, group, {"id": instance})
    region.ec2.stop_instances(InstanceIds=[instance])
    region.settle()
    assert statuses(region, group) == [(instance, 5044, "UNUSED")]
    region.ec2.terminate_instances(InstanceIds=[instance])
    assert statuses(region, group) == []


@pytest.mark.parametrize(("version", "checked"), [("HTTP1", True), ("HTTP2", False), ("GRPC", False)])
def test_targets_of_http_2_are_checked_on_request_only(region: Region, version: str, checked: bool) -> None:
    made = region.lattice.create_target_group(name="orders", type="IP", config={"protocolVersion": version, "vpcIdentifier": region.vpc()})
    assert (made["config"]["protocolVersion"], made["config"]["healthCheck"]["enabled"]) == (version, checked)
    assert made["config"]["healthCheck"]["protocolVersion"] == "HTTP1"
    region.settle()
    changed = region.lattice.update_target_group(targetGroupIdentifier=made["id"], healthCheck={"enabled": True, "protocolVersion": "HTTP2"})
    assert changed["config"]["healthCheck"]["enabled"] is True


def balancer(region: Region, name: str, *subnets: str, port: int = 80) -> str:
    """An active load balancer with a listener on the port."""
    made = region.elbv2.create_load_balancer(Name=name, Subnets=list(subnets), Scheme="internal")["LoadBalancers"][0]["LoadBalancerArn"]
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    region.elbv2.create_listener(LoadBalancerArn=made, Protocol="HTTP", Port=port, DefaultActions=[answer])
    region.settle()
    return str(made)


def test_a_load_balancer_is_the_one_target_of_at_most_two_groups(region: Region) -> None:
    vpc, far = region.vpc(), region.vpc("10.9.0.0/16")
    subnets = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")
    group = region.target_group(vpc, kind="ALB", port=80)
    shown = region.lattice.get_target_group(targetGroupIdentifier=group)["config"]
    assert shown == {"port": 80, "protocol": "HTTP", "protocolVersion": "HTTP1", "vpcIdentifier": vpc}
    with region.refused("ValidationException", "no health check"):
        region.lattice.update_target_group(targetGroupIdentifier=group, healthCheck={"path": "/"})
    first, second = balancer(region, "first", *subnets), balancer(region, "second", *subnets, port=81)
    away = balancer(region, "away", region.subnet(far, "10.9.1.0/24"), region.subnet(far, "10.9.2.0/24", "b"))

    def refusal(group: str, arn: str, **more: int) -> str:
        unsuccessful = register(region, group, {"id": arn, **more})["unsuccessful"]
        return str(unsuccessful[0]["failureMessage"]) if unsuccessful else ""

    assert "same VPC" in refusal(group, away)
    assert "no listener on port 80" in refusal(group, second)
    assert "not the ARN" in refusal(group, "10.0.1.9")
    assert "not the ARN" in refusal(group, first + "0")
    assert refusal(group, first) == ""
    assert "exactly one" in refusal(group, second, port=81)
    assert refusal(region.target_group(vpc, "two", kind="ALB", port=80), first) == ""
    third = region.target_group(vpc, "three", kind="ALB", port=80)
    assert "2 target groups" in refusal(third, first)
    assert statuses(region, group) == [(first, 80, "UNUSED")]
    service = region.service()
    region.listener(service, **forward(group))
    region.used(service, vpc)
    assert statuses(region, group) == [(first, 80, "UNAVAILABLE")]
    assert region.lattice.list_targets(targetGroupIdentifier=group)["items"][0]["reasonCode"] == "HealthCheckNotSupported"
    region.lattice.deregister_targets(targetGroupIdentifier=group, targets=[{"id": first}])
    assert statuses(region, group) == [(first, 80, "DRAINING")]
    assert refusal(third, first) == ""
