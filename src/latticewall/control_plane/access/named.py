"""Which resources a call is about, as policies name them ("Actions, resources, and condition keys for AWS services").

Every parameter that can identify a resource of the service called counts, however deep it lies, and all of the types that the action knows must be
allowed: a caller cannot choose which ARN is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.base.organization_policies import MANAGED
from latticewall.base.rows import Row
from latticewall.control_plane.access.parts import holders, wholes
from latticewall.control_plane.access.resource_types import admits, type_of_arn, type_of_kind, type_of_row, types_of
from latticewall.resources.context import Context
from latticewall.resources.kind import Kind
from latticewall.services.ec2 import sharing as ec2_sharing
from latticewall.services.iam.service_linked_roles import service_role_name
from latticewall.services.lambda_.names import function_name
from latticewall.services.vpc_lattice import sharing as lattice_sharing

CREATED = {
    "acm:ImportCertificate": "acm:Certificate",
    "ec2:RunInstances": "ec2:Instance",
    "ec2:CreateTransitGatewayVpcAttachment": "ec2:TransitGatewayAttachment",
    "ssm:PutParameter": "ssm:Parameter",
    "vpc-lattice:StartDomainVerification": "vpc-lattice:DomainVerification",
}
"""What is created, where the operation's name does not say it."""
ABOUT_PARENT = frozenset({"elbv2:CreateListener", "elbv2:CreateRule", "organizations:CreateOrganizationalUnit"})
"""Creations that are asked about by the container alone."""
FUTURE = {
    "cloudformation:Stack": "arn:aws:cloudformation:{region}:{account}:stack/{name}/*",
    "vpc-lattice:Rule": "{owner}/rule/*",
}
"""ARNs of what does not exist yet, where the kind's own template cannot say it."""
SOME_LISTENER = "arn:aws:vpc-lattice:{region}:{account}:service/*/listener/*"
"""The owner of a rule whose listener is not there."""
SPOKEN = {
    "elbv2:CreateLoadBalancer": ("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{Name}/*",),
    "elbv2:CreateTargetGroup": ("arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{Name}/*",),
    "ec2:RunInstances": ("arn:aws:ec2:{region}::image/{ImageId}", "arn:aws:ec2:{region}:{account}:network-interface/*"),
    "iam:CreateServiceLinkedRole": ("arn:aws:iam::{account}:role/aws-service-role/{AWSServiceName}/{RoleName}",),
    "iam:CreateOpenIDConnectProvider": ("arn:aws:iam::{account}:oidc-provider/{Url}",),
    "organizations:InviteAccountToOrganization": ("arn:aws:organizations::{account}:account/*",),
    "rds:CreateDBInstance": ("arn:aws:rds:{region}:{account}:pg:{DBParameterGroupName}", "arn:aws:rds:{region}:{account}:og:{OptionGroupName}"),
    "route53:GetChange": ("arn:aws:route53:::change/{Id}",),
    "service-quotas:RequestServiceQuotaIncrease": ("arn:aws:servicequotas:{region}:{account}:{ServiceCode}/{QuotaCode}",),
    "sts:GetFederationToken": ("arn:aws:sts::{account}:federated-user/{Name}",),
}
"""ARNs that follow from the request alone, because what they name is not kept as a row."""
NAME_MEMBERS = {
    "cloudformation:Stack": ("stackname",),
    "lambda:Function": ("functionname",),
    "logs:LogGroup": ("loggroupname", "loggroupidentifier", "loggroupidentifiers"),
    "ssm:Parameter": ("name", "names", "path", "resourceid"),
}
"""Members that hold names of a kind, in lower case, where they are not the kind's own name member alone."""
STORED_NAME: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("rds:DBInstance", "rds:DBSubnetGroup"), str.lower),
    "lambda:Function": function_name,
    "ssm:Parameter": lambda name: "/" + re.sub(r":\d+\Z", "", name).lstrip("/"),
}
"""How names are stored, where they may be given in several forms."""
NOT_SUBJECTS = frozenset({"Tags", "tags", "TagSpecifications", "TagKeys", "tagKeys", "Filters", "IpPermissions", "UserData"})
"""Members whose texts name nothing that the call works on."""
SEEN: Mapping[str, Callable[[Context, str], Row | None]] = {"ec2": ec2_sharing.as_seen, "vpc-lattice": lattice_sharing.as_seen}
"""What identifiers name besides resources of the caller's own account, by service."""
PARAMETER = "resolve:ssm:"
LONGEST = 2048
"""Characters of an ARN; longer texts name nothing."""


