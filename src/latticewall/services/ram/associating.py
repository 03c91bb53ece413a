"""Who and what may be put into a share.

Pages: "AssociateResourceShare", "Sharing your AWS resources", "Quotas for AWS RAM". Accounts of one's organization, its units and itself are served at
once when sharing within it is enabled; every other account is invited, where the share allows external principals.
"""

from __future__ import annotations

import re

from latticewall.auth.permissions import organization_of
from latticewall.auth.resource_policies import trusting_organization
from latticewall.base.faults import LimitExceeded
from latticewall.base.resource_shares import ASSOCIATION, DEFAULTS, RESOURCE_ID, type_of
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ram import find, invitations, text
from latticewall.services.ram.find import PRINCIPAL, RESOURCE

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_IN_ORGANIZATION = re.compile(r"arn:aws:organizations::\d{12}:(?:organization/(o-[a-z0-9]{10,32})|ou/(o-[a-z0-9]{10,32})/(ou-[a-z0-9-]+))", re.ASCII)
MOST = 5000
"""Resources in all shares of an account, principals in them ("Quotas for AWS RAM")."""


def associate(ctx: Context, share: Row, params: Document) -> list[Document]:
    """Put resources and principals into the share; those already there stay as they are. Returns the associations asked for."""
    if params.get("sources"):
        raise text.invalid("Sources limit service principals, which cannot be consumers here.")
    found = [_resource(ctx, share, arn) for arn in dict.fromkeys(params.get("resourceArns") or ())]
    found += [_principal(ctx, share, principal) for principal in dict.fromkeys(params.get("principals") or ())]
    return [ctx.view(row) for row in found]


def _existing(ctx: Context, share: Row, name: str) -> Row | None:
    return next((row for row in ctx.tx.rows(ASSOCIATION, parent=share.id, name=name)), None)


def _put(ctx: Context, share: Row, type_: str, name: str, status: str = "ASSOCIATED", *, external: bool = False, resource_id: str = "") -> Row:
    if sum(row.document["associationType"] == type_ for row in ctx.live(ASSOCIATION)) >= MOST:
        raise LimitExceeded(f"You have reached the limit of {MOST} shared {type_.lower()}s.", code="ResourceShareLimitExceededException")
    document: Document = {"associationType": type_, "status": status, "external": external, RESOURCE_ID: resource_id}
    return ctx.create(ASSOCIATION, document, id=ctx.new_uuid(), name=name, parent=share.id)


# -- resources --------------------------------------------------------------------------------------------------------------------------------------------


def _resource(ctx: Context, share: Row, arn: str) -> Row:
    type_ = type_of(text.check_arn(arn))
    if not type_:
        raise text.not_permitted(f"Resources such as {arn} cannot be shared here; shareable are {', '.join(DEFAULTS)}.")
    old, row = _existing(ctx, share, arn), find.own_resource(ctx, arn)
    if old and row and old.document[RESOURCE_ID] == row.id:
        return old
    if row is None:
        raise text.unknown("Resource", arn)
    if (row.document.get("sharingConfig") or {}).get("enabled") is False:
        raise text.not_permitted(f"Service network {row.id} is not enabled for sharing.")
    share = find.own_share(ctx, share.arn)  # as the resources before this one have left it
    permissions = {type_: DEFAULTS[type_].arn, **share.document["_permissions"]}
    if permissions != share.document["_permissions"]:
        ctx.change(share, {"_permissions": permissions})
    if old:  # of a resource that is gone
        ctx.remove(old)
    return _put(ctx, share, RESOURCE, arn, resource_id=row.id)


# -- principals -------------------------------------------------------------------------------------------------------------------------------------------


def _principal(ctx: Context, share: Row, principal: str) -> Row:
    old = _existing(ctx, share, principal)
    if old and old.document["status"] != "FAILED":
        return old
    if old:  # an invitation that came to nothing; the next one is a new association
        ctx.remove(old)
    if _ACCOUNT.fullmatch(principal):
        return _account(ctx, share, principal)
    parts = _IN_ORGANIZATION.fullmatch(principal)
    if not parts:
        raise text.invalid(
            f"Principal {principal} is not supported: resources can be shared with accounts, organizational units and the organization."
        )
    org_id, unit = parts[1] or parts[2], parts[3]
    known = ctx.tx.get("organizations:OrganizationalUnit", unit) if unit else ctx.tx.get("organizations:Organization", org_id)
    mine = organization_of(ctx.tx, ctx.caller.account)[0]
    if known is None or mine != org_id or known.arn != principal:
        raise text.unknown("OrganizationalUnit" if unit else "Organization", unit or org_id)
    if not trusting_organization(ctx.tx, ctx.caller.account):
        raise text.not_permitted(text.OUTSIDE)
    return _put(ctx, share, PRINCIPAL, principal)


def _account(ctx: Context, share: Row, account: str) -> Row:
    if account == ctx.caller.account:
        raise text.invalid(f"The account {account} owns the resource share: share with other accounts.")
    organization = trusting_organization(ctx.tx, ctx.caller.account)
    if organization and organization_of(ctx.tx, account)[0] == organization:
        return _put(ctx, share, PRINCIPAL, account)
    if not share.document["allowExternalPrincipals"]:
        raise text.not_permitted(text.OUTSIDE)
    invitations.invite(ctx, share, account)
    return _put(ctx, share, PRINCIPAL, account, "ASSOCIATING", external=True)
