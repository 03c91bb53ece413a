"""EC2's endpoints of types ServiceNetwork and Resource, and what VPC Lattice knows of them, through boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.services.ec2 import lattice_endpoint

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

    def shown(self, identifier: str) -> dict[str, Any]:
        (found,) = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[identifier])["VpcEndpoints"]
        return dict(found)

    def associations(self, *identifiers: str, **filters: str) -> list[dict[str, Any]]:
        asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        return list(self.ec2.describe_vpc_endpoint_associations(VpcEndpointIds=list(identifiers), Filters=asked)["VpcEndpointAssociations"])


@pytest.fixture
def site(region: Region) -> Site:
    return Site(region)


def test_an_endpoint_of_a_service_network(site: Site) -> None:
    """A /28 of each subnet, an interface there with the VPC's default group, and pending until the data plane has it."""
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "team", "Value": "blue"}]}]
    made = site.of_network(TagSpecifications=tags)
    assert (made["State"], made["Tags"], made["IpAddressType"], made["DnsOptions"]) == ("pending", tags[0]["Tags"], "ipv4", {"DnsRecordIpType": "ipv4"})
    assert made["Ipv4Prefixes"] == [
        {"SubnetId": subnet, "IpPrefixes": [f"10.0.{number}.16/28"]} for number, subnet in enumerate(site.subnets, start=1)
    ]  # fmt: skip
    default = site.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]["GroupId"]
    assert [group["GroupId"] for group in made["Groups"]] == [default]
    interfaces = site.ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [(one["Description"], one["InterfaceType"], one["RequesterManaged"], one["Status"]) for one in interfaces] == [
        (f"VPC Endpoint Interface {made['VpcEndpointId']}", "vpc_endpoint", True, "in-use")
    ] * 2
    assert {one["Ipv4Prefixes"][0]["Ipv4Prefix"] for one in interfaces} == {"10.0.1.16/28", "10.0.2.16/28"}
    (one,) = site.ec2.describe_subnets(SubnetIds=site.subnets[1:])["Subnets"]
    assert one["AvailableIpAddressCount"] == 251 - 17
    site.region.settle()
    assert site.shown(made["VpcEndpointId"])["State"] == "available"
    for name, value in (("vpc-endpoint-type", "ServiceNetwork"), ("service-network-arn", site.network["arn"]), ("tag:team", "blue"), ("vpc-id", site.vpc)):
        assert len(site.ec2.describe_vpc_endpoints(Filters=[{"Name": name, "Values": [value]}])["VpcEndpoints"]) == 1


def test_its_interfaces_are_not_the_users(site: Site) -> None:
    interface = site.of_network()["NetworkInterfaceIds"][0]
    for call, more in (
        ("delete_network_interface", {}), ("modify_network_interface_attribute", {"SourceDestCheck": {"Value": False}}),
        ("assign_private_ip_addresses", {"SecondaryPrivateIpAddressCount": 1}), ("unassign_private_ip_addresses", {"PrivateIpAddresses": ["10.0.1.4"]}),
    ):  # fmt: skip
        with site.region.refused("OperationNotPermitted"):
            getattr(site.ec2, call)(NetworkInterfaceId=interface, **more)


def test_what_a_network_has_and_how_it_is_called_there(site: Site) -> None:
    """The names of services are told here only; resources that join later are pending until they have addresses and the data plane has these."""
    endpoint = site.of_network()["VpcEndpointId"]
    (one,) = site.associations(endpoint)
    assert one["AssociatedResourceAccessibility"] == "Pending"
    site.region.settle()
    (one,) = site.associations(endpoint)
    assert one["Id"].startswith("vpce-rsc-asc-")
    assert (one["ServiceNetworkArn"], one["ServiceNetworkName"], one["AssociatedResourceArn"], one["AssociatedResourceAccessibility"]) == (
        site.network["arn"], "mesh", site.service["arn"], "Accessible",
    )  # fmt: skip
    entry = site.joined["dnsEntry"]
    assert one["DnsEntry"] == {
        "DnsName": f"{endpoint}-{site.joined['id']}.{entry['domainName'].partition('.')[2]}", "HostedZoneId": entry["hostedZoneId"],
    }  # fmt: skip
    association = site.join(site.configuration["id"])
    (one,) = site.associations(endpoint, associated_resource_id=site.configuration["id"])
    assert one["AssociatedResourceAccessibility"] == "Pending"
    site.region.settle()
    (one,) = site.associations(endpoint, associated_resource_id=site.configuration["id"], associated_resource_accessibility="AVAILABLE")
    assert one["DnsEntry"]["DnsName"] == f"{endpoint}-{association}.{site.configuration['id']}.4232ccc.vpc-lattice-rsc.{NAME}.on.aws"
    assert [item["Id"] for item in site.associations(association_id=one["Id"])] == [one["Id"]]
    assert len(site.associations(service_network_arn=site.network["arn"])) == 2
    assert site.associations(vpc_endpoint_id="vpce-0") == []
    with site.region.refused("InvalidParameterValue", "color"):
        site.associations(color="red")
    with site.region.refused("InvalidVpcEndpointId.NotFound"):
        site.associations("vpce-0123456789abcdef0")


