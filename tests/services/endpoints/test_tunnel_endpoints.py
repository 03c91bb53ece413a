"""Network segments (resource configurations of type CIDR) and the tunnel endpoints that lead to them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import ACCOUNT, NAME

from .site import Site

WIDE = "0.0.0.0/0"


class Segments:
    """A gateway in zone a of another VPC that resolves names there."""

    def __init__(self, site: Site) -> None:
        self.site, self.lattice = site, site.lattice
        self.vpc = site.region.vpc()
        subnet = site.region.subnet(self.vpc, "10.0.1.0/24", "a")
        self.gateway = str(
            site.lattice.create_resource_gateway(
                name="segments", vpcIdentifier=self.vpc, subnetIds=[subnet], ipv4AddressesPerEni=1, resourceConfigDnsResolution="IN_VPC"
            )["id"]
        )
        site.region.settle()

    def make(self, *ranges: str, **more: Any) -> dict[str, Any]:
        definition = {"cidrResource": {"cidrRanges": list(ranges)}}
        given = {"name": "segment", "type": "CIDR", "resourceGatewayIdentifier": self.gateway, "resourceConfigurationDefinition": definition, **more}
        made = self.lattice.create_resource_configuration(**given)
        self.site.region.settle()
        return dict(made)

    def tunnel(self, segment: dict[str, Any], **more: Any) -> dict[str, Any]:
        given = {"VpcEndpointType": "Tunnel", "VpcId": self.site.vpc, "ResourceConfigurationArn": segment["arn"], "SubnetIds": self.site.subnets[:1], **more}
        return dict(self.site.ec2.create_vpc_endpoint(**given)["VpcEndpoint"])


@pytest.fixture
def segments(site: Site) -> Segments:
    return Segments(site)


def test_a_segment_is_what_was_asked_for(segments: Segments) -> None:
    made = segments.make("10.0.1.0/24", "10.0.1.0/24", "172.16.0.0/12", protocol="TCP_UDP", portRanges=["53", "8000-9000"])
    found = segments.lattice.get_resource_configuration(resourceConfigurationIdentifier=made["id"])
    assert (found["type"], found["status"], found["protocol"], found["portRanges"]) == ("CIDR", "ACTIVE", "TCP_UDP", ["53", "8000-9000"])
    assert found["resourceConfigurationDefinition"] == {"cidrResource": {"cidrRanges": ["10.0.1.0/24", "172.16.0.0/12"]}}
    more = {"resourceConfigurationDefinition": {"cidrResource": {"cidrRanges": [WIDE]}}, "portRanges": ["443"]}
    changed = segments.lattice.update_resource_configuration(resourceConfigurationIdentifier=made["id"], **more)
    assert (changed["resourceConfigurationDefinition"], changed["portRanges"]) == (more["resourceConfigurationDefinition"], ["443"])


def test_of_ports_and_protocol_there_are_defaults(segments: Segments) -> None:
    made = segments.make("10.0.1.0/24")
    assert (made["portRanges"], made["protocol"], made["allowAssociationToShareableServiceNetwork"]) == (["1-65535"], "TCP", False)


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        (["10.0.0.0"], "10.0.0.0 is not a CIDR range"),
        (["10.0.0.1/16"], "10.0.0.1/16 is not a CIDR range"),
        (["10.0.0.0/33"], "10.0.0.0/33 is not a CIDR range"),
        (["example.com"], "example.com is not a CIDR range"),
        ([WIDE, "10.0.0.0/8"], "must be the only range"),
        (["169.254.0.0/16"], "169.254.0.0/16 is reserved"),
        (["169.254.169.254/32"], "169.254.0.0/16 is reserved"),
        (["100.64.0.0/10"], "100.64.0.0/10 is reserved"),
        (["100.0.0.0/8"], "100.64.0.0/10 is reserved"),
        (["224.0.0.0/4"], "224.0.0.0/4 is reserved"),
        (["127.0.0.0/8"], "127.0.0.0/8 is reserved"),
        (["fe80::/10"], "fe80::/10 is reserved"),
        (["ff02::/16"], "ff00::/8 is reserved"),
        (["2001:db8::/32"], "the IP address type of resource gateway"),
        (["::/0"], "the IP address type of resource gateway"),
    ],
)
def test_ranges_that_cannot_be_are_refused(segments: Segments, ranges: list[str], words: str) -> None:
    with segments.site.region.refused("ValidationException", words):
        segments.make(*ranges)


def test_ranges_are_of_families_that_the_gateway_has(segments: Segments) -> None:
    block = segments.site.ec2.associate_vpc_cidr_block(VpcId=segments.vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    given = {"VpcId": segments.vpc, "CidrBlock": "10.0.2.0/24", "Ipv6CidrBlock": block.replace("/56", "/64"), "AvailabilityZone": f"{NAME}a"}
    subnet = segments.site.ec2.create_subnet(**given)["Subnet"]["SubnetId"]
    segments.gateway = segments.lattice.create_resource_gateway(
        name="both", vpcIdentifier=segments.vpc, subnetIds=[subnet], ipAddressType="DUALSTACK", resourceConfigDnsResolution="IN_VPC"
    )["id"]
    segments.site.region.settle()
    ranges = ["10.0.1.0/24", "2001:db8::/32"]
    assert segments.make(*ranges)["resourceConfigurationDefinition"] == {"cidrResource": {"cidrRanges": ranges}}
    with segments.site.region.refused("ValidationException", "must be the only range"):
        segments.make("0.0.0.0/0", "::/0", name="everything")
    assert segments.make("::/0", name="everything")["type"] == "CIDR"


@pytest.mark.parametrize("count", [0, 11])
def test_there_are_one_to_ten_ranges(segments: Segments, count: int) -> None:
    with segments.site.region.refused("ValidationException", "cidrRanges"):
        segments.make(*(f"10.{number}.0.0/16" for number in range(count)))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"customDomainName": "db.example.net"}, "customDomainName is not for"),
        ({"groupDomain": "example.net"}, "groupDomain is not for"),
        ({"allowAssociationToShareableServiceNetwork": True}, "allowAssociationToShareableServiceNetwork is not for"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.7"}}}, "needs a cidrResource"),
        ({"type": "SINGLE"}, "needs an ipResource or a dnsResource"),
    ],
)
def test_what_segments_do_not_have_is_refused(segments: Segments, more: dict[str, Any], words: str) -> None:
    with segments.site.region.refused("ValidationException", words):
        segments.make("10.0.1.0/24", **more)


def test_names_are_resolved_in_the_gateways_vpc(segments: Segments) -> None:
    with segments.site.region.refused("ValidationException", "resourceConfigDnsResolution is IN_VPC"):
        segments.make("10.0.1.0/24", resourceGatewayIdentifier=segments.site.gateway)
    made = segments.make("10.0.1.0/24")
    with segments.site.region.refused("ValidationException", f"{made['id']} of type CIDR, for which PUBLIC is not supported"):
        segments.lattice.update_resource_gateway(resourceGatewayIdentifier=segments.gateway, resourceConfigDnsResolution="PUBLIC")


def test_no_service_network_no_policy_no_log(segments: Segments) -> None:
    made, lattice = segments.make("10.0.1.0/24"), segments.lattice
    with segments.site.region.refused("ValidationException", "not through a service network"):
        lattice.create_service_network_resource_association(
            serviceNetworkIdentifier=segments.site.network["id"], resourceConfigurationIdentifier=made["id"]
        )
    with segments.site.region.refused("ValidationException", "nothing decides by an auth policy in a tunnel"):
        lattice.put_auth_policy(resourceIdentifier=made["id"], policy='{"Version":"2012-10-17","Statement":[]}')
    with segments.site.region.refused("ValidationException", "no access logs of tunnels"):
        lattice.create_access_log_subscription(resourceIdentifier=made["id"], destinationArn=f"arn:aws:logs:{NAME}:{ACCOUNT}:log-group:/x:*")


def test_a_tunnel_has_an_address_and_names(segments: Segments) -> None:
    made = segments.make("10.0.1.0/24")
    endpoint = segments.tunnel(made)["VpcEndpointId"]
    assert segments.site.shown(endpoint)["State"] == "pending"
    segments.site.region.settle()
    shown = segments.site.shown(endpoint)
    (interface,) = segments.site.interfaces(endpoint)
    assert shown["Ipv4Prefixes"] == [{"SubnetId": segments.site.subnets[0], "IpPrefixes": [f"{interface['PrivateIpAddress']}/32"]}]
    assert (shown["State"], shown["VpcEndpointType"], shown["ResourceConfigurationArn"]) == ("available", "Tunnel", made["arn"])
    rest = f"{made['id']}.4232ccc.vpc-lattice-rsc.{NAME}.on.aws"
    assert [entry["DnsName"] for entry in shown["DnsEntries"]] == [f"{endpoint}.{rest}", f"{endpoint}-{NAME}a.{rest}"]
    (association,) = segments.site.associations(endpoint)
    assert (association["AssociatedResourceArn"], association["AssociatedResourceAccessibility"]) == (made["arn"], "Accessible")
    (listed,) = segments.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=made["id"])["items"]
    assert listed["vpcEndpointId"] == endpoint
    with segments.site.region.refused("ConflictException", "is in use by ResourceEndpointAssociation"):
        segments.lattice.delete_resource_configuration(resourceConfigurationIdentifier=made["id"])
    segments.lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=listed["arn"])
    assert segments.site.shown(endpoint)["State"] == "failed"
    assert segments.site.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"] == []


def test_every_zone_has_inner_addresses_of_its_own(segments: Segments) -> None:
    made = segments.make("10.0.1.0/24")
    first, second = (segments.tunnel(made)["VpcEndpointId"] for _ in range(2))
    segments.site.ec2.delete_vpc_endpoints(VpcEndpointIds=[first])
    segments.site.region.settle()
    third = segments.tunnel(made)["VpcEndpointId"]
    with segments.site.region.store.read() as snapshot:
        numbers = {row.id: [zone["_Inner"] for zone in row.document["_zones"]] for row in snapshot.rows("ec2:VpcEndpoint")}
    assert numbers == {second: [1], third: [0]}


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"PrivateDnsEnabled": True}, "InvalidParameter", "privateDnsEnabled is not supported for endpoints of type Tunnel"),
        ({"ServiceNetworkArn": "arn:aws:vpc-lattice:x"}, "InvalidParameter", "serviceNetworkArn"),
        ({"PolicyDocument": "{}"}, "InvalidParameter", "policyDocument"),
        ({"ResourceConfigurationArn": ""}, "MissingParameter", "resourceConfigurationArn"),
        ({"IpAddressType": "ipv6"}, "InvalidParameter", "no IPv6 CIDR block"),
        ({"VpcEndpointType": "Resource"}, "InvalidParameterValue", "of type Resource does not lead to a resource configuration of type CIDR"),
    ],
)
def test_what_tunnels_cannot_be_is_refused(segments: Segments, given: dict[str, Any], code: str, words: str) -> None:
    made = segments.make("10.0.1.0/24")
    with segments.site.region.refused(code, words):
        segments.tunnel(made, **given)


def test_a_tunnel_leads_to_a_segment_in_its_zones(segments: Segments) -> None:
    with segments.site.region.refused("InvalidParameterValue", "of type Tunnel does not lead to a resource configuration of type SINGLE"):
        segments.tunnel(segments.site.configuration)
    made = segments.make("10.0.1.0/24")
    elsewhere = f"is in {NAME}b, where the resource gateway of {made['id']} is not: it is in {NAME}a."
    with segments.site.region.refused("InvalidParameter", elsewhere):
        segments.tunnel(made, SubnetIds=segments.site.subnets)
    endpoint = segments.tunnel(made)["VpcEndpointId"]
    segments.site.region.settle()
    with segments.site.region.refused("InvalidParameter", elsewhere):
        segments.site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSubnetIds=segments.site.subnets[1:])
    with segments.site.region.refused("InvalidParameter", "privateDnsEnabled"):
        segments.site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=True)
    segments.site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, SubnetConfigurations=[{"SubnetId": segments.site.subnets[0], "Ipv4": "10.0.1.77"}])
    assert segments.site.shown(endpoint)["Ipv4Prefixes"][0]["IpPrefixes"] == ["10.0.1.77/32"]
