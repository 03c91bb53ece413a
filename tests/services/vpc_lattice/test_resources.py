"""Resource gateways, resource configurations and their associations with service networks."""

from __future__ import annotations

from typing import Any

import pytest

from .region import ACCOUNT, NAME, Region, body


def interfaces(region: Region, vpc: str) -> list[dict[str, Any]]:
    return list(region.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"])


def ready(region: Region) -> tuple[str, str]:
    """A gateway and a configuration that are ready."""
    vpc = region.vpc()
    gateway = region.gateway(vpc, region.subnet(vpc))
    configuration = region.configuration(gateway)
    region.settle()
    return gateway, configuration


def associate(region: Region, network: str, configuration: str, **more: Any) -> dict[str, Any]:
    created = region.lattice.create_service_network_resource_association(
        serviceNetworkIdentifier=network, resourceConfigurationIdentifier=configuration, **more
    )
    return body(created)


def test_a_gateway_has_an_interface_in_each_subnet(region: Region) -> None:
    vpc = region.vpc()
    subnets = [region.subnet(vpc), region.subnet(vpc, "10.0.2.0/24", "b")]
    group = region.group(vpc)
    created = body(region.lattice.create_resource_gateway(name="gate", vpcIdentifier=vpc, subnetIds=subnets, securityGroupIds=[group]))
    assert created == {
        "id": created["id"], "name": "gate", "arn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:resourcegateway/{created['id']}",
        "status": "CREATE_IN_PROGRESS", "vpcIdentifier": vpc, "subnetIds": subnets, "securityGroupIds": [group], "ipAddressType": "IPV4",
        "resourceConfigDnsResolution": "PUBLIC", "ipv4AddressesPerEni": 16,
    }  # fmt: skip
    region.settle()
    shown = body(region.lattice.get_resource_gateway(resourceGatewayIdentifier=created["id"]))
    assert (shown["status"], shown["vpcId"], "vpcIdentifier" in shown) == ("ACTIVE", vpc, False)
    assert region.lattice.list_resource_gateways()["items"][0]["vpcIdentifier"] == vpc
    made = interfaces(region, vpc)
    assert sorted(item["SubnetId"] for item in made) == sorted(subnets)
    assert {group["GroupId"] for item in made for group in item["Groups"]} == {group}
    with region.store.read() as snapshot:
        (row,) = snapshot.rows("vpc-lattice:ResourceGateway")
    addresses = {item["SubnetId"]: [one["PrivateIpAddress"] for one in item["PrivateIpAddresses"]] for item in made}
    assert {len(found) for found in addresses.values()} == {16}
    assert row.document["_addresses"][:4] == [addresses[subnet][index] for index in (0, 1) for subnet in subnets]
    assert sorted(row.document["_addresses"]) == sorted(addresses[subnets[0]] + addresses[subnets[1]])
    with region.refused("InvalidNetworkInterface.InUse", "rgw-"):
        region.ec2.delete_network_interface(NetworkInterfaceId=made[0]["NetworkInterfaceId"])
    with region.refused("OperationNotPermitted", "managed by a service"):
        region.ec2.unassign_private_ip_addresses(NetworkInterfaceId=made[0]["NetworkInterfaceId"], PrivateIpAddresses=[row.document["_addresses"][2]])
    with region.refused("DependencyViolation"):
        region.ec2.delete_subnet(SubnetId=subnets[0])
    with region.refused("DependencyViolation"):
        region.ec2.delete_security_group(GroupId=group)
    gone = body(region.lattice.delete_resource_gateway(resourceGatewayIdentifier=created["id"]))
    assert gone == {"id": created["id"], "name": "gate", "arn": created["arn"], "status": "DELETE_IN_PROGRESS"}
    assert interfaces(region, vpc) == []
    for subnet in subnets:
        region.ec2.delete_subnet(SubnetId=subnet)
    region.ec2.delete_security_group(GroupId=group)
    region.ec2.delete_vpc(VpcId=vpc)
    region.settle()
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_resource_gateway(resourceGatewayIdentifier=created["id"])


def test_a_gateway_without_groups_has_the_default_group(region: Region) -> None:
    vpc = region.vpc()
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    default = region.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    gateway = region.gateway(vpc, region.subnet(vpc))
    assert region.lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)["securityGroupIds"] == [default]
    region.settle()
    own = region.group(vpc)
    changed = region.lattice.update_resource_gateway(
        resourceGatewayIdentifier=gateway, securityGroupIds=[own], resourceConfigDnsResolution="IN_VPC"
    )
    assert (changed["status"], changed["securityGroupIds"], changed["vpcId"]) == ("UPDATE_IN_PROGRESS", [own], vpc)
    assert [group["GroupId"] for group in interfaces(region, vpc)[0]["Groups"]] == [own]
    region.settle()
    region.lattice.update_resource_gateway(resourceGatewayIdentifier=gateway, securityGroupIds=[])
    shown = region.lattice.get_resource_gateway(resourceGatewayIdentifier=gateway)
    assert (shown["securityGroupIds"], shown["resourceConfigDnsResolution"]) == ([default], "IN_VPC")
    region.ec2.delete_security_group(GroupId=own)


