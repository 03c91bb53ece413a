"""The same region through boto3 over HTTP: AWS's waiters, paginators, resources and error codes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from .endpoint import serving
from .region import Region

FAST = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[Any]:
    with serving(Region(tmp_path, "eu-west-3")) as url:
        yield boto3.client(
            "ec2", region_name="eu-west-3", endpoint_url=url, aws_access_key_id="111122223333", aws_secret_access_key="any",
            config=Config(retries={"max_attempts": 1}),
        )  # fmt: skip


def test_a_hub_with_two_spokes_from_nothing_to_nothing(ec2: Any) -> None:
    gateway = ec2.create_transit_gateway(Options={"DefaultRouteTableAssociation": "disable", "DefaultRouteTablePropagation": "disable"})["TransitGateway"]
    table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway["TransitGatewayId"])["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
    attachments, vpcs, instances = [], [], []
    for cidr in ("10.1.0.0/16", "10.2.0.0/16"):
        vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig=FAST)
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr.replace("/16", "/24"), AvailabilityZone="eu-west-3b")["Subnet"]["SubnetId"]
        ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet], WaiterConfig=FAST)
        attachment = ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway["TransitGatewayId"], VpcId=vpc, SubnetIds=[subnet])
        attachments.append(attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])
        ec2.associate_transit_gateway_route_table(TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachments[-1])
        ec2.enable_transit_gateway_route_table_propagation(TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachments[-1])
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]
        interface = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=cidr.replace("0.0/16", "0.50"))["NetworkInterface"]
        ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[interface["NetworkInterfaceId"]], WaiterConfig=FAST)
        made = ec2.run_instances(
            ImageId=image["ImageId"], MinCount=1, MaxCount=1, UserData="#!/bin/sh\necho hello\n",
            NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface["NetworkInterfaceId"], "DeleteOnTermination": True}],
        )["Instances"][0]  # fmt: skip
        instances.append(made["InstanceId"])
        vpcs.append((vpc, subnet))
    for waiter in ("instance_exists", "instance_running", "instance_status_ok", "system_status_ok"):
        ec2.get_waiter(waiter).wait(InstanceIds=instances, WaiterConfig=FAST)
    routes = ec2.search_transit_gateway_routes(TransitGatewayRouteTableId=table, Filters=[{"Name": "type", "Values": ["propagated"]}])["Routes"]
    assert [route["DestinationCidrBlock"] for route in routes] == ["10.1.0.0/16", "10.2.0.0/16"]
    ec2.terminate_instances(InstanceIds=instances)
    ec2.get_waiter("instance_terminated").wait(InstanceIds=instances, WaiterConfig=FAST)
    for attachment in attachments:
        ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=attachment)
    until(lambda: {item["State"] for item in ec2.describe_transit_gateway_attachments()["TransitGatewayAttachments"]} == {"deleted"})
    ec2.delete_transit_gateway_route_table(TransitGatewayRouteTableId=table)
    ec2.delete_transit_gateway(TransitGatewayId=gateway["TransitGatewayId"])
    for vpc, subnet in vpcs:
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)
    until(lambda: ec2.describe_transit_gateways()["TransitGateways"][0]["State"] == "deleted")
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def until(condition: Any) -> None:
    """Poll until the condition holds, at most 10 s."""
    waiting = threading.Event()
    for _ in range(200):
        if condition():
            return
        waiting.wait(0.05)
    pytest.fail("the condition never held")


def test_pages_and_errors(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for number in range(7):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Subnets"]) for page in pages] == [5, 2]
    with pytest.raises(ClientError) as caught:
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.3.0/24")
    assert caught.value.response["Error"] == {"Code": "InvalidSubnet.Conflict", "Message": "The CIDR '10.0.3.0/24' conflicts with another subnet"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    with pytest.raises(ClientError, match="DryRunOperation"):
        ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with pytest.raises(ClientError, match=r"InvalidSubnet\.Range"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")


def test_times_and_structures_reach_the_client(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "<one> & only"}]}])["Vpc"]
    assert vpc["Tags"] == [{"Key": "Name", "Value": "<one> & only"}]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc["VpcId"])["GroupId"]
    ec2.get_waiter("security_group_exists").wait(GroupIds=[group], WaiterConfig=FAST)
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0")["SecurityGroupRules"][0]
    assert rule["SecurityGroupRuleId"].startswith("sgr-")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group])["Instances"][0]
    assert made["LaunchTime"].year == 2026
    assert made["NetworkInterfaces"][0]["Attachment"]["AttachTime"] == made["LaunchTime"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[made["InstanceId"]], WaiterConfig=FAST)
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[made["InstanceId"]], WaiterConfig=FAST)
    ec2.modify_instance_attribute(InstanceId=made["InstanceId"], UserData={"Value": b"#!/bin/sh\n"})
    assert ec2.describe_instance_attribute(InstanceId=made["InstanceId"], Attribute="userData")["UserData"]["Value"] == "IyEvYmluL3NoCg=="
    acl = ec2.describe_network_acls(Filters=[{"Name": "default", "Values": ["true"]}])["NetworkAcls"][0]
    assert [entry["RuleNumber"] for entry in acl["Entries"]] == [100, 32767, 100, 32767]
    assert ec2.describe_availability_zones()["AvailabilityZones"][2]["ZoneId"] == "euw3-az3"
