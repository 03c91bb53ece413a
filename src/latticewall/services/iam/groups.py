"""Groups of users, whose policies speak for their members ("IAM user groups").

A user's memberships are the ARNs in its private member `_groups`.
"""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import quotas, text
from latticewall.services.iam.holders import create, find, holding, listed, move, refuse_with_policies


def members(ctx: Context, group: Row) -> list[Row]:
    return [user for user in ctx.rows("iam:User") if group.arn in groups_of(user)]


def groups_of(user: Row) -> list[str]:
    """The ARNs of the groups a user is in."""
    return list(user.document.get("_groups") or ())


def create_group(ctx: Context, params: Document) -> Document:
    return {"Group": ctx.view(create(ctx, "Group", params, {}))}


def get_group(ctx: Context, params: Document) -> Document:
    row = find(ctx, "Group", params["GroupName"])
    return {"Group": ctx.view(row), "Users": [listed(ctx, user) for user in members(ctx, row)]}


def update_group(ctx: Context, params: Document) -> Document:
    row = find(ctx, "Group", params["GroupName"])
    held, before = members(ctx, row), row.arn
    after = move(ctx, "Group", row, params).arn
    for user in held:
        ctx.change(user, {"_groups": sorted(after if arn == before else arn for arn in groups_of(user))})
    return {}


def delete_group(ctx: Context, params: Document) -> Document:
    row = find(ctx, "Group", params["GroupName"])
    if members(ctx, row):
        raise text.still("remove users from group")
    refuse_with_policies(row)
    ctx.remove(row)
    return {}


def add_user(ctx: Context, params: Document) -> Document:
    group, user = find(ctx, "Group", params["GroupName"]), find(ctx, "User", params["UserName"])
    joined = {*groups_of(user), group.arn}
    quotas.room("GroupsPerUser", len(joined))
    ctx.change(user, {"_groups": sorted(joined)})
    return {}


def remove_user(ctx: Context, params: Document) -> Document:
    group, user = find(ctx, "Group", params["GroupName"]), find(ctx, "User", params["UserName"])
    if group.arn not in groups_of(user):
        raise text.bad(f"User {user.name} is not in group {group.name}.", "NoSuchEntity")
    ctx.change(user, {"_groups": [arn for arn in groups_of(user) if arn != group.arn]})
    return {}


def list_for_user(ctx: Context, params: Document) -> Document:
    user = find(ctx, "User", params["UserName"])
    return {"Groups": [ctx.view(group) for arn in groups_of(user) if (group := ctx.find("iam:Group", arn))]}


OPERATIONS: dict[str, Handler] = {
    **holding("Group"),
    "CreateGroup": create_group,
    "GetGroup": get_group,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "AddUserToGroup": add_user,
    "RemoveUserFromGroup": remove_user,
    "ListGroupsForUser": list_for_user,
}
