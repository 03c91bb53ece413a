"""Network interfaces, instances, images, types, instance profiles, tags."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from .region import Region

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'


@pytest.fixture
def vpc(region: Region) -> str:
    return region.vpc()


@pytest.fixture
def subnet(region: Region, vpc: str) -> str:
    return region.subnet(vpc, "10.0.0.0/28")


def interface(region: Region, subnet: str, **params: Any) -> dict[str, Any]:
    return dict(region.call("CreateNetworkInterface", SubnetId=subnet, **params)["NetworkInterface"])


def described(region: Region, instance: str) -> dict[str, Any]:
    return dict(region.call("DescribeInstances", InstanceIds=[instance])["Reservations"][0]["Instances"][0])


# -- network interfaces --------------------------------------------------------------------------------------------------------------------


def test_addresses_are_the_lowest_free_ones(region: Region, subnet: str) -> None:
    assert interface(region, subnet)["PrivateIpAddress"] == "10.0.0.4"
    assert interface(region, subnet, PrivateIpAddress="10.0.0.6")["PrivateIpAddress"] == "10.0.0.6"
    assert interface(region, subnet)["PrivateIpAddress"] == "10.0.0.5"
    many = interface(region, subnet, SecondaryPrivateIpAddressCount=2)
    assert [item["PrivateIpAddress"] for item in many["PrivateIpAddresses"]] == ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    region.call("DeleteNetworkInterface", NetworkInterfaceId=many["NetworkInterfaceId"])
    assert interface(region, subnet)["PrivateIpAddress"] == "10.0.0.7"


def test_a_full_subnet_says_so(region: Region, subnet: str) -> None:
    for _ in range(11):
        interface(region, subnet)
    with region.refused("InsufficientFreeAddressesInSubnet", subnet):
        interface(region, subnet)


@pytest.mark.parametrize(
    ("address", "code"),
    [("10.0.0.1", "InvalidParameterValue"), ("10.0.0.15", "InvalidParameterValue"), ("10.0.1.4", "InvalidParameterValue"),
     ("ten", "InvalidParameterValue"), ("10.0.0.4", "InvalidIPAddress.InUse")],
)  # fmt: skip
def test_bad_addresses_are_refused(region: Region, subnet: str, address: str, code: str) -> None:
    interface(region, subnet)
    with region.refused(code, address):
        interface(region, subnet, PrivateIpAddress=address)


def test_interface_attributes(region: Region, vpc: str, subnet: str) -> None:
    made = interface(region, subnet, Description="one", TagSpecifications=[{"ResourceType": "network-interface", "Tags": [{"Key": "k", "Value": "v"}]}])
    named = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    assert made["MacAddress"].startswith("02:")
    assert made["Groups"][0]["GroupName"] == "default"
    group = region.group(vpc)
    region.call("ModifyNetworkInterfaceAttribute", **named, Groups=[group])
    region.call("ModifyNetworkInterfaceAttribute", **named, SourceDestCheck={"Value": False})
    filters = [{"Name": "group-id", "Values": [group]}, {"Name": "tag:k", "Values": ["v"]}]
    (shown,) = region.call("DescribeNetworkInterfaces", Filters=filters)["NetworkInterfaces"]
    assert (shown["SourceDestCheck"], shown["Status"], shown["TagSet"]) == (False, "available", [{"Key": "k", "Value": "v"}])
    assert region.call("DescribeNetworkInterfaceAttribute", **named, Attribute="description")["Description"] == {"Value": "one"}
    foreign = region.group(region.vpc("10.5.0.0/16"))
    with region.refused("InvalidParameter", foreign):
        region.call("ModifyNetworkInterfaceAttribute", **named, Groups=[foreign])
    region.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    assert region.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[made["NetworkInterfaceId"]])["NetworkInterfaces"][0]["PrivateDnsName"] == (
        "ip-10-0-0-4.ec2.internal"
    )


def test_secondary_addresses_come_and_go(region: Region, subnet: str) -> None:
    named = {"NetworkInterfaceId": interface(region, subnet)["NetworkInterfaceId"]}
    region.call("AssignPrivateIpAddresses", **named, PrivateIpAddresses=["10.0.0.9"])
    assigned = region.call("AssignPrivateIpAddresses", **named, SecondaryPrivateIpAddressCount=2)["AssignedPrivateIpAddresses"]
    assert [item["PrivateIpAddress"] for item in assigned] == ["10.0.0.5", "10.0.0.6"]
    with region.refused("InvalidIPAddress.InUse"):
        region.call("AssignPrivateIpAddresses", **named, PrivateIpAddresses=["10.0.0.9"])
    region.call("UnassignPrivateIpAddresses", **named, PrivateIpAddresses=["10.0.0.9", "10.0.0.5"])
    with region.refused("InvalidParameterValue", "10.0.0.4"):
        region.call("UnassignPrivateIpAddresses", **named, PrivateIpAddresses=["10.0.0.4"])
    (shown,) = region.call("DescribeNetworkInterfaces", Filters=[{"Name": "addresses.private-ip-address", "Values": ["10.0.0.6"]}])["NetworkInterfaces"]
    assert [(item["PrivateIpAddress"], item["Primary"]) for item in shown["PrivateIpAddresses"]] == [("10.0.0.4", True), ("10.0.0.6", False)]


def test_attach_and_detach(region: Region, subnet: str) -> None:
    instance = region.run(subnet)["InstanceId"]
    made = interface(region, subnet)["NetworkInterfaceId"]
    attachment = region.call("AttachNetworkInterface", NetworkInterfaceId=made, InstanceId=instance, DeviceIndex=1)["AttachmentId"]
    assert len(described(region, instance)["NetworkInterfaces"]) == 2
    with region.refused("InvalidNetworkInterface.InUse", made):
        region.call("AttachNetworkInterface", NetworkInterfaceId=made, InstanceId=instance, DeviceIndex=2)
    with region.refused("InvalidParameterValue", made):
        region.call("DeleteNetworkInterface", NetworkInterfaceId=made)
    region.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=made, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    region.call("DetachNetworkInterface", AttachmentId=attachment)
    region.call("DeleteNetworkInterface", NetworkInterfaceId=made)
    primary = described(region, instance)["NetworkInterfaces"][0]["Attachment"]["AttachmentId"]
    with region.refused("OperationNotPermitted"):
        region.call("DetachNetworkInterface", AttachmentId=primary)


# -- instances -----------------------------------------------------------------------------------------------------------------------------


def test_an_instance_runs_when_the_data_plane_has_it(region: Region, vpc: str, subnet: str) -> None:
    group = region.group(vpc)
    tags = [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": f"{kind}-1"}]} for kind in ("instance", "network-interface", "volume")]
    made = region.run(
        subnet, SecurityGroupIds=[group], PrivateIpAddress="10.0.0.9", UserData=base64.b64encode(b"#!/bin/sh\n").decode(), TagSpecifications=tags,
        MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 3}, Monitoring={"Enabled": False},
        CreditSpecification={"CpuCredits": "standard"}, HibernationOptions={"Configured": False},
    )  # fmt: skip
    assert made["State"] == {"Code": 0, "Name": "pending"}
    region.settle()
    shown = described(region, made["InstanceId"])
    assert shown["State"] == {"Code": 16, "Name": "running"}
    assert (shown["PrivateIpAddress"], shown["PrivateDnsName"]) == ("10.0.0.9", "ip-10-0-0-9.ec2.internal")
    assert shown["SecurityGroups"] == [{"GroupId": group, "GroupName": "web"}]
    assert shown["MetadataOptions"] == {
        "State": "applied", "HttpTokens": "optional", "HttpPutResponseHopLimit": 3, "HttpEndpoint": "enabled", "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }  # fmt: skip
    assert shown["Tags"] == [{"Key": "Name", "Value": "instance-1"}]
    (attached,) = shown["NetworkInterfaces"]
    assert (attached["Status"], attached["Attachment"]["DeleteOnTermination"], attached["Attachment"]["DeviceIndex"]) == ("in-use", True, 0)
    named = {"InstanceId": made["InstanceId"]}
    encoded = region.call("DescribeInstanceAttribute", **named, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(encoded) == b"#!/bin/sh\n"
    (status,) = region.call("DescribeInstanceStatus", InstanceIds=[made["InstanceId"]])["InstanceStatuses"]
    assert status["InstanceStatus"]["Status"] == "ok"
    assert region.call("DescribeInstanceCreditSpecifications", InstanceIds=[made["InstanceId"]])["InstanceCreditSpecifications"] == [
        {**named, "CpuCredits": "standard"}
    ]
    assert base64.b64decode(region.call("GetConsoleOutput", **named)["Output"]) == f"{made['InstanceId']} booted\n".encode()


def test_several_instances_share_a_reservation(region: Region, subnet: str) -> None:
    answer = region.call("RunInstances", ImageId=region.image(), MinCount=1, MaxCount=3, SubnetId=subnet)
    assert [item["AmiLaunchIndex"] for item in answer["Instances"]] == [0, 1, 2]
    assert sorted(item["PrivateIpAddress"] for item in answer["Instances"]) == ["10.0.0.4", "10.0.0.5", "10.0.0.6"]
    (reservation,) = region.call("DescribeInstances", Filters=[{"Name": "reservation-id", "Values": [answer["ReservationId"]]}])["Reservations"]
    assert [item["AmiLaunchIndex"] for item in reservation["Instances"]] == [0, 1, 2]
    with region.refused("InvalidParameterCombination"):
        region.call("RunInstances", ImageId=region.image(), MinCount=2, MaxCount=2, SubnetId=subnet, PrivateIpAddress="10.0.0.10")
    with region.refused("InsufficientFreeAddressesInSubnet"):
        region.call("RunInstances", ImageId=region.image(), MinCount=20, MaxCount=20, SubnetId=subnet)


def test_explicit_interfaces(region: Region, vpc: str, subnet: str) -> None:
    group = region.group(vpc)
    kept = interface(region, subnet, PrivateIpAddress="10.0.0.12")["NetworkInterfaceId"]
    other = region.subnet(vpc, "10.0.1.0/24")
    wanted = [
        {"DeviceIndex": 1, "SubnetId": other, "PrivateIpAddress": "10.0.1.40", "Groups": [group], "DeleteOnTermination": True},
        {"DeviceIndex": 0, "NetworkInterfaceId": kept},
    ]
    made = region.call("RunInstances", ImageId=region.image(), MinCount=1, MaxCount=1, NetworkInterfaces=wanted)["Instances"][0]
    assert (made["PrivateIpAddress"], made["SubnetId"]) == ("10.0.0.12", subnet)
    assert [item["PrivateIpAddress"] for item in made["NetworkInterfaces"]] == ["10.0.0.12", "10.0.1.40"]
    region.call("TerminateInstances", InstanceIds=[made["InstanceId"]])
    (left,) = region.call("DescribeNetworkInterfaces")["NetworkInterfaces"]
    assert (left["NetworkInterfaceId"], left["Status"]) == (kept, "available")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "debian"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "p4d.24xlarge"}, "Unsupported"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SubnetId": None}, "MissingInput"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"UserData": "%%%"}, "InvalidUserData.Malformed"),
        ({"UserData": base64.b64encode(bytes(17000)).decode()}, "InvalidParameterValue"),
        ({"KeyName": "mine"}, "InvalidKeyPair.NotFound"),
        ({"MinCount": 3}, "InvalidParameterValue"),
        ({"Placement": {"AvailabilityZone": "us-east-1b"}}, "InvalidParameterValue"),
        ({"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}}, "UnsupportedOperation"),
        ({"Placement": {"Tenancy": "host"}}, "UnsupportedOperation"),
        ({"LaunchTemplate": {"LaunchTemplateName": "x"}}, "UnsupportedOperation"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8}}]}, "UnsupportedOperation"),
        ({"NetworkInterfaces": [{"DeviceIndex": 0}]}, "InvalidParameterCombination"),
        ({"SubnetId": None, "NetworkInterfaces": [{"DeviceIndex": 1}]}, "MissingInput"),
    ],
)
def test_bad_launches_are_refused(region: Region, subnet: str, params: dict[str, Any], code: str) -> None:
    given = {"ImageId": region.image(), "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, **params}
    with region.refused(code):
        region.call("RunInstances", **{key: value for key, value in given.items() if value is not None})


def test_stop_start_reboot_terminate(region: Region, vpc: str, subnet: str) -> None:
    identifier = region.run(subnet)["InstanceId"]
    named = {"InstanceIds": [identifier]}
    region.settle()
    (change,) = region.call("StopInstances", **named)["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    with region.refused("IncorrectInstanceState"):
        region.call("StartInstances", **named)
    region.settle()
    assert described(region, identifier)["State"]["Name"] == "stopped"
    assert region.call("DescribeInstanceStatus")["InstanceStatuses"] == []
    assert len(region.call("DescribeInstanceStatus", IncludeAllInstances=True)["InstanceStatuses"]) == 1
    with region.refused("IncorrectInstanceState"):
        region.call("RebootInstances", **named)
    (change,) = region.call("StartInstances", **named)["StartingInstances"]
    assert change["CurrentState"]["Name"] == "pending"
    region.settle()
    region.call("RebootInstances", **named)
    assert described(region, identifier)["State"]["Name"] == "running"
    region.settle()
    with region.refused("DependencyViolation"):
        region.call("DeleteSubnet", SubnetId=subnet)
    (change,) = region.call("TerminateInstances", **named)["TerminatingInstances"]
    assert change["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    region.settle()
    gone = described(region, identifier)
    assert (gone["State"]["Name"], gone["NetworkInterfaces"]) == ("terminated", [])
    assert gone.get("PrivateIpAddress") is None
    assert region.call("TerminateInstances", **named)["TerminatingInstances"][0]["CurrentState"]["Name"] == "terminated"
    with region.refused("IncorrectInstanceState"):
        region.call("StartInstances", **named)
    region.call("DeleteSubnet", SubnetId=subnet)
    region.call("DeleteVpc", VpcId=vpc)
    region.clock.moment += timedelta(hours=1)
    with region.refused("InvalidInstanceID.NotFound", identifier):
        region.call("DescribeInstances", **named)
    assert region.call("DescribeInstances")["Reservations"] == []


def test_protection_and_attributes(region: Region, vpc: str, subnet: str) -> None:
    identifier = region.run(subnet, DisableApiTermination=True)["InstanceId"]
    named = {"InstanceId": identifier}
    region.settle()
    with region.refused("OperationNotPermitted", "disableApiTermination"):
        region.call("TerminateInstances", InstanceIds=[identifier])
    group = region.group(vpc)
    region.call("ModifyInstanceAttribute", **named, Groups=[group])
    region.call("ModifyInstanceAttribute", **named, SourceDestCheck={"Value": False})
    shown = described(region, identifier)
    assert (shown["SecurityGroups"][0]["GroupId"], shown["SourceDestCheck"]) == (group, False)
    assert shown["NetworkInterfaces"][0]["SourceDestCheck"] is False
    with region.refused("IncorrectInstanceState"):
        region.call("ModifyInstanceAttribute", **named, UserData={"Value": b"new"})
    region.call("StopInstances", InstanceIds=[identifier])
    region.settle()
    region.call("ModifyInstanceAttribute", **named, UserData={"Value": b"new"})
    assert base64.b64decode(region.call("DescribeInstanceAttribute", **named, Attribute="userData")["UserData"]["Value"]) == b"new"
    with region.refused("InvalidParameterCombination"):
        region.call("ModifyInstanceAttribute", **named)
    region.call("ModifyInstanceAttribute", **named, Attribute="disableApiTermination", Value="false")
    assert region.call("DescribeInstanceAttribute", **named, Attribute="disableApiTermination")["DisableApiTermination"] == {"Value": False}
    changed = region.call("ModifyInstanceMetadataOptions", **named, HttpEndpoint="disabled")["InstanceMetadataOptions"]
    assert (changed["HttpEndpoint"], changed["HttpTokens"]) == ("disabled", "required")
    region.call("TerminateInstances", InstanceIds=[identifier])


def test_unknown_and_malformed_ids(region: Region, subnet: str) -> None:
    arn = region.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"][0]["SubnetArn"]
    with region.refused("InvalidSubnetID.Malformed", arn):
        interface(region, arn)
    with region.refused("InvalidVolume.NotFound"):
        region.call("DescribeVolumes", VolumeIds=["vol-0123456789abcdef0"])
    pending = region.run(subnet)["InstanceId"]
    with region.refused("IncorrectInstanceState", pending):
        region.call("StopInstances", InstanceIds=[pending])
    with region.refused("InvalidInstanceID.NotFound", "i-0123456789abcdef0"):
        region.call("TerminateInstances", InstanceIds=["i-0123456789abcdef0"])
    with region.refused("InvalidInstanceID.Malformed", "web"):
        region.call("DescribeInstances", InstanceIds=["web"])


def test_instance_profiles(region: Region, subnet: str) -> None:
    profiles = [region.call("iam:CreateInstanceProfile", InstanceProfileName=name)["InstanceProfile"] for name in ("web", "db")]
    by_name = region.run(subnet, IamInstanceProfile={"Name": "web"})
    by_arn = region.run(subnet, IamInstanceProfile={"Arn": profiles[0]["Arn"]})
    wanted = {"Arn": profiles[0]["Arn"], "Id": profiles[0]["InstanceProfileId"]}
    assert by_name["IamInstanceProfile"] == by_arn["IamInstanceProfile"] == wanted
    filters = [{"Name": "instance-id", "Values": [by_name["InstanceId"]]}]
    (association,) = region.call("DescribeIamInstanceProfileAssociations", Filters=filters)["IamInstanceProfileAssociations"]
    with region.refused("IncorrectState"):
        region.call("AssociateIamInstanceProfile", InstanceId=by_name["InstanceId"], IamInstanceProfile={"Name": "db"})
    replaced = region.call(
        "ReplaceIamInstanceProfileAssociation", AssociationId=association["AssociationId"], IamInstanceProfile={"Name": "db"}
    )["IamInstanceProfileAssociation"]  # fmt: skip
    assert described(region, by_name["InstanceId"])["IamInstanceProfile"]["Arn"] == profiles[1]["Arn"]
    region.call("DisassociateIamInstanceProfile", AssociationId=replaced["AssociationId"])
    assert "IamInstanceProfile" not in described(region, by_name["InstanceId"])
    with region.refused("NoSuchAssociation"):
        region.call("DisassociateIamInstanceProfile", AssociationId=replaced["AssociationId"])
    region.call("AssociateIamInstanceProfile", InstanceId=by_name["InstanceId"], IamInstanceProfile={"Name": "db"})


def test_a_client_token_launches_once(region: Region, subnet: str) -> None:
    first = region.run(subnet, ClientToken="once")
    assert region.run(subnet, ClientToken="once")["InstanceId"] == first["InstanceId"]
    with region.refused("IdempotentParameterMismatch"):
        region.run(subnet, ClientToken="once", PrivateIpAddress="10.0.0.9")


# -- images, types, tags -------------------------------------------------------------------------------------------------------------------


def test_the_machine_is_the_image(region: Region) -> None:
    filters = [{"Name": "name", "Values": ["al2023-ami-2023*"]}, {"Name": "state", "Values": ["available"]}]
    (image,) = region.call("DescribeImages", Owners=["amazon"], Filters=filters)["Images"]
    assert region.call("DescribeImages", ImageIds=[image["ImageId"]])["Images"] == [image]
    assert region.call("DescribeImages", Owners=["self"])["Images"] == []
    with region.refused("InvalidAMIID.NotFound", "ami-0123456789abcdef0"):
        region.call("DescribeImages", ImageIds=["ami-0123456789abcdef0"])


def test_instance_types(region: Region) -> None:
    (found,) = region.call("DescribeInstanceTypes", InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert (found["VCpuInfo"]["DefaultVCpus"], found["MemoryInfo"]["SizeInMiB"]) == (2, 1024)
    with region.refused("InvalidInstanceType", "a1.medium"):
        region.call("DescribeInstanceTypes", InstanceTypes=["a1.medium"])
    offered = region.call("DescribeInstanceTypeOfferings", LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}])
    assert [item["Location"] for item in offered["InstanceTypeOfferings"]] == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_tags_of_any_resource(region: Region, vpc: str, subnet: str) -> None:
    resources = [vpc, subnet, region.group(vpc), region.run(subnet)["InstanceId"], region.main_table(vpc)["RouteTableId"]]
    region.call("CreateTags", Resources=resources, Tags=[{"Key": "team", "Value": "a"}, {"Key": "Name", "Value": "x"}])
    filters = [{"Name": "key", "Values": ["team"]}, {"Name": "resource-type", "Values": ["subnet", "instance"]}]
    found = region.call("DescribeTags", Filters=filters)["Tags"]
    assert sorted((tag["ResourceType"], tag["ResourceId"], tag["Value"]) for tag in found) == sorted([("instance", resources[3], "a"), ("subnet", subnet, "a")])
    region.call("DeleteTags", Resources=resources, Tags=[{"Key": "team", "Value": "b"}])
    assert len(region.call("DescribeTags", Filters=filters[:1])["Tags"]) == 5
    region.call("DeleteTags", Resources=resources, Tags=[{"Key": "team"}])
    assert region.call("DescribeTags", Filters=filters[:1])["Tags"] == []
    region.call("DeleteTags", Resources=resources)
    assert region.call("DescribeTags")["Tags"] == []


def test_tags_go_to_all_or_none(region: Region, vpc: str) -> None:
    with region.refused("InvalidSubnetID.NotFound", "subnet-0123456789abcdef0"):
        region.call("CreateTags", Resources=[vpc, "subnet-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])
    with region.refused("InvalidID", "thing"):
        region.call("CreateTags", Resources=["thing"], Tags=[{"Key": "a", "Value": "b"}])
    with region.refused("InvalidParameterValue", "aws:"):
        region.call("CreateTags", Resources=[vpc], Tags=[{"Key": "aws:a", "Value": "b"}])
    with region.refused("TagLimitExceeded"):
        region.call("CreateTags", Resources=[vpc], Tags=[{"Key": f"k{number}", "Value": ""} for number in range(51)])
    assert region.call("DescribeTags")["Tags"] == []
