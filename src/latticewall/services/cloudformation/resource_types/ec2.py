"""Types of EC2's networks ("AWS::EC2 resource type reference"): VPCs, subnets, route tables, ACLs, gateways, prefix lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import NotFound
from latticewall.resources.context import Context
from latticewall.services.cloudformation.resource_types.row import Attribute, Made, Properties, ResourceType, Work


def of_ec2(name: str, properties: str, *, noun: str = "", **more: Any) -> ResourceType:
    """A type as EC2's usually are: AWS::EC2::<name> of kind ec2:<noun>, made by Create<noun>, known by <noun>Id."""
    kind = noun or name
    return ResourceType(
        f"AWS::EC2::{name}", properties,
        **{
            "kind": f"ec2:{kind}", "create": f"ec2:Create{kind}", "made": f"{kind}.{kind}Id", "key": f"{kind}Id=id", "delete": f"ec2:Delete{kind}",
            "tagging": "ec2", **more,
        },
    )  # fmt: skip


def _default_in_vpc(kind: str, is_default: Any) -> Attribute:
    def find(ctx: Context, made: Made) -> str:
        return next(row.id for row in ctx.live(kind) if row.document["VpcId"] == made.row_id and is_default(row))

    return find


def _acl_association(ctx: Context, subnet_id: str) -> tuple[str, str]:
    """The id of a subnet's association with its network ACL, and that ACL."""
    for acl in ctx.live("ec2:NetworkAcl"):
        for association in acl.document["Associations"]:
            if association["SubnetId"] == subnet_id:
                return association["NetworkAclAssociationId"], acl.id
    raise NotFound(f"The subnet '{subnet_id}' has no network ACL", code="InvalidSubnetID.NotFound")


def _add_block(work: Work, properties: Properties) -> Made:
    answer = work.call("ec2:AssociateVpcCidrBlock", work.input("ec2:AssociateVpcCidrBlock", properties))
    return Made((answer.get("CidrBlockAssociation") or answer["Ipv6CidrBlockAssociation"])["AssociationId"])


def _ipv6_blocks(kind: str) -> Attribute:
    def find(ctx: Context, made: Made) -> list[str]:
        return [block["Ipv6CidrBlock"] for block in ctx.resolve(kind, made.row_id).document["Ipv6CidrBlockAssociationSet"]]

    return find


def _add_subnet_block(work: Work, properties: Properties) -> Made:
    answer = work.call("ec2:AssociateSubnetCidrBlock", work.input("ec2:AssociateSubnetCidrBlock", properties))
    return Made(answer["Ipv6CidrBlockAssociation"]["AssociationId"])


NAME_OPTIONS = {
    "HostnameType": "PrivateDnsHostnameTypeOnLaunch", "EnableResourceNameDnsARecord": "EnableResourceNameDnsARecordOnLaunch",
    "EnableResourceNameDnsAAAARecord": "EnableResourceNameDnsAAAARecordOnLaunch",
}  # fmt: skip
"""Parts of a subnet's PrivateDnsNameOptionsOnLaunch, and what ModifySubnetAttribute calls them."""
SUBNET_SWITCHES = ("MapPublicIpOnLaunch", "EnableDns64", "AssignIpv6AddressOnCreation")


def _name_options(work: Work, made: Made) -> None:
    if given := made.properties.get("PrivateDnsNameOptionsOnLaunch"):
        _modify_subnet(work, made, given)


def _change_subnet(work: Work, made: Made, properties: Properties) -> None:
    for name in SUBNET_SWITCHES:
        if properties.get(name) != made.properties.get(name):
            _modify_subnet(work, made, {name: properties.get(name) or False})
    given = properties.get("PrivateDnsNameOptionsOnLaunch")
    if given != made.properties.get("PrivateDnsNameOptionsOnLaunch"):
        native = work.ctx.resolve("ec2:Subnet", made.row_id).document["Ipv6Native"]
        untouched = {**dict.fromkeys(NAME_OPTIONS, False), "HostnameType": "resource-name" if native else "ip-name"}
        _modify_subnet(work, made, {**untouched, **(given or {})})


