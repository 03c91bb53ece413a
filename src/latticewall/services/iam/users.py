"""Users ("CreateUser", "UpdateUser", "DeleteUser"). They have access keys and no passwords: a region has no console to sign in to."""

from __future__ import annotations

from latticewall.base.faults import Invalid
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import text
from latticewall.services.iam.groups import groups_of
from latticewall.services.iam.holders import bounded, create, end_sessions, find, holding, move, refuse_with_policies


def create_user(ctx: Context, params: Document) -> Document:
    return {"User": ctx.view(create(ctx, "User", params, {"_groups": []}))}


def get_user(ctx: Context, params: Document) -> Document:
    """Without a name: the caller; the root user of the account answers as AWS does."""
    if name := params.get("UserName"):
        return {"User": ctx.view(find(ctx, "User", name))}
    if ctx.caller.principal_type == "User":
        return {"User": ctx.view(ctx.resolve("iam:User", ctx.caller.arn.rsplit("/", 1)[-1]))}
    if ctx.caller.principal_type != "Account":
        raise Invalid("Must specify userName when calling with non-User credentials", code="ValidationError")
    return {"User": {"UserId": ctx.caller.account, "Arn": ctx.caller.arn, "Path": "/", "UserName": "root", "CreateDate": ctx.now}}


def update_user(ctx: Context, params: Document) -> Document:
    """Another name or path. What shows the old one follows: its access keys and its temporary credentials."""
    row = find(ctx, "User", params["UserName"])
    before = row.arn
    row = move(ctx, "User", row, params)
    for key in ctx.tx.rows("iam:AccessKey", parent=row.id):
        ctx.change(key, {"UserName": row.name})
    for session in ctx.tx.rows("sts:Session", parent=row.id):
        if session.document["Arn"] == before:
            session.document["Arn"] = row.arn
            ctx.tx.put(session)
    return {}


def delete_user(ctx: Context, params: Document) -> Document:
    row = find(ctx, "User", params["UserName"])
    if groups_of(row):
        raise text.still("remove users from group")
    refuse_with_policies(row)
    if ctx.tx.rows("iam:AccessKey", parent=row.id):
        raise text.still("delete access keys")
    end_sessions(ctx, row)
    ctx.remove(row)
    return {}


OPERATIONS: dict[str, Handler] = {
    **holding("User"),
    **bounded("User"),
    "CreateUser": create_user,
    "GetUser": get_user,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
}
