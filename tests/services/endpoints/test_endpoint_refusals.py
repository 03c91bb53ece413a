"""Endpoints that are not made, and by whom they may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, client

from latticewall.services.ec2 import lattice_endpoint

from .site import Site


def test_its_interfaces_are_not_the_users(site: Site) -> None:
    interface = site.of_network()["NetworkInterfaceIds"][0]
    for call, more in (
        ("delete_network_interface", {}), ("modify_network_interface_attribute", {"SourceDestCheck": {"Value": False}}),
        ("assign_private_ip_addresses", {"SecondaryPrivateIpAddressCount": 1}), ("unassign_private_ip_addresses", {"PrivateIpAddresses": ["10.0.1.4"]}),
    ):  # fmt: skip
        with site.region.refused("OperationNotPermitted"):
            getattr(site.ec2, call)(NetworkInterfaceId=interface, **more)


REFUSED = [
    ({"SubnetIds": []}, "MissingParameter"),
    ({"ServiceNetworkArn": ""}, "MissingParameter"),
    ({"ServiceNetworkArn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:servicenetwork/sn-0123456789abcdef0"}, "InvalidParameterValue"),
    ({"PolicyDocument": "{}"}, "InvalidParameter"),
    ({"RouteTableIds": ["rtb-0"]}, "InvalidParameter"),
    ({"ServiceName": "com.amazonaws.x.s3"}, "InvalidParameter"),
    ({"ResourceConfigurationArn": "arn:aws:vpc-lattice:x"}, "InvalidParameter"),
    ({"IpAddressType": "ipv6"}, "InvalidParameter"),  # the subnets have no IPv6
    ({"IpAddressType": "dualstack"}, "InvalidParameter"),
    ({"IpAddressType": "six"}, "InvalidParameterValue"),
    ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
    ({"SubnetIds": ["subnet-0123456789abcdef0"]}, "InvalidSubnetID.NotFound"),
    ({"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcID.NotFound"),
    ({"ServiceRegion": "us-west-2"}, "UnsupportedOperation"),
    ({"DnsOptions": {"DnsRecordIpType": "ipv6"}}, "InvalidParameterCombination"),
    ({"DnsOptions": {"DnsRecordIpType": "service-defined"}}, "InvalidParameterCombination"),
    ({"DnsOptions": {"DnsRecordIpType": "six"}}, "InvalidParameterValue"),
    ({"DnsOptions": {"PrivateDnsPreference": "ALL_DOMAINS"}}, "InvalidParameterCombination"),
    ({"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsPreference": "SOME"}}, "InvalidParameterValue"),
    ({"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY"}}, "InvalidParameterCombination"),
    ({"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsSpecifiedDomains": ["example.com"]}}, "InvalidParameterCombination"),
    (
        {"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": ["a b"]}},
        "InvalidParameterValue",
    ),
    ({"TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]}, "InvalidParameterValue"),
    ({"VpcEndpointType": "Interface"}, "UnsupportedOperation"),
    ({"VpcEndpointType": "Gateway"}, "UnsupportedOperation"),
    ({"VpcEndpointType": "GatewayLoadBalancer"}, "UnsupportedOperation"),
    ({"DryRun": True}, "DryRunOperation"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "code"), REFUSED, ids=[f"{code}-{next(iter(given))}" for given, code in REFUSED])
def test_what_is_refused(site: Site, given: dict[str, Any], code: str) -> None:
    with site.region.refused(code):
        site.of_network(**given)


def test_one_subnet_per_zone_and_a_free_block_in_each(site: Site) -> None:
    neighbour = site.region.subnet(site.vpc, "10.0.3.0/24", "a")
    with site.region.refused("DuplicateSubnetsInSameZone"):
        site.of_network(SubnetIds=[site.subnets[0], neighbour])
    elsewhere = site.region.subnet(site.region.vpc("10.9.0.0/16"), "10.9.0.0/24", "b")
    with site.region.refused("InvalidParameter", elsewhere):
        site.of_network(SubnetIds=[site.subnets[0], elsewhere])
    for small in ("10.0.4.0/28", "10.0.4.32/27"):  # every /28 of these holds a reserved address
        subnet = site.region.subnet(site.vpc, small, "c")
        with site.region.refused("InsufficientCidrBlocks", subnet):
            site.of_network(SubnetIds=[subnet])
    assert site.of_network(SubnetIds=[site.region.subnet(site.vpc, "10.0.4.64/26", "c")])["Ipv4Prefixes"][0]["IpPrefixes"] == ["10.0.4.80/28"]


def test_the_quota_of_a_network(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lattice_endpoint.MOST_PER_NETWORK == 200
    monkeypatch.setattr(lattice_endpoint, "MOST_PER_NETWORK", 1)
    first = site.of_network(SubnetIds=site.subnets[:1])["VpcEndpointId"]
    with site.region.refused("VpcEndpointLimitExceeded"):
        site.of_network(SubnetIds=site.subnets[:1])
    site.ec2.delete_vpc_endpoints(VpcEndpointIds=[first])
    site.of_network(SubnetIds=site.subnets[:1])


def test_policies_can_ask_for_the_preference(site: Site) -> None:
    options = {"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": ["example.com"]}
    statement = {"Effect": "Allow", "Action": ["ec2:*", "vpc-lattice:*"], "Resource": "*"}
    limited = {"Effect": "Deny", "Action": "ec2:CreateVpcEndpoint", "Resource": "arn:aws:ec2:*:*:vpc-endpoint/*",
               "Condition": {"ForAnyValue:StringEquals": {"ec2:VpcePrivateDnsSpecifiedDomains": "example.com"}}}  # fmt: skip
    alice = site.region.as_user("ec2", json.dumps({"Version": "2012-10-17", "Statement": [statement, limited]}))
    given = {"VpcEndpointType": "ServiceNetwork", "VpcId": site.vpc, "ServiceNetworkArn": site.network["arn"], "SubnetIds": site.subnets}
    with site.region.refused("UnauthorizedOperation"):
        alice.create_vpc_endpoint(**given, PrivateDnsEnabled=True, DnsOptions=options)
    alice.create_vpc_endpoint(**given)


def test_no_route_leads_to_it(site: Site) -> None:
    endpoint = site.of_network()["VpcEndpointId"]
    table = site.ec2.create_route_table(VpcId=site.vpc)["RouteTable"]["RouteTableId"]
    with site.region.refused("InvalidParameterValue", endpoint):
        site.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", VpcEndpointId=endpoint)


def test_who_may(site: Site) -> None:
    """ec2:CreateVpcEndpoint alone does not join a service network; the permission-only action of VPC Lattice does."""
    both = '"ec2:CreateVpcEndpoint"', '"vpc-lattice:CreateServiceNetworkVpcEndpointAssociation"'
    given = {"VpcEndpointType": "ServiceNetwork", "VpcId": site.vpc, "ServiceNetworkArn": site.network["arn"], "SubnetIds": site.subnets}
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [%s], "Resource": "*"}]}'
    alice = site.region.as_user("ec2", policy % both[0])
    with site.region.refused("UnauthorizedOperation", both[1].strip('"')):
        alice.create_vpc_endpoint(**given)
    site.region.as_user("ec2", policy % ", ".join(both))
    alice.create_vpc_endpoint(**given)


def test_what_does_not_exist_has_no_endpoints(site: Site) -> None:
    """As with all lists that model no ResourceNotFoundException."""
    assert site.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier="sn-0123456789abcdef0")["items"] == []
    assert site.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier="rcfg-0123456789abcdef0")["items"] == []


def test_across_accounts(site: Site) -> None:
    """An endpoint in the VPC of an account with which the network or resource is shared; its owner sees it, and may end that of the resource."""
    other = "444455556666"
    ec2, lattice = client("ec2", other), client("vpc-lattice", other)
    vpc = ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.3.0.0/24")["Subnet"]["SubnetId"]
    network = {"VpcEndpointType": "ServiceNetwork", "VpcId": vpc, "ServiceNetworkArn": site.network["arn"], "SubnetIds": [subnet]}
    resource = {"VpcEndpointType": "Resource", "VpcId": vpc, "ResourceConfigurationArn": site.configuration["arn"], "SubnetIds": [subnet]}
    for given in (network, resource):
        with site.region.refused("InvalidParameterValue"):
            ec2.create_vpc_endpoint(**given)
    ram = client("ram")
    for shared in (site.network["arn"], site.configuration["arn"]):
        ram.create_resource_share(name="doors", resourceArns=[shared], principals=[other])
    for invitation in client("ram", other).get_resource_share_invitations()["resourceShareInvitations"]:
        client("ram", other).accept_resource_share_invitation(resourceShareInvitationArn=invitation["resourceShareInvitationArn"])
    made = [ec2.create_vpc_endpoint(**given)["VpcEndpoint"]["VpcEndpointId"] for given in (network, resource)]
    site.region.settle()
    assert [one["AssociatedResourceAccessibility"] for one in ec2.describe_vpc_endpoint_associations()["VpcEndpointAssociations"]] == ["Accessible"] * 2
    own = site.of_network()
    (told, second) = site.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=site.network["id"])["items"]
    assert (told["vpcEndpointId"], told["vpcEndpointOwnerId"]) == (made[0], other)
    assert (second["vpcEndpointId"], second["vpcEndpointOwnerId"]) == (own["VpcEndpointId"], ACCOUNT)
    assert lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=site.network["arn"])["items"] == [told]
    (seen,) = lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration["arn"])["items"]
    assert (seen["vpcEndpointId"], seen["arn"].split(":")[4]) == (made[1], other)
    (told,) = site.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration["id"])["items"]
    assert (told["vpcEndpointOwner"], told["arn"].split(":")[4]) == (other, ACCOUNT)
    with site.region.refused("AccessDeniedException"):
        lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=told["id"])
    site.lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=told["arn"])
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[made[1]])["VpcEndpoints"][0]["State"] == "failed"
