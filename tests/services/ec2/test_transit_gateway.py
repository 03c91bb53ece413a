"""Transit gateways, attachments, route tables, association, propagation, routes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from .region import Region


class Hub:
    """A gateway without default tables and the VPCs attached to it."""

    def __init__(self, region: Region) -> None:
        self.region = region
        options = {"DefaultRouteTableAssociation": "disable", "DefaultRouteTablePropagation": "disable"}
        self.id = region.call("CreateTransitGateway", Options=options)["TransitGateway"]["TransitGatewayId"]

    def attach(self, cidr: str, **options: str) -> tuple[str, str]:
        vpc = self.region.vpc(cidr)
        subnet = self.region.subnet(vpc, cidr.replace("/16", "/24"))
        answer = self.region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=self.id, VpcId=vpc, SubnetIds=[subnet], Options=options)
        return vpc, answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]

    def table(self) -> str:
        return str(self.region.call("CreateTransitGatewayRouteTable", TransitGatewayId=self.id)["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"])

    def associate(self, table: str, attachment: str) -> Any:
        return self.region.call("AssociateTransitGatewayRouteTable", TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachment)

    def propagate(self, table: str, attachment: str) -> Any:
        return self.region.call("EnableTransitGatewayRouteTablePropagation", TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachment)

    def route(self, table: str, destination: str, attachment: str = "", **more: Any) -> Any:
        call = self.region.call
        return call(
            "CreateTransitGatewayRoute", TransitGatewayRouteTableId=table, DestinationCidrBlock=destination, TransitGatewayAttachmentId=attachment, **more
        )["Route"]

    def search(self, table: str, **filters: str) -> list[dict[str, Any]]:
        rules = [{"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        found = self.region.call("SearchTransitGatewayRoutes", TransitGatewayRouteTableId=table, Filters=rules)["Routes"]
        return list(found)


@pytest.fixture
def hub(region: Region) -> Hub:
    return Hub(region)


def state(region: Region, operation: str, result: str, **params: Any) -> str:
    (shown,) = region.call(operation, **params)[result]
    return str(shown["State"])


def test_a_gateway_with_default_options(region: Region) -> None:
    gateway = region.call("CreateTransitGateway", Description="hub")["TransitGateway"]
    assert gateway["State"] == "pending"
    region.settle()
    (shown,) = region.call("DescribeTransitGateways", TransitGatewayIds=[gateway["TransitGatewayId"]])["TransitGateways"]
    options = shown["Options"]
    assert shown["State"] == "available"
    assert (options["AmazonSideAsn"], options["DnsSupport"], options["SecurityGroupReferencingSupport"]) == (64512, "enable", "disable")
    (table,) = region.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]
    assert options["AssociationDefaultRouteTableId"] == options["PropagationDefaultRouteTableId"] == table["TransitGatewayRouteTableId"]
    assert table["DefaultAssociationRouteTable"] is table["DefaultPropagationRouteTable"] is True
    vpc = region.vpc()
    subnet = region.subnet(vpc, "10.0.0.0/24")
    attachment = region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=gateway["TransitGatewayId"], VpcId=vpc, SubnetIds=[subnet])
    identifier = attachment["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    region.settle()
    (shown,) = region.call("DescribeTransitGatewayAttachments", TransitGatewayAttachmentIds=[identifier])["TransitGatewayAttachments"]
    assert shown["Association"] == {"TransitGatewayRouteTableId": table["TransitGatewayRouteTableId"], "State": "associated"}
    assert (shown["ResourceType"], shown["ResourceId"]) == ("vpc", vpc)
    (found,) = region.call("GetTransitGatewayAttachmentPropagations", TransitGatewayAttachmentId=identifier)["TransitGatewayAttachmentPropagations"]
    assert (found["TransitGatewayRouteTableId"], found["State"]) == (table["TransitGatewayRouteTableId"], "enabled")


def test_no_default_table_when_both_options_are_off(region: Region, hub: Hub) -> None:
    assert region.call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"] == []
    options = region.call("DescribeTransitGateways")["TransitGateways"][0]["Options"]
    assert "AssociationDefaultRouteTableId" not in options
    hub.attach("10.1.0.0/16")
    assert "Association" not in region.call("DescribeTransitGatewayAttachments")["TransitGatewayAttachments"][0]
    table = hub.table()
    region.settle()
    with region.refused("InvalidParameterCombination"):
        region.call("ModifyTransitGateway", TransitGatewayId=hub.id, Options={"DefaultRouteTableAssociation": "enable"})
    changed = {"DefaultRouteTableAssociation": "enable", "AssociationDefaultRouteTableId": table}
    assert region.call("ModifyTransitGateway", TransitGatewayId=hub.id, Options=changed)["TransitGateway"]["State"] == "modifying"
    _, second = hub.attach("10.2.0.0/16")
    associated = region.call("GetTransitGatewayRouteTableAssociations", TransitGatewayRouteTableId=table)["Associations"]
    assert [item["TransitGatewayAttachmentId"] for item in associated] == [second]


def test_attachment_states_and_tombstone(region: Region, hub: Hub) -> None:
    vpc, attachment = hub.attach("10.1.0.0/16", ApplianceModeSupport="enable")
    named: dict[str, Any] = {"TransitGatewayAttachmentIds": [attachment]}
    describe = "DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments"
    assert state(region, *describe, **named) == "pending"
    region.settle()
    (shown,) = region.call(describe[0], **named)[describe[1]]
    assert shown["State"] == "available"
    assert shown["Options"] == {
        "DnsSupport": "enable", "SecurityGroupReferencingSupport": "enable", "Ipv6Support": "disable", "ApplianceModeSupport": "enable",
    }  # fmt: skip
    (interface,) = region.call("DescribeNetworkInterfaces", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"]
    assert (interface["InterfaceType"], interface["PrivateIpAddress"], interface["Groups"]) == ("transit_gateway", "10.1.0.4", [])
    with region.refused("DependencyViolation"):
        region.call("DeleteSubnet", SubnetId=shown["SubnetIds"][0])
    with region.refused("IncorrectState", attachment):
        region.call("DeleteTransitGateway", TransitGatewayId=hub.id)
    region.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment)
    assert state(region, *describe, **named) == "deleting"
    with region.refused("IncorrectState", attachment):
        region.call("DeleteTransitGateway", TransitGatewayId=hub.id)
    region.settle()
    assert state(region, *describe, **named) == "deleted"
    region.call("DeleteSubnet", SubnetId=shown["SubnetIds"][0])
    region.call("DeleteVpc", VpcId=vpc)
    region.call("DeleteTransitGateway", TransitGatewayId=hub.id)
    region.settle()
    assert state(region, "DescribeTransitGateways", "TransitGateways", TransitGatewayIds=[hub.id]) == "deleted"
    region.clock.moment += timedelta(hours=2)
    with region.store.read() as snapshot:
        assert snapshot.get("ec2:TransitGateway", hub.id)
    with region.refused("InvalidTransitGatewayAttachmentID.NotFound", f"Transit Gateway Attachment {attachment} was deleted or does not exist."):
        region.call(describe[0], **named)
    with region.refused("InvalidTransitGatewayID.NotFound"):
        region.call("DescribeTransitGateways", TransitGatewayIds=[hub.id])
    region.settle()
    with region.store.read() as snapshot:
        assert snapshot.get("ec2:TransitGateway", hub.id) is None


def test_attachment_subnets(region: Region, hub: Hub) -> None:
    vpc, attachment = hub.attach("10.1.0.0/16")
    same_zone, other_zone = region.subnet(vpc, "10.1.1.0/24"), region.subnet(vpc, "10.1.2.0/24", "b")
    with region.refused("DuplicateTransitGatewayAttachment", attachment):
        region.call("CreateTransitGatewayVpcAttachment", TransitGatewayId=hub.id, VpcId=vpc, SubnetIds=[other_zone])
    with region.refused("DuplicateSubnetsInSameZone", same_zone):
        region.call("ModifyTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment, AddSubnetIds=[same_zone])
    elsewhere = region.subnet(region.vpc("10.9.0.0/16"), "10.9.0.0/24", "c")
    with region.refused("InvalidParameterValue", elsewhere):
        region.call("ModifyTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment, AddSubnetIds=[elsewhere])
    region.settle()
    (first,) = region.call("DescribeTransitGatewayVpcAttachments")["TransitGatewayVpcAttachments"][0]["SubnetIds"]
    changed = region.call(
        "ModifyTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment, AddSubnetIds=[other_zone], RemoveSubnetIds=[first],
        Options={"ApplianceModeSupport": "enable"},
    )["TransitGatewayVpcAttachment"]  # fmt: skip
    assert (changed["State"], changed["SubnetIds"], changed["Options"]["ApplianceModeSupport"]) == ("modifying", [other_zone], "enable")
    region.call("DeleteSubnet", SubnetId=first)
    with region.refused("InsufficientSubnetsException"):
        region.call("ModifyTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment, RemoveSubnetIds=[other_zone])


def test_association_settles_and_is_the_only_one(region: Region, hub: Hub) -> None:
    _, attachment = hub.attach("10.1.0.0/16")
    spoke, firewall = hub.table(), hub.table()
    assert hub.associate(spoke, attachment)["Association"]["State"] == "associating"
    region.settle()
    filters = [{"Name": "transit-gateway-attachment-id", "Values": [attachment]}]
    (found,) = region.call("GetTransitGatewayRouteTableAssociations", TransitGatewayRouteTableId=spoke, Filters=filters)["Associations"]
    assert found["State"] == "associated"
    with region.refused("Resource.AlreadyAssociated", spoke):
        hub.associate(firewall, attachment)
    with region.refused("IncorrectState", spoke):
        region.call("DeleteTransitGatewayRouteTable", TransitGatewayRouteTableId=spoke)
    answer = region.call("DisassociateTransitGatewayRouteTable", TransitGatewayRouteTableId=spoke, TransitGatewayAttachmentId=attachment)
    assert answer["Association"]["State"] == "disassociating"
    with region.refused("InvalidAssociation.NotFound"):
        region.call("DisassociateTransitGatewayRouteTable", TransitGatewayRouteTableId=spoke, TransitGatewayAttachmentId=attachment)
    hub.associate(firewall, attachment)
    region.call("DeleteTransitGatewayRouteTable", TransitGatewayRouteTableId=spoke)
    assert state(region, "DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables", TransitGatewayRouteTableIds=[spoke]) == "deleting"


def test_static_routes_hide_propagated_ones(region: Region, hub: Hub) -> None:
    vpc, a = hub.attach("10.1.0.0/16")
    _, b = hub.attach("10.2.0.0/16")
    table = hub.table()
    hub.propagate(table, a)
    region.settle()
    (propagation,) = region.call("GetTransitGatewayRouteTablePropagations", TransitGatewayRouteTableId=table)["TransitGatewayRouteTablePropagations"]
    assert (propagation["TransitGatewayAttachmentId"], propagation["ResourceId"], propagation["State"]) == (a, vpc, "enabled")
    with region.refused("TransitGatewayRouteTablePropagation.Duplicate"):
        hub.propagate(table, a)
    (found,) = hub.search(table, type="propagated")
    assert (found["DestinationCidrBlock"], found["TransitGatewayAttachments"][0]["ResourceId"]) == ("10.1.0.0/16", vpc)
    hub.route(table, "10.1.0.0/16", b)
    (found,) = hub.search(table, route_search__exact_match="10.1.0.0/16")
    assert (found["Type"], found["TransitGatewayAttachments"][0]["TransitGatewayAttachmentId"]) == ("static", b)
    region.call("DeleteTransitGatewayRoute", TransitGatewayRouteTableId=table, DestinationCidrBlock="10.1.0.0/16")
    assert [route["Type"] for route in hub.search(table, state="active")] == ["propagated"]
    with region.refused("InvalidRoute.NotFound"):
        region.call("DeleteTransitGatewayRoute", TransitGatewayRouteTableId=table, DestinationCidrBlock="10.1.0.0/16")
    region.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.5.0.0/16")
    assert [route["DestinationCidrBlock"] for route in hub.search(table, type="propagated")] == ["10.1.0.0/16", "10.5.0.0/16"]
    region.call("DisableTransitGatewayRouteTablePropagation", TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=a)
    assert hub.search(table, type="propagated") == []
    assert region.call("GetTransitGatewayRouteTablePropagations", TransitGatewayRouteTableId=table)["TransitGatewayRouteTablePropagations"] == []
    with region.refused("InvalidRouteTableID.NotFound"):
        region.call("GetTransitGatewayRouteTablePropagations", TransitGatewayRouteTableId=f"{table[:-1]}0")


def test_blackholes(region: Region, hub: Hub) -> None:
    _, attachment = hub.attach("10.1.0.0/16")
    table = hub.table()
    assert hub.route(table, "10.0.0.0/8", Blackhole=True) == {"DestinationCidrBlock": "10.0.0.0/8", "Type": "static", "State": "blackhole"}
    assert hub.route(table, "0.0.0.0/0", attachment)["State"] == "active"
    with region.refused("RouteAlreadyExists", "0.0.0.0/0"):
        hub.route(table, "0.0.0.0/0", attachment)
    with region.refused("InvalidParameterCombination"):
        hub.route(table, "172.16.0.0/12")
    region.call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=attachment)
    (found,) = hub.search(table, route_search__exact_match="0.0.0.0/0")
    assert found["State"] == "blackhole"
    assert "TransitGatewayAttachments" not in found
    _, other = hub.attach("10.2.0.0/16")
    replaced = region.call("ReplaceTransitGatewayRoute", TransitGatewayRouteTableId=table, DestinationCidrBlock="0.0.0.0/0", TransitGatewayAttachmentId=other)
    assert replaced["Route"]["State"] == "active"


def test_searches(region: Region, hub: Hub) -> None:
    _, attachment = hub.attach("10.1.0.0/16")
    table = hub.table()
    for destination in ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24"):
        hub.route(table, destination, attachment)

    def found(**filters: str) -> list[str]:
        return [route["DestinationCidrBlock"] for route in hub.search(table, **filters)]

    assert found(route_search__longest_prefix_match="10.1.2.3") == ["10.1.0.0/16"]
    assert found(route_search__subnet_of_match="10.0.0.0/8") == ["10.0.0.0/8", "10.1.0.0/16"]
    assert found(route_search__supernet_of_match="10.1.0.0/16") == ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16"]
    assert found(attachment__resource_type="vpc", route_search__exact_match="192.168.0.0/24") == ["192.168.0.0/24"]
    with region.refused("InvalidParameterValue", "no-such"):
        hub.search(table, no_such="x")
    answer = region.call("SearchTransitGatewayRoutes", TransitGatewayRouteTableId=table, Filters=[{"Name": "type", "Values": ["static"]}], MaxResults=5)
    assert (len(answer["Routes"]), answer["AdditionalRoutesAvailable"]) == (4, False)


def test_unknown_and_foreign_things(region: Region, hub: Hub) -> None:
    _, attachment = hub.attach("10.1.0.0/16")
    other = Hub(region)
    foreign = other.table()
    with region.refused("InvalidParameterValue", "different transit gateways"):
        hub.associate(foreign, attachment)
    with region.refused("InvalidRouteTableID.NotFound", "tgw-rtb-0123456789abcdef0"):
        hub.associate("tgw-rtb-0123456789abcdef0", attachment)
    with region.refused("InvalidTransitGatewayAttachmentID.NotFound"):
        hub.associate(foreign, "tgw-attach-0123456789abcdef0")
    with region.refused("InvalidParameterValue", "AmazonSideAsn"):
        region.call("CreateTransitGateway", Options={"AmazonSideAsn": 7})
    with region.refused("UnsupportedOperation"):
        region.call("CreateTransitGateway", Options={"MulticastSupport": "enable"})
