"""Security group rules: each (protocol, ports, one peer) is a resource with its own id and tags ("Security group rules")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ec2 import cidrs, text
from latticewall.services.ec2.describe import describing, paths
from latticewall.services.ec2.requests import only, tags_for

FILTERS = paths("group-id security-group-rule-id")
EVERYTHING: Document = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1}
NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
FLAT = ("CidrIp", "IpProtocol", "FromPort", "ToPort")
PEERS = (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId"), ("UserIdGroupPairs", "GroupId"))


def of_group(ctx: Context, group: Row) -> list[Row]:
    return [row for row in ctx.rows("ec2:SecurityGroupRule", parent=group.id) if row.status != "deleted"]


def group_of(ctx: Context, params: Document) -> Row:
    """The group that GroupId (or GroupName, which needs a default VPC) names."""
    if params.get("GroupId"):
        return ctx.resolve("ec2:SecurityGroup", params["GroupId"])
    if params.get("GroupName"):
        raise text.invalid("VPCIdNotSpecified", "No default VPC for this user")
    raise text.missing_parameter("groupId")


# -- reading -------------------------------------------------------------------------------------------------------------------------------


def read_ports(permission: Document) -> Document:
    """IpProtocol, FromPort and ToPort in their stored form (names for tcp, udp, icmp, icmpv6; -1 for "all")."""
    given = str(permission.get("IpProtocol", "")).lower()
    if not given:
        raise text.missing_parameter("ipProtocol")
    protocol = "-1" if given == "all" else NUMBERS.get(given, given)
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in ("tcp", "udp"):
        if low is None or high is None:
            raise text.invalid("InvalidParameterValue", "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
        for port in (low, high):
            if not 0 <= port <= 65535:
                raise text.invalid("InvalidParameterValue", f"TCP/UDP port ({port}) out of range")
        if low > high:
            raise text.invalid("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")
        return {"IpProtocol": protocol, "FromPort": low, "ToPort": high}
    if protocol in ("icmp", "icmpv6"):
        low, high = -1 if low is None else low, -1 if high is None else high
        if not (-1 <= low <= 255 and -1 <= high <= 255):
            raise text.invalid("InvalidParameterValue", f"ICMP type ({low}) or code ({high}) out of range")
        return {"IpProtocol": protocol, "FromPort": low, "ToPort": high}
    if protocol != "-1" and not (protocol.isascii() and protocol.isdigit() and int(protocol) <= 255):
        raise text.invalid("InvalidPermission.Malformed", f'Unsupported IP protocol "{given}" - supported: [-1, tcp, udp, icmp, icmpv6, 0..255]')
    return {**EVERYTHING, "IpProtocol": protocol}


def read_peer(ctx: Context, group: Row, list_member: str, peer: Document) -> Document:
    """The one peer of a rule in its stored form."""
    if list_member == "IpRanges":
        found: Document = {"CidrIpv4": str(cidrs.parse(peer.get("CidrIp") or "", "cidrIp"))}
    elif list_member == "Ipv6Ranges":
        found = {"CidrIpv6": str(cidrs.parse_v6(peer.get("CidrIpv6") or "", "cidrIpv6"))}
    elif list_member == "PrefixListIds":
        found = {"PrefixListId": ctx.resolve("ec2:ManagedPrefixList", peer.get("PrefixListId") or "").id}
    else:
        if not peer.get("GroupId"):
            raise text.missing_parameter("groupId")
        other = ctx.resolve("ec2:SecurityGroup", peer["GroupId"])
        info = {"GroupId": other.id, "UserId": other.account}
        found = {"ReferencedGroupInfo": info if other.document["VpcId"] == group.document["VpcId"] else {**info, "VpcId": other.document["VpcId"]}}
    return {**found, "Description": peer["Description"]} if peer.get("Description") else found


def read(ctx: Context, group: Row, params: Document, *, egress: bool) -> list[Document]:
    """The rules that a request names, by IpPermissions or by the flat members. Raises EC2's refusals."""
    only(params, " ".join(("GroupId", "GroupName", "IpPermissions", "SecurityGroupRuleIds", "SecurityGroupRuleDescriptions", *FLAT)))
    permissions_given = list(params.get("IpPermissions") or ())
    if any(params.get(member) is not None for member in FLAT):
        if permissions_given:
            raise text.bad_combination("The parameter 'ipPermissions' may not be used in combination with 'ipProtocol'")
        permissions_given = [{**params, "IpRanges": [{"CidrIp": params.get("CidrIp")}]}]
    found = []
    for permission in permissions_given:
        ports = read_ports(permission)
        peers = [(member, peer) for member, _ in PEERS for peer in permission.get(member) or ()]
        if not peers:
            raise text.missing_parameter("ipPermissions.ipRanges")
        found += [{"IsEgress": egress, **ports, **read_peer(ctx, group, member, peer)} for member, peer in peers]
    return found