def test_an_endpoint_of_a_resource(site: Site) -> None:
    made = site.of_resource(SubnetConfigurations=[{"SubnetId": site.subnets[0], "Ipv4": "10.0.1.77"}], SubnetIds=[])
    (interface,) = site.ec2.describe_network_interfaces(NetworkInterfaceIds=made["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert (interface["PrivateIpAddress"], interface.get("Ipv4Prefixes"), made.get("Ipv4Prefixes")) == ("10.0.1.77", None, None)
    site.region.settle()
    (one,) = site.associations(made["VpcEndpointId"])
    assert one["DnsEntry"]["DnsName"] == f"{made['VpcEndpointId']}.{site.configuration['id']}.4232ccc.vpc-lattice-rsc.{NAME}.on.aws"
    assert site.shown(made["VpcEndpointId"])["DnsEntries"] == [one["DnsEntry"]]
    (told,) = site.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration["arn"])["items"]
    assert (told["vpcEndpointId"], told["vpcEndpointOwner"], told["createdBy"], told["resourceConfigurationName"]) == (
        made["VpcEndpointId"], ACCOUNT, ACCOUNT, "cache",
    )  # fmt: skip
    for name, value, count in (
        ("vpcEndpointId", "vpce-0123456789abcdef0", 0), ("vpcEndpointOwner", ACCOUNT, 1), ("resourceEndpointAssociationIdentifier", told["id"], 1),
    ):  # fmt: skip
        asked = {"resourceConfigurationIdentifier": site.configuration["id"], name: value}
        assert len(site.lattice.list_resource_endpoint_associations(**asked)["items"]) == count
    with site.region.refused("ConflictException"):
        site.lattice.delete_resource_configuration(resourceConfigurationIdentifier=site.configuration["id"])
    gone = site.lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=told["id"])
    assert (gone["arn"], gone["vpcEndpointId"]) == (told["arn"], made["VpcEndpointId"])
    left = site.shown(made["VpcEndpointId"])
    assert (left["State"], "owner of the resource configuration" in left["FailureReason"]) == ("failed", True)
    site.lattice.delete_resource_configuration(resourceConfigurationIdentifier=site.configuration["id"])


