"""IPv6 in dual-stack VPCs: blocks of VPCs and subnets, addresses of interfaces ("IPv6 addressing for your VPCs and subnets").

Blocks that AWS would take from its own pool come from 2001:db8::/32, which is for documentation and is routed nowhere. A block of the customer's own (IPAM,
bring your own) is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network

from latticewall.base.faults import Invalid
from latticewall.base.inet import RESERVED, is_reserved, parse_address
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, network_acl, route_table, security_group, text
from latticewall.services.ec2.requests import count, only

POOL = IPv6Network("2001:db8::/32")
VPC_PREFIX = 56
MAX_ADDRESSES = 50
DELEGATED = 80
"""Prefix length of the blocks that a network interface can have ("Assigning prefixes to network interfaces")."""


def blocks(row: Row) -> list[IPv6Network]:
    """The IPv6 blocks of a VPC or subnet."""
    return [IPv6Network(block["Ipv6CidrBlock"]) for block in row.document["Ipv6CidrBlockAssociationSet"]]


# -- VPCs --------------------------------------------------------------------------------------------------------------------------------------


def new_vpc_block(ctx: Context) -> Document:
    """The association of a block that no VPC has."""
    taken = {block for vpc in ctx.tx.rows("ec2:Vpc") for block in blocks(vpc)}
    while True:
        number = int.from_bytes(ctx.random.token_bytes(3), "big")
        network = IPv6Network((int(POOL.network_address) + (number << (128 - VPC_PREFIX)), VPC_PREFIX))
        if network not in taken:
            break
    return {
        "AssociationId": ctx.new_id("vpc-cidr-assoc-"), "Ipv6CidrBlock": str(network), "Ipv6CidrBlockState": {"State": "associated"},
        "NetworkBorderGroup": ctx.caller.region, "Ipv6Pool": "Amazon", "Ipv6AddressAttribute": "public", "IpSource": "amazon",
    }  # fmt: skip


def associate_with_vpc(ctx: Context, vpc: Row) -> Document:
    """A block for a VPC: local routes in its tables, and what its default network ACL and its security groups' untouched egress rules say for IPv6 too."""
    if vpc.document["Ipv6CidrBlockAssociationSet"]:
        raise text.conflict("CidrLimitExceeded", f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: 1")
    association = new_vpc_block(ctx)
    ctx.change(vpc, {"Ipv6CidrBlockAssociationSet": [association]}, settle=True)
    route_table.add_local(ctx, vpc.id, association["Ipv6CidrBlock"])
    network_acl.open_for_ipv6(ctx, vpc.id)
    security_group.open_for_ipv6(ctx, vpc.id)
    return association


def disassociate_from_vpc(ctx: Context, association_id: str) -> tuple[Row, Document] | None:
    """The VPC and its former association; None when no VPC has it. Refused while a subnet has a block inside."""
    for vpc in ctx.live("ec2:Vpc"):
        for association in vpc.document["Ipv6CidrBlockAssociationSet"]:
            if association["AssociationId"] != association_id:
                continue
            for subnet in ctx.referring(vpc, "ec2:Subnet"):
                if blocks(subnet):
                    raise text.dependency_violation("vpc CIDR block", association["Ipv6CidrBlock"], subnet.id)
            ctx.change(vpc, {"Ipv6CidrBlockAssociationSet": []}, settle=True)
            route_table.drop_local(ctx, vpc.id, association["Ipv6CidrBlock"])
            return vpc, association
    return None


# -- subnets -----------------------------------------------------------------------------------------------------------------------------------


def subnet_block(ctx: Context, vpc: Row, cidr: str, besides: str = "") -> Document:
    """The association of a subnet's block: a /44 to /64 in steps of 4, inside the VPC's, apart from other subnets'. besides: the subnet's own id."""
    network = cidrs.parse_v6(cidr, "ipv6CidrBlock")
    if not (44 <= network.prefixlen <= 64 and network.prefixlen % 4 == 0) or not any(network.subnet_of(block) for block in blocks(vpc)):
        raise Invalid(f"The CIDR '{cidr}' is invalid.", code="InvalidSubnet.Range")
    for other in ctx.referring(vpc, "ec2:Subnet"):
        if other.id != besides and any(network.overlaps(block) for block in blocks(other)):
            raise text.conflict("InvalidSubnet.Conflict", f"The CIDR '{network}' conflicts with another subnet")
    return {
        "AssociationId": ctx.new_id("subnet-cidr-assoc-"), "Ipv6CidrBlock": str(network), "Ipv6CidrBlockState": {"State": "associated"},
        "Ipv6AddressAttribute": "public", "IpSource": "amazon",
    }  # fmt: skip


def associate_subnet_cidr_block(ctx: Context, params: Document) -> Document:
    """AssociateSubnetCidrBlock: one IPv6 block for each subnet."""
    only(params, "SubnetId Ipv6CidrBlock")
    subnet = ctx.resolve("ec2:Subnet", params["SubnetId"])
    if not params.get("Ipv6CidrBlock"):
        raise text.missing_parameter("ipv6CidrBlock")
    if blocks(subnet):
        raise text.conflict("CidrLimitExceeded", f"This subnet '{subnet.id}' has met its maximum number of allowed CIDRs: 1")
    association = subnet_block(ctx, ctx.resolve("ec2:Vpc", subnet.document["VpcId"]), params["Ipv6CidrBlock"], subnet.id)
    ctx.change(subnet, {"Ipv6CidrBlockAssociationSet": [association]})
    return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": {**association, "Ipv6CidrBlockState": {"State": "associating"}}}


def disassociate_subnet_cidr_block(ctx: Context, params: Document) -> Document:
    """DisassociateSubnetCidrBlock: not while an interface has an address in it."""
    only(params, "AssociationId")
    for subnet in ctx.live("ec2:Subnet"):
        for association in subnet.document["Ipv6CidrBlockAssociationSet"]:
            if association["AssociationId"] != params["AssociationId"]:
                continue
            if subnet.document["Ipv6Native"]:
                message = f"The subnet CIDR block {association['Ipv6CidrBlock']} is all that the IPv6-only subnet {subnet.id} has"
                raise text.invalid("OperationNotPermitted", message)
            for interface in ctx.tx.rows("ec2:NetworkInterface", parent=subnet.id):
                if interface.document["Ipv6Addresses"]:
                    raise text.dependency_violation("subnet CIDR block", association["Ipv6CidrBlock"], interface.id)
            ctx.change(subnet, {"Ipv6CidrBlockAssociationSet": [], "AssignIpv6AddressOnCreation": False})
            return {"SubnetId": subnet.id, "Ipv6CidrBlockAssociation": {**association, "Ipv6CidrBlockState": {"State": "disassociating"}}}
    message = f"The subnet CIDR block association ID '{params['AssociationId']}' does not exist"
    raise text.not_found("InvalidSubnetCidrBlockAssociationID.NotFound", message)


# -- addresses ---------------------------------------------------------------------------------------------------------------------------------


def choose_addresses(ctx: Context, home: Row, wanted: Sequence[str], more: int = 0) -> list[str]:
    """IPv6 addresses for an interface in the subnet: those wanted, checked, and the `more` lowest free ones."""
    if not wanted and not more:
        return []
    network = next(iter(blocks(home)), None)
    if network is None:
        raise text.invalid("InvalidParameterValue", f"Subnet {home.id} does not have an IPv6 CIDR block")
    if len(wanted) + more > MAX_ADDRESSES:
        raise text.conflict("IPv6AddressLimitExceeded", f"The maximum number of IPv6 addresses per interface is {MAX_ADDRESSES}")
    taken, delegated = _taken(ctx, home), _delegated(ctx, home)
    chosen: list[IPv6Address] = []
    for written in wanted:
        address = parse(written)
        if address not in network:
            raise text.invalid("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
        if is_reserved(address, network):
            raise text.invalid("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")
        if address in taken or address in chosen or any(address in block for block in delegated):
            raise text.conflict("InvalidIPAddress.InUse", f"Address {address} is in use.")
        chosen.append(address)
    candidate = network[RESERVED]  # what is delegated is far above, see free_prefix
    for _ in range(more):
        while candidate in taken or candidate in chosen:
            candidate += 1
        chosen.append(candidate)
    return [str(address) for address in chosen]


def free_prefix(ctx: Context, home: Row) -> IPv6Network:
    """The lowest /80 of the subnet, past the one in which addresses are picked, of which nothing is taken. Raises EC2's refusals."""
    network = next(iter(blocks(home)), None)
    if network is None:
        raise text.invalid("InvalidParameterValue", f"Subnet {home.id} does not have an IPv6 CIDR block")
    size, taken = 1 << (128 - DELEGATED), {*_taken(ctx, home), network[-1]}
    held = {int(address) // size for address in taken} | {int(block[0]) // size for block in _delegated(ctx, home)}
    first = int(network[0]) // size
    for number in range(first + 1, first + network.num_addresses // size):
        if number not in held:
            return IPv6Network((number * size, DELEGATED))
    raise text.conflict("InsufficientCidrBlocks", f"The specified subnet '{home.id}' does not have enough free cidr blocks: a free /{DELEGATED} is needed")


def _taken(ctx: Context, home: Row) -> set[IPv6Address]:
    """Single addresses of the interfaces in the subnet."""
    return {IPv6Address(item["Ipv6Address"]) for row in ctx.tx.rows("ec2:NetworkInterface", parent=home.id) for item in row.document["Ipv6Addresses"]}


def _delegated(ctx: Context, home: Row) -> list[IPv6Network]:
    """Blocks of the interfaces in the subnet."""
    rows = ctx.tx.rows("ec2:NetworkInterface", parent=home.id)
    return [IPv6Network(item["Ipv6Prefix"]) for row in rows for item in row.document.get("Ipv6Prefixes") or ()]


def parse(address: str, parameter: str = "ipv6Addresses") -> IPv6Address:
    """Raises InvalidParameterValue."""
    try:
        found = parse_address(address)
    except ValueError:
        found = None
    if not isinstance(found, IPv6Address):
        raise text.bad_value(address, parameter, "This is not a valid IPv6 address.")
    return found


def wanted(params: Document, home: Row) -> tuple[list[str], int]:
    """What a request for an interface in the subnet says of IPv6: addresses, and how many to pick. The subnet may give one that nobody asked
    for, and does where there is nothing else."""
    given, more = [item["Ipv6Address"] for item in params.get("Ipv6Addresses") or ()], count(params, "Ipv6AddressCount")
    if given and more:
        raise text.bad_combination("Only one of ipv6Addresses and ipv6AddressCount may be specified.")
    asked = params.get("Ipv6AddressCount") is not None
    if not given and (home.document["Ipv6Native"] or (home.document["AssignIpv6AddressOnCreation"] and not asked)):
        more = more or 1
    return given, more


def listed(addresses: Sequence[str]) -> list[Document]:
    return [{"Ipv6Address": address, "IsPrimaryIpv6": False} for address in addresses]
