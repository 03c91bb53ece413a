"""Managed policies and their versions: the account's ("CreatePolicy", "CreatePolicyVersion") and AWS's own, which nobody here may change."""

from __future__ import annotations

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import Conflict, Denied, LimitExceeded, NotFound
from latticewall.base.rows import Row
from latticewall.policy.document import Form, parse_policy
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import aws_managed, quotas, text
from latticewall.services.iam.kinds import policy_usage
from latticewall.services.iam.tagged import read, tagging

VERSIONS_LEFT = (
    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
    "The default version is deleted with the policy."
)
SERVICE_ROLES = "/aws-service-role/"
"""The path of service-linked roles, and of the policies that only they have."""


def find_policy(ctx: Context, arn: str) -> Row:
    """A managed policy by ARN: the account's own, or one of AWS's. Raises NoSuchEntity."""
    row = aws_managed.policy(arn) or (ctx.find("iam:Policy", arn) if arn.startswith("arn:") else None)
    if row is None:
        raise text.missing_policy(arn)
    return row


def own_policy(ctx: Context, arn: str) -> Row:
    """A managed policy that the caller's account may change. Raises NoSuchEntity, or AccessDenied for AWS's own."""
    row = find_policy(ctx, arn)
    if row.account == aws_managed.ACCOUNT:
        raise Denied(f"Cannot modify AWS managed policy {arn}: it belongs to AWS", code="AccessDenied")
    return row


def used_policy(ctx: Context, arn: str) -> Row:
    """As find_policy, for attaching it. AWS's own are stored then, so that evaluation finds them like any other.

    Raises NoSuchEntity, and PolicyNotAttachable for what only service-linked roles have.
    """
    try:
        row = find_policy(ctx, arn)
    except NotFound:
        raise text.not_attachable(arn) from None
    if row.document["Path"].startswith(SERVICE_ROLES):
        raise text.bad("Cannot attach a Service Role Policy to a Customer Role.", "PolicyNotAttachable")
    return stored(ctx, row)


def stored(ctx: Context, row: Row) -> Row:
    """The policy, which from now on is in the store: one of AWS's comes in, or replaces what an earlier release knew of it."""
    if row.account != aws_managed.ACCOUNT:
        return row
    known = ctx.tx.by_arn(row.arn)
    return known if known and known.document == row.document else ctx.tx.put(row)


def _document(path: str, body: str, created: str) -> Document:
    return {
        "Path": path, "DefaultVersionId": "v1", "IsAttachable": True, "CreateDate": created, "UpdateDate": created,
        "_document": body, "_versions": {"v1": {"text": body, "created": created}}, "_next": 2,
    }  # fmt: skip


def checked(document: str) -> None:
    """Raises MalformedPolicyDocument or LimitExceeded for what cannot be a managed policy."""
    parse_policy(document, Form.MANAGED)
    quotas.fits("PolicySize", document)


def create_policy(ctx: Context, params: Document) -> Document:
    name, path = params["PolicyName"], params.get("Path") or "/"
    checked(params["PolicyDocument"])
    quotas.room("PoliciesPerAccount", len(ctx.rows("iam:Policy")) + 1)
    if any(row.name.lower() == name.lower() for row in ctx.rows("iam:Policy")):
        raise Conflict(f"A policy called {name} already exists. Duplicate names are not allowed.", code="EntityAlreadyExists")
    document = _document(path, params["PolicyDocument"], ctx.now)
    if params.get("Description"):
        document["Description"] = params["Description"]
    row = ctx.create("iam:Policy", document, id=mint_unique_id(ctx.random, "ANPA"), name=name, tags=read(params.get("Tags"), "iam:Policy"))
    return {"Policy": ctx.view(row)}


def get_policy(ctx: Context, params: Document) -> Document:
    return {"Policy": ctx.view(find_policy(ctx, params["PolicyArn"]))}


def list_policies(ctx: Context, params: Document) -> Document:
    scope, prefix = params.get("Scope") or "All", params.get("PathPrefix") or "/"
    usage = params.get("PolicyUsageFilter")
    attached, bounding = policy_usage(ctx)
    counted = {"PermissionsBoundary": bounding, "PermissionsPolicy": attached}.get(usage or "", attached + bounding)
    rows = [row for arn in aws_managed.arns() if (row := aws_managed.policy(arn))] if scope in ("All", "AWS") else []
    rows += ctx.rows("iam:Policy") if scope in ("All", "Local") else []
    asked = [row for row in rows if row.document["Path"].startswith(prefix) and (counted[row.arn] or not (usage or params.get("OnlyAttached")))]
    return {"Policies": [_listed(row, attached[row.arn], bounding[row.arn]) for row in asked]}


def _listed(row: Row, attached: int, bounding: int) -> Document:
    """As GetPolicy answers, without description and tags ("ListPolicies": "IAM resource-listing operations return a subset")."""
    shown = {key: value for key, value in row.document.items() if not key.startswith("_") and key != "Description"}
    named = {"PolicyName": row.name, "PolicyId": row.id, "Arn": row.arn}
    return {**shown, **named, "AttachmentCount": attached, "PermissionsBoundaryUsageCount": bounding}