def test_a_gateway_of_ipv6_holds_no_ipv4_address(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc)
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    region.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=block.replace("/56", "/64"))
    free = region.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]
    gateway = region.gateway(vpc, subnet, ipAddressType="IPV6")
    (made,) = interfaces(region, vpc)
    assert (made["PrivateIpAddresses"], "PrivateIpAddress" in made, len(made["Ipv6Addresses"])) == ([], False, 1)
    assert region.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == free
    with region.store.read() as snapshot:
        (row,) = snapshot.rows("vpc-lattice:ResourceGateway")
    assert row.document["_addresses"] == [made["Ipv6Addresses"][0]["Ipv6Address"]]
    region.lattice.delete_resource_gateway(resourceGatewayIdentifier=gateway)
    assert interfaces(region, vpc) == []


def test_a_gateway_in_an_ipv6_only_subnet(region: Region) -> None:
    vpc = region.vpc()
    block = region.ec2.associate_vpc_cidr_block(VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    subnet = region.ec2.create_subnet(VpcId=vpc, Ipv6CidrBlock=block.replace("/56", "/64"), Ipv6Native=True)["Subnet"]["SubnetId"]
    for type_ in ("IPV4", "DUALSTACK"):
        with region.refused("ValidationException", f"{subnet} is an IPv6-only subnet"):
            region.gateway(vpc, subnet, ipAddressType=type_)
    gateway = region.gateway(vpc, subnet, ipAddressType="IPV6")
    (made,) = interfaces(region, vpc)
    assert (made["PrivateIpAddresses"], made["Ipv6Address"]) == ([], block.replace("00::/56", "00::4"))
    with region.refused("OperationNotPermitted", "managed by a service"):
        region.ec2.unassign_ipv6_addresses(NetworkInterfaceId=made["NetworkInterfaceId"], Ipv6Addresses=[made["Ipv6Address"]])
    region.settle()
    region.lattice.delete_resource_gateway(resourceGatewayIdentifier=gateway)


def test_gateways_that_cannot_be_are_refused(region: Region) -> None:
    vpc = region.vpc()
    subnet, stranger = region.subnet(vpc), region.subnet(region.vpc("10.9.0.0/16"), "10.9.1.0/24")
    for more, words in (
        ({"subnetIds": [stranger]}, stranger),
        ({"subnetIds": [subnet, subnet]}, "more than once"),
        ({"subnetIds": []}, "At least one subnet"),
        ({"ipAddressType": "DUALSTACK"}, "has no IPv6 CIDR block"),
        ({"ipv4AddressesPerEni": 0}, "ipv4AddressesPerEni"),
        ({"ipv4AddressesPerEni": 63}, "ipv4AddressesPerEni"),
    ):
        with region.refused("ValidationException", words):
            region.lattice.create_resource_gateway(**{"name": "gate", "vpcIdentifier": vpc, "subnetIds": [subnet], **more})
    with region.refused("ResourceNotFoundException", "subnet-0123456789abcdef0"):
        region.gateway(vpc, "subnet-0123456789abcdef0")
    region.gateway(vpc, subnet)
    with region.refused("ConflictException", "already exist"):
        region.gateway(vpc, subnet)
    assert len(interfaces(region, vpc)) == 1


def test_a_full_subnet_refuses_a_gateway_in_lattices_own_words(region: Region) -> None:
    vpc = region.vpc()
    subnet = region.subnet(vpc, "10.0.3.0/28")
    with region.refused("ValidationException", "not enough free addresses"):
        region.gateway(vpc, subnet)
    created = region.lattice.create_resource_gateway(name="small", vpcIdentifier=vpc, subnetIds=[subnet], ipv4AddressesPerEni=11)
    assert created["ipv4AddressesPerEni"] == 11
    with region.refused("ValidationException", "not enough free addresses"):
        region.lattice.create_resource_gateway(name="tiny", vpcIdentifier=vpc, subnetIds=[subnet], ipv4AddressesPerEni=1)


def test_a_configuration_lives_and_ends(region: Region) -> None:
    vpc = region.vpc()
    gateway = region.gateway(vpc, region.subnet(vpc))
    created = body(
        region.lattice.create_resource_configuration(
            name="cache", type="SINGLE", resourceGatewayIdentifier=gateway, resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.7"}}
        )
    )
    assert {key: value for key, value in created.items() if key not in ("arn", "id", "createdAt")} == {
        "name": "cache", "type": "SINGLE", "status": "CREATE_IN_PROGRESS", "resourceGatewayId": gateway, "portRanges": ["1-65535"], "protocol": "TCP",
        "resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.1.7"}}, "allowAssociationToShareableServiceNetwork": False,
    }  # fmt: skip
    region.settle()
    where = {"resourceConfigurationIdentifier": created["id"]}
    shown = body(region.lattice.get_resource_configuration(**where))
    assert (shown["status"], shown["amazonManaged"]) == ("ACTIVE", False)
    (item,) = region.lattice.list_resource_configurations(resourceGatewayIdentifier=gateway)["items"]
    assert item["id"] == created["id"]
    definition = {"dnsResource": {"domainName": "db.example.net"}}
    changed = body(region.lattice.update_resource_configuration(**where, portRanges=["5432", "6000-6001"], resourceConfigurationDefinition=definition))
    assert (changed["portRanges"], changed["resourceConfigurationDefinition"]) == (["5432", "6000-6001"], definition)
    assert region.lattice.get_resource_configuration(**where)["status"] == "UPDATE_IN_PROGRESS"
    region.settle({created["id"]: "no such name"})
    assert region.lattice.get_resource_configuration(**where)["failureReason"] == "no such name"
    with region.refused("ConflictException", created["id"]):
        region.lattice.delete_resource_gateway(resourceGatewayIdentifier=gateway)
    assert len(interfaces(region, vpc)) == 1
    region.lattice.delete_resource_configuration(**where)
    assert region.last_status == 204
    assert region.lattice.get_resource_configuration(**where)["status"] == "DELETE_IN_PROGRESS"
    region.settle()
    with region.refused("ResourceNotFoundException"):
        region.lattice.get_resource_configuration(**where)
    region.lattice.delete_resource_gateway(resourceGatewayIdentifier=gateway)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"type": "GROUP"}, "resourceConfigurationDefinition is not for"),
        ({"type": "GROUP", "resourceConfigurationDefinition": None, "customDomainName": "db.example.net"}, "customDomainName is not for"),
        ({"type": "CHILD"}, "needs the group"),
        ({"type": "ARN", "resourceConfigurationDefinition": {"arnResource": {"arn": f"arn:aws:rds:{NAME}:{ACCOUNT}:cluster:one"}}}, "DB clusters are not"),
        ({"type": "ARN", "resourceConfigurationDefinition": {"arnResource": {"arn": f"arn:aws:s3:{NAME}:{ACCOUNT}:bucket"}}}, "not the ARN of an Amazon RDS"),
        ({"type": "ARN"}, "needs an arnResource"),
        ({"type": "ARN", "portRanges": ["5432"]}, "portRanges is not for"),
        ({"protocol": "TCP_UDP"}, "CIDR resource configurations only"),
        ({"groupDomain": "example.net"}, "groupDomain"),
        ({"portRanges": ["0"]}, "Port range 0"),
        ({"portRanges": ["1-65536"]}, "Port range 1-65536"),
        ({"portRanges": ["200-100"]}, "Port range 200-100"),
        ({"resourceConfigurationDefinition": None}, "needs an ipResource or a dnsResource"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "8.8.8.8"}}}, "not a private address"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "127.0.0.1"}}}, "not a private address"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "169.254.169.254"}}}, "not a private address"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "fd00::1"}}}, "IPV6 is not for resource gateway"),
        ({"resourceConfigurationDefinition": {"ipResource": {"ipAddress": "10.0.0.300"}}}, "not an IP address"),
        ({"resourceConfigurationDefinition": {"dnsResource": {"domainName": "not a name"}}}, "not a domain name"),
        ({"resourceConfigurationDefinition": {"dnsResource": {"domainName": "db.example.net", "ipAddressType": "IPV6"}}}, "whose IP address type is IPV4"),
        ({"resourceConfigurationDefinition": {"dnsResource": {"domainName": "db.example.net", "ipAddressType": "DUALSTACK"}}}, "IPV4 and IPV6 are"),
        ({"customDomainName": "*.example.net"}, "not a domain name"),
    ],
)
def test_configurations_that_cannot_be_are_refused(region: Region, more: dict[str, Any], words: str) -> None:
    vpc = region.vpc()
    gateway = region.gateway(vpc, region.subnet(vpc))
    given = {key: value for key, value in {"type": "SINGLE", **more}.items() if value is not None}
    if "resourceConfigurationDefinition" not in more:
        given["resourceConfigurationDefinition"] = {"ipResource": {"ipAddress": "10.0.1.7"}}
    with region.refused("ValidationException", words):
        region.lattice.create_resource_configuration(name="cache", resourceGatewayIdentifier=gateway, **given)


