"""Load balancers, their subnets, groups, attributes and tags."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region

from .pieces import balancer, group, listener, network


def test_a_load_balancer_is_provisioned_active_and_gone(region: Region) -> None:
    vpc, one, two = network(region)
    made = region.elbv2.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal", Tags=[{"Key": "team", "Value": "blue"}])
    (shown,) = made["LoadBalancers"]
    arn = shown["LoadBalancerArn"]
    assert arn.startswith(f"arn:aws:elasticloadbalancing:{NAME}:{ACCOUNT}:loadbalancer/app/web/")
    assert shown["DNSName"].startswith("internal-web-")
    assert shown["DNSName"].endswith(f".{NAME}.elb.amazonaws.com")
    assert (shown["State"]["Code"], shown["Type"], shown["Scheme"], shown["VpcId"], shown["IpAddressType"]) == (
        "provisioning", "application", "internal", vpc, "ipv4"
    )  # fmt: skip
    assert [zone["SubnetId"] for zone in shown["AvailabilityZones"]] == [one, two]
    assert len(shown["SecurityGroups"]) == 1
    region.settle()
    assert region.elbv2.describe_load_balancers(Names=["web"])["LoadBalancers"][0]["State"]["Code"] == "active"
    again = region.elbv2.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal")["LoadBalancers"][0]
    assert again["LoadBalancerArn"] == arn
    with region.refused("DuplicateLoadBalancerName", "different settings"):
        region.elbv2.create_load_balancer(Name="web", Subnets=[two, one], Scheme="internal")
    interfaces = region.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
    assert sorted(item["SubnetId"] for item in interfaces) == sorted([one, two])
    with region.refused("DependencyViolation"):
        region.ec2.delete_subnet(SubnetId=one)
    region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    region.settle()
    with region.refused("LoadBalancerNotFound", "web"):
        region.elbv2.describe_load_balancers(Names=["web"])
    assert region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    region.ec2.delete_subnet(SubnetId=one)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"Scheme": "internet-facing"}, "InvalidScheme", "internet-facing"),
        ({"Scheme": None}, "InvalidScheme", "internet-facing"),
        ({"Type": "network"}, "InvalidConfigurationRequest", "network"),
        ({"Type": "gateway"}, "InvalidConfigurationRequest", "gateway"),
        ({"IpAddressType": "dualstack"}, "InvalidConfigurationRequest", "dualstack"),
        ({"Name": "internal-web"}, "ValidationError", "internal-"),
        ({"Name": "-web"}, "ValidationError", "hyphen"),
        ({"Subnets": ["ONE"]}, "ValidationError", "two different Availability Zones"),
        ({"Subnets": ["ONE", "NEAR"]}, "InvalidConfigurationRequest", "same Availability Zone"),
        ({"Subnets": ["ONE", "subnet-0123456789abcdef0"]}, "SubnetNotFound", "subnet-0123456789abcdef0"),
        ({"Subnets": ["ONE", "FAR"]}, "InvalidConfigurationRequest", "same VPC"),
        ({"Subnets": None}, "ValidationError", "subnets or subnet mappings"),
        ({"SecurityGroups": ["sg-0123456789abcdef0"]}, "InvalidSecurityGroup", "sg-0123456789abcdef0"),
    ],
)
def test_what_a_load_balancer_cannot_be(region: Region, more: dict[str, Any], code: str, words: str) -> None:
    vpc, one, two = network(region)
    names = {"ONE": one, "NEAR": region.subnet(vpc, "10.0.3.0/24"), "FAR": region.subnet(region.vpc("10.9.0.0/16"), "10.9.1.0/24", "b")}
    if more.get("Subnets"):
        more = {**more, "Subnets": [names.get(name, name) for name in more["Subnets"]]}
    params = {key: value for key, value in {"Name": "web", "Subnets": [one, two], "Scheme": "internal", **more}.items() if value is not None}
    with region.refused(code, words):
        region.elbv2.create_load_balancer(**params)


def test_subnets_and_groups_change(region: Region) -> None:
    vpc, one, two = network(region)
    three = region.subnet(vpc, "10.0.3.0/24", "c")
    arn = balancer(region, one, two)["LoadBalancerArn"]
    mine = region.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    assert region.elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[mine])["SecurityGroupIds"] == [mine]
    answer = region.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[two, three])
    assert [zone["SubnetId"] for zone in answer["AvailabilityZones"]] == [two, three]
    interfaces = region.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB app/web/*"]}])["NetworkInterfaces"]
    assert {item["SubnetId"] for item in interfaces} == {two, three}
    assert {item["Groups"][0]["GroupId"] for item in interfaces} == {mine}
    region.ec2.delete_subnet(SubnetId=one)
    with region.refused("DependencyViolation"):
        region.ec2.delete_security_group(GroupId=mine)


def test_attributes_that_do_something_can_be_set(region: Region) -> None:
    vpc, one, two = network(region)
    arn = balancer(region, one, two)["LoadBalancerArn"]

    def change(key: str, value: str) -> dict[str, str]:
        answer = region.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": value}])
        return {item["Key"]: item["Value"] for item in answer["Attributes"]}

    assert change("idle_timeout.timeout_seconds", "30")["idle_timeout.timeout_seconds"] == "30"
    shown = {item["Key"]: item["Value"] for item in region.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]}
    assert (shown["idle_timeout.timeout_seconds"], shown["routing.http.xff_header_processing.mode"]) == ("30", "append")
    for key, value in (("idle_timeout.timeout_seconds", "0"), ("access_logs.s3.enabled", "true"), ("load_balancing.cross_zone.enabled", "false")):
        with region.refused("InvalidConfigurationRequest", key):
            change(key, value)
    with region.refused("ValidationError", "no.such"):
        change("no.such", "1")
    change("deletion_protection.enabled", "true")
    with region.refused("OperationNotPermitted", "protection"):
        region.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    target = group(region, vpc)
    made = region.elbv2.modify_target_group_attributes(TargetGroupArn=target, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}])
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} in made["Attributes"]
    with region.refused("InvalidConfigurationRequest", "stickiness.enabled"):
        region.elbv2.modify_target_group_attributes(TargetGroupArn=target, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}])


def test_tags(region: Region) -> None:
    vpc, one, two = network(region)
    arns = [balancer(region, one, two)["LoadBalancerArn"], group(region, vpc)]
    arns.append(listener(region, arns[0]))
    region.elbv2.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    region.elbv2.remove_tags(ResourceArns=arns[1:], TagKeys=["a"])
    found = {item["ResourceArn"]: [tag["Key"] for tag in item["Tags"]] for item in region.elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]}
    assert found == {arns[0]: ["a", "b"], arns[1]: ["b"], arns[2]: ["b"]}
    with region.refused("ValidationError"):
        region.elbv2.add_tags(ResourceArns=[f"arn:aws:ec2:{NAME}:{ACCOUNT}:vpc/{vpc}"], Tags=[{"Key": "a", "Value": "1"}])


def test_policies_decide_by_name_scheme_and_tag(region: Region) -> None:
    _, one, two = network(region)
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"elasticloadbalancing:CreateLoadBalancer",'
        f'"Resource":"arn:aws:elasticloadbalancing:{NAME}:{ACCOUNT}:loadbalancer/app/team-*/*",'
        '"Condition":{"StringEquals":{"elasticloadbalancing:Scheme":"internal"}}}]}'
    )
    alice = region.as_user("elbv2", policy)
    alice.create_load_balancer(Name="team-web", Subnets=[one, two], Scheme="internal")
    with region.refused("AccessDenied", "elasticloadbalancing:CreateLoadBalancer"):
        alice.create_load_balancer(Name="web", Subnets=[one, two], Scheme="internal")
    with region.refused("AccessDenied"):
        alice.create_load_balancer(Name="team-other", Subnets=[one, two], Scheme="internal", Tags=[{"Key": "a", "Value": "b"}])
    with region.refused("AccessDenied"):
        alice.describe_load_balancers()
