"""Network ACLs: stateless, one per subnet, entries in order of number ("Network ACL rules")."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, text
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths(
    "vpc-id owner-id network-acl-id",
    default="IsDefault", association__association_id="Associations.NetworkAclAssociationId",
    association__network_acl_id="Associations.NetworkAclId", association__subnet_id="Associations.SubnetId",
    entry__cidr="Entries.CidrBlock", entry__egress="Entries.Egress", entry__ipv6_cidr="Entries.Ipv6CidrBlock",
    entry__icmp__code="Entries.IcmpTypeCode.Code", entry__icmp__type="Entries.IcmpTypeCode.Type", entry__port_range__from="Entries.PortRange.From",
    entry__port_range__to="Entries.PortRange.To", entry__protocol="Entries.Protocol", entry__rule_action="Entries.RuleAction",
    entry__rule_number="Entries.RuleNumber",
)  # fmt: skip
LAST = 32767
"""The number under which the final deny is shown."""
PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "all": "-1"}
ENTRY = "NetworkAclId RuleNumber Protocol RuleAction Egress CidrBlock Ipv6CidrBlock IcmpTypeCode PortRange"


def _entry(number: int, action: str, *, egress: bool, cidr: str = "0.0.0.0/0") -> Document:
    return {"RuleNumber": number, "Protocol": "-1", "RuleAction": action, "Egress": egress, "CidrBlock": cidr}


def _create(ctx: Context, vpc_id: str, tags: dict[str, str], *, default: bool) -> Row:
    entries = [_entry(100, "allow", egress=egress) for egress in (True, False) if default]
    entries += [_entry(LAST, "deny", egress=egress) for egress in (True, False)]
    document = {"VpcId": vpc_id, "OwnerId": ctx.caller.account, "IsDefault": default, "Entries": ordered(entries), "Associations": []}
    return ctx.create("ec2:NetworkAcl", document, tags=tags, refs={"VpcId": vpc_id})


def ordered(entries: list[Document]) -> list[Document]:
    return sorted(entries, key=lambda entry: (not entry["Egress"], entry["RuleNumber"]))


def create_default(ctx: Context, vpc: Row) -> None:
    """The ACL that a new VPC comes with: it allows everything."""
    _create(ctx, vpc.id, {}, default=True)


def open_for_ipv6(ctx: Context, vpc_id: str) -> None:
    """The default ACL of a VPC that gets an IPv6 block lets IPv6 through as it does IPv4, if nobody has changed it."""
    default = next(row for row in of_vpc(ctx, vpc_id) if row.document["IsDefault"])
    plain = [_entry(number, action, egress=egress) for egress in (True, False) for number, action in ((100, "allow"), (LAST, "deny"))]
    if default.document["Entries"] != ordered(plain):
        return
    added = [_entry_v6(101, "allow", egress=egress) for egress in (True, False)] + [_entry_v6(LAST + 1, "deny", egress=egress) for egress in (True, False)]
    ctx.change(default, {"Entries": ordered([*default.document["Entries"], *added])})


def _entry_v6(number: int, action: str, *, egress: bool) -> Document:
    return {"RuleNumber": number, "Protocol": "-1", "RuleAction": action, "Egress": egress, "Ipv6CidrBlock": "::/0"}


def of_vpc(ctx: Context, vpc_id: str) -> list[Row]:
    return [row for row in ctx.live("ec2:NetworkAcl") if row.document["VpcId"] == vpc_id]


def join_default(ctx: Context, vpc_id: str, subnet_id: str) -> None:
    """A new subnet uses the default ACL."""
    default = next(row for row in of_vpc(ctx, vpc_id) if row.document["IsDefault"])
    _join(ctx, default, subnet_id)


def _join(ctx: Context, acl: Row, subnet_id: str) -> str:
    association = {"NetworkAclAssociationId": ctx.new_id("aclassoc-"), "NetworkAclId": acl.id, "SubnetId": subnet_id}
    ctx.change(acl, {"Associations": [*acl.document["Associations"], association]})
    return association["NetworkAclAssociationId"]


def drop_subnet(ctx: Context, subnet: Row) -> None:
    """A deleted subnet leaves its ACL."""
    for acl in of_vpc(ctx, subnet.document["VpcId"]):
        kept = [association for association in acl.document["Associations"] if association["SubnetId"] != subnet.id]
        if len(kept) != len(acl.document["Associations"]):
            ctx.change(acl, {"Associations": kept})


def create_network_acl(ctx: Context, params: Document) -> Document:
    """CreateNetworkAcl: it denies everything until entries are added."""
    only(params, "VpcId")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    return {"NetworkAcl": ctx.view(_create(ctx, vpc.id, tags_for(params, "network-acl"), default=False))}


describe_network_acls = describing("ec2:NetworkAcl", "NetworkAcls", "NetworkAclIds", FILTERS)


def delete_network_acl(ctx: Context, params: Document) -> Document:
    """DeleteNetworkAcl: neither the default one nor one that subnets use."""
    acl = ctx.resolve("ec2:NetworkAcl", params["NetworkAclId"])
    if acl.document["IsDefault"]:
        raise text.invalid("InvalidParameterValue", f"cannot delete default network ACL {acl.id}")
    if acl.document["Associations"]:
        raise text.dependency_violation("networkAcl", acl.id, acl.document["Associations"][0]["SubnetId"])
    ctx.remove(acl)
    return {}


def replace_network_acl_association(ctx: Context, params: Document) -> Document:
    """ReplaceNetworkAclAssociation: the subnet moves to another ACL of its VPC, under a new association id."""
    only(params, "AssociationId NetworkAclId")
    wanted = ctx.resolve("ec2:NetworkAcl", params["NetworkAclId"])
    for acl in ctx.live("ec2:NetworkAcl"):
        for association in acl.document["Associations"]:
            if association["NetworkAclAssociationId"] != params["AssociationId"]:
                continue
            if acl.document["VpcId"] != wanted.document["VpcId"]:
                raise text.invalid("InvalidParameterValue", f"networkAcl {wanted.id} and subnet {association['SubnetId']} belong to different networks")
            kept = [other for other in acl.document["Associations"] if other is not association]
            ctx.change(acl, {"Associations": kept})
            return {"NewAssociationId": _join(ctx, ctx.resolve("ec2:NetworkAcl", wanted.id), association["SubnetId"])}
    raise text.not_found("InvalidAssociationID.NotFound", f"The association ID '{params['AssociationId']}' does not exist")


def read_entry(params: Document) -> Document:
    """An entry as stored, from CreateNetworkAclEntry's parameters. Raises EC2's refusals."""
    number = int(params["RuleNumber"])
    if not 1 <= number < LAST:
        raise text.bad_value(number, "ruleNumber", "The number must be between 1 and 32766.")
    protocol = PROTOCOLS.get(str(params["Protocol"]).lower(), str(params["Protocol"]))
    if protocol != "-1" and not (protocol.isascii() and protocol.isdigit() and int(protocol) <= 255):
        raise text.bad_value(params["Protocol"], "protocol")
    entry: Document = {"RuleNumber": number, "Protocol": protocol, "RuleAction": params["RuleAction"], "Egress": bool(params["Egress"])}
    if bool(params.get("CidrBlock")) == bool(params.get("Ipv6CidrBlock")):
        raise text.bad_combination("Exactly one of cidrBlock and ipv6CidrBlock must be specified.")
    if params.get("CidrBlock"):
        entry["CidrBlock"] = str(cidrs.parse(params["CidrBlock"]))
    else:
        entry["Ipv6CidrBlock"] = str(cidrs.parse_v6(params["Ipv6CidrBlock"], "ipv6CidrBlock"))
    if protocol in ("6", "17"):
        entry["PortRange"] = _ports(params.get("PortRange"))
    if protocol in ("1", "58"):
        code = params.get("IcmpTypeCode") or {}
        if code.get("Type") is None:
            raise text.missing_parameter("icmpTypeCode.type")
        entry["IcmpTypeCode"] = {"Type": code["Type"], "Code": -1 if code.get("Code") is None else code["Code"]}
    return entry


def _ports(given: Any) -> Document:
    low, high = (given or {}).get("From"), (given or {}).get("To")
    if low is None or high is None:
        raise text.missing_parameter("portRange")
    if not 0 <= low <= high <= 65535:
        raise text.bad_value(f"{low}-{high}", "portRange")
    return {"From": low, "To": high}


def _same(entry: Document, params: Document) -> bool:
    return (entry["RuleNumber"], entry["Egress"]) == (int(params["RuleNumber"]), bool(params["Egress"]))


def create_network_acl_entry(ctx: Context, params: Document) -> Document:
    """CreateNetworkAclEntry."""
    only(params, ENTRY)
    acl = ctx.resolve("ec2:NetworkAcl", params["NetworkAclId"])
    entry = read_entry(params)
    if any(_same(other, params) for other in acl.document["Entries"]):
        raise text.conflict("NetworkAclEntryAlreadyExists", f"The network acl entry identified by {entry['RuleNumber']} already exists.")
    ctx.change(acl, {"Entries": ordered([*acl.document["Entries"], entry])})
    return {}


def _without(acl: Row, params: Document) -> list[Document]:
    kept = [entry for entry in acl.document["Entries"] if not _same(entry, params) or entry["RuleNumber"] == LAST]
    if len(kept) == len(acl.document["Entries"]):
        raise text.not_found("InvalidNetworkAclEntry.NotFound", f"The network acl entry identified by {params['RuleNumber']} does not exist.")
    return kept


def replace_network_acl_entry(ctx: Context, params: Document) -> Document:
    """ReplaceNetworkAclEntry."""
    only(params, ENTRY)
    acl = ctx.resolve("ec2:NetworkAcl", params["NetworkAclId"])
    ctx.change(acl, {"Entries": ordered([*_without(acl, params), read_entry(params)])})
    return {}


def delete_network_acl_entry(ctx: Context, params: Document) -> Document:
    """DeleteNetworkAclEntry."""
    acl = ctx.resolve("ec2:NetworkAcl", params["NetworkAclId"])
    ctx.change(acl, {"Entries": _without(acl, params)})
    return {}
