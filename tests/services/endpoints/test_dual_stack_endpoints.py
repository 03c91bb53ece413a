"""Endpoints with IPv6 addresses, alone and beside IPv4 ("IP address type", "DNS record IP type"), through boto3."""

from __future__ import annotations

from typing import Any

import pytest

from .site import DOMAIN, Site


def test_a_prefix_and_addresses_of_both_families(site: Site) -> None:
    """A /28 and a /80 in each zone; what is reserved belongs to nobody else."""
    blocks = site.with_ipv6()
    made = site.of_network(IpAddressType="dualstack")
    assert (made["IpAddressType"], made["DnsOptions"]) == ("dualstack", {"DnsRecordIpType": "dualstack"})
    prefixes = [str(next(iter(block.subnets(new_prefix=80)))).replace("::/", ":1::/") for block in blocks]
    assert [one["IpPrefixes"] for one in made["Ipv6Prefixes"]] == [[prefix] for prefix in prefixes]
    assert [one["SubnetId"] for one in made["Ipv6Prefixes"]] == [one["SubnetId"] for one in made["Ipv4Prefixes"]] == site.subnets
    interfaces = site.interfaces(made["VpcEndpointId"])
    assert [one["Ipv6Address"] for one in interfaces] == [str(block[4]) for block in blocks]
    assert [one["Ipv6Addresses"][0]["Ipv6Address"] for one in interfaces] == [str(block[4]) for block in blocks]
    assert [one["Ipv6Prefixes"] for one in interfaces] == [[{"Ipv6Prefix": prefix}] for prefix in prefixes]
    assert [len(one["PrivateIpAddresses"]) for one in interfaces] == [1, 1]
    with site.region.refused("InvalidIPAddress.InUse"):
        site.ec2.create_network_interface(SubnetId=site.subnets[0], Ipv6Addresses=[{"Ipv6Address": prefixes[0].replace("/80", "7")}])
    with site.region.refused("DependencyViolation"):
        (association,) = site.ec2.describe_subnets(SubnetIds=site.subnets[:1])["Subnets"][0]["Ipv6CidrBlockAssociationSet"]
        site.ec2.disassociate_subnet_cidr_block(AssociationId=association["AssociationId"])
    second = site.of_network(IpAddressType="dualstack", SubnetIds=site.subnets[:1])
    assert second["Ipv6Prefixes"][0]["IpPrefixes"] == [prefixes[0].replace(":1::", ":2::")]
    found = site.ec2.describe_vpc_endpoints(Filters=[{"Name": "ip-address-type", "Values": ["dualstack"]}])["VpcEndpoints"]
    assert {one["VpcEndpointId"] for one in found} == {made["VpcEndpointId"], second["VpcEndpointId"]}


def test_ipv6_alone(site: Site) -> None:
    """No IPv4 address is taken; a subnet without a free /28 will do."""
    site.with_ipv6()
    free = site.ec2.describe_subnets(SubnetIds=site.subnets[:1])["Subnets"][0]["AvailableIpAddressCount"]
    made = site.of_network(IpAddressType="ipv6", SubnetIds=site.subnets[:1])
    assert (made.get("Ipv4Prefixes"), len(made["Ipv6Prefixes"]), made["DnsOptions"]["DnsRecordIpType"]) == (None, 1, "ipv6")
    (interface,) = site.interfaces(made["VpcEndpointId"])
    assert (interface.get("PrivateIpAddress"), interface["PrivateIpAddresses"], interface.get("PrivateDnsName")) == (None, [], None)
    assert site.ec2.describe_subnets(SubnetIds=site.subnets[:1])["Subnets"][0]["AvailableIpAddressCount"] == free
    site.join(site.configuration["id"])
    for _ in range(2):
        site.region.settle()
    assert site.shown(made["VpcEndpointId"])["State"] == "available"
    assert [one["AssociatedResourceAccessibility"] for one in site.associations(made["VpcEndpointId"])] == ["Accessible"] * 2