def test_a_configuration_needs_a_gateway(region: Region) -> None:
    definition = {"ipResource": {"ipAddress": "10.0.1.7"}}
    with region.refused("ValidationException", "resource gateway is required"):
        region.lattice.create_resource_configuration(name="cache", type="SINGLE", resourceConfigurationDefinition=definition)
    with region.refused("ResourceNotFoundException", "rgw-0123456789abcdef0"):
        region.configuration("rgw-0123456789abcdef0")


def test_a_resource_association_lives_and_ends(region: Region) -> None:
    gateway, _ = ready(region)
    configuration = region.configuration(gateway, "database", customDomainName="db.example.net")
    network = region.network()
    created = associate(region, network, configuration, privateDnsEnabled=True)
    assert region.last_status == 201
    identifier = created["id"]
    assert created == {"id": identifier, "arn": created["arn"], "status": "CREATE_IN_PROGRESS", "createdBy": ACCOUNT, "privateDnsEnabled": True}
    region.settle()
    where = {"serviceNetworkResourceAssociationIdentifier": identifier}
    shown = body(region.lattice.get_service_network_resource_association(**where))
    assert shown["dnsEntry"]["domainName"] == f"{identifier}.{configuration}.4232ccc.vpc-lattice-rsc.{NAME}.on.aws"
    assert (shown["privateDnsEntry"], shown["resourceConfigurationName"]) == ({"domainName": "db.example.net"}, "database")
    assert (shown["status"], shown["isManagedAssociation"], shown["serviceNetworkId"]) == ("ACTIVE", False, network)
    (summary,) = region.lattice.list_service_networks()["items"]
    assert summary["numberOfAssociatedResourceConfigurations"] == 1
    with region.refused("ConflictException", "ACTIVE"):
        associate(region, network, configuration)
    with region.refused("ConflictException", identifier):
        region.lattice.delete_resource_configuration(resourceConfigurationIdentifier=configuration)
    with region.refused("ConflictException", identifier):
        region.lattice.delete_service_network(serviceNetworkIdentifier=network)
    gone = body(region.lattice.delete_service_network_resource_association(**where))
    assert gone == {"id": identifier, "arn": created["arn"], "status": "DELETE_IN_PROGRESS"}
    region.settle()
    assert region.lattice.list_service_network_resource_associations(serviceNetworkIdentifier=network)["items"] == []


