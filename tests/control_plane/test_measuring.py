"""Which Availability Zone an address in the access log is in."""

from __future__ import annotations

from ipaddress import IPv6Network

from tests.region import Region

from latticewall.control_plane.measuring import Zones


def test_zones_of_addresses_of_both_families(region: Region) -> None:
    """Those of interfaces, and of whatever else is in a subnet; IPv6 as the log has it, in brackets or without."""
    vpc, zone = region.vpc(), f"{region.ec2.meta.region_name}b"
    subnet = region.subnet(vpc, "10.0.2.0/24", "b")
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    home, elsewhere, *_ = IPv6Network(block).subnets(new_prefix=64)
    region.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(home))
    made = region.ec2.create_network_interface(SubnetId=subnet, Ipv6AddressCount=1)["NetworkInterface"]
    with region.store.read() as snapshot:
        zones = Zones(snapshot)
    known = [made["PrivateIpAddress"], made["Ipv6Addresses"][0]["Ipv6Address"], "10.0.2.77", str(home[77]), f"[{home[78]}]"]
    assert [zones(vpc, address) for address in known] == [zone] * len(known)
    assert [zones(vpc, address) for address in ("10.0.9.9", str(elsewhere[1]), "", "pipe")] == [""] * 4
    assert zones("vpc-0123456789abcdef0", str(home[77])) == ""
