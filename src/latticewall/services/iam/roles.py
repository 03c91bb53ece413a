"""Roles and their trust policies ("CreateRole", "UpdateAssumeRolePolicy", "DeleteRole")."""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import text, trust
from latticewall.services.iam.holders import bounded, create, end_sessions, find, holding, owned, refuse_with_policies
from latticewall.services.iam.policies import SERVICE_ROLES


def create_role(ctx: Context, params: Document) -> Document:
    if (params.get("Path") or "/").startswith(SERVICE_ROLES):
        raise text.bad(f"Path {params['Path']} is reserved for service-linked roles.", "InvalidInput")
    document = {"AssumeRolePolicyDocument": trust.kept(ctx, params["AssumeRolePolicyDocument"]), "MaxSessionDuration": params.get("MaxSessionDuration") or 3600}
    if params.get("Description"):
        document["Description"] = params["Description"]
    return {"Role": ctx.view(create(ctx, "Role", params, document))}


def get_role(ctx: Context, params: Document) -> Document:
    return {"Role": ctx.view(find(ctx, "Role", params["RoleName"]))}


def update_role(ctx: Context, params: Document) -> Document:
    """Of a service-linked role only the description can be changed ("Edit a service-linked role description")."""
    row = (find if params.get("MaxSessionDuration") is None else owned)(ctx, "Role", params["RoleName"])
    ctx.change(row, {key: params[key] for key in ("Description", "MaxSessionDuration") if params.get(key) is not None})
    return {}


def update_description(ctx: Context, params: Document) -> Document:
    row = ctx.change(find(ctx, "Role", params["RoleName"]), {"Description": params["Description"]})
    return {"Role": ctx.view(row)}


def update_trust(ctx: Context, params: Document) -> Document:
    row = owned(ctx, "Role", params["RoleName"])
    ctx.change(row, {"AssumeRolePolicyDocument": trust.kept(ctx, params["PolicyDocument"])})
    return {}


def delete_role(ctx: Context, params: Document) -> Document:
    row = owned(ctx, "Role", params["RoleName"])
    refuse_with_policies(row)
    if ctx.referring(row, "iam:InstanceProfile"):
        raise text.still("remove roles from instance profile")
    end_sessions(ctx, row)
    ctx.remove(row)
    return {}


OPERATIONS: dict[str, Handler] = {
    **holding("Role"),
    **bounded("Role"),
    "CreateRole": create_role,
    "GetRole": get_role,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_description,
    "UpdateAssumeRolePolicy": update_trust,
    "DeleteRole": delete_role,
}
