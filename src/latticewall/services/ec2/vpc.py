"""VPCs: their blocks, attributes and what every new one comes with ("How Amazon VPC works", "VPC CIDR blocks")."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, ipv6, network_acl, prefix_list, route_table, security_group, text
from latticewall.services.ec2.describe import choose, paths, select
from latticewall.services.ec2.requests import boolean, only, tags_for

FILTERS = paths(
    "vpc-id state owner-id is-default dhcp-options-id",
    cidr="CidrBlock", cidr_block="CidrBlock", cidrBlock="CidrBlock", isDefault="IsDefault", dhcpOptionsId="DhcpOptionsId",
    cidr_block_association__cidr_block="CidrBlockAssociationSet.CidrBlock",
    cidr_block_association__association_id="CidrBlockAssociationSet.AssociationId",
    cidr_block_association__state="CidrBlockAssociationSet.CidrBlockState.State",
    ipv6_cidr_block_association__ipv6_cidr_block="Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
    ipv6_cidr_block_association__association_id="Ipv6CidrBlockAssociationSet.AssociationId",
    ipv6_cidr_block_association__ipv6_pool="Ipv6CidrBlockAssociationSet.Ipv6Pool",
    ipv6_cidr_block_association__state="Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State",
)  # fmt: skip
ATTRIBUTES = {
    "enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames",
    "enableNetworkAddressUsageMetrics": "EnableNetworkAddressUsageMetrics",
}  # fmt: skip
MAX_BLOCKS = 5


def dhcp_options_id(ctx: Context) -> str:
    """The id of the account's default DHCP options in the region: always the same, known before the first VPC."""
    return "dopt-" + hashlib.sha256(f"dopt {ctx.caller.account} {ctx.caller.region}".encode()).hexdigest()[:17]


def blocks(vpc: Row) -> list[IPv4Network]:
    """The VPC's IPv4 blocks, the primary first."""
    return [IPv4Network(block["CidrBlock"]) for block in vpc.document["CidrBlockAssociationSet"]]


def _association(ctx: Context, network: IPv4Network) -> Document:
    return {"AssociationId": ctx.new_id("vpc-cidr-assoc-"), "CidrBlock": str(network), "CidrBlockState": {"State": "associated"}}


def create_vpc(ctx: Context, params: Document) -> Document:
    """CreateVpc: with its main route table, default network ACL and default security group."""
    only(params, "CidrBlock InstanceTenancy AmazonProvidedIpv6CidrBlock")
    if not params.get("CidrBlock"):
        raise text.missing_parameter("cidrBlock")
    network = cidrs.parse_vpc(params["CidrBlock"])
    document = {
        "OwnerId": ctx.caller.account, "CidrBlock": str(network), "CidrBlockAssociationSet": [_association(ctx, network)], "IsDefault": False,
        "InstanceTenancy": params.get("InstanceTenancy") or "default", "DhcpOptionsId": dhcp_options_id(ctx), "Ipv6CidrBlockAssociationSet": [],
        "_EnableDnsSupport": True, "_EnableDnsHostnames": False, "_EnableNetworkAddressUsageMetrics": False,
    }  # fmt: skip
    tags = tags_for(params, "vpc")
    prefix_list.ensure_aws_managed(ctx)
    vpc = ctx.create("ec2:Vpc", document, tags=tags)
    route_table.create_main(ctx, vpc)
    network_acl.create_default(ctx, vpc)
    security_group.create_default(ctx, vpc)
    if boolean(params.get("AmazonProvidedIpv6CidrBlock") or False):
        ipv6.associate_with_vpc(ctx, vpc)
        vpc = ctx.resolve("ec2:Vpc", vpc.id)
    return {"Vpc": ctx.view(vpc)}


def describe_vpcs(ctx: Context, params: Document) -> Document:
    """DescribeVpcs."""
    shown = [ctx.view(row) for row in choose(ctx, "ec2:Vpc", params.get("VpcIds"))]
    return {"Vpcs": select(shown, params.get("Filters"), FILTERS)}


def remove_defaults(ctx: Context, vpc: Row) -> None:
    """Before a VPC goes: what came with it goes too; anything else in it refuses the deletion (DependencyViolation)."""
    for edge in ctx.tx.edges_to("ec2:Vpc", vpc.id):
        source = ctx.tx.get(edge.source_kind, edge.source_id)
        if source is None or source.status == "deleted" or edge.on_delete == "clear":
            continue
        document = source.document
        comes_with_it = {
            "ec2:RouteTable": any(association.get("Main") for association in document.get("Associations", ())),
            "ec2:NetworkAcl": bool(document.get("IsDefault")),
            "ec2:SecurityGroup": source.name == "default",
        }.get(source.kind, False)
        if not comes_with_it:
            raise text.dependency_violation("vpc", vpc.id, source.id)
        for ref in ctx.tx.edges_to(source.kind, source.id):
            user = ctx.tx.get(ref.source_kind, ref.source_id)
            if user and user.parent != source.id and user.status != "deleted" and ref.on_delete == "block":
                raise text.dependency_violation("vpc", vpc.id, user.id)
    for kind in ("ec2:RouteTable", "ec2:NetworkAcl", "ec2:SecurityGroup"):
        for row in ctx.referring(vpc, kind):
            ctx.remove(row, force=True)


def delete_vpc(ctx: Context, params: Document) -> Document:
    """DeleteVpc: the VPC is gone for the API at once; the data plane follows."""
    only(params, "VpcId")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    remove_defaults(ctx, vpc)
    left = ctx.remove(vpc)
    if left:
        ctx.bury(left)
    return {}