def test_each_resource_of_a_network_has_an_address_of_its_own(region: Region) -> None:
    gateway, first = ready(region)
    second = region.configuration(gateway, "database")
    network, other = region.network(), region.network("other")
    taken = associate(region, network, first)["id"]
    associate(region, network, second)
    associate(region, other, first)

    def addresses() -> dict[tuple[str, str], str]:
        with region.store.read() as snapshot:
            rows = snapshot.rows("vpc-lattice:ServiceNetworkResourceAssociation")
        return {(row.document["serviceNetworkId"], row.document["resourceConfigurationId"]): row.document["_address"] for row in rows}

    assert addresses() == {(network, first): "129.224.0.10", (network, second): "129.224.0.11", (other, first): "129.224.0.10"}
    region.settle()
    region.lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=taken)
    third = region.configuration(gateway, "queue")
    associate(region, network, third)
    assert addresses()[network, third] == "129.224.0.12"
    region.settle()
    associate(region, network, first)
    assert addresses()[network, first] == "129.224.0.10"


def test_a_network_for_sharing_takes_only_what_allows_it(region: Region) -> None:
    gateway, configuration = ready(region)
    network = region.network(sharingConfig={"enabled": True})
    with region.refused("ValidationException", "does not allow"):
        associate(region, network, configuration)
    associate(region, network, region.configuration(gateway, "shared", allowAssociationToShareableServiceNetwork=True))
