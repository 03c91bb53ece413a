"""Permissions: what a share lets its consumers do with resources of a type ("Managing permissions in AWS RAM").

AWS's own, one per type, and customer managed ones, which allow less. These have one version; conditions in them are refused.
"""

from __future__ import annotations

import json
from typing import Any

from latticewall.base import resource_shares
from latticewall.base.faults import Conflict, Fault
from latticewall.base.resource_shares import DEFAULTS, MANAGED, PERMISSION, SHARE, Permission
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ram import text
from latticewall.services.ram.find import own_share


def type_of(ctx: Context, arn: str) -> str:
    """The resource type of the permission with that ARN: AWS's own or the caller's."""
    return MANAGED[arn].resource_type if arn in MANAGED else str(_own(ctx, arn).document["resourceType"])


def _own(ctx: Context, arn: str) -> Row:
    row = ctx.find(PERMISSION, text.check_arn(arn))
    if row is None:
        raise text.unknown("Permission", arn)
    return row


# -- showing ----------------------------------------------------------------------------------------------------------------------------------------------


def _managed(permission: Permission) -> Document:
    return {
        "arn": permission.arn, "version": "1", "defaultVersion": True, "name": permission.name, "resourceType": permission.resource_type,
        "status": "ATTACHABLE", "isResourceTypeDefault": True, "permissionType": "AWS_MANAGED", "featureSet": "STANDARD",
    }  # fmt: skip


def _summary(ctx: Context, arn: str) -> Document:
    return _managed(MANAGED[arn]) if arn in MANAGED else ctx.view(_own(ctx, arn))


def _actions(ctx: Context, arn: str) -> list[str]:
    return list(MANAGED[arn].actions) if arn in MANAGED else list(_own(ctx, arn).document["_actions"])


def _check_version(params: Document) -> None:
    if params.get("permissionVersion") not in (None, 1):
        raise text.unknown("Permission", f"{params['permissionArn']} version {params['permissionVersion']}")


def get_permission(ctx: Context, params: Document) -> Document:
    """GetPermission: with its statement."""
    _check_version(params)
    arn = params["permissionArn"]
    statement = json.dumps({"Effect": "Allow", "Action": _actions(ctx, arn)}, separators=(",", ":"))
    return {"permission": {**_summary(ctx, arn), "permission": statement}}


def list_permissions(ctx: Context, params: Document) -> Document:
    """ListPermissions: AWS's and the account's own."""
    found = [_managed(permission) for permission in MANAGED.values()] + [ctx.view(row) for row in ctx.live(PERMISSION)]
    type_, status = params.get("permissionType") or "ALL", params.get("permissionStatus") or "ATTACHABLE"
    found = [one for one in found if type_ in ("ALL", one["permissionType"]) and one["status"] == status]
    wanted = str(params.get("resourceType") or "").lower()
    return {"permissions": [one for one in found if wanted in ("", one["resourceType"].lower())]}


def list_versions(ctx: Context, params: Document) -> Document:
    """ListPermissionVersions."""
    return {"permissions": [_summary(ctx, params["permissionArn"])]}


# -- of shares --------------------------------------------------------------------------------------------------------------------------------------------


def list_of_share(ctx: Context, params: Document) -> Document:
    """ListResourceSharePermissions."""
    share = own_share(ctx, params["resourceShareArn"])
    return {"permissions": [{**_summary(ctx, arn), "status": "ASSOCIATED"} for arn in share.document["_permissions"].values()]}


def associate(ctx: Context, params: Document) -> Document:
    """AssociateResourceSharePermission: one permission per resource type; another one takes its place only with `replace`."""
    share, arn = own_share(ctx, params["resourceShareArn"]), params["permissionArn"]
    _check_version(params)
    type_, present = type_of(ctx, arn), share.document["_permissions"]
    if present.get(type_, arn) != arn and not params.get("replace"):
        raise text.invalid(f"The resource share has the permission {present[type_]} for {type_} already: set replace to put this one in its place.")
    ctx.change(share, {"_permissions": {**present, type_: arn}})
    return _done(params)


