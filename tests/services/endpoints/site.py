"""A place for endpoints: what the tests here begin with, and short words to make and read them."""

from __future__ import annotations

from ipaddress import IPv6Network
from itertools import islice
from typing import Any

from tests.region import Region

DOMAIN = "cache.example.com"


class Site:
    """A VPC with a subnet in zones a and b, a service network with a service and a resource."""

    def __init__(self, region: Region) -> None:
        self.region, self.ec2, self.lattice = region, region.ec2, region.lattice
        self.vpc = region.vpc()
        self.subnets = [region.subnet(self.vpc, f"10.0.{number}.0/24", zone) for number, zone in ((1, "a"), (2, "b"))]
        self.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.network = self.lattice.create_service_network(name="mesh")
        self.service = self.lattice.create_service(name="orders")
        gateway = self.lattice.create_resource_gateway(name="way", vpcIdentifier=self.vpc, subnetIds=[self.subnets[0]], ipv4AddressesPerEni=1)["id"]
        region.settle()
        self.gateway = gateway
        self.configuration = self.resource("cache", customDomainName=DOMAIN)
        self.joined = self.lattice.create_service_network_service_association(serviceNetworkIdentifier=self.network["id"], serviceIdentifier=self.service["id"])
        region.settle()

    def resource(self, name: str, **more: Any) -> dict[str, Any]:
        made = self.lattice.create_resource_configuration(
            name=name, type="SINGLE", resourceGatewayIdentifier=self.gateway, portRanges=["6379"],
            resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.200"}}, **more,
        )  # fmt: skip
        self.region.settle()
        return dict(made)

    def join(self, configuration: str, **more: Any) -> str:
        made = self.lattice.create_service_network_resource_association(
            serviceNetworkIdentifier=self.network["id"], resourceConfigurationIdentifier=configuration, **more
        )
        self.region.settle()
        return str(made["id"])

    def of_network(self, **more: Any) -> dict[str, Any]:
        given = {"VpcEndpointType": "ServiceNetwork", "VpcId": self.vpc, "ServiceNetworkArn": self.network["arn"], "SubnetIds": self.subnets, **more}
        return dict(self.ec2.create_vpc_endpoint(**given)["VpcEndpoint"])

    def of_resource(self, **more: Any) -> dict[str, Any]:
        given = {"VpcEndpointType": "Resource", "VpcId": self.vpc, "ResourceConfigurationArn": self.configuration["arn"], "SubnetIds": self.subnets[:1], **more}
        return dict(self.ec2.create_vpc_endpoint(**given)["VpcEndpoint"])

    def with_ipv6(self) -> list[IPv6Network]:
        """The IPv6 blocks of the subnets, which have them from now on."""
        block = self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
        found = list(islice(IPv6Network(block).subnets(new_prefix=64), len(self.subnets)))
        for subnet, own in zip(self.subnets, found, strict=True):
            self.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(own))
        return found

    def interfaces(self, identifier: str) -> list[dict[str, Any]]:
        """An endpoint's interfaces, in the order of its subnets."""
        shown = self.shown(identifier)
        found = self.ec2.describe_network_interfaces(NetworkInterfaceIds=shown["NetworkInterfaceIds"])["NetworkInterfaces"]
        return sorted(map(dict, found), key=lambda one: shown["SubnetIds"].index(one["SubnetId"]))

    def shown(self, identifier: str) -> dict[str, Any]:
        (found,) = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[identifier])["VpcEndpoints"]
        return dict(found)

    def associations(self, *identifiers: str, **filters: str) -> list[dict[str, Any]]:
        asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        return list(self.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=list(identifiers), Filters=asked)["VpcEndpointAssociations"])
