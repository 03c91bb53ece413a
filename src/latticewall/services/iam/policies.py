"""Managed policies and their versions ("CreatePolicy", "CreatePolicyVersion"), and AWS's own managed policies that concern this region."""

from __future__ import annotations

import json

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import Conflict, LimitExceeded
from latticewall.base.rows import Row
from latticewall.policy.document import Form, parse_policy
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import text

MAX_VERSIONS = 5


def _statement(actions: list[str]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


AWS_MANAGED = {
    "AdministratorAccess": _statement(["*"]),
    "VPCLatticeFullAccess": _statement(["vpc-lattice:*", "ec2:Describe*", "logs:Describe*", "logs:*LogDelivery*"]),
    "VPCLatticeReadOnlyAccess": _statement(["vpc-lattice:Get*", "vpc-lattice:List*"]),
    "VPCLatticeServicesInvokeAccess": _statement(["vpc-lattice-svcs:Invoke"]),
}
"""AWS's own policies by name; stored in an account when first used, so that evaluation finds them like any other."""


def find_policy(ctx: Context, arn: str) -> Row:
    """A managed policy by ARN, AWS's own included. Raises NoSuchEntity."""
    row = ctx.tx.by_arn(arn)
    if row is not None and row.kind == "iam:Policy":
        return row
    name = arn.removeprefix("arn:aws:iam::aws:policy/")
    if arn.startswith("arn:aws:iam::aws:") and name in AWS_MANAGED:
        return _store(ctx, name, "/", AWS_MANAGED[name], arn, {}, "")
    raise text.missing("Policy", arn)


def _store(ctx: Context, name: str, path: str, body: str, arn: str, tagged: dict[str, str], description: str) -> Row:
    document: Document = {
        "Path": path, "DefaultVersionId": "v1", "IsAttachable": True, "PermissionsBoundaryUsageCount": 0, "CreateDate": ctx.now, "UpdateDate": ctx.now,
        "_document": body, "_versions": {"v1": {"text": body, "created": ctx.now}}, "_next": 2,
    }  # fmt: skip
    if description:
        document["Description"] = description
    row = ctx.create("iam:Policy", document, id=mint_unique_id(ctx.random, "ANPA"), name=name, tags=tagged)
    row.arn = arn
    return ctx.tx.put(row)


def create_policy(ctx: Context, params: Document) -> Document:
    name, path = params["PolicyName"], params.get("Path") or "/"
    parse_policy(params["PolicyDocument"], Form.IDENTITY)
    arn = f"arn:aws:iam::{ctx.caller.account}:policy{path}{name}"
    if any(row.name == name and ":aws:policy" not in row.arn for row in ctx.rows("iam:Policy")):
        raise Conflict(f"A policy called {name} already exists. Duplicate names are not allowed.", code="EntityAlreadyExists")
    row = _store(ctx, name, path, params["PolicyDocument"], arn, tags.read(params.get("Tags")), params.get("Description") or "")
    return {"Policy": ctx.view(row)}


def get_policy(ctx: Context, params: Document) -> Document:
    return {"Policy": ctx.view(find_policy(ctx, params["PolicyArn"]))}


def list_policies(ctx: Context, params: Document) -> Document:
    scope, prefix = params.get("Scope") or "All", params.get("PathPrefix") or "/"
    if scope in ("All", "AWS"):
        for name in AWS_MANAGED:
            find_policy(ctx, f"arn:aws:iam::aws:policy/{name}")
    shown = [ctx.view(row) for row in ctx.rows("iam:Policy") if row.document["Path"].startswith(prefix)]
    if scope != "All":
        shown = [policy for policy in shown if policy["Arn"].startswith("arn:aws:iam::aws:") == (scope == "AWS")]
    return {"Policies": [policy for policy in shown if policy["AttachmentCount"] or not params.get("OnlyAttached")], "IsTruncated": False}


def delete_policy(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    if ctx.view(row)["AttachmentCount"]:
        raise Conflict("Cannot delete a policy attached to entities.", code="DeleteConflict")
    if len(row.document["_versions"]) > 1:
        raise Conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions.", code="DeleteConflict")
    ctx.remove(row)
    return {}


def create_version(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    parse_policy(params["PolicyDocument"], Form.IDENTITY)
    versions, number = dict(row.document["_versions"]), int(row.document["_next"])
    if len(versions) >= MAX_VERSIONS:
        raise LimitExceeded(f"A managed policy can have up to {MAX_VERSIONS} versions.", code="LimitExceeded")
    version = f"v{number}"
    versions[version] = {"text": params["PolicyDocument"], "created": ctx.now}
    changes: Document = {"_versions": versions, "_next": number + 1, "UpdateDate": ctx.now}
    if params.get("SetAsDefault"):
        changes |= {"_document": params["PolicyDocument"], "DefaultVersionId": version}
    row = ctx.change(row, changes)
    return {"PolicyVersion": _version(row, version, with_text=False)}


def get_version(ctx: Context, params: Document) -> Document:
    return {"PolicyVersion": _version(find_policy(ctx, params["PolicyArn"]), params["VersionId"], with_text=True)}


def list_versions(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    found = sorted(row.document["_versions"], key=lambda version: -int(version[1:]))
    return {"Versions": [_version(row, version, with_text=False) for version in found], "IsTruncated": False}


def set_default(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    version = _version(row, params["VersionId"], with_text=True)
    ctx.change(row, {"_document": version["Document"], "DefaultVersionId": params["VersionId"], "UpdateDate": ctx.now})
    return {}


def delete_version(ctx: Context, params: Document) -> Document:
    row = find_policy(ctx, params["PolicyArn"])
    if _version(row, params["VersionId"], with_text=False)["IsDefaultVersion"]:
        raise Conflict("Cannot delete the default version of a policy.", code="DeleteConflict")
    ctx.change(row, {"_versions": {key: value for key, value in row.document["_versions"].items() if key != params["VersionId"]}})
    return {}


def _version(row: Row, version: str, *, with_text: bool) -> Document:
    found = row.document["_versions"].get(version)
    if found is None:
        raise text.bad(f"Policy {row.arn} version {version} does not exist or is not attachable.", "NoSuchEntity")
    shown = {"VersionId": version, "IsDefaultVersion": version == row.document["DefaultVersionId"], "CreateDate": found["created"]}
    return {**shown, "Document": found["text"]} if with_text else shown


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
}
