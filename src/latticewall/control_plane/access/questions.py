"""Everything that must be allowed for a call: its own action on each resource, tags given at creation, roles handed on, parameters read on the way.

Pages: "Grant permission to tag Amazon EC2 resources during creation" and its kin, "Granting a user permissions to pass a role to an AWS service",
"Actions, resources, and condition keys for AWS services" (operations and the actions they authorise).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.base.faults import Fault
from latticewall.control_plane.access.ec2_keys import Keys
from latticewall.control_plane.access.keys import keys_of
from latticewall.control_plane.access.lattice import lattice_questions
from latticewall.control_plane.access.named import ALL, PARAMETER, Named, named
from latticewall.control_plane.access.s3 import S3_ACTIONS, s3_questions
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.services.cloudformation.template_body import place_of

SAME_PERMISSION = {"vpc-lattice:BatchUpdateRule": "vpc-lattice:UpdateRule", "lambda:Invoke": "lambda:InvokeFunction", **S3_ACTIONS}
"""Operations whose action has another name."""
TAGGING: Mapping[str, str] = {
    "acm:ImportCertificate": "acm:AddTagsToCertificate",
    "acm:RequestCertificate": "acm:AddTagsToCertificate",
    **dict.fromkeys(("elbv2:CreateListener", "elbv2:CreateLoadBalancer", "elbv2:CreateRule", "elbv2:CreateTargetGroup"), "elasticloadbalancing:AddTags"),
    "iam:CreateInstanceProfile": "iam:TagInstanceProfile",
    "iam:CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider",
    "iam:CreatePolicy": "iam:TagPolicy",
    "iam:CreateRole": "iam:TagRole",
    "iam:CreateUser": "iam:TagUser",
    "firehose:CreateDeliveryStream": "firehose:TagDeliveryStream",
    "logs:CreateLogGroup": "logs:TagResource",
    **dict.fromkeys(("rds:CreateDBInstance", "rds:CreateDBSubnetGroup"), "rds:AddTagsToResource"),
    "ssm:PutParameter": "ssm:AddTagsToResource",
    "sts:GetFederationToken": "sts:TagSession",
    **dict.fromkeys(("organizations:CreateAccount", "organizations:CreateOrganizationalUnit", "organizations:CreatePolicy"), "organizations:TagResource"),
    "organizations:InviteAccountToOrganization": "organizations:TagResource",
}
"""The action that tags at creation take too, by operation; all creations of a service in TAGGING_SERVICES."""
TAGGING_SERVICES = {name: f"{name}:TagResource" for name in ("lambda", "network-firewall", "ram", "rolesanywhere", "vpc-lattice")}
PASSING: Mapping[str, str] = {
    **{f"cloudformation:{name}": "cloudformation.amazonaws.com" for name in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet")},
    "cloudformation:ContinueUpdateRollback": "cloudformation.amazonaws.com",
    "ec2:RunInstances": "ec2.amazonaws.com",
    "ec2:AssociateIamInstanceProfile": "ec2.amazonaws.com",
    "ec2:ReplaceIamInstanceProfileAssociation": "ec2.amazonaws.com",
    "firehose:CreateDeliveryStream": "firehose.amazonaws.com",
    "firehose:UpdateDestination": "firehose.amazonaws.com",
    "iam:AddRoleToInstanceProfile": "",
    "lambda:CreateFunction": "lambda.amazonaws.com",
    "lambda:UpdateFunctionConfiguration": "lambda.amazonaws.com",
    "rolesanywhere:CreateProfile": "rolesanywhere.amazonaws.com",
    "rolesanywhere:UpdateProfile": "rolesanywhere.amazonaws.com",
}
"""Operations that hand a role on, which takes iam:PassRole too; the service it goes to."""


@dataclass(frozen=True)
class Question:
    """An action on a resource. keys: condition keys beside the global ones."""

    action: str
    resource: Named
    keys: Keys = field(default_factory=dict)


def questions(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> Iterator[Question]:
    """All that must be allowed, the call's own action first."""
    if operation.service.name == "s3":
        for action, resource, keys in s3_questions(ctx, operation, params):
            yield Question(action, resource, keys)
        return
    action = SAME_PERMISSION.get(operation.qualified_name, f"{operation.service.action_prefix}:{operation.name}")
    resources = named(ctx, operation, params)
    for resource in resources:
        keys = {**tag_keys(tags_given(params, resource)), **keys_of(ctx, operation, params, resource)}
        yield Question(action, resource, {**keys, **_keys_taken_away(params)})
    yield from _tagging(ctx, operation, params, resources)
    service = PASSING.get(operation.qualified_name)
    for role in _passed_roles(ctx, params) if service is not None else ():
        tags_of = {f"iam:ResourceTag/{key}": value for key, value in role.tags.items()}
        yield Question("iam:PassRole", role, {**tags_of, **({"iam:PassedToService": service} if service else {})})
    if operation.qualified_name == "ec2:RunInstances" and str(params.get("ImageId") or "").startswith(PARAMETER):
        yield from _image_parameter(ctx, str(params["ImageId"]).removeprefix(PARAMETER))
    if operation.qualified_name in ("lambda:CreateFunction", "lambda:UpdateFunctionCode"):
        yield from _code_in_s3(ctx, params)
    if operation.service.name == "cloudformation" and params.get("TemplateURL"):
        yield from _template_in_s3(ctx, str(params["TemplateURL"]))
    for action, resource, own in lattice_questions(ctx, operation, params):
        yield Question(action, resource, own)


