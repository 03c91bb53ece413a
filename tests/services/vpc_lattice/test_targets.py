"""Targets: what may be one, how they come and go, and their health."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Network
from typing import Any

import pytest

from .region import Region, body, forward


def statuses(region: Region, group: str, **filters: Any) -> list[tuple[str, int, str]]:
    items = region.lattice.list_targets(targetGroupIdentifier=group, **filters)["items"]
    return [(item["id"], item["port"], item["status"]) for item in items]


def register(region: Region, group: str, *targets: dict[str, Any]) -> dict[str, Any]:
    return body(region.lattice.register_targets(targetGroupIdentifier=group, targets=list(targets)))


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


def test_an_instance_with_ipv6_only_is_a_target_by_its_address(region: Region) -> None:
    vpc = region.vpc()
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    subnet = region.ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=block.replace("/56", "/64"), Ipv6Native=True)["Subnet"]["SubnetId"]
    image = region.ec2.describe_images()["Images"][0]["ImageId"]
    (made,) = region.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"]
    (refused,) = register(region, region.target_group(vpc, "instances"), {"id": made["InstanceId"]})["unsuccessful"]
    assert "has no IPv4 address" in refused["failureMessage"]
    answer = register(region, region.target_group(vpc, kind="IP", ipAddressType="IPV6"), {"id": made["Ipv6Address"]}, {"id": "10.0.1.9"})
    assert [len(answer[part]) for part in ("successful", "unsuccessful")] == [1, 1]


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
    region.clock.moment -= timedelta(hours=1)
    assert statuses(region, group) == []  # the clock was set: nothing drains for an hour
    register(region, group, {"id": "10.0.1.10"})
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
