"""Route tables and which subnet uses which ("Configure route tables", "Subnet route tables")."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import prefix_list, routes, text
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths(
    "route-table-id vpc-id owner-id",
    association__main="Associations.Main", association__subnet_id="Associations.SubnetId", association__gateway_id="Associations.GatewayId",
    association__route_table_id="Associations.RouteTableId", association__route_table_association_id="Associations.RouteTableAssociationId",
    route__destination_cidr_block="Routes.DestinationCidrBlock", route__destination_prefix_list_id="Routes.DestinationPrefixListId",
    route__gateway_id="Routes.GatewayId", route__instance_id="Routes.InstanceId", route__nat_gateway_id="Routes.NatGatewayId",
    route__transit_gateway_id="Routes.TransitGatewayId", route__network_interface_id="Routes.NetworkInterfaceId", route__origin="Routes.Origin",
    route__state="Routes.State", route__vpc_peering_connection_id="Routes.VpcPeeringConnectionId",
    route__destination_ipv6_cidr_block="Routes.DestinationIpv6CidrBlock", route__egress_only_internet_gateway_id="Routes.EgressOnlyInternetGatewayId",
)  # fmt: skip


def _create(ctx: Context, vpc: Row, tags: dict[str, str]) -> Row:
    local = [routes.local(block["CidrBlock"]) for block in vpc.document["CidrBlockAssociationSet"]]
    local += [routes.local(block["Ipv6CidrBlock"]) for block in vpc.document["Ipv6CidrBlockAssociationSet"]]
    document = {"VpcId": vpc.id, "OwnerId": ctx.caller.account, "Routes": local, "Associations": [], "PropagatingVgws": []}
    return ctx.create("ec2:RouteTable", document, tags=tags, refs={"VpcId": vpc.id})


def _association(ctx: Context, table: Row, *, subnet_id: str = "", main: bool = False) -> Document:
    document: Document = {
        "Main": main, "RouteTableAssociationId": ctx.new_id("rtbassoc-"), "RouteTableId": table.id, "AssociationState": {"State": "associated"},
    }  # fmt: skip
    return {**document, "SubnetId": subnet_id} if subnet_id else document


def create_main(ctx: Context, vpc: Row) -> None:
    """The table that a new VPC comes with."""
    table = _create(ctx, vpc, {})
    ctx.change(table, {"Associations": [_association(ctx, table, main=True)]})


def add_local(ctx: Context, vpc_id: str, cidr: str) -> None:
    """A new block of the VPC: a local route in each of its tables."""
    for table in of_vpc(ctx, vpc_id):
        ctx.change(table, {"Routes": [*table.document["Routes"], routes.local(cidr)]})


def drop_local(ctx: Context, vpc_id: str, cidr: str) -> None:
    for table in of_vpc(ctx, vpc_id):
        kept = [route for route in table.document["Routes"] if not (cidr in routes.block_of(route) and route["Origin"] == "CreateRouteTable")]
        ctx.change(table, {"Routes": kept})


def of_vpc(ctx: Context, vpc_id: str) -> list[Row]:
    return [row for row in ctx.live("ec2:RouteTable") if row.document["VpcId"] == vpc_id]


def create_route_table(ctx: Context, params: Document) -> Document:
    """CreateRouteTable: with the local routes of the VPC."""
    only(params, "VpcId")
    table = _create(ctx, ctx.resolve("ec2:Vpc", params["VpcId"]), tags_for(params, "route-table"))
    return {"RouteTable": ctx.view(table)}


describe_route_tables = describing("ec2:RouteTable", "RouteTables", "RouteTableIds", FILTERS)


def delete_route_table(ctx: Context, params: Document) -> Document:
    """DeleteRouteTable: the main table and tables with subnets stay (DependencyViolation)."""
    only(params, "RouteTableId")
    table = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    if associations := table.document["Associations"]:
        raise text.dependency_violation("routeTable", table.id, associations[0].get("SubnetId", table.document["VpcId"]))
    ctx.remove(table)
    return {}


def find_association(ctx: Context, association_id: str) -> tuple[Row, dict[str, Any]]:
    """The table and the association with that id. Raises InvalidAssociationID.NotFound."""
    for table in ctx.live("ec2:RouteTable"):
        for association in table.document["Associations"]:
            if association["RouteTableAssociationId"] == association_id:
                return table, association
    raise text.not_found("InvalidAssociationID.NotFound", f"The association ID '{association_id}' does not exist")


def _detach(ctx: Context, table: Row, association_id: str) -> Row:
    kept = [found for found in table.document["Associations"] if found["RouteTableAssociationId"] != association_id]
    return ctx.change(table, {"Associations": kept})


def associate_route_table(ctx: Context, params: Document) -> Document:
    """AssociateRouteTable with a subnet: a subnet has at most one explicit association."""
    only(params, "RouteTableId SubnetId")
    table = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    if not params.get("SubnetId"):
        raise text.missing_parameter("subnetId")
    subnet = ctx.resolve("ec2:Subnet", params["SubnetId"])
    if subnet.document["VpcId"] != table.document["VpcId"]:
        raise text.invalid("InvalidParameterValue", f"Route table {table.id} and subnet {subnet.id} belong to different networks")
    for other in of_vpc(ctx, table.document["VpcId"]):
        for association in other.document["Associations"]:
            if association.get("SubnetId") != subnet.id:
                continue
            if other.id == table.id:
                return {"AssociationId": association["RouteTableAssociationId"], "AssociationState": {"State": "associated"}}
            message = f"The specified association for route table {table.id} conflicts with an existing association"
            raise text.conflict("Resource.AlreadyAssociated", message)
    association = _association(ctx, table, subnet_id=subnet.id)
    ctx.change(table, {"Associations": [*table.document["Associations"], association]})
    return {"AssociationId": association["RouteTableAssociationId"], "AssociationState": {"State": "associated"}}


def disassociate_route_table(ctx: Context, params: Document) -> Document:
    """DisassociateRouteTable: the subnet falls back to the main table; the main association itself stays."""
    only(params, "AssociationId")
    table, association = find_association(ctx, params["AssociationId"])
    if association["Main"]:
        raise text.invalid("InvalidParameterValue", "cannot disassociate the main route table association " + params["AssociationId"])
    _detach(ctx, table, params["AssociationId"])
    return {}


def replace_route_table_association(ctx: Context, params: Document) -> Document:
    """ReplaceRouteTableAssociation: another table for a subnet or, with the main association's id, another main table."""
    only(params, "AssociationId RouteTableId")
    old, association = find_association(ctx, params["AssociationId"])
    if ctx.resolve("ec2:RouteTable", params["RouteTableId"]).document["VpcId"] != old.document["VpcId"]:
        raise text.invalid("InvalidParameterValue", f"Route table {params['RouteTableId']} and {old.id} belong to different networks")
    _detach(ctx, old, params["AssociationId"])
    new = ctx.resolve("ec2:RouteTable", params["RouteTableId"])
    replacement = _association(ctx, new, subnet_id=association.get("SubnetId", ""), main=association["Main"])
    ctx.change(new, {"Associations": [*new.document["Associations"], replacement]})
    return {"NewAssociationId": replacement["RouteTableAssociationId"], "AssociationState": {"State": "associated"}}


def drop_subnet(ctx: Context, subnet: Row) -> None:
    """A deleted subnet leaves its table."""
    for table in of_vpc(ctx, subnet.document["VpcId"]):
        for association in table.document["Associations"]:
            if association.get("SubnetId") == subnet.id:
                _detach(ctx, table, association["RouteTableAssociationId"])


def view(ctx: Context, row: Row) -> Document:
    """Routes with their present states, and those of VPC Lattice."""
    own = [{**route, "State": routes.state(ctx, row, route)} for route in row.document["Routes"]]
    lists = (prefix_list.managed_id(ctx, service) for service in prefix_list.AWS_MANAGED)
    return {"Routes": [*own, *routes.of_lattice(ctx, ctx.tx.get("ec2:Vpc", row.document["VpcId"]), lists)]}
