"""Finding one's way in an organization: who manages it, its root, its units and accounts, and the container each is in."""

from __future__ import annotations

from latticewall.base.organization_policies import MANAGED, enabled
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.organizations.text import refusal


def organization_of_caller(ctx: Context) -> Row:
    """The organization the caller's account belongs to."""
    member = ctx.tx.get("organizations:Account", ctx.caller.account)
    row = ctx.tx.get("organizations:Organization", member.parent) if member and member.parent else None
    if row is None:
        raise refusal("AWSOrganizationsNotInUseException")
    return row


def managed(ctx: Context) -> Row:
    """The organization, for its management account only: other accounts may do no more than describe it."""
    row = organization_of_caller(ctx)
    if row.account != ctx.caller.account:
        raise refusal("AccessDeniedException")
    return row


def root_of(ctx: Context, organization: Row) -> Row:
    return ctx.tx.rows("organizations:Root", parent=organization.id)[0]


def units_of(ctx: Context, organization: Row) -> list[Row]:
    return ctx.tx.rows("organizations:OrganizationalUnit", parent=organization.id)


def accounts_of(ctx: Context, organization: Row) -> list[Row]:
    return ctx.tx.rows("organizations:Account", parent=organization.id)


def account(ctx: Context, organization: Row, id_: str, code: str = "AccountNotFoundException") -> Row:
    return _inside(ctx, organization, ("organizations:Account",), id_, code)


def unit(ctx: Context, organization: Row, id_: str) -> Row:
    return _inside(ctx, organization, ("organizations:OrganizationalUnit",), id_, "OrganizationalUnitNotFoundException")


def container(ctx: Context, organization: Row, id_: str, code: str = "ParentNotFoundException") -> Row:
    """The root or unit that holds accounts and units."""
    return _inside(ctx, organization, ("organizations:Root", "organizations:OrganizationalUnit"), id_, code)


def target(ctx: Context, organization: Row, id_: str) -> Row:
    """What policies are attached to: a root, unit or account."""
    kinds = ("organizations:Root", "organizations:OrganizationalUnit", "organizations:Account")
    return _inside(ctx, organization, kinds, id_, "TargetNotFoundException")


def _inside(ctx: Context, organization: Row, kinds: tuple[str, ...], id_: str, code: str) -> Row:
    found = (ctx.tx.get(kind, id_) for kind in kinds)
    row = next((row for row in found if row and row.parent == organization.id), None)
    if row is None:
        raise refusal(code)
    return row


def path_of(organization: Row, holder: Row) -> str:
    """The path of what lies in a root or unit."""
    return str(holder.document["_path"]) if holder.kind != "organizations:Root" else f"{organization.id}/{holder.id}/"


def parent_id(row: Row) -> str:
    """The root or unit that directly holds an account or unit."""
    steps = str(row.document["_path"]).strip("/").split("/")
    return steps[-1] if row.kind == "organizations:Account" else steps[-2]


def parent_type(id_: str) -> str:
    return "ROOT" if id_.startswith("r-") else "ORGANIZATIONAL_UNIT"


def at_birth(root: Row) -> list[str]:
    """Ids of the policies that are attached to whatever enters the organization: AWS's own, of the types enabled."""
    return [policy.id for policy in MANAGED.values() if enabled(root, policy.type)]


def show(row: Row) -> Document:
    """A row as Describe answers it."""
    shown = {key: value for key, value in row.document.items() if not key.startswith("_")}
    named = {"Id": row.id, "Arn": row.arn, "Name": row.name}
    return {**shown, **{key: value for key, value in named.items() if value}}