def tags_given(params: Mapping[str, Any], resource: Named) -> dict[str, str]:
    """The tags a call would set on a resource, in any of the three spellings; EC2 says for which type each set is."""
    specified = params.get("TagSpecifications")
    if specified is None:
        return tags.read(params.get("Tags") or params.get("tags"))
    found = (one for one in specified if str(one.get("ResourceType")).replace("-", "") == resource.type)
    return {key: value for one in found for key, value in tags.read(one.get("Tags")).items()} if resource.row is None else {}


def tag_keys(given: Mapping[str, str]) -> Keys:
    """aws:RequestTag and aws:TagKeys of tags about to be set."""
    if not given:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in given.items()}, "aws:TagKeys": tuple(given)}


def _keys_taken_away(params: Mapping[str, Any]) -> Keys:
    removed = params.get("TagKeys") or params.get("tagKeys")
    return {"aws:TagKeys": tuple(removed)} if isinstance(removed, list) else {}


def _tagging(ctx: Context, operation: Operation, params: Mapping[str, Any], resources: tuple[Named, ...]) -> Iterator[Question]:
    service = operation.service.name
    create = {f"{operation.service.signing_name}:CreateAction": operation.name}
    for specification in params.get("TagSpecifications") or () if service == "ec2" else ():
        type_, given = str(specification.get("ResourceType")), tags.read(specification.get("Tags"))
        arn = f"arn:aws:ec2:{ctx.caller.region}:{ctx.caller.account}:{type_}/*"
        made = Named(arn, type_.replace("-", ""))
        if given:
            yield Question("ec2:CreateTags", made, {**tag_keys(given), **keys_of(ctx, operation, params, made), **create})
    given = tags.read(params.get("Tags") or params.get("tags")) if service != "ec2" else {}
    default = TAGGING_SERVICES.get(service) if operation.name.startswith(("Create", "Start")) else None
    action = TAGGING.get(operation.qualified_name, default)
    if action and given:
        made = next((one for one in resources if one.row is None), ALL)
        yield Question(action, made, {**tag_keys(given), **create})


def _passed_roles(ctx: Context, params: Mapping[str, Any]) -> Iterator[Named]:
    """The roles that a call hands on, itself or in an instance profile. An ARN is asked about also while there is no such role: what is handed on now may come
    to be later. Without any the operation says what is missing."""
    of_destinations = [value.get("RoleARN") for value in params.values() if isinstance(value, Mapping)]
    for text in map(str, filter(None, (params.get("RoleName"), params.get("Role"), params.get("RoleARN"), *(params.get("roleArns") or ()), *of_destinations))):
        role = ctx.find("iam:Role", text) if text.startswith("arn:") else next(iter(ctx.live("iam:Role", name=text)), None)
        if role:
            yield Named(role.arn, "role", role.account, role.tags, role)
        elif text.startswith("arn:"):
            yield Named(text, "role")
    profile_given = params.get("IamInstanceProfile") or {}
    profile = ctx.find("iam:InstanceProfile", str(profile_given.get("Arn") or profile_given.get("Name") or ""))
    for role in ctx.referred(profile, "role") if profile else ():
        yield Named(role.arn, "role", role.account, role.tags, role)


def _image_parameter(ctx: Context, name: str) -> Iterator[Question]:
    """Finding an image by parameter reads the parameter ("Use Systems Manager parameters to reference AMIs")."""
    arn = f"arn:aws:ssm:{ctx.caller.region}:{ctx.caller.account}:parameter/{name.lstrip('/')}"
    row = ctx.tx.by_arn(arn)
    yield Question("ssm:GetParameters", Named(arn, "parameter", row.account if row else "", row.tags if row else {}, row))


def _code_in_s3(ctx: Context, params: Mapping[str, Any]) -> Iterator[Question]:
    """Giving a function code from S3 reads the object ("CreateFunction")."""
    given = params.get("Code") or params
    if given.get("S3Bucket") and given.get("S3Key"):
        yield _reading(ctx, str(given["S3Bucket"]), str(given["S3Key"]))


def _template_in_s3(ctx: Context, url: str) -> Iterator[Question]:
    """A template by its URL is read with the caller's rights ("CreateStack", TemplateURL); of what is no such URL the operation says so, and reads nothing."""
    try:
        place = place_of(url)
    except Fault:
        return
    yield _reading(ctx, place.bucket, place.key, place.version)


def _reading(ctx: Context, bucket: str, key: str, version: str = "") -> Question:
    """Of an object in S3, as part of another call."""
    row = ctx.find("s3:Bucket", bucket)
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    return Question(action, Named(f"arn:aws:s3:::{bucket}/{key}", "object", row.account if row else "", row=row))
