"""Associations with services and VPCs."""

from __future__ import annotations

from typing import Any

import pytest

from .region import ACCOUNT, NAME, Region, body


def associate(region: Region, network: str, vpc: str, **more: Any) -> dict[str, Any]:
    return body(region.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc, **more))


def test_a_service_association_lives_and_ends(region: Region) -> None:
    network, service = region.network(), region.service(customDomainName="orders.example.net")
    own_entry = region.lattice.get_service(serviceIdentifier=service)["dnsEntry"]
    created = body(region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service))
    assert region.last_status == 200
    identifier = created["id"]
    assert created == {
        "id": identifier, "arn": created["arn"], "status": "CREATE_IN_PROGRESS", "createdBy": ACCOUNT, "customDomainName": "orders.example.net",
        "dnsEntry": own_entry,
    }  # fmt: skip
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        region.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=identifier)
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    region.settle()
    shown = body(region.lattice.get_service_network_service_association(serviceNetworkServiceAssociationIdentifier=created["arn"]))
    assert (shown["status"], shown["serviceName"], shown["serviceNetworkName"]) == ("ACTIVE", "orders", "mesh")
    assert "lastUpdatedAt" not in shown
    assert region.lattice.get_service_network(serviceNetworkIdentifier=network)["numberOfAssociatedServices"] == 1
    with region.refused("ConflictException", identifier):
        region.lattice.delete_service(serviceIdentifier=service)
    with region.refused("ConflictException", identifier):
        region.lattice.delete_service_network(serviceNetworkIdentifier=network)
    gone = body(region.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=identifier))
    assert gone == {"id": identifier, "arn": created["arn"], "status": "DELETE_IN_PROGRESS"}
    with region.refused("ConflictException", "DELETE_IN_PROGRESS"):
        region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    region.settle()
    with region.refused("ResourceNotFoundException", identifier):
        region.lattice.get_service_network_service_association(serviceNetworkServiceAssociationIdentifier=identifier)
    region.lattice.delete_service(serviceIdentifier=service)
    region.lattice.delete_service_network(serviceNetworkIdentifier=network)


def test_a_custom_domain_is_in_a_network_once(region: Region) -> None:
    network, other = region.network(), region.network("other")
    first, second = region.service("one", customDomainName="api.example.net"), region.service("two", customDomainName="API.example.net")
    region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=first)
    with region.refused("ConflictException", "API.example.net already exist"):
        region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=second)
    region.lattice.create_service_network_service_association(serviceNetworkIdentifier=other, serviceIdentifier=second)


def test_associations_are_listed_by_either_side(region: Region) -> None:
    network, service = region.network(), region.service()
    created = region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    arn = region.lattice.get_service(serviceIdentifier=service)["arn"]
    for where in ({"serviceIdentifier": arn}, {"serviceNetworkIdentifier": network}):
        (item,) = region.lattice.list_service_network_service_associations(**where)["items"]
        assert (item["id"], item["serviceId"], item["serviceNetworkId"]) == (created["id"], service, network)
    unknown = region.lattice.list_service_network_service_associations(serviceIdentifier="svc-0123456789abcdef0")
    assert unknown["items"] == []
    with region.refused("ValidationException", "required"):
        region.lattice.list_service_network_service_associations()
    with region.refused("ValidationException", "required"):
        region.lattice.list_service_network_vpc_associations()


def test_a_vpc_is_in_one_service_network(region: Region) -> None:
    network, other, vpc = region.network(), region.network("other"), region.vpc()
    group = region.group(vpc)
    created = associate(region, network, vpc, securityGroupIds=[group], privateDnsEnabled=True, dnsOptions={"privateDnsPreference": "ALL_DOMAINS"})
    assert region.last_status == 200
    assert created == {
        "id": created["id"], "arn": created["arn"], "status": "CREATE_IN_PROGRESS", "createdBy": ACCOUNT, "securityGroupIds": [group],
        "privateDnsEnabled": True, "dnsOptions": {"privateDnsPreference": "ALL_DOMAINS"},
    }  # fmt: skip
    with region.refused("ConflictException", "VPC has already been associated to a service network."):
        associate(region, other, vpc)
    where = {"serviceNetworkVpcAssociationIdentifier": created["id"]}
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        region.lattice.delete_service_network_vpc_association(**where)
    region.settle()
    shown = body(region.lattice.get_service_network_vpc_association(**where))
    assert (shown["status"], shown["vpcId"], shown["serviceNetworkId"], shown["serviceNetworkName"]) == ("ACTIVE", vpc, network, "mesh")
    (item,) = region.lattice.list_service_network_vpc_associations(vpcIdentifier=vpc)["items"]
    assert "securityGroupIds" not in item
    with region.refused("DependencyViolation"):
        region.ec2.delete_security_group(GroupId=group)
    with region.refused("DependencyViolation"):
        region.ec2.delete_vpc(VpcId=vpc)
    with region.refused("ConflictException", created["id"]):
        region.lattice.delete_service_network(serviceNetworkIdentifier=network)
    assert body(region.lattice.delete_service_network_vpc_association(**where))["status"] == "DELETE_IN_PROGRESS"
    region.settle()
    associate(region, other, vpc)


