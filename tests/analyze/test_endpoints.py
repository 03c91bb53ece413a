"""Requests and connections through VPC endpoints: the endpoint's groups in place of the association's, and what is not followed is not claimed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.region import NAME

from .lab import Lab, gate, outcomes


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

    def through(self, path: str = "/today", **params: str) -> dict[str, object]:
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
    """Another VPC's way there, and a network ACL on the way."""
    other = doors.region.vpc("10.7.0.0/16")
    doors.region.settle()
    answer = doors.explainer({"url": f"http://{doors.names[doors.mesh]}/today", "source": other, "who": "anonymous"})
    assert (answer["verdict"], outcomes(answer)["route"]) == ("unknown", "unknown")
    same = doors.region.vpc("10.0.0.0/16")
    doors.region.settle()
    assert outcomes(doors.explainer({"url": f"http://{doors.names[doors.mesh]}/today", "source": same, "who": "anonymous"}))["route"] == "fail"
    acl = doors.ec2.create_network_acl(VpcId=doors.vpc)["NetworkAcl"]["NetworkAclId"]
    acls = doors.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [doors.doors]}])["NetworkAcls"]
    association = next(one["NetworkAclAssociationId"] for one in acls[0]["Associations"] if one["SubnetId"] == doors.doors)
    doors.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    doors.region.settle()
    assert (doors.through()["verdict"], gate(doors.through(), "route")["decided_by"]) == ("unknown", acl)


def test_names_say_where_they_lead(doors: Doors) -> None:
    assert doors.names[doors.mesh].endswith(f".vpc-lattice-svcs.{NAME}.on.aws")
    answer = doors.explainer({"url": f"tcp://{doors.names[doors.mesh]}:6379", "source": "web"})
    assert (answer["verdict"], outcomes(answer)["listener"]) == ("unknown", "unknown")
