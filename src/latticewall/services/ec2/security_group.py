"""Security groups ("Control traffic to your AWS resources using security groups"). Their rules are resources of their own."""

from __future__ import annotations

import re

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import security_group_rule, text
from latticewall.services.ec2.describe import paths, select, visible
from latticewall.services.ec2.requests import only, tags_for

NAME = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
FILTERS = paths(
    "description group-id group-name owner-id vpc-id",
    **{
        f"{prefix}ip_permission__{name}": f"{member}.{path}"
        for prefix, member in (("", "IpPermissions"), ("egress__", "IpPermissionsEgress"))
        for name, path in {
            "cidr": "IpRanges.CidrIp", "from_port": "FromPort", "to_port": "ToPort", "protocol": "IpProtocol", "group_id": "UserIdGroupPairs.GroupId",
            "group_name": "UserIdGroupPairs.GroupName", "ipv6_cidr": "Ipv6Ranges.CidrIpv6", "prefix_list_id": "PrefixListIds.PrefixListId",
            "user_id": "UserIdGroupPairs.UserId",
        }.items()
    },
)  # fmt: skip
DEFAULT_TEXT = "default VPC security group"
_EVERYWHERE_V6: Document = {"IsEgress": True, **security_group_rule.EVERYTHING, "CidrIpv6": "::/0"}


def _create(ctx: Context, vpc_id: str, name: str, description: str, tags: dict[str, str]) -> Row:
    document = {"VpcId": vpc_id, "OwnerId": ctx.caller.account, "Description": description}
    group = ctx.create("ec2:SecurityGroup", document, name=name, tags=tags, refs={"VpcId": vpc_id})
    security_group_rule.add(ctx, group, {"IsEgress": True, **security_group_rule.EVERYTHING, "CidrIpv4": "0.0.0.0/0"})
    if ctx.resolve("ec2:Vpc", vpc_id).document["Ipv6CidrBlockAssociationSet"]:
        security_group_rule.add(ctx, group, _EVERYWHERE_V6)
    return group


def open_for_ipv6(ctx: Context, vpc_id: str) -> None:
    """The groups of a VPC that gets an IPv6 block: those that let everything out let it out to IPv6 too."""
    for group in ctx.live("ec2:SecurityGroup"):
        if group.document["VpcId"] != vpc_id:
            continue
        leaving = [rule.document for rule in ctx.live("ec2:SecurityGroupRule", parent=group.id) if rule.document["IsEgress"]]
        if len(leaving) == 1 and leaving[0].get("CidrIpv4") == "0.0.0.0/0" and leaving[0]["IpProtocol"] == "-1":
            security_group_rule.add(ctx, group, _EVERYWHERE_V6)


def create_default(ctx: Context, vpc: Row) -> None:
    """The group that a new VPC comes with: everything from itself in, everything out."""
    group = _create(ctx, vpc.id, "default", DEFAULT_TEXT, {})
    security_group_rule.add(
        ctx, group, {"IsEgress": False, **security_group_rule.EVERYTHING, "ReferencedGroupInfo": {"GroupId": group.id, "UserId": ctx.caller.account}}
    )


def default_of(ctx: Context, vpc_id: str) -> Row:
    return next(row for row in ctx.live("ec2:SecurityGroup", name="default") if row.document["VpcId"] == vpc_id)


def create_security_group(ctx: Context, params: Document) -> Document:
    """CreateSecurityGroup: names are unique in the VPC, whatever their case."""
    only(params, "GroupName Description VpcId")
    if not params.get("VpcId"):
        raise text.invalid("VPCIdNotSpecified", "No default VPC for this user")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    name, description = params["GroupName"].strip(), params["Description"]
    if not NAME.fullmatch(name) or name.lower().startswith("sg-"):
        raise text.bad_value(params["GroupName"], "groupName", "Character sets beyond ASCII are not supported, and it may not start with sg-.")
    if not NAME.fullmatch(description):
        raise text.bad_value(description, "groupDescription", "Character sets beyond ASCII are not supported.")
    if name == "default" or any(group.name.lower() == name.lower() for group in ctx.referring(vpc, "ec2:SecurityGroup")):
        code = "InvalidParameterValue" if name == "default" else "InvalidGroup.Duplicate"
        words = "Cannot use reserved security group name: default" if name == "default" else f"The security group '{name}' already exists for VPC '{vpc.id}'"
        raise text.conflict(code, words)
    group = _create(ctx, vpc.id, name, description, tags_for(params, "security-group"))
    return {"GroupId": group.id, "SecurityGroupArn": group.arn, "Tags": ctx.view(group)["Tags"]}


def view(ctx: Context, group: Row) -> Document:
    """The rules in the form of permissions."""
    rules = [ctx.view(row) for row in security_group_rule.of_group(ctx, group)]
    return {
        "IpPermissions": security_group_rule.permissions(rules, egress=False),
        "IpPermissionsEgress": security_group_rule.permissions(rules, egress=True),
    }


def describe_security_groups(ctx: Context, params: Document) -> Document:
    """DescribeSecurityGroups, by id, name or filter."""
    groups = visible(ctx, "ec2:SecurityGroup")
    for identifier in params.get("GroupIds") or ():
        if identifier not in {group.id for group in groups}:
            raise ctx.missing("ec2:SecurityGroup", identifier)
    for name in params.get("GroupNames") or ():
        if name not in {group.name for group in groups}:
            raise text.not_found("InvalidGroup.NotFound", f"The security group '{name}' does not exist")
    ids, names = params.get("GroupIds") or (), params.get("GroupNames") or ()
    chosen = [group for group in groups if not (ids or names) or group.id in ids or group.name in names]
    return {"SecurityGroups": select([ctx.view(group) for group in chosen], params.get("Filters"), FILTERS)}


def delete_security_group(ctx: Context, params: Document) -> Document:
    """DeleteSecurityGroup: not the default group, nor one that an interface, a rule or another resource uses (DependencyViolation)."""
    only(params, "GroupId GroupName")
    group = security_group_rule.group_of(ctx, params)
    if group.name == "default":
        message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        raise text.conflict("CannotDelete", message)
    for user in ctx.referring(group):
        if user.parent != group.id:
            message = f"resource {group.id} has a dependent object ({user.parent if user.kind == 'ec2:SecurityGroupRule' else user.id})"
            raise text.conflict("DependencyViolation", message)
    ctx.remove(group)
    return {"Return": True, "GroupId": group.id}


def groups_shown(ctx: Context, group_ids: list[str]) -> list[Document]:
    """GroupIdentifiers, as network interfaces and instances show them."""
    return [{"GroupId": identifier, "GroupName": ctx.resolve("ec2:SecurityGroup", identifier).name} for identifier in group_ids]
