"""Roles and users as holders of policies: the same operations twice, under two names.

Pages: "CreateRole", "PutRolePolicy", "AttachRolePolicy" and their User twins in the IAM API Reference.
"""

from __future__ import annotations

from collections.abc import Callable

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import Invalid
from latticewall.base.rows import Row
from latticewall.policy.document import Form, parse_policy
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import text
from latticewall.services.iam.policies import find_policy, used_policy

PREFIXES = {"Role": "AROA", "User": "AIDA"}


def find(ctx: Context, noun: str, name: str) -> Row:
    """The role or user with that name. Raises NoSuchEntity."""
    row = ctx.find(f"iam:{noun}", name)
    if row is None:
        raise text.missing(noun, name)
    return row


def create(ctx: Context, noun: str, params: Document, document: Document) -> Row:
    """Store a role or user with what both have: path, unique id, boundary, tags."""
    name, path = params[f"{noun}Name"], params.get("Path") or "/"
    if any(row.name.lower() == name.lower() for row in ctx.rows(f"iam:{noun}")):
        raise text.exists(noun, name)
    if boundary := params.get("PermissionsBoundary"):
        document["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": used_policy(ctx, boundary).arn}
    document |= {"Path": path, "CreateDate": ctx.now, "_inline": {}, "_attached": []}
    return ctx.create(f"iam:{noun}", document, id=mint_unique_id(ctx.random, PREFIXES[noun]), name=name, tags=tags.read(params.get("Tags")))


def create_role(ctx: Context, params: Document) -> Document:
    parse_policy(params["AssumeRolePolicyDocument"], Form.TRUST)
    document = {"AssumeRolePolicyDocument": params["AssumeRolePolicyDocument"], "MaxSessionDuration": params.get("MaxSessionDuration") or 3600}
    if params.get("Description"):
        document["Description"] = params["Description"]
    return {"Role": ctx.view(create(ctx, "Role", params, document))}


def update_role(ctx: Context, params: Document) -> Document:
    row = find(ctx, "Role", params["RoleName"])
    ctx.change(row, {key: params[key] for key in ("Description", "MaxSessionDuration") if params.get(key) is not None})
    return {}


def update_trust(ctx: Context, params: Document) -> Document:
    parse_policy(params["PolicyDocument"], Form.TRUST)
    ctx.change(find(ctx, "Role", params["RoleName"]), {"AssumeRolePolicyDocument": params["PolicyDocument"]})
    return {}


def delete_role(ctx: Context, params: Document) -> Document:
    row = find(ctx, "Role", params["RoleName"])
    _refuse_with_policies(row)
    if ctx.referring(row, "iam:InstanceProfile"):
        raise text.still("remove roles from instance profile")
    for session in ctx.tx.rows("sts:Session", parent=row.id):
        ctx.tx.delete(session)
    ctx.remove(row)
    return {}


def _refuse_with_policies(row: Row) -> None:
    if row.document["_attached"]:
        raise text.still("detach all policies")
    if row.document["_inline"]:
        raise text.still("delete policies")


def delete_user(ctx: Context, params: Document) -> Document:
    row = find(ctx, "User", params["UserName"])
    _refuse_with_policies(row)
    if ctx.tx.rows("iam:AccessKey", parent=row.id):
        raise text.still("delete access keys")
    ctx.remove(row)
    return {}


def create_user(ctx: Context, params: Document) -> Document:
    return {"User": ctx.view(create(ctx, "User", params, {}))}


def get_user(ctx: Context, params: Document) -> Document:
    """Without a name: the caller; the root user of the account answers as AWS does."""
    if name := params.get("UserName"):
        return {"User": ctx.view(find(ctx, "User", name))}
    if ctx.caller.principal_type == "User":
        return {"User": ctx.view(ctx.resolve("iam:User", ctx.caller.arn.rsplit("/", 1)[-1]))}
    if ctx.caller.principal_type != "Account":
        raise Invalid("Must specify userName when calling with non-User credentials", code="ValidationError")
    return {"User": {"UserId": ctx.caller.account, "Arn": ctx.caller.arn, "Path": "/", "UserName": "root", "CreateDate": ctx.now}}


# -- what roles and users share, made once for each -------------------------------------------------------------------------------------