def _modify_subnet(work: Work, made: Made, given: Properties) -> None:
    operation = "ec2:ModifySubnetAttribute"
    work.call(operation, {"SubnetId": made.row_id, **work.input(operation, given, NAME_OPTIONS)})


def _remove_subnet_block(work: Work, made: Made) -> None:
    work.call("ec2:DisassociateSubnetCidrBlock", {"AssociationId": made.physical_id})


def _remove_block(work: Work, made: Made) -> None:
    work.call("ec2:DisassociateVpcCidrBlock", {"AssociationId": made.physical_id})


# -- routes --------------------------------------------------------------------------------------------------------------------------------

DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
ROUTE_TARGETS = "GatewayId NatGatewayId InstanceId NetworkInterfaceId TransitGatewayId VpcEndpointId VpcPeeringConnectionId EgressOnlyInternetGatewayId "
ROUTE_TARGETS += "CarrierGatewayId LocalGatewayId CoreNetworkArn"


def _destination(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {member: properties[member] for member in DESTINATIONS if properties.get(member)}


def _make_route(work: Work, properties: Properties) -> Made:
    work.call("ec2:CreateRoute", work.input("ec2:CreateRoute", properties))
    return Made("|".join((properties["RouteTableId"], *_destination(properties).values())))


def _change_route(work: Work, made: Made, properties: Properties) -> None:  # noqa: ARG001 - the signature of the table's functions
    work.call("ec2:ReplaceRoute", work.input("ec2:ReplaceRoute", properties))


def _delete_route(work: Work, made: Made) -> None:
    work.call("ec2:DeleteRoute", {"RouteTableId": made.properties["RouteTableId"], **_destination(made.properties)})


# -- associations of subnets ---------------------------------------------------------------------------------------------------------------


def _associate_table(work: Work, properties: Properties) -> Made:
    return Made(work.call("ec2:AssociateRouteTable", work.input("ec2:AssociateRouteTable", properties))["AssociationId"])


def _change_table(work: Work, made: Made, properties: Properties) -> Made:
    params = {"AssociationId": made.physical_id, "RouteTableId": properties["RouteTableId"]}
    return Made(work.call("ec2:ReplaceRouteTableAssociation", params)["NewAssociationId"])


def _disassociate_table(work: Work, made: Made) -> None:
    work.call("ec2:DisassociateRouteTable", {"AssociationId": made.physical_id})


def _associate_acl(work: Work, properties: Properties) -> Made:
    association, _ = _acl_association(work.ctx, properties["SubnetId"])
    params = {"AssociationId": association, "NetworkAclId": properties["NetworkAclId"]}
    return Made(work.call("ec2:ReplaceNetworkAclAssociation", params)["NewAssociationId"])


def _disassociate_acl(work: Work, made: Made) -> None:
    """The subnet falls back to the default ACL of its VPC."""
    association, acl_id = _acl_association(work.ctx, made.properties["SubnetId"])
    acl = work.ctx.resolve("ec2:NetworkAcl", acl_id)
    if association != made.physical_id:
        return
    default = next(row.id for row in work.ctx.live("ec2:NetworkAcl") if row.document["IsDefault"] and row.document["VpcId"] == acl.document["VpcId"])
    work.call("ec2:ReplaceNetworkAclAssociation", {"AssociationId": association, "NetworkAclId": default})


# -- network ACL entries, gateways ---------------------------------------------------------------------------------------------------------


def _entry_params(work: Work, operation: str, properties: Properties) -> dict[str, Any]:
    return {"Egress": False, **work.input(operation, properties, {"Icmp": "IcmpTypeCode"})}


def _make_entry(work: Work, properties: Properties) -> Made:
    work.call("ec2:CreateNetworkAclEntry", _entry_params(work, "ec2:CreateNetworkAclEntry", properties))
    way = "egress" if str(properties.get("Egress", False)).lower() == "true" else "ingress"
    return Made(f"{properties['NetworkAclId']}|{way}|{properties['RuleNumber']}")


def _change_entry(work: Work, made: Made, properties: Properties) -> None:  # noqa: ARG001 - the signature of the table's functions
    work.call("ec2:ReplaceNetworkAclEntry", _entry_params(work, "ec2:ReplaceNetworkAclEntry", properties))


def _delete_entry(work: Work, made: Made) -> None:
    named = {key: value for key, value in made.properties.items() if key in ("NetworkAclId", "RuleNumber", "Egress")}
    work.call("ec2:DeleteNetworkAclEntry", _entry_params(work, "ec2:DeleteNetworkAclEntry", named))


def _attach_gateway(work: Work, properties: Properties) -> Made:
    work.call("ec2:AttachInternetGateway", work.input("ec2:AttachInternetGateway", properties))
    return Made(f"IGW|{properties['VpcId']}")


def _detach_gateway(work: Work, made: Made) -> None:
    work.call("ec2:DetachInternetGateway", work.input("ec2:DetachInternetGateway", made.properties))


def _change_gateway(work: Work, made: Made, properties: Properties) -> None:
    _detach_gateway(work, made)
    _attach_gateway(work, properties)


# -- prefix lists --------------------------------------------------------------------------------------------------------------------------


def _complete_prefix_list(properties: Properties) -> Properties:
    return {"MaxEntries": len(properties.get("Entries") or []) or 1, **properties}


def _change_prefix_list(work: Work, made: Made, properties: Properties) -> None:
    """Size and entries go in separate calls; growth first, shrinking last."""
    operation, old, new = "ec2:ModifyManagedPrefixList", made.properties, _complete_prefix_list(properties)
    identity = {"PrefixListId": made.row_id}
    before, after = ({entry["Cidr"]: entry for entry in given.get("Entries") or []} for given in (old, new))
    size, was = int(new["MaxEntries"]), int(old.get("MaxEntries") or len(before) or 1)
    if size > was:
        work.call(operation, {**identity, "MaxEntries": size})
    added = [entry for cidr, entry in after.items() if before.get(cidr) != entry]
    removed = [{"Cidr": cidr} for cidr, entry in before.items() if after.get(cidr) != entry]
    if added or removed:
        version = work.ctx.view(work.ctx.resolve("ec2:ManagedPrefixList", made.row_id))["Version"]
        given = work.input(operation, {"AddEntries": added, "RemoveEntries": removed})
        work.call(operation, {**identity, "CurrentVersion": version, **{key: value for key, value in given.items() if value}})
    if size < was:
        work.call(operation, {**identity, "MaxEntries": size})
    if new["PrefixListName"] != old["PrefixListName"]:
        work.call(operation, {**identity, "PrefixListName": new["PrefixListName"]})


def _route_block(ctx: Context, made: Made) -> Any:  # noqa: ARG001 - the signature of an attribute
    """The destination of a route, of either family."""
    return made.properties.get("DestinationCidrBlock") or made.properties.get("DestinationIpv6CidrBlock")


TYPES = (
    of_ec2(
        "VPC", "CidrBlock=! EnableDnsSupport EnableDnsHostnames InstanceTenancy=", noun="Vpc", tag_type="vpc",
        settings={"EnableDnsSupport": "ec2:ModifyVpcAttribute", "EnableDnsHostnames": "ec2:ModifyVpcAttribute"},
        defaults={"EnableDnsSupport": True, "EnableDnsHostnames": False},
        attributes={
            "VpcId": "@id", "CidrBlock": "CidrBlock",
            "CidrBlockAssociations": lambda ctx, made: [
                block["AssociationId"] for block in ctx.resolve("ec2:Vpc", made.row_id).document["CidrBlockAssociationSet"]
            ],
            "Ipv6CidrBlocks": _ipv6_blocks("ec2:Vpc"),
            "DefaultSecurityGroup": _default_in_vpc("ec2:SecurityGroup", lambda row: row.name == "default"),
            "DefaultNetworkAcl": _default_in_vpc("ec2:NetworkAcl", lambda row: row.document["IsDefault"]),
        },
    ),
    of_ec2(
        "Subnet",
        "VpcId=! CidrBlock= AvailabilityZone= AvailabilityZoneId= MapPublicIpOnLaunch EnableDns64 AssignIpv6AddressOnCreation Ipv6CidrBlock= "
        "Ipv6Native= PrivateDnsNameOptionsOnLaunch",
        tag_type="subnet", settings=dict.fromkeys(SUBNET_SWITCHES, "ec2:ModifySubnetAttribute"), settled=_name_options, changing=_change_subnet,
        by_hand=frozenset({"PrivateDnsNameOptionsOnLaunch"}), parts={"PrivateDnsNameOptionsOnLaunch": " ".join(NAME_OPTIONS)},
        attributes={
            "SubnetId": "@id", "VpcId": "VpcId", "CidrBlock": "CidrBlock", "AvailabilityZone": "AvailabilityZone",
            "AvailabilityZoneId": "AvailabilityZoneId", "Ipv6CidrBlocks": _ipv6_blocks("ec2:Subnet"),
            "NetworkAclAssociationId": lambda ctx, made: _acl_association(ctx, made.row_id)[0],
        },
    ),
    ResourceType(
        "AWS::EC2::VPCCidrBlock", "VpcId=! CidrBlock= AmazonProvidedIpv6CidrBlock=", create="ec2:AssociateVpcCidrBlock", making=_add_block,
        removing=_remove_block, attributes={"Id": "@ref"},
    ),
    ResourceType(
        "AWS::EC2::SubnetCidrBlock", "SubnetId=! Ipv6CidrBlock=!", create="ec2:AssociateSubnetCidrBlock", making=_add_subnet_block,
        removing=_remove_subnet_block, attributes={"Id": "@ref"},
    ),
    of_ec2("RouteTable", "VpcId=!", tag_type="route-table", attributes={"RouteTableId": "@id", "VpcId": "VpcId"}),
    ResourceType(
        "AWS::EC2::Route", f"RouteTableId=! DestinationCidrBlock= DestinationIpv6CidrBlock= DestinationPrefixListId= {ROUTE_TARGETS}",
        create="ec2:CreateRoute", making=_make_route, changing=_change_route, removing=_delete_route, attributes={"CidrBlock": _route_block},
    ),
    ResourceType(
        "AWS::EC2::SubnetRouteTableAssociation", "SubnetId=! RouteTableId!", create="ec2:AssociateRouteTable", making=_associate_table,
        changing=_change_table, removing=_disassociate_table, attributes={"Id": "@ref"},
    ),
    of_ec2("InternetGateway", "", tag_type="internet-gateway", attributes={"InternetGatewayId": "@id"}),
    ResourceType(
        "AWS::EC2::VPCGatewayAttachment", "VpcId=! InternetGatewayId!", create="ec2:AttachInternetGateway", making=_attach_gateway,
        changing=_change_gateway, removing=_detach_gateway, attributes={"AttachmentType": lambda *_: "IGW"},
    ),
    of_ec2("NetworkAcl", "VpcId=!", tag_type="network-acl", attributes={"Id": "@id"}),
    ResourceType(
        "AWS::EC2::NetworkAclEntry", "NetworkAclId=! RuleNumber=! Egress= Protocol! RuleAction! CidrBlock Ipv6CidrBlock Icmp PortRange",
        create="ec2:CreateNetworkAclEntry", renames={"Icmp": "IcmpTypeCode"}, making=_make_entry, changing=_change_entry, removing=_delete_entry,
        attributes={"Id": "@ref"},
    ),
    ResourceType(
        "AWS::EC2::SubnetNetworkAclAssociation", "SubnetId=! NetworkAclId=!", making=_associate_acl, removing=_disassociate_acl,
        attributes={"AssociationId": "@ref"}, by_hand=frozenset({"SubnetId", "NetworkAclId"}),
    ),
    of_ec2(
        "PrefixList", "PrefixListName! AddressFamily=! MaxEntries Entries", noun="ManagedPrefixList", made="PrefixList.PrefixListId",
        key="PrefixListId=id", tag_type="prefix-list", before=_complete_prefix_list, changing=_change_prefix_list,
        attributes={"PrefixListId": "@id", "Arn": "@arn", "OwnerId": "OwnerId", "Version": "Version"},
    ),
)  # fmt: skip