def test_in_an_ipv6_only_subnet(site: Site) -> None:
    six, block = site.region.ipv6_only(site.vpc)
    for type_ in ("ipv4", "dualstack"):
        with site.region.refused("InvalidParameter", f"{six} does not support the IP address type {type_}"):
            site.of_network(IpAddressType=type_, SubnetIds=[six])
    prefix = str(next(iter(block.subnets(new_prefix=80)))).replace("::/", ":1::/")
    made = site.of_network(IpAddressType="ipv6", SubnetIds=[six])
    assert made["Ipv6Prefixes"] == [{"SubnetId": six, "IpPrefixes": [prefix]}]
    (interface,) = site.interfaces(site.of_resource(IpAddressType="ipv6", SubnetIds=[six])["VpcEndpointId"])
    assert (interface["Ipv6Address"], interface["PrivateIpAddresses"], interface["Ipv6Native"]) == (str(block[5]), [], True)
    site.region.settle()
    with site.region.refused("InvalidParameter", "IPv6-only"):
        site.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], IpAddressType="dualstack")


def test_addresses_are_chosen(site: Site) -> None:
    (block, _), (home, _) = site.with_ipv6(), site.subnets
    wanted = {"SubnetId": home, "Ipv4": "10.0.1.77", "Ipv6": f"{block[0x77]}"}
    made = site.of_resource(IpAddressType="dualstack", SubnetIds=[], SubnetConfigurations=[{**wanted, "Ipv6": block[0x77].exploded.upper()}])
    assert (made.get("Ipv4Prefixes"), made.get("Ipv6Prefixes")) == (None, None)
    (interface,) = site.interfaces(made["VpcEndpointId"])
    assert (interface["PrivateIpAddress"], interface["Ipv6Address"]) == ("10.0.1.77", wanted["Ipv6"])
    other = {**wanted, "Ipv4": "10.0.1.78"}
    for given in (
        {**wanted, "Ipv6": ""}, {**wanted, "Ipv4": ""}, {**other, "Ipv6": "2001:db8:ffff::1"}, {**other, "Ipv6": f"{block[2]}"},
        {**other, "Ipv6": f"{wanted['Ipv6']}%eth0"}, {**other, "Ipv6": "six"},
    ):  # fmt: skip
        with site.region.refused("InvalidParameterValue" if given["Ipv4"] and given["Ipv6"] else "InvalidParameter"):
            site.of_resource(IpAddressType="dualstack", SubnetIds=[], SubnetConfigurations=[given])
    with site.region.refused("InvalidIPAddress.InUse"):
        site.of_resource(IpAddressType="ipv6", SubnetIds=[], SubnetConfigurations=[{"SubnetId": home, "Ipv6": wanted["Ipv6"]}])
    with site.region.refused("InvalidParameter", "not allowed"):
        site.of_resource(IpAddressType="ipv6", SubnetIds=[], SubnetConfigurations=[{**wanted, "Ipv6": f"{block[0x78]}"}])
    site.region.settle()
    moved = [{**wanted, "Ipv6": f"{block[0x79]}"}]
    site.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], SubnetConfigurations=moved)
    (second,) = site.interfaces(made["VpcEndpointId"])
    assert (second["PrivateIpAddress"], second["Ipv6Address"]) == ("10.0.1.77", str(block[0x79]))
    assert second["NetworkInterfaceId"] != interface["NetworkInterfaceId"]
    site.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], SubnetConfigurations=moved)
    assert site.interfaces(made["VpcEndpointId"])[0]["NetworkInterfaceId"] == second["NetworkInterfaceId"]


