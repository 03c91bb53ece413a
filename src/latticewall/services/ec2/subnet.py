"""Subnets ("Subnets for your VPC", "Subnet CIDR blocks")."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, ipv6, network_acl, route_table, text, zones
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import boolean, only, tags_for

FILTERS = paths(
    "subnet-id vpc-id state owner-id availability-zone availability-zone-id available-ip-address-count default-for-az subnet-arn "
    "map-public-ip-on-launch",
    cidr="CidrBlock", cidr_block="CidrBlock", cidrBlock="CidrBlock", availabilityZone="AvailabilityZone", defaultForAz="DefaultForAz",
    ipv6_cidr_block_association__ipv6_cidr_block="Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
    ipv6_cidr_block_association__association_id="Ipv6CidrBlockAssociationSet.AssociationId",
    ipv6_cidr_block_association__state="Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State", ipv6_native="Ipv6Native",
    private_dns_name_options_on_launch__hostname_type="PrivateDnsNameOptionsOnLaunch.HostnameType",
)  # fmt: skip
SWITCHES = ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation")
NAME_OPTIONS = {
    "PrivateDnsHostnameTypeOnLaunch": "HostnameType", "EnableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecord",
    "EnableResourceNameDnsAAAARecordOnLaunch": "EnableResourceNameDnsAAAARecord",
}  # fmt: skip


def network_of(subnet: Row) -> IPv4Network:
    return IPv4Network(subnet.document["CidrBlock"])


def taken(ctx: Context, subnet: Row) -> set[IPv4Address]:
    """The addresses that network interfaces hold in the subnet, one by one and as blocks."""
    rows = ctx.tx.rows("ec2:NetworkInterface", parent=subnet.id)
    single = {IPv4Address(address["PrivateIpAddress"]) for row in rows for address in row.document["PrivateIpAddresses"]}
    blocks = (IPv4Network(block["Ipv4Prefix"]) for row in rows for block in row.document.get("Ipv4Prefixes") or ())
    return single.union(address for block in blocks for address in block)


def create_subnet(ctx: Context, params: Document) -> Document:
    """CreateSubnet: inside a block of the VPC, apart from all its other subnets."""
    only(params, "VpcId CidrBlock AvailabilityZone AvailabilityZoneId Ipv6CidrBlock", Ipv6Native=False)
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    if not params.get("CidrBlock"):
        raise text.missing_parameter("cidrBlock")
    network = cidrs.parse(params["CidrBlock"])
    inside = any(network.subnet_of(IPv4Network(block["CidrBlock"])) for block in vpc.document["CidrBlockAssociationSet"])
    if not 16 <= network.prefixlen <= 28 or not inside:
        raise Invalid(f"The CIDR '{params['CidrBlock']}' is invalid.", code="InvalidSubnet.Range")
    for other in ctx.referring(vpc, "ec2:Subnet"):
        if network.overlaps(network_of(other)):
            raise text.conflict("InvalidSubnet.Conflict", f"The CIDR '{network}' conflicts with another subnet")
    zone, zone_id = zones.pick(ctx.caller.region, params.get("AvailabilityZone") or "", params.get("AvailabilityZoneId") or "")
    of_ipv6 = [ipv6.subnet_block(ctx, vpc, params["Ipv6CidrBlock"])] if params.get("Ipv6CidrBlock") else []
    document = {
        "VpcId": vpc.id, "OwnerId": ctx.caller.account, "CidrBlock": str(network), "AvailabilityZone": zone, "AvailabilityZoneId": zone_id,
        "DefaultForAz": False, "MapPublicIpOnLaunch": False, "MapCustomerOwnedIpOnLaunch": False, "AssignIpv6AddressOnCreation": False,
        "EnableDns64": False, "Ipv6Native": False, "Ipv6CidrBlockAssociationSet": of_ipv6,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False,
        },
    }  # fmt: skip
    row = ctx.create("ec2:Subnet", document, tags=tags_for(params, "subnet"), refs={"VpcId": vpc.id})
    network_acl.join_default(ctx, vpc.id, row.id)
    return {"Subnet": ctx.view(row)}


def view(ctx: Context, row: Row) -> Document:
    return {"SubnetArn": row.arn, "AvailableIpAddressCount": cidrs.free_count(network_of(row), taken(ctx, row))}


describe_subnets = describing("ec2:Subnet", "Subnets", "SubnetIds", FILTERS)


def leave(ctx: Context, subnet: Row) -> None:
    """Before a subnet goes: interfaces in it refuse the deletion; its route table and network ACL forget it."""
    for user in ctx.referring(subnet):
        raise text.dependency_violation("subnet", subnet.id, user.id)
    route_table.drop_subnet(ctx, subnet)
    network_acl.drop_subnet(ctx, subnet)


def delete_subnet(ctx: Context, params: Document) -> Document:
    """DeleteSubnet."""
    only(params, "SubnetId")
    subnet = ctx.resolve("ec2:Subnet", params["SubnetId"])
    leave(ctx, subnet)
    ctx.remove(subnet)
    return {}


def modify_subnet_attribute(ctx: Context, params: Document) -> Document:
    """ModifySubnetAttribute. Public addresses do not exist here: MapPublicIpOnLaunch is kept and shown, and gives no instance a public address."""
    only(params, " ".join(("SubnetId", *SWITCHES, *NAME_OPTIONS)))
    subnet = ctx.resolve("ec2:Subnet", params["SubnetId"])
    changes: Document = {member: boolean(params[member]) for member in SWITCHES if params.get(member) is not None}
    if changes.get("AssignIpv6AddressOnCreation") and not ipv6.blocks(subnet):
        raise text.invalid("InvalidParameterValue", f"Invalid value 'true' for assignIpv6AddressOnCreation. Subnet {subnet.id} has no IPv6 CIDR block")
    options = dict(subnet.document["PrivateDnsNameOptionsOnLaunch"])
    for member, option in NAME_OPTIONS.items():
        if params.get(member) is not None:
            options[option] = params[member] if isinstance(params[member], str) else boolean(params[member])
    ctx.change(subnet, {**changes, "PrivateDnsNameOptionsOnLaunch": options})
    return {}
