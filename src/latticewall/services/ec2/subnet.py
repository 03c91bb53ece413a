"""Subnets ("Subnets for your VPC", "Subnet CIDR blocks")."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, hostnames, ipv6, network_acl, route_table, text, zones
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


def has_ipv4(subnet: Row) -> bool:
    return not subnet.document["Ipv6Native"]


def network_of(subnet: Row) -> IPv4Network:
    """The IPv4 block of a subnet that has one."""
    return IPv4Network(subnet.document["CidrBlock"])


def taken(ctx: Context, subnet: Row) -> set[IPv4Address]:
    """The addresses that network interfaces hold in the subnet, one by one and as blocks."""
    rows = ctx.tx.rows("ec2:NetworkInterface", parent=subnet.id)
    single = {IPv4Address(address["PrivateIpAddress"]) for row in rows for address in row.document["PrivateIpAddresses"]}
    blocks = (IPv4Network(block["Ipv4Prefix"]) for row in rows for block in row.document.get("Ipv4Prefixes") or ())
    return single.union(address for block in blocks for address in block)


def create_subnet(ctx: Context, params: Document) -> Document:
    """CreateSubnet: inside blocks of the VPC, apart from all its other subnets; of IPv6 alone with Ipv6Native."""
    only(params, "VpcId CidrBlock AvailabilityZone AvailabilityZoneId Ipv6CidrBlock Ipv6Native")
    native = bool(params.get("Ipv6Native"))
    if native and params.get("CidrBlock"):
        raise text.bad_combination("When ipv6Native is true, the subnet is an IPv6-only subnet and cidrBlock cannot be specified.")
    if native and not params.get("Ipv6CidrBlock"):
        raise text.missing_parameter("ipv6CidrBlock")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    of_ipv4 = {} if native else {"CidrBlock": str(_block(ctx, vpc, params.get("CidrBlock") or ""))}
    zone, zone_id = zones.pick(ctx.caller.region, params.get("AvailabilityZone") or "", params.get("AvailabilityZoneId") or "")
    of_ipv6 = [ipv6.subnet_block(ctx, vpc, params["Ipv6CidrBlock"])] if params.get("Ipv6CidrBlock") else []
    document = {
        "VpcId": vpc.id, "OwnerId": ctx.caller.account, **of_ipv4, "AvailabilityZone": zone, "AvailabilityZoneId": zone_id,
        "DefaultForAz": False, "MapPublicIpOnLaunch": False, "MapCustomerOwnedIpOnLaunch": False, "AssignIpv6AddressOnCreation": native,
        "EnableDns64": False, "Ipv6Native": native, "Ipv6CidrBlockAssociationSet": of_ipv6, "PrivateDnsNameOptionsOnLaunch": hostnames.defaults(native=native),
    }  # fmt: skip
    row = ctx.create("ec2:Subnet", document, tags=tags_for(params, "subnet"), refs={"VpcId": vpc.id})
    network_acl.join_default(ctx, vpc.id, row.id)
    return {"Subnet": ctx.view(row)}


def _block(ctx: Context, vpc: Row, cidr: str) -> IPv4Network:
    """The IPv4 block of a new subnet. Raises EC2's refusals."""
    if not cidr:
        raise text.missing_parameter("cidrBlock")
    network = cidrs.parse(cidr)
    inside = any(network.subnet_of(IPv4Network(block["CidrBlock"])) for block in vpc.document["CidrBlockAssociationSet"])
    if not 16 <= network.prefixlen <= 28 or not inside:
        raise Invalid(f"The CIDR '{cidr}' is invalid.", code="InvalidSubnet.Range")
    if any(network.overlaps(network_of(other)) for other in ctx.referring(vpc, "ec2:Subnet") if has_ipv4(other)):
        raise text.conflict("InvalidSubnet.Conflict", f"The CIDR '{network}' conflicts with another subnet")
    return network


def view(ctx: Context, row: Row) -> Document:
    """How many IPv4 addresses are free: none where there are none."""
    return {"SubnetArn": row.arn, "AvailableIpAddressCount": cidrs.free_count(network_of(row), taken(ctx, row)) if has_ipv4(row) else 0}


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
    if not has_ipv4(subnet):
        _refuse_ipv4(subnet, changes)
    if changes.get("AssignIpv6AddressOnCreation") and not ipv6.blocks(subnet):
        raise text.invalid("InvalidParameterValue", f"Invalid value 'true' for assignIpv6AddressOnCreation. Subnet {subnet.id} has no IPv6 CIDR block")
    given = {
        option: params[member] if isinstance(params[member], str) else boolean(params[member])
        for member, option in NAME_OPTIONS.items() if params.get(member) is not None
    }  # fmt: skip
    options = hostnames.changed(subnet, subnet.document["PrivateDnsNameOptionsOnLaunch"], given)
    ctx.change(subnet, {**changes, "PrivateDnsNameOptionsOnLaunch": options})
    return {}


def _refuse_ipv4(subnet: Row, changes: Document) -> None:
    """What an IPv6-only subnet cannot be: one that gives IPv4 addresses, or none at all."""
    for member, impossible in (("MapPublicIpOnLaunch", True), ("AssignIpv6AddressOnCreation", False)):
        if changes.get(member) is impossible:
            name, value = member[:1].lower() + member[1:], str(impossible).lower()
            raise text.invalid("InvalidParameterValue", f"Invalid value '{value}' for {name}. Subnet {subnet.id} is an IPv6-only subnet")