@dataclass(frozen=True)
class Named:
    """A resource as policies see it. type: AWS's, in one lower-case word. account: its owner, "" when it does not exist. row: None until it exists."""

    arn: str
    type: str = ""
    account: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    row: Row | None = None


ALL = Named("*")


def named(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> tuple[Named, ...]:
    """The resources a call is about, each once; "*" for a call about none."""
    types = types_of(operation)
    if types == frozenset():
        return (ALL,)
    rows: dict[str, Row] = {}
    absent: list[str] = []
    for member, value in _texts(params):
        found, missing = _meant(ctx, operation, member, value, params)
        rows |= {row.arn: row for row in found if row.arn}
        absent += missing
    if operation.qualified_name == "ec2:RunInstances":
        rows |= {row.arn: row for row in _default_groups(ctx, params)}
    existing = [_of_row(ctx, row) for row in rows.values()]
    there = {one.type for one in existing}
    spoken = [arn for arn in _spoken(ctx, operation, params) if not (arn.endswith("/*") and type_of_arn(arn) in there)]
    futures = [Named(arn, type_of_arn(arn)) for arn in dict.fromkeys((*absent, *spoken))]
    created = _created(ctx, operation, params, rows.values())
    futures += _moved(ctx, operation, params, rows.values())
    everything = [*existing, *futures, *([created] if created and created.type not in {one.type for one in futures} else [])]
    written = [_as_written(types, one, params) for one in everything]
    subjects = {one.arn: one for one in reversed(written) if admits(types, one.type)}
    return tuple(reversed(subjects.values())) or _otherwise(ctx, operation, types, written)


def _of_row(ctx: Context, row: Row) -> Named:
    return Named(row.arn, type_of_row(ctx.registry.kind(row.kind), row), row.account, row.tags, row)


def _otherwise(ctx: Context, operation: Operation, types: frozenset[str] | None, others: list[Named]) -> tuple[Named, ...]:
    """What a call is about that names nothing of the types it knows: the caller himself for IAM's calls about a user, any resource of its one type, or
    what it names all the same."""
    caller = ctx.caller
    if types == frozenset({"user"}) and caller.principal_type == "User":
        row = ctx.tx.by_arn(caller.arn)
        return (_of_row(ctx, row) if row else Named(caller.arn, "user"),)
    if others:
        return tuple(others)
    kinds = (kind for kind in ctx.registry.services[operation.service.name].kinds if kind.arn and type_of_kind(kind, {}) in (types or ()))
    kind = next(kinds, None) if types and len(types) == 1 else None
    return (Named(_future_arn(ctx, kind, {}, name="*"), type_of_kind(kind, {})),) if kind else (ALL,)


def _texts(value: Any, member: str = "") -> Iterator[tuple[str, str]]:
    """(member, text) of all texts among the parameters that may name something."""
    if isinstance(value, str):
        if 0 < len(value) <= LONGEST:
            yield member, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in NOT_SUBJECTS:
                yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, member)