def modify_vpc_attribute(ctx: Context, params: Document) -> Document:
    """ModifyVpcAttribute: one attribute per call."""
    only(params, "VpcId EnableDnsSupport EnableDnsHostnames EnableNetworkAddressUsageMetrics")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    given = {member: boolean(params[member]) for member in ATTRIBUTES.values() if params.get(member) is not None}
    if len(given) != 1:
        raise text.bad_combination("Exactly one attribute must be specified.")
    if given.get("EnableDnsHostnames") and not vpc.document["_EnableDnsSupport"]:
        raise text.bad_value("true", "enableDnsHostnames", "It requires enableDnsSupport.")
    ctx.change(vpc, {f"_{member}": value for member, value in given.items()})
    return {}


def describe_vpc_attribute(ctx: Context, params: Document) -> Document:
    """DescribeVpcAttribute."""
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    member = ATTRIBUTES.get(params["Attribute"])
    if member is None:
        raise text.bad_value(params["Attribute"], "attribute")
    return {"VpcId": vpc.id, member: {"Value": vpc.document[f"_{member}"]}}


def associate_vpc_cidr_block(ctx: Context, params: Document) -> Document:
    """AssociateVpcCidrBlock: a further IPv4 block, or the one IPv6 block; every route table of the VPC gets its local route."""
    only(params, "VpcId CidrBlock AmazonProvidedIpv6CidrBlock")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    if boolean(params.get("AmazonProvidedIpv6CidrBlock") or False):
        if params.get("CidrBlock"):
            raise text.bad_combination("Only one of cidrBlock and amazonProvidedIpv6CidrBlock may be specified.")
        given = ipv6.associate_with_vpc(ctx, vpc)
        return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": {**given, "Ipv6CidrBlockState": {"State": "associating"}}}
    if not params.get("CidrBlock"):
        raise text.missing_parameter("cidrBlock")
    network = cidrs.parse_vpc(params["CidrBlock"])
    if any(network.overlaps(block) for block in blocks(vpc)):
        raise text.conflict("CidrConflict", f"The CIDR '{network}' conflicts with another CIDR block of the vpc '{vpc.id}'")
    if len(blocks(vpc)) >= MAX_BLOCKS:
        raise text.conflict("CidrLimitExceeded", f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: {MAX_BLOCKS}")
    association = _association(ctx, network)
    ctx.change(vpc, {"CidrBlockAssociationSet": [*vpc.document["CidrBlockAssociationSet"], association]}, settle=True)
    route_table.add_local(ctx, vpc.id, str(network))
    return {"VpcId": vpc.id, "CidrBlockAssociation": {**association, "CidrBlockState": {"State": "associating"}}}


def disassociate_vpc_cidr_block(ctx: Context, params: Document) -> Document:
    """DisassociateVpcCidrBlock: not the primary block, and none with subnets in it."""
    wanted = params["AssociationId"]
    if released := ipv6.disassociate_from_vpc(ctx, wanted):
        vpc, former = released
        return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": {**former, "Ipv6CidrBlockState": {"State": "disassociating"}}}
    for vpc in ctx.live("ec2:Vpc"):
        kept = [block for block in vpc.document["CidrBlockAssociationSet"] if block["AssociationId"] != wanted]
        removed = next((block for block in vpc.document["CidrBlockAssociationSet"] if block["AssociationId"] == wanted), None)
        if removed is None:
            continue
        if removed["CidrBlock"] == vpc.document["CidrBlock"]:
            message = f"The vpc CIDR block with association ID {wanted} may not be disassociated. It is the primary IPv4 CIDR block of the VPC"
            raise text.invalid("OperationNotPermitted", message)
        network = IPv4Network(removed["CidrBlock"])
        for subnet in ctx.referring(vpc, "ec2:Subnet"):
            if "CidrBlock" in subnet.document and IPv4Network(subnet.document["CidrBlock"]).subnet_of(network):
                raise text.dependency_violation("vpc CIDR block", removed["CidrBlock"], subnet.id)
        ctx.change(vpc, {"CidrBlockAssociationSet": kept}, settle=True)
        route_table.drop_local(ctx, vpc.id, removed["CidrBlock"])
        return {"VpcId": vpc.id, "CidrBlockAssociation": {**removed, "CidrBlockState": {"State": "disassociating"}}}
    raise text.not_found("InvalidVpcCidrBlockAssociationID.NotFound", f"The vpc CIDR block association ID '{wanted}' does not exist")


def describe_dhcp_options(ctx: Context, params: Document) -> Document:
    """DescribeDhcpOptions: the default set, the only one there is."""
    region = ctx.caller.region
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    document = {
        "DhcpOptionsId": dhcp_options_id(ctx), "OwnerId": ctx.caller.account, "Tags": [],
        "DhcpConfigurations": [
            {"Key": "domain-name", "Values": [{"Value": domain}]},
            {"Key": "domain-name-servers", "Values": [{"Value": "AmazonProvidedDNS"}]},
        ],
    }  # fmt: skip
    for wanted in params.get("DhcpOptionsIds") or ():
        if wanted != document["DhcpOptionsId"]:
            raise text.not_found("InvalidDhcpOptionID.NotFound", f"The dhcpOption ID '{wanted}' does not exist")
    known = paths("dhcp-options-id owner-id", key="DhcpConfigurations.Key", value="DhcpConfigurations.Values.Value")
    return {"DhcpOptions": select([document], params.get("Filters"), known)}
