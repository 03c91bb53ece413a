"""Instance profiles: a container for exactly one role ("Using instance profiles")."""

from __future__ import annotations

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas, text
from latticewall.services.iam.holders import find, listed, owned, under
from latticewall.services.iam.tagged import read, tagging


def find_profile(ctx: Context, name: str) -> Row:
    for row in ctx.rows("iam:InstanceProfile", name=name):
        return row
    raise text.missing("Instance Profile", name)


def create(ctx: Context, params: Document) -> Document:
    name, path = params["InstanceProfileName"], params.get("Path") or "/"
    if any(row.name.lower() == name.lower() for row in ctx.rows("iam:InstanceProfile")):
        raise text.exists("Instance Profile", name)
    quotas.room("InstanceProfilesPerAccount", len(ctx.rows("iam:InstanceProfile")) + 1)
    document = {"Path": path, "CreateDate": ctx.now}
    row = ctx.create("iam:InstanceProfile", document, id=mint_unique_id(ctx.random, "AIPA"), name=name, tags=read(params.get("Tags"), "iam:InstanceProfile"))
    return {"InstanceProfile": ctx.view(row)}


def get(ctx: Context, params: Document) -> Document:
    return {"InstanceProfile": ctx.view(find_profile(ctx, params["InstanceProfileName"]))}


def listing(ctx: Context, params: Document) -> Document:
    return {"InstanceProfiles": [listed(ctx, row) for row in under(ctx, "iam:InstanceProfile", params)]}


def list_for_role(ctx: Context, params: Document) -> Document:
    role = find(ctx, "Role", params["RoleName"])
    return {"InstanceProfiles": [ctx.view(row) for row in ctx.referring(role, "iam:InstanceProfile")]}


def delete(ctx: Context, params: Document) -> Document:
    row = find_profile(ctx, params["InstanceProfileName"])
    if ctx.referred(row, "role"):
        raise text.still("remove roles from instance profile")
    ctx.remove(row)
    return {}


def add_role(ctx: Context, params: Document) -> Document:
    row = find_profile(ctx, params["InstanceProfileName"])
    if ctx.referred(row, "role"):
        quotas.room("InstanceSessionsPerInstanceProfile", 2)
    role = ctx.refer(row, "role", owned(ctx, "Role", params["RoleName"]).id)
    ctx.change(row, {"_role": role.id})
    return {}


def remove_role(ctx: Context, params: Document) -> Document:
    row = find_profile(ctx, params["InstanceProfileName"])
    held = [role for role in ctx.referred(row, "role") if role.name == params["RoleName"]]
    if not held:
        raise text.missing("Role", params["RoleName"])
    ctx.forget(row, "role", held[0].id)
    ctx.change(row, {"_role": None})
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateInstanceProfile": create,
    "GetInstanceProfile": get,
    "ListInstanceProfiles": listing,
    "ListInstanceProfilesForRole": list_for_role,
    "DeleteInstanceProfile": delete,
    "AddRoleToInstanceProfile": add_role,
    "RemoveRoleFromInstanceProfile": remove_role,
    **tagging("InstanceProfile", lambda ctx, params: find_profile(ctx, params["InstanceProfileName"])),
}