def test_route_tables_show_the_way_to_a_service_network(region: Region) -> None:
    """As Terraform's provider reads them: routes of the gateway `VpcLattice`, which it leaves alone."""
    network, vpc = region.network(), region.vpc()
    table = region.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    lists = region.ec2.describe_managed_prefix_lists()["PrefixLists"]
    names = {one["PrefixListId"]: one["PrefixListName"].partition(f"{NAME}.")[2] for one in lists}

    def shown() -> list[list[str]]:
        found = region.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        routes = [[route for route in one["Routes"] if route.get("GatewayId") == "VpcLattice"] for one in found]
        assert {route["State"] for own in routes for route in own} <= {"active"}
        return [[names.get(route.get("DestinationPrefixListId")) or route["DestinationCidrBlock"] for route in own] for own in routes]

    assert shown() == [[], []]
    made = associate(region, network, vpc)
    assert shown() == [["vpc-lattice", "ipv6.vpc-lattice", "129.224.0.0/17"]] * 2
    with region.refused("InvalidParameterValue", "not supported"):
        region.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="169.254.171.0/24")
    region.settle()
    region.lattice.delete_service_network_vpc_association(serviceNetworkVpcAssociationIdentifier=made["id"])
    assert shown() == [[], []]


def test_an_association_without_options_shows_none(region: Region) -> None:
    created = associate(region, region.network(), region.vpc())
    assert sorted(created) == ["arn", "createdBy", "id", "status"]


def test_security_groups_can_be_replaced_but_not_taken_away(region: Region) -> None:
    network, vpc = region.network(), region.vpc()
    first, second = region.group(vpc), region.group(vpc, "more")
    where = {"serviceNetworkVpcAssociationIdentifier": associate(region, network, vpc, securityGroupIds=[first])["id"]}
    with region.refused("ConflictException", "CREATE_IN_PROGRESS"):
        region.lattice.update_service_network_vpc_association(**where, securityGroupIds=[second])
    region.settle()
    with region.refused("ValidationException", "securityGroupIds"):
        region.lattice.update_service_network_vpc_association(**where, securityGroupIds=[])
    changed = region.lattice.update_service_network_vpc_association(**where, securityGroupIds=[second])
    assert (changed["status"], changed["securityGroupIds"]) == ("UPDATE_IN_PROGRESS", [second])
    with region.refused("ConflictException", "UPDATE_IN_PROGRESS"):
        region.lattice.delete_service_network_vpc_association(**where)
    region.settle()
    region.ec2.delete_security_group(GroupId=first)
    with region.refused("DependencyViolation"):
        region.ec2.delete_security_group(GroupId=second)


def test_what_an_association_names_must_be_there(region: Region) -> None:
    network, vpc = region.network(), region.vpc()
    stranger = region.group(region.vpc("10.9.0.0/16"))
    with region.refused("ResourceNotFoundException", "vpc-0123456789abcdef0"):
        associate(region, network, "vpc-0123456789abcdef0")
    with region.refused("ResourceNotFoundException", "sn-0123456789abcdef0"):
        associate(region, "sn-0123456789abcdef0", vpc)
    with region.refused("ResourceNotFoundException", "sg-0123456789abcdef0") as error:
        associate(region, network, vpc, securityGroupIds=["sg-0123456789abcdef0"])
    assert error["resourceType"] == "securitygroup"
    with region.refused("ValidationException", stranger):
        associate(region, network, vpc, securityGroupIds=[stranger])
    with region.refused("ValidationException", "length"):
        associate(region, network, vpc, securityGroupIds=[stranger] * 6)


@pytest.mark.parametrize(
    "options",
    [
        {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY"},
        {"privateDnsPreference": "ALL_DOMAINS", "privateDnsSpecifiedDomains": ["example.net"]},
        {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": ["exa mple.net"]},
    ],
)
def test_dns_options_that_contradict_are_refused(region: Region, options: dict[str, Any]) -> None:
    network, vpc = region.network(), region.vpc()
    with region.refused("ValidationException", "omain"):
        associate(region, network, vpc, privateDnsEnabled=True, dnsOptions=options)


def test_dns_options_may_name_domains_with_wildcards(region: Region) -> None:
    options = {"privateDnsPreference": "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "privateDnsSpecifiedDomains": ["*.example.net"]}
    created = associate(region, region.network(), region.vpc(), privateDnsEnabled=True, dnsOptions=options)
    assert created["dnsOptions"] == options


def test_dns_options_need_private_dns(region: Region) -> None:
    """A preference that would have no effect is not taken."""
    network, vpc, options = region.network(), region.vpc(), {"privateDnsPreference": "ALL_DOMAINS"}
    for given in ({}, {"privateDnsEnabled": False}):
        with region.refused("ValidationException", "privateDnsEnabled") as error:
            associate(region, network, vpc, dnsOptions=options, **given)
        assert [field["name"] for field in error["fieldList"]] == ["dnsOptions"]
    where = {"serviceNetworkVpcAssociationIdentifier": associate(region, network, vpc)["id"]}
    region.settle()
    with region.refused("ValidationException", "privateDnsEnabled"):
        region.lattice.update_service_network_vpc_association(**where, dnsOptions=options)
    region.lattice.update_service_network_vpc_association(**where, dnsOptions=options, privateDnsEnabled=True)
    region.settle()
    changed = region.lattice.update_service_network_vpc_association(**where, dnsOptions={"privateDnsPreference": "VERIFIED_DOMAINS_ONLY"})
    assert changed["dnsOptions"] == {"privateDnsPreference": "VERIFIED_DOMAINS_ONLY"}