def shared(noun: str) -> dict[str, Handler]:
    """The operations that differ only in the noun."""
    name_member = f"{noun}Name"

    def on(action: Callable[[Context, Row, Document], Document]) -> Handler:
        return lambda ctx, params: action(ctx, find(ctx, noun, params[name_member]), params)

    def get(ctx: Context, row: Row, _: Document) -> Document:
        return {noun: ctx.view(row)}

    def listing(ctx: Context, params: Document) -> Document:
        prefix = params.get("PathPrefix") or "/"
        return {f"{noun}s": [ctx.view(row) for row in ctx.rows(f"iam:{noun}") if row.document["Path"].startswith(prefix)], "IsTruncated": False}

    def put_inline(ctx: Context, row: Row, params: Document) -> Document:
        parse_policy(params["PolicyDocument"], Form.IDENTITY)
        ctx.change(row, {"_inline": {**row.document["_inline"], params["PolicyName"]: params["PolicyDocument"]}})
        return {}

    def get_inline(_: Context, row: Row, params: Document) -> Document:
        inline = row.document["_inline"]
        if params["PolicyName"] not in inline:
            raise text.missing_policy(params["PolicyName"], noun.lower())
        return {name_member: row.name, "PolicyName": params["PolicyName"], "PolicyDocument": inline[params["PolicyName"]]}

    def list_inline(_: Context, row: Row, __: Document) -> Document:
        return {"PolicyNames": sorted(row.document["_inline"]), "IsTruncated": False}

    def delete_inline(ctx: Context, row: Row, params: Document) -> Document:
        inline = dict(row.document["_inline"])
        if inline.pop(params["PolicyName"], None) is None:
            raise text.missing_policy(params["PolicyName"], noun.lower())
        ctx.change(row, {"_inline": inline})
        return {}

    def attach(ctx: Context, row: Row, params: Document) -> Document:
        arn = used_policy(ctx, params["PolicyArn"]).arn
        ctx.change(row, {"_attached": sorted({*row.document["_attached"], arn})})
        return {}

    def detach(ctx: Context, row: Row, params: Document) -> Document:
        if params["PolicyArn"] not in row.document["_attached"]:
            raise text.bad(f"Policy {params['PolicyArn']} was not found.", "NoSuchEntity")
        ctx.change(row, {"_attached": [arn for arn in row.document["_attached"] if arn != params["PolicyArn"]]})
        return {}

    def list_attached(ctx: Context, row: Row, _: Document) -> Document:
        found = [{"PolicyName": find_policy(ctx, arn).name, "PolicyArn": arn} for arn in row.document["_attached"]]
        return {"AttachedPolicies": found, "IsTruncated": False}

    def put_boundary(ctx: Context, row: Row, params: Document) -> Document:
        boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": used_policy(ctx, params["PermissionsBoundary"]).arn}
        ctx.change(row, {"PermissionsBoundary": boundary})
        return {}

    def delete_boundary(ctx: Context, row: Row, _: Document) -> Document:
        ctx.change(row, {"PermissionsBoundary": None})
        return {}

    def tag(ctx: Context, row: Row, params: Document) -> Document:
        ctx.tag(row, tags.read(params["Tags"]))
        return {}

    def untag(ctx: Context, row: Row, params: Document) -> Document:
        ctx.tag(row, removed=params["TagKeys"])
        return {}

    def list_tags(_: Context, row: Row, __: Document) -> Document:
        return {"Tags": tags.as_list(row.tags), "IsTruncated": False}

    return {
        f"Get{noun}": on(get), f"List{noun}s": listing,
        f"Put{noun}Policy": on(put_inline), f"Get{noun}Policy": on(get_inline), f"List{noun}Policies": on(list_inline),
        f"Delete{noun}Policy": on(delete_inline),
        f"Attach{noun}Policy": on(attach), f"Detach{noun}Policy": on(detach), f"ListAttached{noun}Policies": on(list_attached),
        f"Put{noun}PermissionsBoundary": on(put_boundary), f"Delete{noun}PermissionsBoundary": on(delete_boundary),
        f"Tag{noun}": on(tag), f"Untag{noun}": on(untag), f"List{noun}Tags": on(list_tags),
    }  # fmt: skip


OPERATIONS: dict[str, Handler] = {
    **shared("Role"),
    **shared("User"),
    "CreateRole": create_role,
    "UpdateRole": update_role,
    "UpdateAssumeRolePolicy": update_trust,
    "DeleteRole": delete_role,
    "CreateUser": create_user,
    "GetUser": get_user,
    "DeleteUser": delete_user,
}
