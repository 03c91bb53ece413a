"""IPv6-only subnets, and what is in them, as the API tells of them."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from .region import Region
from .test_ipv6 import dual, homes


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def native(region: Region) -> tuple[str, str, IPv6Network]:
    vpc, block = dual(region)
    first = homes(block)[0]
    subnet = region.call("CreateSubnet", VpcId=vpc, Ipv6CidrBlock=first, Ipv6Native=True)["Subnet"]["SubnetId"]
    return vpc, subnet, IPv6Network(first)


def shown(region: Region, subnet: str) -> dict[str, Any]:
    (found,) = region.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"]
    return dict(found)


def test_a_subnet_with_ipv6_only(region: Region) -> None:
    vpc, subnet, network = native(region)
    found = shown(region, subnet)
    assert "CidrBlock" not in found
    assert [item["Ipv6CidrBlock"] for item in found["Ipv6CidrBlockAssociationSet"]] == [str(network)]
    assert (found["Ipv6Native"], found["AssignIpv6AddressOnCreation"], found["MapPublicIpOnLaunch"], found["AvailableIpAddressCount"]) == (True, True, False, 0)
    assert found["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "resource-name"
    other = region.subnet(vpc, "10.0.0.0/24")
    for value, wanted in (("true", subnet), ("false", other)):
        listed = region.call("DescribeSubnets", Filters=[{"Name": "ipv6-native", "Values": [value]}])["Subnets"]
        assert [item["SubnetId"] for item in listed] == [wanted]
    region.call("DeleteSubnet", SubnetId=subnet)
    region.call("CreateSubnet", VpcId=vpc, Ipv6CidrBlock=str(network), Ipv6Native=True)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"CidrBlock": "10.0.0.0/24", "Ipv6CidrBlock": "{0}"}, "InvalidParameterCombination"),
        ({}, "MissingParameter"),
        ({"Ipv6CidrBlock": "2001:db8:ffff:ffff::/64"}, "InvalidSubnet.Range"),
        ({"Ipv6CidrBlock": "{1}"}, "InvalidSubnet.Conflict"),
        ({"Ipv6CidrBlock": "10.0.0.0/24"}, "InvalidParameterValue"),
    ],
)
def test_what_cannot_be_such_a_subnet(region: Region, params: dict[str, str], code: str) -> None:
    vpc, block = dual(region)
    free, taken, _ = homes(block)
    region.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.9.0/24", Ipv6CidrBlock=taken)
    with region.refused(code):
        region.call("CreateSubnet", VpcId=vpc, Ipv6Native=True, **{name: value.format(free, taken) for name, value in params.items()})


@pytest.mark.parametrize(
    "attribute",
    [
        {"MapPublicIpOnLaunch": {"Value": True}}, {"AssignIpv6AddressOnCreation": {"Value": False}}, {"PrivateDnsHostnameTypeOnLaunch": "ip-name"},
        {"EnableResourceNameDnsARecordOnLaunch": {"Value": True}},
    ],
)  # fmt: skip
def test_what_it_cannot_become(region: Region, attribute: dict[str, Any]) -> None:
    vpc, subnet, _ = native(region)
    with region.refused("InvalidParameterValue", "IPv6-only"):
        region.call("ModifySubnetAttribute", SubnetId=subnet, **attribute)
    region.call("ModifySubnetAttribute", SubnetId=region.subnet(vpc, "10.0.0.0/24"), **attribute)


def test_its_block_stays(region: Region) -> None:
    vpc, subnet, _ = native(region)
    with region.refused("OperationNotPermitted", subnet):
        region.call("DisassociateSubnetCidrBlock", AssociationId=shown(region, subnet)["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
    with region.refused("CidrLimitExceeded"):
        region.call("AssociateSubnetCidrBlock", SubnetId=subnet, Ipv6CidrBlock="2001:db8::/64")
    second = region.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.99.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    region.call("DisassociateVpcCidrBlock", AssociationId=second)


def test_interfaces_have_ipv6_addresses_only(region: Region) -> None:
    _, subnet, network = native(region)
    plain = region.call("CreateNetworkInterface", SubnetId=subnet, Ipv6AddressCount=0)["NetworkInterface"]
    assert (plain["Ipv6Address"], plain["Ipv6Native"], plain["PrivateIpAddresses"]) == (str(network[4]), True, [])
    assert plain["PrivateIpAddress"] is None
    two = region.call("CreateNetworkInterface", SubnetId=subnet, Ipv6AddressCount=2)["NetworkInterface"]["Ipv6Addresses"]
    assert [item["Ipv6Address"] for item in two] == [str(network[5]), str(network[6])]
    for params in ({"PrivateIpAddress": "10.0.0.9"}, {"SecondaryPrivateIpAddressCount": 1}):
        with region.refused("InvalidParameterCombination", "IPv6-only"):
            region.call("CreateNetworkInterface", SubnetId=subnet, **params)
    for member in ("Ipv6AddressCount", "SecondaryPrivateIpAddressCount"):
        with region.refused("InvalidParameterValue", "must not be negative"):
            region.call("CreateNetworkInterface", SubnetId=subnet, **{member: -1})
    identifier = plain["NetworkInterfaceId"]
    with region.refused("InvalidParameterCombination", "IPv6-only"):
        region.call("AssignPrivateIpAddresses", NetworkInterfaceId=identifier, SecondaryPrivateIpAddressCount=1)
    with region.refused("OperationNotPermitted", "must keep one"):
        region.call("UnassignIpv6Addresses", NetworkInterfaceId=identifier, Ipv6Addresses=[str(network[4])])
    region.call("AssignIpv6Addresses", NetworkInterfaceId=identifier, Ipv6Addresses=[str(network[9])])
    region.call("UnassignIpv6Addresses", NetworkInterfaceId=identifier, Ipv6Addresses=[str(network[4])])
    (left,) = region.call("DescribeNetworkInterfaces", NetworkInterfaceIds=[identifier])["NetworkInterfaces"]
    assert left["Ipv6Address"] == str(network[9])


def test_instances_are_called_after_their_ids(region: Region) -> None:
    _, subnet, network = native(region)
    made = region.run(subnet, MetadataOptions={"HttpProtocolIpv6": "enabled"})
    assert (made.get("PrivateIpAddress"), made["Ipv6Address"]) == (None, str(network[4]))
    assert made["PrivateDnsName"] == f"{made['InstanceId']}.ec2.internal"
    assert made["MetadataOptions"]["HttpProtocolIpv6"] == "enabled"
    for filters in ({"Name": "ipv6-address", "Values": [str(network[4])]}, {"Name": "private-dns-name-options.hostname-type", "Values": ["resource-name"]}):
        (found,) = region.call("DescribeInstances", Filters=[filters])["Reservations"]
        assert found["Instances"][0]["InstanceId"] == made["InstanceId"]
    for params in (
        {"PrivateIpAddress": "10.0.0.9"}, {"InstanceType": "t2.micro"}, {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet}], "SubnetId": None,
         "InstanceType": "m1.small"},
    ):  # fmt: skip
        with region.refused("InvalidParameterCombination"):
            region.run(subnet, **params)
    old = region.run(region.subnet(made["VpcId"], "10.0.0.0/24"), InstanceType="t2.micro")["InstanceId"]
    interface = region.call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with region.refused("InvalidParameterCombination", "Nitro"):
        region.call("AttachNetworkInterface", NetworkInterfaceId=interface, InstanceId=old, DeviceIndex=1)
    region.settle()
    region.call("StopInstances", InstanceIds=[made["InstanceId"]])
    region.settle()
    with region.refused("InvalidParameterCombination", "Nitro"):
        region.call("ModifyInstanceAttribute", InstanceId=made["InstanceId"], InstanceType={"Value": "t2.micro"})
    for options in ({"HostnameType": "ip-name"}, {"EnableResourceNameDnsARecord": True}, {"HostnameType": "mine"}):
        with region.refused("InvalidParameterValue"):
            region.run(subnet, PrivateDnsNameOptions=options)


def test_options_of_an_instance_s_name(region: Region) -> None:
    subnet = region.subnet(region.vpc(), "10.0.0.0/24")
    made = region.run(subnet, PrivateDnsNameOptions={"HostnameType": "resource-name"})
    assert made["PrivateDnsName"] == f"{made['InstanceId']}.ec2.internal"
    assert made["PrivateDnsNameOptions"] == {"HostnameType": "resource-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False}
    region.settle()
    named = {"InstanceId": made["InstanceId"]}
    region.call("ModifyPrivateDnsNameOptions", **named, EnableResourceNameDnsARecord=True)
    with region.refused("IncorrectInstanceState", "stopped"):
        region.call("ModifyPrivateDnsNameOptions", **named, PrivateDnsHostnameType="ip-name")
    region.call("StopInstances", InstanceIds=[made["InstanceId"]])
    region.settle()
    region.call("ModifyPrivateDnsNameOptions", **named, PrivateDnsHostnameType="ip-name")
    (found,) = region.call("DescribeInstances", InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"]
    assert found["PrivateDnsName"] == f"ip-{found['PrivateIpAddress'].replace('.', '-')}.ec2.internal"
    assert found["PrivateDnsNameOptions"]["EnableResourceNameDnsARecord"] is True


def test_transit_gateways_do_not_come_into_it(region: Region) -> None:
    vpc, subnet, _ = native(region)
    gateway = region.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    region.settle()
    with region.refused("InvalidParameterValue", "IPv6-only"):
        region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet], Options={"Ipv6Support": "enable"})
