"""EC2's endpoints of types ServiceNetwork and Resource, and what VPC Lattice knows of them, through boto3."""

from __future__ import annotations

from tests.region import ACCOUNT, NAME

from .site import DOMAIN, Site


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
    modify(VpcEndpointId=endpoint, AddSubnetIds=[other, other], RemoveSubnetIds=site.subnets[:1] * 2)
    assert site.shown(endpoint)["SubnetIds"] == [site.subnets[1], other]
    for given, code in (
        ({"RemoveSubnetIds": [site.subnets[1], other]}, "MissingParameter"), ({"RemoveSubnetIds": site.subnets[:1]}, "InvalidParameter"),
        ({"AddSubnetIds": site.subnets[:1]}, "DuplicateSubnetsInSameZone"), ({"RemoveSecurityGroupIds": [group]}, "InvalidParameter"),
        ({"RemoveSecurityGroupIds": [default]}, "InvalidParameter"), ({"ResetPolicy": True}, "InvalidParameter"),
        ({"IpAddressType": "ipv6"}, "InvalidParameter"), ({"IpAddressType": "six"}, "InvalidParameterValue"),
        ({"SubnetConfigurations": [{"SubnetId": other}]}, "InvalidParameter"), ({"SubnetConfigurations": [{"Ipv4": "10.0.7.9"}]}, "MissingParameter"),
        ({"SubnetConfigurations": [{"SubnetId": other, "Ipv4": "10.0.1.9"}]}, "InvalidParameterValue"),
        ({"SubnetConfigurations": [{"SubnetId": other, "Ipv4": "ten"}]}, "InvalidParameterValue"),
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


def test_pages(site: Site) -> None:
    made = sorted(site.of_network(SubnetIds=site.subnets[:1])["VpcEndpointId"] for _ in range(6))
    found = site.ec2.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 5}).build_full_result()["VpcEndpoints"]
    assert sorted(one["VpcEndpointId"] for one in found) == made
    first = site.ec2.describe_vpc_endpoint_associations(MaxResults=5)
    rest = site.ec2.describe_vpc_endpoint_associations(MaxResults=5, NextToken=first["NextToken"])
    assert sorted(one["VpcEndpointId"] for page in (first, rest) for one in page["VpcEndpointAssociations"]) == made


def test_who_pays_for_the_gateway(site: Site) -> None:
    """Told by EC2 with the endpoint and by VPC Lattice with the association; only the endpoint's owner can take it upon himself."""
    made = site.of_resource()
    scopes = ("vpc-endpoint-charges", "resource-gateway-charges")

    def payers() -> tuple[list[str], list[str]]:
        (told,) = site.lattice.list_resource_endpoint_associations(resourceConfigurationIdentifier=site.configuration["arn"])["items"]
        assert [one["scope"] for one in told["payerResponsibility"]] == ["ResourceGatewayCharges"]
        shown = {one["Scope"]: one["PayerResponsibilityType"] for one in site.shown(made["VpcEndpointId"])["PayerResponsibilities"]}
        return [shown[scope] for scope in scopes], [one["payerResponsibilityType"] for one in told["payerResponsibility"]]

    def change(payer: str, scope: str, endpoint: str = made["VpcEndpointId"]) -> None:
        site.ec2.modify_vpc_endpoint_payer_responsibility(VpcEndpointId=endpoint, PayerResponsibility=payer, Scope=scope)

    assert payers() == (["vpc-endpoint-account", "resource-gateway-account"], ["ResourceGatewayAccount"])
    change("vpc-endpoint-account", "resource-gateway-charges")
    assert payers() == (["vpc-endpoint-account", "vpc-endpoint-account"], ["VpcEndpointAccount"])
    change("resource-gateway-account", "resource-gateway-charges")
    assert payers()[1] == ["ResourceGatewayAccount"]
    with site.region.refused("InvalidParameterValue", "vpc-endpoint-service-account"):
        change("vpc-endpoint-service-account", "resource-gateway-charges")
    with site.region.refused("InvalidParameterValue", "resource-gateway-account"):
        change("resource-gateway-account", "vpc-endpoint-charges")
    other = site.of_network()
    assert "PayerResponsibilities" not in other
    with site.region.refused("InvalidParameter", "does not lead to a resource configuration"):
        change("vpc-endpoint-account", "resource-gateway-charges", other["VpcEndpointId"])
