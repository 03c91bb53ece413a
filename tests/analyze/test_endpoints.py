"""Requests and connections through VPC endpoints: the endpoint's groups in place of the association's, and what is not followed is not claimed."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest
from tests.region import NAME

from .lab import ALLOW_ALL, IDENTITY, Lab, gate, outcomes, policy


class Doors(Lab):
    """The lab, its VPC no longer associated, with an endpoint of its network and one of a resource, in a subnet of their own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=self.association)
        self.doors = self.region.subnet(self.vpc, "10.0.9.0/24")
        gateway = self.lattice.create_resource_gateway(name="way", vpcIdentifier=self.vpc, subnetIds=[self.subnet], ipv4AddressesPerEni=1)["id"]
        self.region.settle()
        self.configuration = self.lattice.create_resource_configuration(
            name="cache", type="SINGLE", resourceGatewayIdentifier=gateway, portRanges=["6379"],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.77"}},
        )  # fmt: skip
        self.region.settle()
        place = {"VpcId": self.vpc, "SubnetIds": [self.doors], "SecurityGroupIds": [self.door_group]}
        make = self.ec2.create_vpc_endpoint
        self.mesh = make(VpcEndpointType="ServiceNetwork", ServiceNetworkArn=self.network_arn, **place)["VpcEndpoint"]["VpcEndpointId"]
        self.vault = make(VpcEndpointType="Resource", ResourceConfigurationArn=self.configuration["arn"], **place)["VpcEndpoint"]["VpcEndpointId"]
        self.region.settle()
        found = self.ec2.describe_vpc_endpoint_associations()["VpcEndpointAssociations"]
        self.names = {one["VpcEndpointId"]: one["DnsEntry"]["DnsName"] for one in found}

    def address_of(self, endpoint: str) -> str:
        answer = self.through()
        assert gate(answer, "vpc-endpoint")["decided_by"] == endpoint
        return str(gate(answer, "vpc-endpoint")["detail"].split(" ")[0])

    def through(self, path: str = "/today", **params: str) -> dict[str, Any]:
        return self.explainer({"url": f"http://{self.names[self.mesh]}{path}", "source": "web", **params})


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Doors:
    return Doors(tmp_path_factory.mktemp("doors"))


def test_the_endpoint_takes_the_association_s_place(doors: Doors) -> None:
    answer = doors.through()
    assert answer["verdict"] == "allowed", answer
    passed = {"vpc-endpoint", "name", "route", "security-group-egress", "security-group-ingress", "listener", "network-policy", "service-policy"}
    assert {outcomes(answer)[name] for name in passed} == {"pass"}
    assert gate(answer, "vpc-endpoint")["decided_by"] == doors.mesh
    assert doors.mesh in gate(answer, "security-group-ingress")["detail"]
    assert "vpc-association" not in outcomes(answer)
    assert doors.ask()["verdict"] == "denied"  # by the service's own name there is no way


def test_its_groups_are_asked(doors: Doors) -> None:
    answer = doors.explainer({"url": f"tcp://{doors.names[doors.vault]}:6379", "source": "web"})
    assert (answer["verdict"], outcomes(answer)["security-group-ingress"]) == ("denied", "fail")
    doors._let_in(doors.door_group, doors.client_group, 6379)
    doors.region.settle()
    answer = doors.explainer({"url": f"tcp://{doors.names[doors.vault]}:6379", "source": "web"})
    assert answer["verdict"] == "allowed", answer
    assert doors.vault in gate(answer, "listener")["decided_by"]
    closed = doors.explainer({"url": f"tcp://{doors.names[doors.vault]}:6380", "source": "web"})
    assert outcomes(closed)["listener"] == "fail"


def test_what_is_not_followed_is_said(doors: Doors) -> None:
    """Another VPC's way there."""
    other = doors.region.vpc("10.7.0.0/16")
    doors.region.settle()
    answer = doors.explainer({"url": f"http://{doors.names[doors.mesh]}/today", "source": other, "who": "anonymous"})
    assert (answer["verdict"], outcomes(answer)["route"]) == ("unknown", "unknown")
    same = doors.region.vpc("10.0.0.0/16")
    doors.region.settle()
    assert outcomes(doors.explainer({"url": f"http://{doors.names[doors.mesh]}/today", "source": same, "who": "anonymous"}))["route"] == "fail"


def test_network_acls_of_both_subnets_are_asked(doors: Doors) -> None:
    assert outcomes(doors.through())["network-acl"] == "pass"
    with doors.closing(doors.doors) as acl:
        answer = doors.through()
        assert (answer["verdict"], gate(answer, "network-acl")["decided_by"]) == ("denied", f"{acl} *")
        doors.entry(acl, 100, egress=False, cidr="10.0.1.0/24", ports=(80, 80))
        answer = doors.through()
        assert gate(answer, "network-acl")["detail"].startswith("answers from 10.0.9.")
        doors.entry(acl, 100, egress=True, cidr="10.0.1.0/24", ports=(1024, 40000))
        assert (doors.through()["verdict"], gate(doors.through(), "network-acl")["outcome"]) == ("unknown", "unknown")
        doors.entry(acl, 101, egress=True, cidr="10.0.1.0/24", ports=(40001, 65535))
        assert doors.through()["verdict"] == "allowed", doors.through()
    with doors.closing(doors.subnet) as acl:
        doors.entry(acl, 100, egress=True, cidr="10.0.9.0/24", ports=(1, 79))
        assert gate(doors.through(), "network-acl")["change"] == [f"allow TCP 80 to {doors.address_of(doors.mesh)} in an outbound entry of {acl}"]


