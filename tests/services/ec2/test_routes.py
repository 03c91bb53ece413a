"""Route tables, their associations, routes and their states, internet gateways."""

from __future__ import annotations

from typing import Any

import pytest

from .region import Region


@pytest.fixture
def vpc(region: Region) -> str:
    return region.vpc()


@pytest.fixture
def table(region: Region, vpc: str) -> str:
    return str(region.call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"])


def route(region: Region, table: str, destination: str) -> dict[str, Any]:
    (found,) = region.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
    return next(item for item in found["Routes"] if item["DestinationCidrBlock"] == destination)


def attach(region: Region, vpc: str, subnet: str) -> tuple[str, str]:
    gateway = region.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    answer = region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet])
    region.settle()
    return gateway, answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]


def endpoint(region: Region, vpc: str, subnet: str) -> str:
    """A firewall endpoint as the network-firewall service makes it."""
    with region.store.write() as tx:
        ctx = region.app.context(tx, region.caller, "network-firewall", "CreateFirewall", "request")
        document = {"VpcId": vpc, "SubnetIds": [subnet], "ServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-0f"}
        return ctx.create("ec2:VpcEndpoint", document, refs={"VpcId": vpc, "SubnetIds": subnet}).id


def test_a_subnet_uses_the_main_table_until_associated(region: Region, vpc: str, table: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    association = region.call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)["AssociationId"]
    assert region.call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)["AssociationId"] == association
    filters = [{"Name": "association.route-table-association-id", "Values": [association]}]
    (found,) = region.call("DescribeRouteTables", Filters=filters)["RouteTables"]
    assert found["Associations"][0]["AssociationState"] == {"State": "associated"}
    with region.refused("DependencyViolation", table):
        region.call("DeleteRouteTable", RouteTableId=table)
    other = region.call("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    with region.refused("Resource.AlreadyAssociated"):
        region.call("AssociateRouteTable", RouteTableId=other, SubnetId=subnet)
    moved = region.call("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=other)["NewAssociationId"]
    region.call("DeleteRouteTable", RouteTableId=table)
    region.call("DisassociateRouteTable", AssociationId=moved)
    with region.refused("InvalidAssociationID.NotFound", moved):
        region.call("DisassociateRouteTable", AssociationId=moved)
    region.call("DeleteRouteTable", RouteTableId=other)


def test_another_main_table(region: Region, vpc: str, table: str) -> None:
    main = region.main_table(vpc)
    association = main["Associations"][0]["RouteTableAssociationId"]
    with region.refused("InvalidParameterValue"):
        region.call("DisassociateRouteTable", AssociationId=association)
    region.call("ReplaceRouteTableAssociation", AssociationId=association, RouteTableId=table)
    assert region.main_table(vpc)["RouteTableId"] == table
    region.call("DeleteRouteTable", RouteTableId=main["RouteTableId"])
    region.call("DeleteVpc", VpcId=vpc)


def test_a_deleted_subnet_leaves_its_table(region: Region, vpc: str, table: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    region.call("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)
    region.call("DeleteSubnet", SubnetId=subnet)
    region.call("DeleteRouteTable", RouteTableId=table)
    (acl,) = region.call("DescribeNetworkAcls")["NetworkAcls"]
    assert acl["Associations"] == []


def test_a_transit_gateway_route_needs_the_attachment(region: Region, vpc: str, table: str) -> None:
    gateway = region.call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    with region.refused("InvalidTransitGatewayID.NotFound", gateway):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", TransitGatewayId=gateway)
    subnet = region.subnet(vpc, "10.0.0.0/24")
    attachment = region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet])
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", TransitGatewayId=gateway)
    assert route(region, table, "0.0.0.0/0") == {
        "DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": gateway, "Origin": "CreateRoute", "State": "active",
    }  # fmt: skip
    identifier = attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    region.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=identifier)
    assert route(region, table, "0.0.0.0/0")["State"] == "blackhole"


def test_a_firewall_endpoint_route_shows_the_endpoint_as_gateway(region: Region, vpc: str, table: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    identifier = endpoint(region, vpc, subnet)
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", VpcEndpointId=identifier)
    assert route(region, table, "0.0.0.0/0")["GatewayId"] == identifier
    (shown,) = region.call("DescribeVpcEndpoints", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    assert (shown["VpcEndpointType"], shown["SubnetIds"], shown["State"]) == ("GatewayLoadBalancer", [subnet], "pending")
    with region.refused("DependencyViolation"):
        region.call("DeleteSubnet", SubnetId=subnet)
    with region.refused("UnsupportedOperation", identifier):
        region.call("CreateRoute", RouteTableId=table, DestinationIpv6CidrBlock="::/0", VpcEndpointId=identifier)
    refusal = region.call("DeleteVpcEndpoints", VpcEndpointIds=[identifier, "vpce-0123456789abcdef0"])["Unsuccessful"]
    assert [item["Error"]["Code"] for item in refusal] == ["OperationNotPermitted", "InvalidVpcEndpointId.NotFound"]
    with region.refused("UnsupportedOperation", "Gateway"):
        region.call("CreateVpcEndpoint", VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3")


def test_routes_more_specific_than_local_lead_a_whole_subnet_through_an_endpoint(region: Region, vpc: str, table: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    identifier = endpoint(region, vpc, subnet)
    gateway, _ = attach(region, vpc, subnet)
    with region.refused("InvalidParameterValue"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/25", VpcEndpointId=identifier)
    with region.refused("InvalidParameterValue"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/24", TransitGatewayId=gateway)
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/24", VpcEndpointId=identifier)
    region.call("ReplaceRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", VpcEndpointId=identifier)
    assert route(region, table, "10.0.0.0/16")["GatewayId"] == identifier
    region.call("ReplaceRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", LocalTarget=True)
    assert route(region, table, "10.0.0.0/16")["GatewayId"] == "local"


def test_instance_routes_follow_the_instance(region: Region, vpc: str, table: str) -> None:
    instance = region.run(region.subnet(vpc, "10.0.0.0/24"))
    region.settle()
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="192.168.0.0/16", InstanceId=instance["InstanceId"])
    found = route(region, table, "192.168.0.0/16")
    assert found["NetworkInterfaceId"] == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    assert (found["InstanceId"], found["State"]) == (instance["InstanceId"], "active")
    region.call("StopInstances", InstanceIds=[instance["InstanceId"]])
    assert route(region, table, "192.168.0.0/16")["State"] == "blackhole"


def test_routes_to_prefix_lists(region: Region, vpc: str, table: str) -> None:
    gateway, _ = attach(region, vpc, region.subnet(vpc, "10.0.0.0/24"))
    entries = [{"Cidr": "172.16.0.0/12"}]
    made = region.call("CreateManagedPrefixList", PrefixListName="far", AddressFamily="IPv4", MaxEntries=5, Entries=entries)["PrefixList"]
    named = {"RouteTableId": table, "DestinationPrefixListId": made["PrefixListId"]}
    region.call("CreateRoute", **named, TransitGatewayId=gateway)
    filters = [{"Name": "route.destination-prefix-list-id", "Values": [made["PrefixListId"]]}]
    (found,) = region.call("DescribeRouteTables", Filters=filters)["RouteTables"]
    assert found["Routes"][1] == {
        "DestinationPrefixListId": made["PrefixListId"], "TransitGatewayId": gateway, "Origin": "CreateRoute", "State": "active",
    }  # fmt: skip
    with region.refused("RouteAlreadyExists", made["PrefixListId"]):
        region.call("CreateRoute", **named, TransitGatewayId=gateway)
    with region.refused("InvalidParameterCombination"):
        region.call("CreateRoute", **named, DestinationCidrBlock="10.9.0.0/16", TransitGatewayId=gateway)
    with region.refused("DependencyViolation", table):
        region.call("DeleteManagedPrefixList", PrefixListId=made["PrefixListId"])
    region.call("DeleteRoute", **named)
    region.call("DeleteManagedPrefixList", PrefixListId=made["PrefixListId"])


def test_bad_routes_are_refused(region: Region, vpc: str, table: str) -> None:
    subnet = region.subnet(vpc, "10.0.0.0/24")
    gateway, _ = attach(region, vpc, subnet)
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="100.68.0.18/18", TransitGatewayId=gateway)
    with region.refused("RouteAlreadyExists", "100.68.0.0/18"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="100.68.0.0/18", TransitGatewayId=gateway)
    with region.refused("RouteAlreadyExists"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", TransitGatewayId=gateway)
    with region.refused("InvalidParameterCombination"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="8.0.0.0/8", TransitGatewayId=gateway, NetworkInterfaceId="eni-1")
    with region.refused("InvalidParameterValue", "169.254.169.0/24"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="169.254.169.0/24", TransitGatewayId=gateway)
    with region.refused("UnsupportedOperation", "NatGatewayId"):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="8.0.0.0/8", NatGatewayId="nat-1")
    with region.refused("InvalidParameterValue", "local"):
        region.call("DeleteRoute", RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    with region.refused("InvalidRoute.NotFound", "9.0.0.0/8"):
        region.call("DeleteRoute", RouteTableId=table, DestinationCidrBlock="9.0.0.0/8")
    with region.refused("InvalidRouteTableID.NotFound"):
        region.call("DeleteRoute", RouteTableId="rtb-0123456789abcdef0", DestinationCidrBlock="9.0.0.0/8")
    region.call("DeleteRoute", RouteTableId=table, DestinationCidrBlock="100.68.0.0/18")


def test_internet_gateways_route_while_attached(region: Region, vpc: str, table: str) -> None:
    gateway = region.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    with region.refused("InvalidParameterValue", gateway):
        region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    region.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    (shown,) = region.call("DescribeInternetGateways", Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]
    assert shown["Attachments"] == [{"VpcId": vpc, "State": "available"}]
    region.call("CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert route(region, table, "0.0.0.0/0")["State"] == "active"
    with region.refused("DependencyViolation"):
        region.call("DeleteInternetGateway", InternetGatewayId=gateway)
    with region.refused("DependencyViolation"):
        region.call("DeleteVpc", VpcId=vpc)
    region.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    assert route(region, table, "0.0.0.0/0")["State"] == "blackhole"
    with region.refused("Gateway.NotAttached"):
        region.call("DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    region.call("DeleteInternetGateway", InternetGatewayId=gateway)
