"""Dual-stack VPCs as the API tells of them: blocks, subnets, addresses, routes, and what comes with a block."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from .region import Region


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region(tmp_path)


def dual(region: Region) -> tuple[str, IPv6Network]:
    vpc = region.call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    (block,) = vpc["Ipv6CidrBlockAssociationSet"]
    assert (block["Ipv6CidrBlockState"], block["NetworkBorderGroup"], block["Ipv6Pool"]) == ({"State": "associated"}, "us-east-1", "Amazon")
    return vpc["VpcId"], IPv6Network(block["Ipv6CidrBlock"])


def homes(block: IPv6Network) -> list[str]:
    return [str(network) for network in list(block.subnets(new_prefix=64))[:3]]


def dual_subnet(region: Region) -> tuple[str, str, str]:
    vpc, block = dual(region)
    first = homes(block)[0]
    subnet = region.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.0.0/24", Ipv6CidrBlock=first)["Subnet"]["SubnetId"]
    return vpc, subnet, first


def test_every_vpc_gets_a_block_of_its_own(region: Region) -> None:
    blocks = {dual(region)[1] for _ in range(3)}
    assert len(blocks) == 3
    assert all(block.prefixlen == 56 and block.subnet_of(IPv6Network("2001:db8::/32")) for block in blocks)


def test_a_block_brings_routes_and_open_defaults(region: Region) -> None:
    vpc = region.vpc()
    group = region.group(vpc)
    block = region.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    assert {"DestinationIpv6CidrBlock": block["Ipv6CidrBlock"], "GatewayId": "local"}.items() <= region.main_table(vpc)["Routes"][-1].items()
    (acl,) = region.call("DescribeNetworkAcls", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    assert {(item["RuleNumber"], item["RuleAction"]) for item in acl["Entries"] if item.get("Ipv6CidrBlock") == "::/0"} == {(101, "allow"), (32768, "deny")}
    for shown in region.call("DescribeSecurityGroups", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]:
        assert [item["CidrIpv6"] for rule in shown["IpPermissionsEgress"] for item in rule["Ipv6Ranges"]] == ["::/0"], shown["GroupId"]
    later = region.group(vpc, "later")
    (shown,) = region.call("DescribeSecurityGroups", GroupIds=[later])["SecurityGroups"]
    assert [item["CidrIpv6"] for rule in shown["IpPermissionsEgress"] for item in rule["Ipv6Ranges"]] == ["::/0"]
    assert group != later


def test_what_somebody_changed_is_not_opened(region: Region) -> None:
    vpc = region.vpc()
    group = region.group(vpc)
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.call("RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[everything])
    (acl,) = region.call("DescribeNetworkAcls", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    region.call("DeleteNetworkAclEntry", NetworkAclId=acl["NetworkAclId"], RuleNumber=100, Egress=False)
    region.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    (shown,) = region.call("DescribeSecurityGroups", GroupIds=[group])["SecurityGroups"]
    assert shown["IpPermissionsEgress"] == []
    (acl,) = region.call("DescribeNetworkAcls", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
    assert not [item for item in acl["Entries"] if item.get("Ipv6CidrBlock")]


def test_a_vpc_has_one_block_and_keeps_it_while_a_subnet_uses_it(region: Region) -> None:
    vpc, block = dual(region)
    with region.refused("CidrLimitExceeded"):
        region.call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
    other = region.vpc()
    with region.refused("InvalidParameterCombination"):
        region.call("AssociateVpcCidrBlock", VpcId=other, AmazonProvidedIpv6CidrBlock=True, CidrBlock="10.9.0.0/16")
    subnet = region.subnet(vpc, "10.0.0.0/24")
    made = region.call("AssociateSubnetCidrBlock", SubnetId=subnet, Ipv6CidrBlock=homes(block)[0])["Ipv6CidrBlockAssociation"]
    (shown,) = region.call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
    (association,) = shown["Ipv6CidrBlockAssociationSet"]
    with region.refused("DependencyViolation", subnet):
        region.call("DisassociateVpcCidrBlock", AssociationId=association["AssociationId"])
    region.call("DisassociateSubnetCidrBlock", AssociationId=made["AssociationId"])
    gone = region.call("DisassociateVpcCidrBlock", AssociationId=association["AssociationId"])
    assert gone["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"] == {"State": "disassociating"}
    assert not [route for route in region.main_table(vpc)["Routes"] if route.get("DestinationIpv6CidrBlock")]


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("2001:db8:ffff::/64", "InvalidSubnet.Range"),
        ("/60+1", "InvalidSubnet.Range"), ("taken", "InvalidSubnet.Conflict"),
        ("nonsense", "InvalidParameterValue"),
    ],
)
def test_a_subnets_block_must_fit(region: Region, which: str, code: str) -> None:
    vpc, _, first = dual_subnet(region)
    wanted = {"taken": first, "/60+1": f"{first.partition('/')[0]}/61"}.get(which, which)
    with region.refused(code):
        region.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.0/24", Ipv6CidrBlock=wanted)


def test_a_block_has_no_zone(region: Region) -> None:
    """What follows a % may be anything, and would be kept with the address."""
    vpc, _, _ = dual_subnet(region)
    group = region.call("CreateSecurityGroup", GroupName="six", Description="six", VpcId=vpc)["GroupId"]
    table, zoned = region.main_table(vpc)["RouteTableId"], "2001:db8::%a-b/64"
    peers = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "Ipv6Ranges": [{"CidrIpv6": zoned}]}
    with region.refused("InvalidParameterValue"):
        region.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[peers])
    with region.refused("InvalidParameterValue"):
        region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock=zoned, GatewayId="igw-0123456789abcdef0")
    with region.refused("InvalidParameterValue"):
        region.call("CreateManagedPrefixList", PrefixListName="six", AddressFamily="IPv6", MaxEntries=1, Entries=[{"Cidr": zoned}])


def test_interfaces_get_addresses_asked_for_or_from_the_subnet(region: Region) -> None:
    _, subnet, first = dual_subnet(region)
    network = IPv6Network(first)
    plain = region.call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]
    assert plain["Ipv6Addresses"] == []
    asked = region.call("CreateNetworkInterface", SubnetId=subnet, Ipv6AddressCount=2)["NetworkInterface"]
    addresses = [IPv6Address(item["Ipv6Address"]) for item in asked["Ipv6Addresses"]]
    assert addresses == [network[4], network[5]]
    region.call("ModifySubnetAttribute", SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    instance = region.run(subnet)
    assert instance["NetworkInterfaces"][0]["Ipv6Addresses"] == [{"Ipv6Address": str(network[6]), "IsPrimaryIpv6": False}]
    assert region.run(subnet, Ipv6AddressCount=0)["NetworkInterfaces"][0]["Ipv6Addresses"] == []
    named = region.run(subnet, Ipv6Addresses=[{"Ipv6Address": str(network[99])}])
    filters = [{"Name": "ipv6-addresses.ipv6-address", "Values": [str(network[99])]}]
    (found,) = region.call("DescribeNetworkInterfaces", Filters=filters)["NetworkInterfaces"]
    assert found["Attachment"]["InstanceId"] == named["InstanceId"]
    with region.refused("InvalidIPAddress.InUse"):
        region.run(subnet, Ipv6Addresses=[{"Ipv6Address": str(network[99])}])
    for wrong in (str(network[2]), str(network[-1]), "2001:db8::1", "x", f"{network[200]}%eth0"):
        with region.refused("InvalidParameterValue"):
            region.call("AssignIpv6Addresses", NetworkInterfaceId=plain["NetworkInterfaceId"], Ipv6Addresses=[wrong])


def test_addresses_are_assigned_and_taken_back(region: Region) -> None:
    vpc, subnet, first = dual_subnet(region)
    interface = region.call("CreateNetworkInterface", SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with region.refused("InvalidParameterCombination"):
        region.call("AssignIpv6Addresses", NetworkInterfaceId=interface)
    (address,) = region.call("AssignIpv6Addresses", NetworkInterfaceId=interface, Ipv6AddressCount=1)["AssignedIpv6Addresses"]
    (shown,) = region.call("DescribeSubnets", SubnetIds=[subnet])["Subnets"]
    with region.refused("DependencyViolation", interface):
        region.call("DisassociateSubnetCidrBlock", AssociationId=shown["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
    assert region.call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[address])["UnassignedIpv6Addresses"] == [address]
    with region.refused("InvalidParameterValue"):
        region.call("UnassignIpv6Addresses", NetworkInterfaceId=interface, Ipv6Addresses=[address])
    other = region.subnet(vpc, "10.0.5.0/24")
    with region.refused("InvalidParameterValue", "does not have an IPv6 CIDR block"):
        region.call("CreateNetworkInterface", SubnetId=other, Ipv6AddressCount=1)
    assert first


def test_routes_of_both_families(region: Region) -> None:
    vpc, subnet, first = dual_subnet(region)
    gateway = region.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    region.settle()
    attachment = region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet], Options={"Ipv6Support": "enable"})
    attached = attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    region.settle()
    table = region.main_table(vpc)["RouteTableId"]
    region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock="::/0", TransitGatewayId=gateway)
    with region.refused("RouteAlreadyExists", "::/0"):
        region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock="::/0", TransitGatewayId=gateway)
    with region.refused("InvalidParameterCombination"):
        region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock="::/0", DestinationCidrBlock="0.0.0.0/0", TransitGatewayId=gateway)
    with region.refused("InvalidParameterValue", "more specific"):
        region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock=first, TransitGatewayId=gateway)
    region.call("DeleteRoute", RouteTableId=table, DestinationIpv6CidrBlock="::/0")
    (tables,) = [region.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]]
    name = tables[0]["TransitGatewayRouteTableId"]
    region.call("CreateTransitGatewayRoute", TransitGatewayRouteTableId=name, DestinationCidrBlock="2001:db8:ffff::/48", TransitGatewayAttachmentId=attached)
    found = region.call("SearchTransitGatewayRoutes", TransitGatewayRouteTableId=name, Filters=[{"Name": "state", "Values": ["active"]}])["Routes"]
    block = str(IPv6Network(first).supernet(new_prefix=56))
    assert [(route["DestinationCidrBlock"], route["Type"]) for route in found] == [
        ("10.0.0.0/16", "propagated"),
        *sorted([(block, "propagated"), ("2001:db8:ffff::/48", "static")], key=lambda item: IPv6Network(item[0])),
    ]
    narrow = {"Name": "route-search.longest-prefix-match", "Values": ["2001:db8:ffff::7"]}
    (best,) = region.call("SearchTransitGatewayRoutes", TransitGatewayRouteTableId=name, Filters=[narrow])["Routes"]
    assert best["DestinationCidrBlock"] == "2001:db8:ffff::/48"