def test_from_one_type_to_another(site: Site) -> None:
    """What stays of the addresses stays the same; records follow where they must."""
    site.join(site.configuration["id"])
    plain = site.of_network(SubnetIds=site.subnets[:1])["VpcEndpointId"]
    site.region.settle()
    with site.region.refused("InvalidParameter", site.subnets[0]):
        site.ec2.modify_vpc_endpoint(VpcEndpointId=plain, IpAddressType="dualstack")
    site.with_ipv6()

    def change(**given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        site.ec2.modify_vpc_endpoint(VpcEndpointId=plain, **given)
        site.region.settle()
        (interface,) = site.interfaces(plain)
        return site.shown(plain), interface

    (before,) = site.interfaces(plain)
    assert len(before["PrivateIpAddresses"]) == 2
    shown, interface = change(IpAddressType="dualstack")
    assert (shown["State"], shown["IpAddressType"], shown["DnsOptions"]["DnsRecordIpType"]) == ("available", "dualstack", "ipv4")
    assert {name: interface[name] for name in before if not name.startswith("Ipv6")} == {name: before[name] for name in before if not name.startswith("Ipv6")}
    assert (len(interface["Ipv6Addresses"]), len(interface["Ipv6Prefixes"])) == (1, 1)
    assert change(DnsOptions={"DnsRecordIpType": "service-defined"})[0]["DnsOptions"] == {"DnsRecordIpType": "service-defined"}
    with site.region.refused("InvalidParameterCombination"):
        site.ec2.modify_vpc_endpoint(VpcEndpointId=plain, IpAddressType="ipv6", DnsOptions={"DnsRecordIpType": "ipv4"})
    shown, only = change(IpAddressType="ipv6")
    assert (shown["IpAddressType"], shown["DnsOptions"]["DnsRecordIpType"], shown.get("Ipv4Prefixes")) == ("ipv6", "ipv6", None)
    assert (only["PrivateIpAddresses"], only.get("Ipv4Prefixes"), only["Ipv6Address"]) == ([], None, interface["Ipv6Address"])
    shown, back = change(IpAddressType="ipv4")
    assert (shown["IpAddressType"], shown["DnsOptions"]["DnsRecordIpType"], shown.get("Ipv6Prefixes")) == ("ipv4", "ipv4", None)
    assert (len(back["PrivateIpAddresses"]), back["Ipv6Addresses"], back.get("Ipv6Prefixes"), back.get("Ipv6Address")) == (2, [], None, None)
    assert {one["AssociatedResourceAccessibility"] for one in site.associations(plain)} == {"Accessible"}
    assert site.ec2.describe_subnets(SubnetIds=site.subnets[:1])["Subnets"][0]["AvailableIpAddressCount"] == 251 - 1 - 2 - 16


def test_subnets_change_with_the_type(site: Site) -> None:
    """Only the subnets that stay must have IPv6."""
    without = site.region.subnet(site.vpc, "10.0.7.0/24", "c")
    endpoint = site.of_network(SubnetIds=[site.subnets[0], without])["VpcEndpointId"]
    site.region.settle()
    site.with_ipv6()
    with site.region.refused("InvalidParameter", without):
        site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, IpAddressType="dualstack")
    site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, IpAddressType="dualstack", RemoveSubnetIds=[without], AddSubnetIds=site.subnets[1:])
    assert [len(one["Ipv6Prefixes"]) for one in site.interfaces(endpoint)] == [1, 1]


@pytest.mark.parametrize("address_type", ["dualstack", "ipv6"])
def test_a_group_has_an_address_for_each_resource(site: Site, address_type: str) -> None:
    site.with_ipv6()
    group = site.lattice.create_resource_configuration(name="all", type="GROUP", resourceGatewayIdentifier=site.gateway)
    site.region.settle()
    for number in range(2):
        site.lattice.create_resource_configuration(
            name=f"child{number}", type="CHILD", resourceConfigurationGroupIdentifier=group["id"], portRanges=[str(7000 + number)],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.200"}},
        )  # fmt: skip
    site.region.settle()
    made = site.of_resource(ResourceConfigurationArn=group["arn"], IpAddressType=address_type)["VpcEndpointId"]
    site.region.settle()
    (interface,) = site.interfaces(made)
    assert len(interface["Ipv6Addresses"]) == 2
    assert len(interface["PrivateIpAddresses"]) == (2 if address_type == "dualstack" else 0)


def test_private_names_follow_the_preference(site: Site) -> None:
    site.with_ipv6()
    made = site.of_resource(IpAddressType="ipv6", PrivateDnsEnabled=True, DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"})
    assert made["DnsOptions"] == {"DnsRecordIpType": "ipv6", "PrivateDnsPreference": "ALL_DOMAINS"}
    assert [one["PrivateDnsEntry"]["DnsName"] for one in site.associations(made["VpcEndpointId"])] == [DOMAIN]