def delete_policy(ctx: Context, params: Document) -> Document:
    row = own_policy(ctx, params["PolicyArn"])
    shown = ctx.view(row)
    if shown["AttachmentCount"] or shown["PermissionsBoundaryUsageCount"]:
        raise Conflict("Cannot delete a policy attached to entities.", code="DeleteConflict")
    if len(row.document["_versions"]) > 1:
        raise Conflict(VERSIONS_LEFT, code="DeleteConflict")
    ctx.remove(row)
    return {}


def create_version(ctx: Context, params: Document) -> Document:
    row = own_policy(ctx, params["PolicyArn"])
    checked(params["PolicyDocument"])
    versions, number = dict(row.document["_versions"]), int(row.document["_next"])
    if len(versions) >= (most := quotas.QUOTAS["VersionsPerPolicy"]):
        sentence = f"A managed policy can have up to {most} versions. Before you create a new version, you must delete an existing version."
        raise LimitExceeded(sentence, code="LimitExceeded")
    version = f"v{number}"
    versions[version] = {"text": params["PolicyDocument"], "created": ctx.now}
    changes: Document = {"_versions": versions, "_next": number + 1, "UpdateDate": ctx.now}
    if params.get("SetAsDefault"):
        changes |= {"_document": params["PolicyDocument"], "DefaultVersionId": version}
    row = ctx.change(row, changes)
    return {"PolicyVersion": shown_version(row, version, with_text=False)}


def get_version(ctx: Context, params: Document) -> Document:
    return {"PolicyVersion": shown_version(find_policy(ctx, params["PolicyArn"]), params["VersionId"], with_text=True)}


def list_versions(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    found = sorted(row.document["_versions"], key=lambda version: -int(version[1:]))
    return {"Versions": [shown_version(row, version, with_text=False) for version in found]}


def set_default(ctx: Context, params: Document) -> Document:
    row = own_policy(ctx, params["PolicyArn"])
    chosen = shown_version(row, params["VersionId"], with_text=True)
    ctx.change(row, {"_document": chosen["Document"], "DefaultVersionId": params["VersionId"], "UpdateDate": ctx.now})
    return {}


def delete_version(ctx: Context, params: Document) -> Document:
    row = own_policy(ctx, params["PolicyArn"])
    if shown_version(row, params["VersionId"], with_text=False)["IsDefaultVersion"]:
        raise Conflict("Cannot delete the default version of a policy.", code="DeleteConflict")
    ctx.change(row, {"_versions": {key: value for key, value in row.document["_versions"].items() if key != params["VersionId"]}})
    return {}


def shown_version(row: Row, version: str, *, with_text: bool) -> Document:
    found = row.document["_versions"].get(version)
    if found is None:
        raise text.bad(f"Policy {row.arn} version {version} does not exist or is not attachable.", "NoSuchEntity")
    shown = {"VersionId": version, "IsDefaultVersion": version == row.document["DefaultVersionId"], "CreateDate": found["created"]}
    return {**shown, "Document": found["text"]} if with_text else shown


def list_entities(ctx: Context, params: Document) -> Document:
    """The users, groups and roles that hold a policy, as a permissions policy or as their boundary. Terraform asks before it destroys one."""
    arn = find_policy(ctx, params["PolicyArn"]).arn
    wanted, usage, prefix = params.get("EntityFilter"), params.get("PolicyUsageFilter"), params.get("PathPrefix") or "/"
    found: Document = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": []}
    for noun in ("Group", "User", "Role"):
        if wanted in (None, noun):
            holders = [row for row in ctx.rows(f"iam:{noun}") if row.document["Path"].startswith(prefix) and holds(row, arn, usage)]
            found[f"Policy{noun}s"] = [{f"{noun}Name": row.name, f"{noun}Id": row.id} for row in holders]
    return found


def holds(row: Row, arn: str, usage: str | None) -> bool:
    """Whether the holder uses the managed policy. usage: PermissionsPolicy, PermissionsBoundary, or None for either."""
    attached = usage != "PermissionsBoundary" and arn in row.document["_attached"]
    bounds = usage != "PermissionsPolicy" and (row.document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn") == arn
    return bool(attached or bounds)


OPERATIONS: dict[str, Handler] = {
    "CreatePolicy": create_policy,
    "GetPolicy": get_policy,
    "ListPolicies": list_policies,
    "DeletePolicy": delete_policy,
    "CreatePolicyVersion": create_version,
    "GetPolicyVersion": get_version,
    "ListPolicyVersions": list_versions,
    "SetDefaultPolicyVersion": set_default,
    "DeletePolicyVersion": delete_version,
    "ListEntitiesForPolicy": list_entities,
    **tagging("Policy", lambda ctx, params: own_policy(ctx, params["PolicyArn"])),
}
