"""Wrong requests through boto3: AWS's code, a message naming the culprit, and nothing changed: not the revision, not the plan, not a process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bench.architecture import Architecture
from bench.region import Region
from botocore.exceptions import ClientError

from .flows import Flows

pytestmark = pytest.mark.scenario
Call = Callable[["Clients", Architecture], Any]
UNKNOWN_VPC = "vpc-0123456789abcdef0"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "vpc-lattice-svcs:Invoke", "Resource": "*"}


@dataclass(frozen=True)
class Clients:
    ec2: Any
    lattice: Any
    firewalls: Any
    logs: Any
    iam: Any
    route53: Any


def policy(text: str) -> Call:
    return lambda clients, built: clients.lattice.put_auth_policy(resourceIdentifier=built.service, policy=text)


def statement(**changed: object) -> Call:
    """A policy of one statement, with these members wrong."""
    return policy(json.dumps({"Version": "2012-10-17", "Statement": [ALLOW | changed]}))


def rule_group(rules: str) -> Call:
    group = {"RulesSource": {"RulesString": rules}, "StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}
    return lambda clients, _: clients.firewalls.create_rule_group(RuleGroupName="wrong", Type="STATEFUL", Capacity=10, RuleGroup=group)


CASES: dict[str, tuple[Call, str, str]] = {
    "policy that is not JSON": (policy("{"), "ValidationException", "policy"),
    "policy with an unknown effect": (statement(Effect="Maybe"), "ValidationException", "Maybe"),
    "policy with an unknown operator": (statement(Condition={"StringAlmost": {"aws:SourceVpc": "x"}}), "ValidationException", "StringAlmost"),
    "role with a malformed trust policy": (
        lambda c, _: c.iam.create_role(RoleName="wrong", AssumeRolePolicyDocument="[]"), "MalformedPolicyDocument", "",
    ),
    "unknown VPC": (lambda c, _: c.ec2.create_subnet(VpcId=UNKNOWN_VPC, CidrBlock="10.9.0.0/24"), "InvalidVpcID.NotFound", UNKNOWN_VPC),
    "unknown instance": (lambda c, _: c.ec2.terminate_instances(InstanceIds=["i-0123456789abcdef0"]), "InvalidInstanceID.NotFound", "i-0123456789abcdef0"),
    "malformed id": (lambda c, _: c.ec2.describe_vpcs(VpcIds=["vpc-!"]), "InvalidVpcId.Malformed|InvalidVpcID.NotFound|InvalidVpcID.Malformed", "vpc-!"),
    "unknown service": (
        lambda c, _: c.lattice.create_listener(
            serviceIdentifier="svc-0123456789abcdef0", name="wrong", protocol="HTTP", defaultAction={"fixedResponse": {"statusCode": 404}}
        ),
        "ResourceNotFoundException", "svc-0123456789abcdef0",
    ),
    "unknown firewall policy": (
        lambda c, b: c.firewalls.create_firewall(
            FirewallName="wrong", VpcId=b.vpcs["inspection"], SubnetMappings=[{"SubnetId": b.subnets["inspection-tgw"]}],
            FirewallPolicyArn="arn:aws:network-firewall:eu-central-1:111122223333:firewall-policy/none",
        ),
        "ResourceNotFoundException|InvalidRequestException", "firewall-policy/none",
    ),
    "unknown log group": (lambda c, _: c.logs.describe_log_streams(logGroupName="/none"), "ResourceNotFoundException", ""),
    "unknown hosted zone": (lambda c, _: c.route53.get_hosted_zone(Id="Z0123456789ABC"), "NoSuchHostedZone", "Z0123456789ABC"),
    "deleting a VPC in use": (lambda c, b: c.ec2.delete_vpc(VpcId=b.vpcs["clients"]), "DependencyViolation", ""),
    "deleting a subnet in use": (lambda c, b: c.ec2.delete_subnet(SubnetId=b.subnets["servers-inspected"]), "DependencyViolation", ""),
    "deleting a security group in use": (lambda c, b: c.ec2.delete_security_group(GroupId=b.groups["client"]), "DependencyViolation", ""),
    "deleting a Transit Gateway in use": (lambda c, b: c.ec2.delete_transit_gateway(TransitGatewayId=b.transit_gateway), "IncorrectState", "tgw-attach-"),
    "deleting a service network in use": (lambda c, b: c.lattice.delete_service_network(serviceNetworkIdentifier=b.network), "ConflictException", ""),
    "deleting a service in use": (lambda c, b: c.lattice.delete_service(serviceIdentifier=b.service), "ConflictException", ""),
    "deleting a firewall policy in use": (
        lambda c, _: c.firewalls.delete_firewall_policy(FirewallPolicyName="bench"), "InvalidOperationException", "",
    ),
    "duplicate security group": (
        lambda c, b: c.ec2.create_security_group(GroupName="client", Description="x", VpcId=b.vpcs["clients"]), "InvalidGroup.Duplicate", "client",
    ),
    "duplicate service network": (lambda c, _: c.lattice.create_service_network(name="bench"), "ConflictException", "bench"),
    "duplicate service": (lambda c, _: c.lattice.create_service(name="bench-api"), "ConflictException", "bench-api"),
    "duplicate listener port": (
        lambda c, b: c.lattice.create_listener(
            serviceIdentifier=b.service, name="second", protocol="HTTP", port=80, defaultAction={"fixedResponse": {"statusCode": 404}}
        ),
        "ConflictException", "80",
    ),
    "VPC too large": (lambda c, _: c.ec2.create_vpc(CidrBlock="10.0.0.0/8"), "InvalidVpc.Range", "10.0.0.0/8"),
    "CIDR that is none": (lambda c, _: c.ec2.create_vpc(CidrBlock="10.0.0.0.0/16"), "InvalidParameterValue", "10.0.0.0.0/16"),
    "overlapping subnet": (lambda c, b: c.ec2.create_subnet(VpcId=b.vpcs["clients"], CidrBlock="10.1.0.128/25"), "InvalidSubnet.Conflict", "10.1.0.128/25"),
    "subnet outside of its VPC": (lambda c, b: c.ec2.create_subnet(VpcId=b.vpcs["clients"], CidrBlock="10.2.0.0/24"), "InvalidSubnet.Range", "10.2.0.0/24"),
    "security group rule with a bad CIDR": (
        lambda c, b: c.ec2.authorize_security_group_ingress(
            GroupId=b.groups["client"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.300/32"}]}]
        ),
        "InvalidParameterValue", "10.0.0.300/32",
    ),
    "security group rule with a bad port": (
        lambda c, b: c.ec2.authorize_security_group_ingress(
            GroupId=b.groups["client"], IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 99999, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
        ),
        "InvalidParameterValue", "99999",
    ),
    "rule that does not parse": (rule_group('drop tcp any any -> any any (msg:"x"; contant:"4111"; sid:1;)'), "InvalidRequestException", "contant"),
    "rule without an end": (rule_group("drop tcp any any -> any any (sid:1;"), "InvalidRequestException", ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def clients(region: Region) -> Clients:
    return Clients(*(region.client(name) for name in ("ec2", "vpc-lattice", "network-firewall", "logs", "iam", "route53")))


@pytest.fixture(scope="module")
def flows(region: Region, _architecture: Architecture) -> Iterator[Flows]:
    with Flows(region, _architecture) as found:
        yield found


def condition(region: Region) -> tuple[int, str, dict[str, int]]:
    """The revision, the plan but for its revision, and the pids of all processes."""
    plan = {key: value for key, value in region.session.ask("plan").items() if key != "revision"}
    return region.status()["revision"], json.dumps(plan, sort_keys=True), {name: process["pid"] for name, process in region.processes().items()}


@pytest.mark.parametrize("case", CASES)
def test_refused(region: Region, built: Architecture, clients: Clients, flows: Flows, case: str) -> None:
    call, codes, culprit = CASES[case]
    before = condition(region)
    with pytest.raises(ClientError) as caught:
        call(clients, built)
    error = caught.value.response["Error"]
    assert error["Code"] in codes.split("|"), error
    assert error["Message"]
    assert str(culprit) in error["Message"], error
    assert condition(region) == before


def test_traffic_never_noticed(flows: Flows) -> None:
    flows.still_move()
