"""What a VPC's router does not let through, told from its plan."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import Region

from latticewall.base.ids import table_number
from latticewall.control_plane.world import compile_snapshot
from latticewall.plan.nft import Chain
from latticewall.plan.topology import Namespace


@pytest.fixture
def router(region: Region) -> Any:
    """vpc -> its namespace, as everything that was made so far compiles."""

    def found(vpc: str) -> Namespace:
        region.settle()
        with region.store.read() as snapshot:
            return next(item for item in compile_snapshot(snapshot, "2026-01-02T03:05:00Z").namespaces if item.name == vpc)

    return found


def interface(region: Region, subnet: str, *groups: str) -> str:
    """A network interface of a running instance."""
    image = region.ec2.describe_images()["Images"][0]
    size = "t4g.micro" if image["Architecture"] == "arm64" else "t3.micro"
    more = {"SecurityGroupIds": list(groups)} if groups else {}
    made = region.ec2.run_instances(ImageId=image["ImageId"], InstanceType=size, MinCount=1, MaxCount=1, SubnetId=subnet, **more)["Instances"][0]
    return str(made["NetworkInterfaces"][0]["NetworkInterfaceId"])


def ways(router: Namespace, subnet: str) -> dict[str, str]:
    """Destination -> kind, of the subnet's routing table."""
    return {route.destination: route.kind for route in router.routes if route.table == table_number(subnet)}


def acl_chains(router: Namespace) -> dict[str, Chain]:
    return {chain.name[:7]: chain for chain in router.ruleset.chains if chain.name.startswith("acl_")}


def test_what_a_subnets_table_does_not_route_goes_nowhere(region: Region, router: Any) -> None:
    """Without an end of its own a table would hand the packet on to the router's own table, which knows every interface of the VPC."""
    vpc = region.vpc("10.0.0.0/16")
    subnet = region.subnet(vpc)
    interface(region, subnet)
    found = ways(router(vpc), subnet)
    assert (found["default"], found["10.0.0.0/16"]) == ("blackhole", "blackhole")


def test_a_transit_gateway_is_reached_in_the_attachments_zones_and_over_its_families(region: Region, router: Any) -> None:
    vpc = str(region.ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"])
    near, far = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")
    gateway = region.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    region.settle()
    region.ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[near])
    region.settle()
    table = region.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    region.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", TransitGatewayId=gateway)
    region.ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="2001:db8:9::/48", TransitGatewayId=gateway)
    for subnet in (near, far):
        interface(region, subnet)
    found = router(vpc)
    assert (ways(found, near)["10.9.0.0/16"], ways(found, far)["10.9.0.0/16"]) == ("unicast", "blackhole")
    assert ways(found, near)["2001:db8:9::/48"] == "blackhole", "the attachment has no Ipv6Support"


def test_a_route_for_a_whole_subnet_is_the_only_way_there(region: Region, router: Any) -> None:
    vpc = region.vpc()
    here, there, middle = region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24"), region.subnet(vpc, "10.0.3.0/24")
    inspector = interface(region, middle)
    interface(region, here)
    table = region.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    region.ec2.associate_route_table(RouteTableId=table, SubnetId=here)
    address = region.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface(region, there)])["NetworkInterfaces"][0]["PrivateIpAddress"]
    assert ways(router(vpc), here)[f"{address}/32"] == "unicast"
    region.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.2.0/24", NetworkInterfaceId=inspector)
    found = ways(router(vpc), here)
    assert f"{address}/32" not in found, "longer than the route: it would go round the inspector"
    assert found["10.0.2.0/24"] == "unicast"


@pytest.mark.parametrize("entries", [[(True, "-1"), (False, "6")], [(True, "-1")]], ids=["one protocol in", "nothing in"])
def test_an_acl_is_open_only_where_both_directions_let_everything_pass(region: Region, router: Any, entries: list[tuple[bool, str]]) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    interface(region, subnet)
    assert acl_chains(router(vpc)) == {}
    acl = region.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for egress, protocol in entries:
        entry = {"RuleNumber": 1, "Protocol": protocol, "PortRange": {"From": 0, "To": 65535}, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        region.ec2.create_network_acl_entry(NetworkAclId=acl, Egress=egress, **entry)
    held = region.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]["Associations"][0]
    region.ec2.replace_network_acl_association(AssociationId=held["NetworkAclAssociationId"], NetworkAclId=acl)
    found = acl_chains(router(vpc))
    assert set(found) == {"acl_in_", "acl_out"}
    assert all(chain.rules[-1].verdict == "drop" for chain in found.values())


def test_icmp_is_let_in_by_type_and_code(region: Region, router: Any) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    group = region.ec2.create_security_group(VpcId=vpc, GroupName="pinged", Description="x")["GroupId"]
    permission = {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    region.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    interface(region, subnet, group)
    (gate,) = (chain for chain in router(vpc).ruleset.chains if chain.name.startswith("in_"))
    rule, last = gate.rules
    assert [(match.key, match.values) for match in rule.matches] == [("icmp type", ("3",)), ("icmp code", ("4",))]
    assert last.verdict == "drop"
