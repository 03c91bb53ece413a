"""The resource types of VPC Lattice's resources: segments with their tunnels, groups; made, changed in place, taken away."""

from __future__ import annotations

from typing import Any

from .region import Region
from .test_stacks import group, subnet, template, vpc
from .test_types import att, come_and_go, leave, of, ref


def segment(*ranges: str, ports: list[str], zones: int) -> dict[str, Any]:
    """A network segment and a tunnel to it, both in one VPC."""
    homes = {name: of("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, AvailabilityZone={"Fn::Select": [number, {"Fn::GetAZs": ""}]})
             for name, cidr, number in (("A", "10.0.1.0/24", 0), ("B", "10.0.2.0/24", 1))}  # fmt: skip
    return template(
        {"Names": {"Value": {"Fn::Join": [" ", att("Tunnel", "DnsEntries")]}}, "Segment": {"Value": att("Segment", "Id")}},
        Vpc=vpc(), **homes,
        Gate=of(
            "VpcLattice::ResourceGateway", Name="gate", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A"), ref("B")], Ipv4AddressesPerEni=1,
            ResourceConfigDnsResolution="IN_VPC",
        ),
        Segment=of(
            "VpcLattice::ResourceConfiguration", Name="segment", ResourceConfigurationType="CIDR", ResourceGatewayId=att("Gate", "Id"),
            ProtocolType="TCP_UDP", PortRanges=ports, ResourceConfigurationDefinition={"CidrResource": {"CidrRanges": list(ranges)}},
        ),
        Tunnel=of(
            "EC2::VPCEndpoint", VpcEndpointType="Tunnel", VpcId=ref("Vpc"), ResourceConfigurationArn=att("Segment", "Arn"),
            SubnetIds=[ref(name) for name in list(homes)[:zones]],
        ),
    )  # fmt: skip


def test_segments(region: Region) -> None:
    before, after = segment("10.0.1.0/24", ports=["443"], zones=1), segment("10.0.0.0/16", "172.16.0.0/12", ports=["53", "443"], zones=2)
    come_and_go(region, before, after)
    found = region.outputs()
    shown = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=found["Segment"])
    assert (shown["type"], shown["protocol"], shown["portRanges"]) == ("CIDR", "TCP_UDP", ["53", "443"])
    assert shown["resourceConfigurationDefinition"] == {"cidrResource": {"cidrRanges": ["10.0.0.0/16", "172.16.0.0/12"]}}
    (endpoint,) = region.ec2.describe_vpc_endpoints(VpcEndpointIds=[region.physical("Tunnel")])["VpcEndpoints"]
    assert found["Names"].split() == [f"{entry['HostedZoneId']}:{entry['DnsName']}" for entry in endpoint["DnsEntries"]]
    assert (len(endpoint["DnsEntries"]), len(endpoint["Ipv4Prefixes"])) == (3, 2)
    leave(region, before)


def brokers(port: int, resolution: str, **child: Any) -> dict[str, Any]:
    """A group with a child, verified by a domain of its own, in a service network."""
    return template(
        {
            "Group": {"Value": att("Group", "Id")}, "Child": {"Value": att("Child", "Arn")}, "Gate": {"Value": att("Gate", "Id")},
            "Domain": {"Value": att("Domain", "Status")}, "Joined": {"Value": att("Joined", "Id")}, "JoinedArn": {"Value": ref("Joined")},
        },
        Vpc=vpc(), A=subnet("10.0.1.0/24"), B=subnet("10.0.2.0/24"), Clients=group(VpcId=ref("Vpc")),
        Network=of("VpcLattice::ServiceNetwork", Name="brokers"),
        Domain=of("VpcLattice::DomainVerification", DomainName="kafka.example.com"),
        Gate=of(
            "VpcLattice::ResourceGateway", Name="brokers", VpcIdentifier=ref("Vpc"), SubnetIds=[ref("A"), ref("B")], Ipv4AddressesPerEni=2,
            ResourceConfigDnsResolution=resolution, **({"SecurityGroupIds": [ref("Clients")]} if port == 1 else {}),
        ),
        Group=of(
            "VpcLattice::ResourceConfiguration", Name="brokers", ResourceConfigurationType="GROUP", ResourceGatewayId=ref("Gate"), ProtocolType="TCP",
            GroupDomain="cluster.kafka.example.com", DomainVerificationId=att("Domain", "Id"), PortRanges=[port],
        ),
        Child=of(
            "VpcLattice::ResourceConfiguration", ResourceConfigurationType="CHILD", ResourceConfigurationGroupId=ref("Group"),
            PortRanges=[port], ResourceConfigurationDefinition={"IpResource": f"10.0.1.{port}"},
            **{"Name": "broker-one", "CustomDomainName": "b1.cluster.kafka.example.com", **child},
        ),
        Joined=of(
            "VpcLattice::ServiceNetworkResourceAssociation", ServiceNetworkId=ref("Network"), ResourceConfigurationId=att("Group", "Id"), PrivateDnsEnabled=True
        ),
    )  # fmt: skip


def test_groups_of_resources(region: Region) -> None:
    before, after = brokers(101, "PUBLIC"), brokers(102, "IN_VPC")
    come_and_go(region, before, after)
    found = region.outputs()
    shown = region.lattice.get_resource_configuration(resourceConfigurationIdentifier=found["Child"])
    assert (shown["portRanges"], shown["resourceConfigurationDefinition"]) == (["102"], {"ipResource": {"ipAddress": "10.0.1.102"}})
    assert (shown["resourceConfigurationGroupId"], shown["domainVerificationStatus"], found["Domain"]) == (found["Group"], "PENDING", "PENDING")
    gate = region.lattice.get_resource_gateway(resourceGatewayIdentifier=found["Gate"])
    assert (gate["resourceConfigDnsResolution"], gate["ipv4AddressesPerEni"]) == ("IN_VPC", 2)
    joined = region.lattice.get_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=found["Joined"])
    assert (joined["arn"], joined["privateDnsEnabled"]) == (found["JoinedArn"], True)
    assert region.deploy(brokers(102, "IN_VPC", Name="broker-two", CustomDomainName="b2.cluster.kafka.example.com")) == "UPDATE_COMPLETE", region.reasons()
    listed = region.lattice.list_service_network_resource_associations(serviceNetworkIdentifier=joined["serviceNetworkId"], includeChildren=True)["items"]
    assert {item["resourceConfigurationName"] for item in listed} == {"brokers", "broker-two"}
    assert region.outputs()["Child"] != found["Child"]
    leave(region, before)
