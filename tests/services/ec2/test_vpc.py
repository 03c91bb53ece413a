"""VPCs, subnets, zones: what a new one comes with, and what is refused."""

from __future__ import annotations

import pytest

from latticewall.base.faults import Fault

from .region import Region


def test_a_new_vpc_settles_and_comes_with_its_defaults(region: Region) -> None:
    vpc = region.call("CreateVpc", CidrBlock="10.1.2.3/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "one"}]}])["Vpc"]
    assert vpc["State"] == "pending"
    assert vpc["CidrBlock"] == "10.1.0.0/16"
    region.settle()
    (shown,) = region.call("DescribeVpcs", Filters=[{"Name": "tag:Name", "Values": ["o*"]}])["Vpcs"]
    assert (shown["VpcId"], shown["State"]) == (vpc["VpcId"], "available")
    assert shown["DhcpOptionsId"] == region.call("DescribeDhcpOptions")["DhcpOptions"][0]["DhcpOptionsId"]
    in_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    (group,) = region.call("DescribeSecurityGroups", Filters=[*in_vpc, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    assert group["IpPermissionsEgress"] == [
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    ]
    (acl,) = region.call("DescribeNetworkAcls", Filters=[*in_vpc, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    assert [(entry["Egress"], entry["RuleNumber"], entry["RuleAction"]) for entry in acl["Entries"]] == [
        (True, 100, "allow"), (True, 32767, "deny"), (False, 100, "allow"), (False, 32767, "deny"),
    ]  # fmt: skip
    assert region.main_table(vpc["VpcId"])["Routes"] == [
        {"DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"}
    ]


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.0.0.0/29", "127.0.0.0/16", "169.254.0.0/16"])
def test_a_vpc_block_out_of_range_is_refused(region: Region, cidr: str) -> None:
    with region.refused("InvalidVpc.Range", cidr):
        region.vpc(cidr)


@pytest.mark.parametrize("cidr", ["10.0.0.0", "10.0.0.300/16", "ten/16", "10.0.0.0/33", "10.0.0.0/255.255.0.0"])
def test_a_malformed_block_is_refused(region: Region, cidr: str) -> None:
    with region.refused("InvalidParameterValue", cidr):
        region.vpc(cidr)


def test_ipv6_of_ones_own_is_refused_openly(region: Region) -> None:
    with region.refused("UnsupportedOperation", "Ipv6"):
        region.call("CreateVpc", CidrBlock="10.0.0.0/16", Ipv6Pool="ipv6pool-ec2-1", Ipv6CidrBlock="2001:db8::/56")
    assert region.call("CreateVpc", CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=False, InstanceTenancy="default")


def test_attributes(region: Region) -> None:
    vpc = region.vpc()
    region.call("ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    answers = {
        name: region.call("DescribeVpcAttribute", VpcId=vpc, Attribute=name)
        for name in ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")
    }
    assert answers["enableDnsSupport"]["EnableDnsSupport"] == {"Value": True}
    assert answers["enableDnsHostnames"]["EnableDnsHostnames"] == {"Value": True}
    assert answers["enableNetworkAddressUsageMetrics"]["EnableNetworkAddressUsageMetrics"] == {"Value": False}


def test_a_vpc_goes_at_once_with_its_defaults(region: Region) -> None:
    vpc = region.vpc()
    region.call("DeleteVpc", VpcId=vpc)
    with region.refused("InvalidVpcID.NotFound", vpc):
        region.call("DescribeVpcs", VpcIds=[vpc])
    for operation, result in (("DescribeRouteTables", "RouteTables"), ("DescribeNetworkAcls", "NetworkAcls"), ("DescribeSecurityGroups", "SecurityGroups")):
        assert region.call(operation)[result] == []
    assert region.call("DescribeSecurityGroupRules")["SecurityGroupRules"] == []


def test_a_vpc_in_use_stays(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc, "10.0.0.0/24")
    with region.refused("DependencyViolation", subnet):
        region.call("DeleteVpc", VpcId=vpc)
    region.call("DeleteSubnet", SubnetId=subnet)
    group = region.group(vpc)
    with region.refused("DependencyViolation", group):
        region.call("DeleteVpc", VpcId=vpc)
    region.call("DeleteSecurityGroup", GroupId=group)
    table = region.call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    with region.refused("DependencyViolation", table):
        region.call("DeleteVpc", VpcId=vpc)
    region.call("DeleteRouteTable", RouteTableId=table)
    region.call("DeleteVpc", VpcId=vpc)


def test_further_blocks_bring_local_routes_and_room_for_subnets(region: Region) -> None:
    vpc = region.vpc()
    with region.refused("InvalidSubnet.Range"):
        region.subnet(vpc, "10.9.0.0/24")
    added = region.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.9.0.0/16")["CidrBlockAssociation"]
    subnet = region.subnet(vpc, "10.9.0.0/24")
    assert [route["DestinationCidrBlock"] for route in region.main_table(vpc)["Routes"]] == ["10.0.0.0/16", "10.9.0.0/16"]
    with region.refused("CidrConflict"):
        region.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.9.128.0/17")
    with region.refused("DependencyViolation", subnet):
        region.call("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    region.call("DeleteSubnet", SubnetId=subnet)
    region.call("DisassociateVpcCidrBlock", AssociationId=added["AssociationId"])
    assert len(region.main_table(vpc)["Routes"]) == 1
    primary = region.call("DescribeVpcs")["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
    with region.refused("OperationNotPermitted"):
        region.call("DisassociateVpcCidrBlock", AssociationId=primary)


def test_subnets_have_zones_and_count_their_addresses(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.call("CreateSubnet", VpcId=vpc, CidrBlock="10.0.1.77/24", AvailabilityZoneId="use1-az2")["Subnet"]
    assert (subnet["CidrBlock"], subnet["AvailabilityZone"], subnet["AvailableIpAddressCount"]) == ("10.0.1.0/24", "us-east-1b", 251)
    region.call("CreateNetworkInterface", SubnetId=subnet["SubnetId"])
    (shown,) = region.call("DescribeSubnets", SubnetIds=[subnet["SubnetId"]])["Subnets"]
    assert (shown["AvailableIpAddressCount"], shown["State"]) == (250, "available")
    assert shown["SubnetArn"] == f"arn:aws:ec2:us-east-1:111122223333:subnet/{subnet['SubnetId']}"


@pytest.mark.parametrize("cidr", ["10.0.1.0/24", "10.0.0.0/23", "10.0.1.128/25"])
def test_overlapping_subnets_are_refused(region: Region, cidr: str) -> None:
    vpc = region.vpc()
    region.subnet(vpc, "10.0.1.0/24")
    with region.refused("InvalidSubnet.Conflict", cidr):
        region.subnet(vpc, cidr)


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/29", "192.168.0.0/24"])
def test_subnets_out_of_range_are_refused(region: Region, cidr: str) -> None:
    vpc = region.vpc()
    with region.refused("InvalidSubnet.Range", cidr):
        region.subnet(vpc, cidr)


DESCRIBED = {
    "Vpcs:VpcIds": "vpc", "Subnets:SubnetIds": "subnet", "RouteTables:RouteTableIds": "rtb", "InternetGateways:InternetGatewayIds": "igw",
    "NetworkAcls:NetworkAclIds": "acl", "SecurityGroups:GroupIds": "sg", "SecurityGroupRules:SecurityGroupRuleIds": "sgr",
    "ManagedPrefixLists:PrefixListIds": "pl", "NetworkInterfaces:NetworkInterfaceIds": "eni", "Instances:InstanceIds": "i",
    "TransitGateways:TransitGatewayIds": "tgw", "TransitGatewayAttachments:TransitGatewayAttachmentIds": "tgw-attach",
    "TransitGatewayRouteTables:TransitGatewayRouteTableIds": "tgw-rtb", "VpcEndpoints:VpcEndpointIds": "vpce",
}  # fmt: skip


@pytest.mark.parametrize("described", DESCRIBED)
def test_what_is_no_id_of_the_kind_is_malformed(region: Region, described: str) -> None:
    """Another kind's id, too few digits, others than hexadecimal ones in small letters; an id of the right form is merely not there."""
    (noun, member), prefix = described.split(":"), DESCRIBED[described]
    for wrong in ("x-0123456789abcdef0", f"{prefix}-0123", f"{prefix}-0123456789abcdefg", f"{prefix}-0123456789ABCDEF0", f" {prefix}-0123456789abcdef0"):
        with pytest.raises(Fault) as caught:
            region.call(f"Describe{noun}", **{member: [wrong]})
        assert caught.value.code.endswith(".Malformed")
        assert f'"{wrong}"' in caught.value.message
    for right in (f"{prefix}-0123456789abcdef0", f"{prefix}-01234567"):
        with pytest.raises(Fault) as caught:
            region.call(f"Describe{noun}", **{member: [right]})
        assert caught.value.code.endswith(".NotFound")


def test_unknown_things_are_named(region: Region) -> None:
    with region.refused("InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist"):
        region.call("CreateSubnet", VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.0.0/24")
    vpc = region.vpc()
    with region.refused("InvalidParameterValue", "us-east-1z"):
        region.subnet(vpc, "10.0.0.0/24", "z")
    with region.refused("InvalidSubnetID.NotFound", "subnet-0123456789abcdef0"):
        region.call("DeleteSubnet", SubnetId="subnet-0123456789abcdef0")
    with region.refused("InvalidParameterValue", "no-such-filter"):
        region.call("DescribeVpcs", Filters=[{"Name": "no-such-filter", "Values": ["x"]}])
    with region.refused("InvalidParameterValue", "not a valid taggable resource type"):
        region.call("CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": "b"}]}])


def test_subnet_attributes(region: Region) -> None:
    subnet = region.subnet(region.vpc(), "10.0.0.0/24")
    region.call("ModifySubnetAttribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    region.call("ModifySubnetAttribute", SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
    (shown,) = region.call("DescribeSubnets")["Subnets"]
    assert shown["MapPublicIpOnLaunch"] is True
    assert shown["PrivateDnsNameOptionsOnLaunch"]["HostnameType"] == "resource-name"
    with region.refused("InvalidParameterValue", "has no IPv6 CIDR block"):
        region.call("ModifySubnetAttribute", SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})


@pytest.mark.parametrize(
    ("name", "first"),
    [("us-east-1", "use1-az1"), ("ap-southeast-2", "apse2-az1"), ("eu-central-1", "euc1-az1"), ("us-gov-west-1", "usgw1-az1"), ("moonbase", "moonbase-az1")],
)
def test_every_region_has_three_zones(tmp_path: object, name: str, first: str) -> None:
    from pathlib import Path

    region = Region(Path(str(tmp_path)), name)
    zones = region.call("DescribeAvailabilityZones")["AvailabilityZones"]
    assert [zone["ZoneName"] for zone in zones] == [f"{name}{letter}" for letter in "abc"]
    assert zones[0]["ZoneId"] == first
    assert name in [found["RegionName"] for found in region.call("DescribeRegions")["Regions"]]
    assert region.call("DescribeAvailabilityZones", Filters=[{"Name": "zone-name", "Values": [f"{name}b"]}])["AvailabilityZones"] == zones[1:2]


def test_regions_do_not_see_each_other(region: Region) -> None:
    vpc = region.vpc()
    region.caller = region.caller.at("eu-west-1")
    assert region.call("DescribeVpcs")["Vpcs"] == []
    with region.refused("InvalidVpcID.NotFound"):
        region.call("DeleteVpc", VpcId=vpc)


def test_dry_run_changes_nothing(region: Region) -> None:
    with region.refused("DryRunOperation"):
        region.call("CreateVpc", CidrBlock="10.0.0.0/16", DryRun=True)