def test_names_say_where_they_lead(doors: Doors) -> None:
    assert doors.names[doors.mesh].endswith(f".vpc-lattice-svcs.{NAME}.on.aws")
    answer = doors.explainer({"url": f"tcp://{doors.names[doors.mesh]}:6379", "source": "web"})
    assert (answer["verdict"], outcomes(answer)["listener"]) == ("unknown", "unknown")


def test_a_resource_s_endpoint_asked_for_as_a_service(doors: Doors) -> None:
    for scheme in ("http", "https"):
        answer = doors.explainer({"url": f"{scheme}://{doors.names[doors.vault]}/", "source": "web"})
        assert answer["verdict"] != "allowed", "nobody was asked"
        assert "ask with tcp://" in gate(answer, "listener")["detail"]


def test_over_ipv6(tmp_path: Path) -> None:
    """The client takes IPv6 where it has it and the endpoint's name too: rules and policies are asked about that address. HTTPS is HTTPS there, too."""
    lab = Lab(tmp_path)
    lab.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=lab.association)
    block = lab.ec2.associate_vpc_cidr_block(VpcId=lab.vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    home, *_ = IPv6Network(block).subnets(new_prefix=64)
    lab.ec2.associate_subnet_cidr_block(SubnetId=lab.subnet, Ipv6CidrBlock=str(home))
    (interface,) = lab.ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [lab.web]}])["NetworkInterfaces"]
    lab.ec2.assign_ipv6_addresses(NetworkInterfaceId=interface["NetworkInterfaceId"], Ipv6Addresses=[str(home[0x99])])
    lab.lattice.create_listener(serviceIdentifier=lab.service, name="secure", protocol="HTTPS", port=443, defaultAction={"fixedResponse": {"statusCode": 404}})
    place = {"VpcId": lab.vpc, "SubnetIds": [lab.subnet], "SecurityGroupIds": [lab.door_group]}
    made = lab.ec2.create_vpc_endpoint(VpcEndpointType="ServiceNetwork", ServiceNetworkArn=lab.network_arn, IpAddressType="dualstack", **place)["VpcEndpoint"]
    lab.region.settle()
    (one,) = lab.ec2.describe_vpc_endpoint_associations()["VpcEndpointAssociations"]
    address = str(IPv6Network(made["Ipv6Prefixes"][0]["IpPrefixes"][0])[1])

    def ask(host: str = one["DnsEntry"]["DnsName"], scheme: str = "http") -> dict[str, Any]:
        return lab.explainer({"url": f"{scheme}://{host}/today", "source": "web"})

    answer = ask()
    assert (answer["verdict"], answer["request"]["address"]) == ("allowed", str(home[0x99])), answer
    assert address in gate(answer, "name")["detail"]
    assert outcomes(ask(f"[{address}]"))["vpc-endpoint"] == "pass"
    assert outcomes(ask(scheme="https"))["security-group-ingress"] == "fail"
    world = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    lab.ec2.authorize_security_group_ingress(GroupId=lab.door_group, IpPermissions=[{**world, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    lab.region.settle()
    assert outcomes(ask(scheme="https"))["security-group-ingress"] == "fail"
    lab.ec2.authorize_security_group_ingress(GroupId=lab.door_group, IpPermissions=[{**world, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
    lab.region.settle()
    assert (outcomes(ask(scheme="https"))["security-group-ingress"], outcomes(ask(scheme="https"))["listener"]) == ("pass", "pass")
    for source, verdict in ((str(home), "allowed"), ("10.0.0.0/8", "denied")):
        lab.put_policy(lab.service, policy({**ALLOW_ALL, "Condition": {"IpAddress": {"aws:SourceIp": source}}}))
        lab.region.settle()
        assert ask()["verdict"] == verdict


def test_from_an_instance_with_ipv6_only(tmp_path: Path) -> None:
    """By its IPv6 address, and not at all to an address of IPv4."""
    lab = Lab(tmp_path)
    lab.subnet, block = lab.region.ipv6_only(lab.vpc)
    lab.instance("six", role="six")
    lab.iam.put_role_policy(RoleName="six", PolicyName="call", PolicyDocument=IDENTITY)
    lab.region.settle()
    answer = lab.explainer({"url": f"http://{lab.host}/today", "source": "six"})
    assert (answer["verdict"], answer["request"]["address"]) == ("allowed", str(block[4])), answer
    answer = lab.explainer({"url": "http://169.254.171.32/today", "headers": [f"host: {lab.host}"], "source": "six"})
    assert (outcomes(answer)["name"], "has no IPv4 address" in gate(answer, "name")["detail"]) == ("fail", True)