def _meant(ctx: Context, operation: Operation, member: str, value: str, params: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """What a text may name in the service called, by ARN, by id, or by name where the member holds names: (resources, ARNs of none that exist)."""
    service = operation.service.name
    if service in SEEN and (seen := SEEN[service](ctx, value)):
        return [seen], []
    if value.startswith("arn:"):
        value = value.removesuffix(":*")
        if service == "lambda":  # versions and aliases are parts of their function
            value = ":".join(value.split(":")[:7])
        row = ctx.tx.by_arn(value)
        if row is not None and row.kind.startswith(service + ":"):
            return [row, *wholes(ctx, row, types_of(operation))], []
        return [], [value] if value.split(":")[2:3] == [operation.service.action_prefix] else []
    if service == "organizations" and value in MANAGED:
        return [], [MANAGED[value].arn]
    rows, missing = [], []
    identifier = value.rsplit("/", 1)[-1] if service == "route53" else value
    for kind in ctx.registry.services[service].kinds:
        if not kind.id_prefix or identifier.startswith(kind.id_prefix):
            account = "" if service == "organizations" else ctx.caller.account
            if row := ctx.tx.get(kind.name, identifier, account, ctx.region_of(kind)):
                rows += [row, *wholes(ctx, row, types_of(operation))]
        if _holds_names(kind, member):
            name = STORED_NAME.get(kind.name, str)(value)
            of_name = ctx.live(kind.name, name=name)
            rows += of_name
            missing += [] if of_name else [_future_arn(ctx, kind, params, name=name)]
    return rows or holders(ctx, types_of(operation), service, member, value), missing


def _holds_names(kind: Kind, member: str) -> bool:
    own = (kind.name_member.lower(),) if kind.by_name else ()
    return member.lower() in NAME_MEMBERS.get(kind.name, own)


def _moved(ctx: Context, operation: Operation, params: Mapping[str, Any], rows: Iterable[Row]) -> list[Named]:
    """What a user or group will be called after UpdateUser or UpdateGroup, which takes the permission for both ("Renaming an IAM user")."""
    if operation.qualified_name not in ("iam:UpdateUser", "iam:UpdateGroup"):
        return []
    noun = operation.name.removeprefix("Update")
    kind = ctx.registry.kind(f"iam:{noun}")
    found = []
    for row in rows:
        if row.kind == kind.name:
            document = {**row.document, "Path": params.get("NewPath") or row.document["Path"]}
            arn = kind.arn_of("", row.account, document, id=row.id, name=str(params.get(f"New{noun}Name") or row.name))
            found += [Named(arn, noun.lower(), row.account, row.tags)] if arn != row.arn else []
    return found


def _default_groups(ctx: Context, params: Mapping[str, Any]) -> Iterator[Row]:
    """The security groups that new interfaces of a launch get because it names none: a launch is always about groups."""
    for interface in params.get("NetworkInterfaces") or (params,):
        subnet = ctx.find("ec2:Subnet", str(interface.get("SubnetId") or ""))
        if subnet is not None and not any(interface.get(member) for member in ("SecurityGroupIds", "SecurityGroups", "Groups", "NetworkInterfaceId")):
            yield from (row for row in ctx.live("ec2:SecurityGroup", name="default") if row.document["VpcId"] == subnet.document["VpcId"])


def _spoken(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> Iterator[str]:
    templates = SPOKEN.get(operation.qualified_name, ())
    words = {name: _spelled(ctx, value) for name, value in params.items() if isinstance(value, str)} if templates else {}
    if "AWSServiceName" in words:
        words["RoleName"] = service_role_name(words["AWSServiceName"]) or "*"
    for template in templates:
        if all(name in words or name in ("region", "account") for name in re.findall(r"{(\w+)}", template)):
            yield template.format(**words, region=ctx.caller.region, account=ctx.caller.account)


def _spelled(ctx: Context, value: str) -> str:
    """A member as ARNs have it: URLs without scheme, ids without path, an image found by a parameter ("resolve:ssm:") by its id."""
    if value.startswith(PARAMETER):
        found = ctx.call("ssm:GetParameters", {"Names": [value.removeprefix(PARAMETER)]})["Parameters"]
        return str(found[0]["Value"]) if found else "*"
    return value.rsplit("://", 1)[-1].removeprefix("/change/")


def _created(ctx: Context, operation: Operation, params: Mapping[str, Any], rows: Iterable[Row]) -> Named | None:
    """What a creation is about, with "*" for the id that it will have."""
    kind = ctx.registry.kinds.get(CREATED.get(operation.qualified_name) or f"{operation.service.name}:{operation.name.removeprefix('Create')}")
    if kind is None or not kind.arn or operation.qualified_name in ABOUT_PARENT:
        return None
    owner = next((row for row in rows if kind.name in ctx.registry.kind(row.kind).owns), None)
    name = str(params.get(kind.name_member) or "*") if kind.name_member else "*"
    arn = _future_arn(ctx, kind, params, name=STORED_NAME.get(kind.name, str)(name), owner=owner)
    return Named(arn, type_of_kind(kind, params)) if arn != "*" else None


def _future_arn(ctx: Context, kind: Kind, params: Mapping[str, Any], *, name: str, owner: Row | None = None) -> str:
    region, account = ctx.region_of(kind), ctx.caller.account
    if kind.name in FUTURE:
        owner_arn = owner.arn if owner else SOME_LISTENER.format(region=region, account=account)
        return FUTURE[kind.name].format(region=region, account=account, name=name, owner=owner_arn)
    return kind.arn_of(region, account, dict(params), id="*", name=name, parent=owner.id if owner else "*") or "*"


def _as_written(types: frozenset[str] | None, one: Named, params: Mapping[str, Any]) -> Named:
    """Log groups end in ":*" for all but tagging, and streams follow their group ("Identity and access management for Amazon CloudWatch Logs")."""
    if one.type != "loggroup" or types is None or one.arn == "*":
        return one
    if "logstream" in types:
        return Named(f"{one.arn}:log-stream:{params.get('logStreamName') or '*'}", "logstream", one.account, one.tags, one.row)
    return one if len(types) > 1 else Named(f"{one.arn}:*", one.type, one.account, one.tags, one.row)
