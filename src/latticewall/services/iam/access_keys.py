"""Access keys of users, and of the account's root when the caller is root and names nobody ("CreateAccessKey")."""

from __future__ import annotations

from latticewall.auth.credentials import mint_access_key
from latticewall.auth.key_usage import forget_use, last_use
from latticewall.base.faults import Conflict, Denied
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas, text
from latticewall.services.iam.holders import find

ROOT_NAME = "root"
"""The name of an account's root user where a member must hold one."""


def key_owner(ctx: Context, params: Document) -> Row | None:
    """The user meant; None = the account's root."""
    name = params.get("UserName")
    if not name and ctx.caller.principal_type == "Account":
        return None
    if not name and ctx.caller.principal_type != "User":
        raise text.bad("Must specify userName when calling with non-User credentials")
    return find(ctx, "User", name or ctx.caller.arn.rsplit("/", 1)[-1])


def _keys(ctx: Context, owner: Row | None) -> list[Row]:
    return [row for row in ctx.rows("iam:AccessKey") if row.parent == (owner.id if owner else "")]


def create(ctx: Context, params: Document) -> Document:
    owner = key_owner(ctx, params)
    quotas.room("AccessKeysPerUser", len([row for row in _keys(ctx, owner) if not row.document.get("_administrator")]) + 1)
    key = mint_access_key(ctx.random, ctx.caller.account, temporary=False)
    document: Document = {"Status": "Active", "CreateDate": ctx.now, "_secret": key.secret.reveal()}
    if owner:
        document["UserName"] = owner.name
    row = ctx.create("iam:AccessKey", document, id=key.id, parent=owner.id if owner else "", refs={"user": owner.id} if owner else {})
    return {"AccessKey": {**ctx.view(row), "SecretAccessKey": key.secret.reveal()}}


def listing(ctx: Context, params: Document) -> Document:
    return {"AccessKeyMetadata": [ctx.view(row) for row in _keys(ctx, key_owner(ctx, params))]}


def _find(ctx: Context, params: Document) -> Row:
    row = next((row for row in _keys(ctx, key_owner(ctx, params)) if row.id == params["AccessKeyId"]), None)
    if row is None:
        raise text.bad(f"The Access Key with id {params['AccessKeyId']} cannot be found.", "NoSuchEntity")
    return row


def _dispensable(row: Row) -> Row:
    """Raises DeleteConflict for the key that `latticewall env` hands out: without it nobody could command the region."""
    if row.document.get("_administrator"):
        raise Conflict(f"The access key {row.id} is the region's administrator's and stays", code="DeleteConflict")
    return row


def update(ctx: Context, params: Document) -> Document:
    ctx.change(_dispensable(_find(ctx, params)), {"Status": params["Status"]})
    return {}


def delete(ctx: Context, params: Document) -> Document:
    row = _dispensable(_find(ctx, params))
    ctx.remove(row)
    forget_use(ctx.tx, row.id)
    return {}


def last_used(ctx: Context, params: Document) -> Document:
    """Of any key of the account; never used: "N/A", without a date."""
    key = params["AccessKeyId"]
    row = ctx.find("iam:AccessKey", key)
    if row is None:
        raise Denied(f"User: {ctx.caller.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key {key}", code="AccessDenied")
    use = last_use(ctx.tx, key)
    shown = {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region} if use else {"ServiceName": "N/A", "Region": "N/A"}
    return {"UserName": row.document.get("UserName") or ROOT_NAME, "AccessKeyLastUsed": shown}


OPERATIONS: dict[str, Handler] = {
    "CreateAccessKey": create,
    "ListAccessKeys": listing,
    "UpdateAccessKey": update,
    "DeleteAccessKey": delete,
    "GetAccessKeyLastUsed": last_used,
}
