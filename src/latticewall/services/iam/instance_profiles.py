"""Instance profiles: a container for exactly one role ("Using instance profiles")."""

from __future__ import annotations

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import LimitExceeded
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import text


def find_profile(ctx: Context, name: str) -> Row:
    row = ctx.find("iam:InstanceProfile", name)
    if row is None:
        raise text.missing("Instance Profile", name)
    return row


def create(ctx: Context, params: Document) -> Document:
    name, path = params["InstanceProfileName"], params.get("Path") or "/"
    if ctx.find("iam:InstanceProfile", name):
        raise text.exists("Instance Profile", name)
    document = {"Path": path, "CreateDate": ctx.now}
    row = ctx.create("iam:InstanceProfile", document, id=mint_unique_id(ctx.random, "AIPA"), name=name, tags=tags.read(params.get("Tags")))
    return {"InstanceProfile": ctx.view(row)}


def get(ctx: Context, params: Document) -> Document:
    return {"InstanceProfile": ctx.view(find_profile(ctx, params["InstanceProfileName"]))}


def listing(ctx: Context, params: Document) -> Document:
    prefix = params.get("PathPrefix") or "/"
    found = [ctx.view(row) for row in ctx.rows("iam:InstanceProfile") if row.document["Path"].startswith(prefix)]
    return {"InstanceProfiles": found, "IsTruncated": False}


def list_for_role(ctx: Context, params: Document) -> Document:
    role = ctx.find("iam:Role", params["RoleName"])
    if role is None:
        raise text.missing("Role", params["RoleName"])
    return {"InstanceProfiles": [ctx.view(row) for row in ctx.referring(role, "iam:InstanceProfile")], "IsTruncated": False}


def delete(ctx: Context, params: Document) -> Document:
    row = find_profile(ctx, params["InstanceProfileName"])
    if ctx.referred(row, "role"):
        raise text.still("remove roles from instance profile")
    ctx.remove(row)
    return {}


def add_role(ctx: Context, params: Document) -> Document:
    row = find_profile(ctx, params["InstanceProfileName"])
    if ctx.referred(row, "role"):
        raise LimitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", code="LimitExceeded")
    if ctx.find("iam:Role", params["RoleName"]) is None:
        raise text.missing("Role", params["RoleName"])
    role = ctx.refer(row, "role", params["RoleName"])
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


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_profile(ctx, params["InstanceProfileName"]), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(find_profile(ctx, params["InstanceProfileName"]), removed=params["TagKeys"])
    return {}


def list_tags(ctx: Context, params: Document) -> Document:
    return {"Tags": tags.as_list(find_profile(ctx, params["InstanceProfileName"]).tags), "IsTruncated": False}


OPERATIONS: dict[str, Handler] = {
    "CreateInstanceProfile": create,
    "GetInstanceProfile": get,
    "ListInstanceProfiles": listing,
    "ListInstanceProfilesForRole": list_for_role,
    "DeleteInstanceProfile": delete,
    "AddRoleToInstanceProfile": add_role,
    "RemoveRoleFromInstanceProfile": remove_role,
    "TagInstanceProfile": tag,
    "UntagInstanceProfile": untag,
    "ListInstanceProfileTags": list_tags,
}
