"""Organizational units, the tree they make, and tags of everything in it.

Pages: "CreateOrganizationalUnit", "ListChildren", "ListParents", "Quotas for AWS Organizations", "TagResource".
"""

from __future__ import annotations

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.organizations.find import (
    accounts_of,
    at_birth,
    container,
    managed,
    parent_id,
    parent_type,
    path_of,
    root_of,
    show,
    target,
    unit,
    units_of,
)
from latticewall.services.organizations.text import refusal

DEPTH = 5
"""Levels of units below the root."""
UNITS = 2000


def create_unit(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    holder = container(ctx, organization, params["ParentId"])
    units = units_of(ctx, organization)
    if len(units) >= UNITS:
        raise refusal("ConstraintViolationException", "OU_NUMBER_LIMIT_EXCEEDED")
    path = path_of(organization, holder)
    if path.count("/ou-") >= DEPTH:
        raise refusal("ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED")
    _check_name(units, holder.id, params["Name"])
    root = root_of(ctx, organization)
    id_ = ctx.new_id(f"ou-{root.id.removeprefix('r-')}-", 8)
    document: Document = {"_path": f"{path}{id_}/", "_policies": at_birth(root)}
    row = ctx.create(
        "organizations:OrganizationalUnit", document, id=id_, name=params["Name"], parent=organization.id, tags=tags.read(params.get("Tags"))
    )  # fmt: skip
    return {"OrganizationalUnit": show(row)}


def _check_name(units: list[Row], holder: str, name: str) -> None:
    if any(row.name == name and parent_id(row) == holder for row in units):
        raise refusal("DuplicateOrganizationalUnitException")


def describe_unit(ctx: Context, params: Document) -> Document:
    return {"OrganizationalUnit": show(unit(ctx, managed(ctx), params["OrganizationalUnitId"]))}


def update_unit(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    row = unit(ctx, organization, params["OrganizationalUnitId"])
    if params.get("Name") and params["Name"] != row.name:
        _check_name(units_of(ctx, organization), parent_id(row), params["Name"])
        row.name = params["Name"]
        row = ctx.tx.put(row)
    return {"OrganizationalUnit": show(row)}


def delete_unit(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    row = unit(ctx, organization, params["OrganizationalUnitId"])
    if any(parent_id(child) == row.id for child in (*units_of(ctx, organization), *accounts_of(ctx, organization))):
        raise refusal("OrganizationalUnitNotEmptyException")
    ctx.tx.delete(row)
    return {}


def list_units_for_parent(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    holder = container(ctx, organization, params["ParentId"])
    return {"OrganizationalUnits": [show(row) for row in units_of(ctx, organization) if parent_id(row) == holder.id]}


def list_children(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    holder, type_ = container(ctx, organization, params["ParentId"]), params["ChildType"]
    rows = accounts_of(ctx, organization) if type_ == "ACCOUNT" else units_of(ctx, organization)
    return {"Children": [{"Id": row.id, "Type": type_} for row in rows if parent_id(row) == holder.id]}


def list_parents(ctx: Context, params: Document) -> Document:
    organization, child = managed(ctx), params["ChildId"]
    row = next((row for row in (*accounts_of(ctx, organization), *units_of(ctx, organization)) if row.id == child), None)
    if row is None:
        raise refusal("ChildNotFoundException")
    return {"Parents": [{"Id": parent_id(row), "Type": parent_type(parent_id(row))}]}


def _tagged(ctx: Context, params: Document) -> Row:
    """What ResourceId names: an account, unit, root or policy."""
    organization, id_ = managed(ctx), params["ResourceId"]
    policy = ctx.tx.get("organizations:Policy", id_, organization.account)
    return policy if policy else target(ctx, organization, id_)


def list_tags(ctx: Context, params: Document) -> Document:
    return {"Tags": tags.as_list(_tagged(ctx, params).tags)}


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(_tagged(ctx, params), removed=params["TagKeys"])
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateOrganizationalUnit": create_unit,
    "DescribeOrganizationalUnit": describe_unit,
    "UpdateOrganizationalUnit": update_unit,
    "DeleteOrganizationalUnit": delete_unit,
    "ListOrganizationalUnitsForParent": list_units_for_parent,
    "ListChildren": list_children,
    "ListParents": list_parents,
    "ListTagsForResource": list_tags,
    "TagResource": tag,
    "UntagResource": untag,
}