def disassociate(ctx: Context, params: Document) -> Document:
    """DisassociateResourceSharePermission: only when no resource of the type is left in the share."""
    share, arn = own_share(ctx, params["resourceShareArn"]), params["permissionArn"]
    kept = {type_: held for type_, held in share.document["_permissions"].items() if held != arn}
    if kept == share.document["_permissions"]:
        raise text.unknown("Permission", arn)
    if any(resource_shares.type_of(row.name) == type_of(ctx, arn) for row in ctx.tx.rows(resource_shares.ASSOCIATION, parent=share.id)):
        raise text.not_permitted(f"The resource share has resources of the type {type_of(ctx, arn)}: disassociate them first.")
    ctx.change(share, {"_permissions": kept})
    return _done(params)


def _done(params: Document, **more: Any) -> Document:
    token = {"clientToken": params["clientToken"]} if params.get("clientToken") else {}
    return {"returnValue": True, **token, **more}


# -- customer managed -------------------------------------------------------------------------------------------------------------------------------------


def create_permission(ctx: Context, params: Document) -> Document:
    """CreatePermission: some of the actions that AWS's permission for the type has."""
    type_ = next((known for known in DEFAULTS if known.lower() == params["resourceType"].lower()), "")
    if not type_:
        raise text.invalid(f"Resources of the type {params['resourceType']} cannot be shared here; shareable are {', '.join(DEFAULTS)}.")
    if ctx.live(PERMISSION, name=params["name"]):
        raise Conflict(f"A permission named {params['name']} exists already.", code="PermissionAlreadyExistsException")
    document = {
        "version": "1", "defaultVersion": True, "resourceType": type_, "status": "ATTACHABLE", "isResourceTypeDefault": False,
        "permissionType": "CUSTOMER_MANAGED", "featureSet": "STANDARD", "_actions": _template(type_, params["policyTemplate"]),
    }  # fmt: skip
    row = ctx.create(PERMISSION, document, id=params["name"], name=params["name"], tags=tags.read(params.get("tags")))
    token = {"clientToken": params["clientToken"]} if params.get("clientToken") else {}
    return {"permission": ctx.view(row), **token}


def _template(type_: str, template: str) -> list[str]:
    """The actions of a policy template: one statement without principal and resource, which the share adds."""
    try:
        found = json.loads(template)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("Effect") != "Allow" or set(found) - {"Effect", "Action", "Condition", "Version"}:
        message = 'A policy template is one statement such as {"Effect": "Allow", "Action": ["service:Action"]}, without Principal and Resource.'
        raise Fault(message, code="MalformedPolicyTemplateException")
    if found.get("Condition"):
        raise text.invalid("Conditions in policy templates are not supported yet.")
    actions = found.get("Action")
    actions = [actions] if isinstance(actions, str) else actions
    known = DEFAULTS[type_].actions
    if not isinstance(actions, list) or not actions or any(action not in known for action in actions):
        raise Fault(f"The actions for {type_} are {', '.join(known)}.", code="InvalidPolicyException")
    return actions


def delete_permission(ctx: Context, params: Document) -> Document:
    """DeletePermission: not while a share has it."""
    row = _own(ctx, params["permissionArn"])
    if users := [share.arn for share in ctx.live(SHARE) if row.arn in share.document["_permissions"].values()]:
        raise text.not_permitted(f"Permission {row.arn} is associated with {users[0]}.")
    ctx.remove(row)
    return _done(params, permissionStatus="DELETED")


OPERATIONS: dict[str, Handler] = {
    "CreatePermission": create_permission,
    "DeletePermission": delete_permission,
    "GetPermission": get_permission,
    "ListPermissions": list_permissions,
    "ListPermissionVersions": list_versions,
    "ListResourceSharePermissions": list_of_share,
    "AssociateResourceSharePermission": associate,
    "DisassociateResourceSharePermission": disassociate,
}