# -- meaning -------------------------------------------------------------------------------------------------------------------------------


def key(rule: Document) -> tuple[Any, ...]:
    """What makes two rules the same: everything but description, id and tags."""
    peer = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or rule["ReferencedGroupInfo"]["GroupId"]
    return (rule["IsEgress"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"], peer)


def words(rule: Document) -> str:
    """A rule as EC2's messages write it."""
    *_, low, high, peer = key(rule)
    protocol = "ALL" if rule["IpProtocol"] == "-1" else rule["IpProtocol"].upper()
    ports = f", from port: {low}, to port: {high}" if low != -1 else ""
    return f"peer: {peer}, {protocol}{ports}, ALLOW"


def add(ctx: Context, group: Row, rule: Document, tags: dict[str, str] | None = None) -> Row:
    """Store one rule of the group."""
    document = {**rule, "GroupId": group.id, "GroupOwnerId": group.account}
    refs = {"PrefixListId": rule.get("PrefixListId", ""), "ReferencedGroupId": rule.get("ReferencedGroupInfo", {}).get("GroupId", "")}
    used = {role: identifier for role, identifier in refs.items() if identifier}
    return ctx.create("ec2:SecurityGroupRule", document, parent=group.id, tags=tags, refs=used)


def view(ctx: Context, row: Row) -> Document:  # noqa: ARG001 - the signature of a kind's hook
    return {"SecurityGroupRuleArn": row.arn}


def permissions(rules: Iterable[Document], *, egress: bool) -> list[Document]:
    """IpPermissions: rules of one direction grouped by protocol and ports."""
    found: dict[tuple[Any, ...], Document] = {}
    for rule in rules:
        if rule["IsEgress"] != egress:
            continue
        ports = {} if rule["IpProtocol"] == "-1" or (rule["FromPort"] == -1 and rule["IpProtocol"].isdigit()) else {
            "FromPort": rule["FromPort"], "ToPort": rule["ToPort"],
        }  # fmt: skip
        empty: Document = {"IpProtocol": rule["IpProtocol"], **ports, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
        permission = found.setdefault((rule["IpProtocol"], rule["FromPort"], rule["ToPort"]), empty)
        description = {"Description": rule["Description"]} if rule.get("Description") else {}
        if "CidrIpv4" in rule:
            permission["IpRanges"].append({"CidrIp": rule["CidrIpv4"], **description})
        elif "CidrIpv6" in rule:
            permission["Ipv6Ranges"].append({"CidrIpv6": rule["CidrIpv6"], **description})
        elif "PrefixListId" in rule:
            permission["PrefixListIds"].append({"PrefixListId": rule["PrefixListId"], **description})
        else:
            permission["UserIdGroupPairs"].append({**rule["ReferencedGroupInfo"], **description})
    return list(found.values())


# -- operations ----------------------------------------------------------------------------------------------------------------------------


def authorize(*, egress: bool) -> Handler:
    """AuthorizeSecurityGroupIngress/Egress."""

    def handler(ctx: Context, params: Document) -> Document:
        group = group_of(ctx, params)
        rules = read(ctx, group, params, egress=egress)
        if not rules:
            raise text.missing_parameter("ipPermissions")
        tags = tags_for(params, "security-group-rule")
        present = {key(row.document) for row in of_group(ctx, group)}
        for rule in rules:
            if key(rule) in present:
                raise text.conflict("InvalidPermission.Duplicate", f'the specified rule "{words(rule)}" already exists')
            present.add(key(rule))
        return {"Return": True, "SecurityGroupRules": [ctx.view(add(ctx, group, rule, tags)) for rule in rules]}

    return handler


def _named(ctx: Context, group: Row, params: Document, *, egress: bool) -> list[Row]:
    """The group's rules that a request names by id or by permission."""
    rows = of_group(ctx, group)
    if identifiers := params.get("SecurityGroupRuleIds"):
        by_id = {row.id: row for row in rows if row.document["IsEgress"] == egress}
        for identifier in identifiers:
            if identifier not in by_id:
                raise ctx.missing("ec2:SecurityGroupRule", identifier)
        return [by_id[identifier] for identifier in identifiers]
    by_key = {key(row.document): row for row in rows}
    found = []
    for rule in read(ctx, group, params, egress=egress):
        if key(rule) not in by_key:
            raise text.not_found("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        found.append(by_key[key(rule)])
    if not found:
        raise text.missing_parameter("ipPermissions")
    return found


def revoke(*, egress: bool) -> Handler:
    """RevokeSecurityGroupIngress/Egress: by rule id or by permission; descriptions do not matter."""

    def handler(ctx: Context, params: Document) -> Document:
        group = group_of(ctx, params)
        revoked = []
        for row in _named(ctx, group, params, egress=egress):
            shown = ctx.view(row)
            referenced = shown.pop("ReferencedGroupInfo", None)
            revoked.append({**shown, "ReferencedGroupId": referenced["GroupId"]} if referenced else shown)
            ctx.remove(row)
        return {"Return": True, "RevokedSecurityGroupRules": revoked}

    return handler


def update_descriptions(*, egress: bool) -> Handler:
    """UpdateSecurityGroupRuleDescriptionsIngress/Egress."""

    def handler(ctx: Context, params: Document) -> Document:
        group = group_of(ctx, params)
        if described := params.get("SecurityGroupRuleDescriptions"):
            for item in described:
                (row,) = _named(ctx, group, {"SecurityGroupRuleIds": [item.get("SecurityGroupRuleId")]}, egress=egress)
                ctx.change(row, {"Description": item.get("Description") or None})
            return {"Return": True}
        wanted = read(ctx, group, params, egress=egress)
        for row, rule in zip(_named(ctx, group, params, egress=egress), wanted, strict=True):
            ctx.change(row, {"Description": rule.get("Description")})
        return {"Return": True}

    return handler


describe_security_group_rules = describing("ec2:SecurityGroupRule", "SecurityGroupRules", "SecurityGroupRuleIds", FILTERS)


def modify_security_group_rules(ctx: Context, params: Document) -> Document:
    """ModifySecurityGroupRules: each rule gets new ports, peer and description; its id, direction and tags stay."""
    group = ctx.resolve("ec2:SecurityGroup", params["GroupId"])
    for update in params["SecurityGroupRules"]:
        old = ctx.resolve("ec2:SecurityGroupRule", update["SecurityGroupRuleId"])
        if old.parent != group.id:
            raise ctx.missing("ec2:SecurityGroupRule", old.id)
        wanted = update.get("SecurityGroupRule") or {}
        peer = {
            "IpRanges": {"CidrIp": wanted.get("CidrIpv4")}, "Ipv6Ranges": {"CidrIpv6": wanted.get("CidrIpv6")},
            "PrefixListIds": {"PrefixListId": wanted.get("PrefixListId")}, "UserIdGroupPairs": {"GroupId": wanted.get("ReferencedGroupId")},
        }  # fmt: skip
        given = [(member, {**value, "Description": wanted.get("Description")}) for member, value in peer.items() if any(value.values())]
        if len(given) != 1:
            raise text.bad_combination("Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be specified.")
        rule = {"IsEgress": old.document["IsEgress"], **read_ports(wanted), **read_peer(ctx, group, *given[0])}
        if any(key(row.document) == key(rule) for row in of_group(ctx, group) if row.id != old.id):
            raise text.conflict("InvalidPermission.Duplicate", f'the specified rule "{words(rule)}" already exists')
        ctx.forget(old, "PrefixListId")
        ctx.forget(old, "ReferencedGroupId")
        kept = ctx.tx.put(replace(old, document={**rule, "GroupId": group.id, "GroupOwnerId": group.account}))
        if "PrefixListId" in rule:
            ctx.refer(kept, "PrefixListId", rule["PrefixListId"])
        if "ReferencedGroupInfo" in rule:
            ctx.refer(kept, "ReferencedGroupId", rule["ReferencedGroupInfo"]["GroupId"])
    return {"Return": True}


OPERATIONS: dict[str, Handler] = {
    **{f"AuthorizeSecurityGroup{way}": authorize(egress=way == "Egress") for way in ("Ingress", "Egress")},
    **{f"RevokeSecurityGroup{way}": revoke(egress=way == "Egress") for way in ("Ingress", "Egress")},
    **{f"UpdateSecurityGroupRuleDescriptions{way}": update_descriptions(egress=way == "Egress") for way in ("Ingress", "Egress")},
    "DescribeSecurityGroupRules": describe_security_group_rules,
    "ModifySecurityGroupRules": modify_security_group_rules,
}
