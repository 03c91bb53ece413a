"""The organization itself, its root, and the services it trusts.

Pages: "CreateOrganization", "DeleteOrganization", "ListRoots", "EnableAWSServiceAccess". As in AWS, a new organization can use service control
policies, and they are in force once EnablePolicyType has been called on the root.
"""

from __future__ import annotations

from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.organizations.accounts import join
from latticewall.services.organizations.find import accounts_of, managed, organization_of_caller, root_of, show
from latticewall.services.organizations.text import refusal

AVAILABLE = [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
"""AvailablePolicyTypes of an organization with all features; the member is deprecated and lists no more than this."""
OWNED = ("organizations:OrganizationalUnit", "organizations:Root", "organizations:Policy", "organizations:Handshake", "organizations:CreateAccountStatus")


def create_organization(ctx: Context, params: Document) -> Document:
    account = ctx.caller.account
    member = ctx.tx.get("organizations:Account", account)
    if member and member.parent:
        raise refusal("AlreadyInOrganizationException")
    features, id_ = params.get("FeatureSet") or "ALL", ctx.new_id("o-", 10)
    email = f"management@{account}.example.com"
    document: Document = {
        "FeatureSet": features, "MasterAccountId": account, "MasterAccountEmail": email, "_services": {},
        "MasterAccountArn": f"arn:aws:organizations::{account}:account/{id_}/{account}", "AvailablePolicyTypes": AVAILABLE if features == "ALL" else [],
    }  # fmt: skip
    row = ctx.create("organizations:Organization", document, id=id_)
    ctx.create("organizations:Root", {"PolicyTypes": [], "_policies": []}, id=ctx.new_id("r-", 4), name="Root", parent=row.id)
    join(ctx, row, account, "management", email, joined="INVITED")
    return {"Organization": show(row)}


def describe_organization(ctx: Context, _: Document) -> Document:
    return {"Organization": show(organization_of_caller(ctx))}


def delete_organization(ctx: Context, _: Document) -> Document:
    """Only the management account may be left; units and policies go with the organization."""
    row = managed(ctx)
    accounts = accounts_of(ctx, row)
    if len(accounts) > 1:
        raise refusal("OrganizationNotEmptyException")
    for gone in (*accounts, *(owned for kind in OWNED for owned in ctx.rows(kind)), row):
        ctx.tx.delete(gone)
    return {}


def list_roots(ctx: Context, _: Document) -> Document:
    return {"Roots": [show(root_of(ctx, managed(ctx)))]}


def enable_service_access(ctx: Context, params: Document) -> Document:
    """Recorded for those who ask: AWS RAM shares within an organization that trusts it."""
    row = managed(ctx)
    trusted = row.document["_services"]
    ctx.change(row, {"_services": {params["ServicePrincipal"]: ctx.now, **trusted}})
    return {}


def disable_service_access(ctx: Context, params: Document) -> Document:
    row = managed(ctx)
    ctx.change(row, {"_services": {name: since for name, since in row.document["_services"].items() if name != params["ServicePrincipal"]}})
    return {}


def list_service_access(ctx: Context, _: Document) -> Document:
    trusted = managed(ctx).document["_services"]
    return {"EnabledServicePrincipals": [{"ServicePrincipal": name, "DateEnabled": since} for name, since in sorted(trusted.items())]}


OPERATIONS: dict[str, Handler] = {
    "CreateOrganization": create_organization,
    "DescribeOrganization": describe_organization,
    "DeleteOrganization": delete_organization,
    "ListRoots": list_roots,
    "EnableAWSServiceAccess": enable_service_access,
    "DisableAWSServiceAccess": disable_service_access,
    "ListAWSServiceAccessForOrganization": list_service_access,
}