def test_an_endpoint_of_a_group(site: Site) -> None:
    """It leads to each child, also to one that comes later; a child has no endpoint of its own."""
    group = site.lattice.create_resource_configuration(name="caches", type="GROUP", resourceGatewayIdentifier=site.gateway, groupDomain="example.org")
    site.region.settle()
    private = {"PrivateDnsEnabled": True, "DnsOptions": {"PrivateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "PrivateDnsSpecifiedDomains": ["example.org"]}}
    made = site.of_resource(ResourceConfigurationArn=group["arn"], **private)["VpcEndpointId"]
    assert site.associations(made) == []
    children = [site.lattice.create_resource_configuration(
        name=name, type="CHILD", resourceConfigurationGroupIdentifier=group["id"], portRanges=["6379"],
        resourceConfigurationDefinition={"ipResource": {"ipAddress": "10.0.1.200"}}, **({"customDomainName": "one.example.org"} if name == "one" else {}),
    )["arn"] for name in ("one", "two")]  # fmt: skip
    for _ in range(2):
        site.region.settle()
    found = site.associations(made, resource_configuration_group_arn=group["arn"])
    assert {one["AssociatedResourceArn"]: one["AssociatedResourceAccessibility"] for one in found} == dict.fromkeys(children, "Accessible")
    assert len({one["DnsEntry"]["DnsName"] for one in found} | {one["Id"] for one in found}) == 4
    assert [one["PrivateDnsEntry"]["DnsName"] for one in found if "PrivateDnsEntry" in one] == ["one.example.org"]
    interfaces = site.ec2.describe_network_interfaces(NetworkInterfaceIds=site.shown(made)["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [len(one["PrivateIpAddresses"]) for one in interfaces] == [2]
    with site.region.refused("InvalidParameterValue", "CHILD"):
        site.of_resource(ResourceConfigurationArn=children[0])


def test_a_network_with_endpoints_stays(site: Site) -> None:
    made = site.of_network()
    (one,) = site.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=site.network["arn"])["items"]
    assert (one["vpcEndpointId"], one["vpcId"], one["vpcEndpointOwnerId"], one["serviceNetworkArn"], one["state"]) == (
        made["VpcEndpointId"], site.vpc, ACCOUNT, site.network["arn"], "CREATE_IN_PROGRESS",
    )  # fmt: skip
    site.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=site.joined["id"])
    site.region.settle()
    with site.region.refused("ConflictException"):
        site.lattice.delete_service_network(serviceNetworkIdentifier=site.network["id"])
    refused = site.ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0123456789abcdef0", made["VpcEndpointId"]])["Unsuccessful"]
    assert [(one["ResourceId"], one["Error"]["Code"]) for one in refused] == [("vpce-0123456789abcdef0", "InvalidVpcEndpointId.NotFound")]
    assert site.shown(made["VpcEndpointId"])["State"] == "deleting"
    site.region.settle()
    site.lattice.delete_service_network(serviceNetworkIdentifier=site.network["id"])
    for subnet in site.subnets[1:]:
        site.ec2.delete_subnet(SubnetId=subnet)


REFUSED = [
    ({"SubnetIds": []}, "MissingParameter"),
    ({"ServiceNetworkArn": ""}, "MissingParameter"),
    ({"ServiceNetworkArn": f"arn:aws:vpc-lattice:{NAME}:{ACCOUNT}:servicenetwork/sn-0123456789abcdef0"}, "InvalidParameterValue"),
    ({"PolicyDocument": "{}"}, "InvalidParameter"),
    ({"RouteTableIds": ["rtb-0"]}, "InvalidParameter"),
    ({"ServiceName": "com.amazonaws.x.s3"}, "InvalidParameter"),
    ({"ResourceConfigurationArn": "arn:aws:vpc-lattice:x"}, "InvalidParameter"),
    ({"IpAddressType": "ipv6"}, "UnsupportedOperation"),
    ({"IpAddressType": "dualstack"}, "UnsupportedOperation"),
    ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
    ({"SubnetIds": ["subnet-0123456789abcdef0"]}, "InvalidSubnetID.NotFound"),
    ({"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcID.NotFound"),
    ({"ServiceRegion": "us-west-2"}, "UnsupportedOperation"),
    ({"DnsOptions": {"DnsRecordIpType": "ipv6"}}, "UnsupportedOperation"),
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
    ({"VpcEndpointType": "Tunnel"}, "UnsupportedOperation"),
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


def test_a_resource_without_an_address_makes_the_endpoint_partial(site: Site) -> None:
    """A subnet of 64 has 17 left: each resource takes one, until there is none; what becomes free is used at once."""
    subnet = site.region.subnet(site.vpc, "10.0.4.64/26", "c")
    endpoint = site.of_network(SubnetIds=[subnet])["VpcEndpointId"]
    for _ in range(site.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] - 1):
        interface = site.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    first, second = (site.resource(name) for name in ("one", "two"))
    site.join(first["id"])
    site.region.settle()
    assert site.shown(endpoint)["State"] == "available"
    site.join(second["id"])
    site.region.settle()
    found = site.shown(endpoint)
    assert (found["State"], found["LastError"]["Code"], subnet in found["FailureReason"]) == ("partial", "InsufficientFreeAddressesInSubnet", True)
    (one,) = site.associations(endpoint, associated_resource_accessibility="FAILED")
    assert (one["AssociatedResourceArn"], one["FailureCode"]) == (second["arn"], "InsufficientFreeAddressesInSubnet")
    site.ec2.delete_network_interface(NetworkInterfaceId=interface)
    for _ in range(2):
        site.region.settle()
    assert site.shown(endpoint)["State"] == "available"
    assert len(site.associations(endpoint, associated_resource_accessibility="accessible")) == 3


def test_modifying_subnets_and_groups(site: Site) -> None:
    endpoint = site.of_network(SubnetIds=site.subnets[:1])["VpcEndpointId"]
    site.region.settle()
    group = site.ec2.create_security_group(GroupName="doors", Description="doors", VpcId=site.vpc)["GroupId"]
    modify = site.ec2.modify_vpc_endpoint
    default = site.shown(endpoint)["Groups"][0]["GroupId"]
    modify(VpcEndpointId=endpoint, AddSubnetIds=site.subnets[1:], AddSecurityGroupIds=[group], RemoveSecurityGroupIds=[default])
    found = site.shown(endpoint)
    assert (found["SubnetIds"], [one["GroupId"] for one in found["Groups"]], found["State"]) == (site.subnets, [group], "available")
    interfaces = site.ec2.describe_network_interfaces(NetworkInterfaceIds=found["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [[one["GroupId"] for one in interface["Groups"]] for interface in interfaces] == [[group], [group]]
    with site.region.refused("DependencyViolation"):
        site.ec2.delete_security_group(GroupId=group)
    other = site.region.subnet(site.vpc, "10.0.7.0/24", "a")
    modify(VpcEndpointId=endpoint, AddSubnetIds=[other], RemoveSubnetIds=site.subnets[:1])
    assert site.shown(endpoint)["SubnetIds"] == [site.subnets[1], other]
    for given, code in (
        ({"RemoveSubnetIds": [site.subnets[1], other]}, "MissingParameter"), ({"RemoveSubnetIds": site.subnets[:1]}, "InvalidParameter"),
        ({"AddSubnetIds": site.subnets[:1]}, "DuplicateSubnetsInSameZone"), ({"RemoveSecurityGroupIds": [group]}, "InvalidParameter"),
        ({"RemoveSecurityGroupIds": [default]}, "InvalidParameter"), ({"ResetPolicy": True}, "InvalidParameter"),
        ({"IpAddressType": "ipv6"}, "UnsupportedOperation"),
        ({"SubnetConfigurations": [{"SubnetId": other, "Ipv4": "10.0.7.200"}]}, "UnsupportedOperation"),
    ):  # fmt: skip
        with site.region.refused(code):
            modify(VpcEndpointId=endpoint, **given)
    with site.region.refused("InvalidVpcEndpointId.NotFound"):
        modify(VpcEndpointId="vpce-0123456789abcdef0", PrivateDnsEnabled=True)


def test_private_dns(site: Site) -> None:
    """By the association's own setting and the endpoint's preference; a resource has a private name in a VPC through one endpoint only."""
    association = site.join(site.configuration["id"], privateDnsEnabled=True)
    endpoint = site.of_network()["VpcEndpointId"]
    site.region.settle()

    def names() -> list[str]:
        return [one["PrivateDnsEntry"]["DnsName"] for one in site.associations(endpoint) if "PrivateDnsEntry" in one]

    def prefer(preference: str, *domains: str) -> list[str]:
        options = {"PrivateDnsPreference": preference, **({"PrivateDnsSpecifiedDomains": list(domains)} if domains else {})}
        site.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=True, DnsOptions=options)
        return names()

    assert names() == []
    assert prefer("VERIFIED_DOMAINS_ONLY") == []
    assert prefer("SPECIFIED_DOMAINS_ONLY", "*.example.org") == []
    assert prefer("SPECIFIED_DOMAINS_ONLY", "*.example.com") == [DOMAIN]
    assert prefer("ALL_DOMAINS") == [DOMAIN]
    assert site.shown(endpoint)["DnsOptions"] == {"DnsRecordIpType": "ipv4", "PrivateDnsPreference": "ALL_DOMAINS"}
    with site.region.refused("InvalidParameter", DOMAIN):
        site.of_resource(PrivateDnsEnabled=True, DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"})
    site.lattice.delete_service_network_resource_association(serviceNetworkResourceAssociationIdentifier=association)
    site.region.settle()
    site.of_resource(PrivateDnsEnabled=True, DnsOptions={"PrivateDnsPreference": "ALL_DOMAINS"})
    plain = site.region.vpc("10.5.0.0/16")
    subnet = site.region.subnet(plain, "10.5.0.0/24")
    with site.region.refused("InvalidParameter", "enableDnsHostnames"):
        site.of_resource(VpcId=plain, SubnetIds=[subnet], PrivateDnsEnabled=True)


def test_the_same_token_makes_one_endpoint(site: Site) -> None:
    first, again = (site.of_network(ClientToken="once") for _ in range(2))
    assert first["VpcEndpointId"] == again["VpcEndpointId"]
    with site.region.refused("IdempotentParameterMismatch"):
        site.of_network(ClientToken="once", SubnetIds=site.subnets[:1])


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


def test_pages(site: Site) -> None:
    made = sorted(site.of_network(SubnetIds=site.subnets[:1])["VpcEndpointId"] for _ in range(6))
    found = site.ec2.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 5}).build_full_result()["VpcEndpoints"]
    assert sorted(one["VpcEndpointId"] for one in found) == made
    first = site.ec2.describe_vpc_endpoint_associations(MaxResults=5)
    rest = site.ec2.describe_vpc_endpoint_associations(MaxResults=5, NextToken=first["NextToken"])
    assert sorted(one["VpcEndpointId"] for page in (first, rest) for one in page["VpcEndpointAssociations"]) == made


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
    (told,) = site.lattice.list_service_network_vpc_endpoint_associations(serviceNetworkIdentifier=site.network["id"])["items"]
    assert (told["vpcEndpointId"], told["vpcEndpointOwnerId"]) == (made[0], other)
    (told,) = site.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration["id"])["items"]
    assert (told["vpcEndpointOwner"], told["arn"].split(":")[4]) == (other, ACCOUNT)
    with site.region.refused("AccessDeniedException"):
        lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=told["id"])
    site.lattice.delete_resource_endpoint_association(resourceEndpointAssociationIdentifier=told["arn"])
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=[made[1]])["VpcEndpoints"][0]["State"] == "failed"
