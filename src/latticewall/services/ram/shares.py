"""Resource shares: made, changed, filled, emptied ("Working with resource shares in AWS RAM"), and sharing within an organization."""

from __future__ import annotations

from latticewall.base.faults import LimitExceeded
from latticewall.base.resource_shares import ASSOCIATION, PERMISSION, SERVICE_PRINCIPAL, SHARE
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ram import find, invitations, permissions, text
from latticewall.services.ram.associating import associate
from latticewall.services.ram.find import own_share

ROLE = "AWSServiceRoleForResourceAccessManager"
MOST_SHARES = 5000
MOST_TAGS = 50


def _answer(params: Document, **members: object) -> Document:
    token = {"clientToken": params["clientToken"]} if params.get("clientToken") else {}
    return {**members, **token}


def create_share(ctx: Context, params: Document) -> Document:
    """CreateResourceShare. Names need not be unique."""
    if len(ctx.live(SHARE)) >= MOST_SHARES:
        raise LimitExceeded(f"You have reached the limit of {MOST_SHARES} resource shares.", code="ResourceShareLimitExceededException")
    external = params.get("allowExternalPrincipals")
    document: Document = {
        "owningAccountId": ctx.caller.account, "allowExternalPrincipals": external is not False, "status": "ACTIVE", "featureSet": "STANDARD",
        "_permissions": {permissions.type_of(ctx, arn): arn for arn in params.get("permissionArns") or ()},
    }  # fmt: skip
    if (params.get("resourceShareConfiguration") or {}).get("retainSharingOnAccountLeaveOrganization"):
        raise text.invalid("Keeping a share when its account leaves the organization is not supported yet.")
    row = ctx.create(SHARE, document, id=ctx.new_uuid(), name=params["name"], tags=_tags({}, params))
    associate(ctx, row, params)
    return _answer(params, resourceShare=ctx.view(own_share(ctx, row.arn)))


def update_share(ctx: Context, params: Document) -> Document:
    """UpdateResourceShare: name, and whether external accounts may be invited; those that are in the share must leave first."""
    row = own_share(ctx, params["resourceShareArn"])
    external = params.get("allowExternalPrincipals")
    if external is False and any(held.document["external"] for held in find.associated(ctx, row, find.PRINCIPAL)):
        raise text.not_permitted("The resource share has external principals: disassociate them first.")
    if params.get("name"):
        row.name = params["name"]
    changed = ctx.change(row, {} if external is None else {"allowExternalPrincipals": external})
    return _answer(params, resourceShare=ctx.view(changed))


def delete_share(ctx: Context, params: Document) -> Document:
    """DeleteResourceShare: nobody may use what was shared any more; what others have associated stays."""
    ctx.remove(own_share(ctx, params["resourceShareArn"]))
    return _answer(params, returnValue=True)


def associate_share(ctx: Context, params: Document) -> Document:
    """AssociateResourceShare: all of it or nothing."""
    row = own_share(ctx, params["resourceShareArn"])
    return _answer(params, resourceShareAssociations=associate(ctx, row, params))


def disassociate_share(ctx: Context, params: Document) -> Document:
    """DisassociateResourceShare, by the owner; an account that accepted an invitation leaves with it, too."""
    row = ctx.find(SHARE, text.check_arn(params["resourceShareArn"]))
    gone = [_held(ctx, row, name) for name in (*(params.get("resourceArns") or ()), *(params.get("principals") or ()))] if row else [_leaving(ctx, params)]
    shown = [{**ctx.view(held), "status": "DISASSOCIATING"} for held in gone]
    for held in gone:
        share = ctx.tx.get(SHARE, held.parent)
        if share and held.document["associationType"] == find.PRINCIPAL:
            invitations.withdraw(ctx, share, held.name)
        ctx.remove(held)
    return _answer(params, resourceShareAssociations=shown)


def _held(ctx: Context, share: Row, name: str) -> Row:
    found = ctx.tx.rows(ASSOCIATION, parent=share.id, name=name)
    if not found:
        raise text.unknown("ResourceShareAssociation", f"of {name} with {share.arn}")
    return found[0]


def _leaving(ctx: Context, params: Document) -> Row:
    """The caller's own association with another account's share."""
    share = next((row for row in find.open_shares(ctx) if row.arn == params["resourceShareArn"]), None)
    if share is None:
        raise text.unknown("ResourceShare", params["resourceShareArn"])
    if params.get("resourceArns") or params.get("principals") != [ctx.caller.account]:
        raise text.not_permitted("Only the owner of a resource share can take resources and other principals out of it.")
    association = invitations.leave(ctx, share)
    if association is None:
        raise text.not_permitted("You can leave a resource share only if your account was invited: within an organization the owner decides.")
    return association


# -- organizations, tags ----------------------------------------------------------------------------------------------------------------------------------


def enable_sharing(ctx: Context, _: Document) -> Document:
    """EnableSharingWithAwsOrganization, by the management account of an organization with all features: RAM is trusted, and has its service-linked role."""
    member = ctx.tx.get("organizations:Account", ctx.caller.account)
    row = ctx.tx.get("organizations:Organization", member.parent) if member else None
    if row is None or row.account != ctx.caller.account:
        raise text.not_permitted("Unable to enable sharing with AWS Organizations: call this operation from the organization's management account.")
    if row.document["FeatureSet"] != "ALL":
        raise text.not_permitted("Unable to enable sharing with AWS Organizations: all features must be enabled in the organization.")
    ctx.call("organizations:EnableAWSServiceAccess", {"ServicePrincipal": SERVICE_PRINCIPAL})
    if ctx.tx.by_arn(f"arn:aws:iam::{ctx.caller.account}:role/aws-service-role/{SERVICE_PRINCIPAL}/{ROLE}") is None:
        ctx.call("iam:CreateServiceLinkedRole", {"AWSServiceName": SERVICE_PRINCIPAL})
    return {"returnValue": True}


def tag(ctx: Context, params: Document) -> Document:
    """TagResource of a share or a permission."""
    row = _tagged(ctx, params)
    ctx.tag(row, _tags(row.tags, params))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    """UntagResource of a share or a permission."""
    ctx.tag(_tagged(ctx, params), removed=params["tagKeys"])
    return {}


def _tagged(ctx: Context, params: Document) -> Row:
    arn = str(params.get("resourceShareArn") or params.get("resourceArn") or "")
    if not arn:
        raise text.invalid("Name a resource share with resourceShareArn, or a permission with resourceArn.")
    return ctx.find(PERMISSION, arn) or own_share(ctx, arn)


def _tags(present: dict[str, str], params: Document) -> dict[str, str]:
    """The tags of a request in lower-case spelling, which together with those present must not be too many."""
    given = tags.read(params.get("tags"))
    if len({**present, **given}) > MOST_TAGS:
        raise LimitExceeded(f"A resource can have {MOST_TAGS} tags.", code="TagLimitExceededException")
    return given


OPERATIONS: dict[str, Handler] = {
    "CreateResourceShare": create_share,
    "UpdateResourceShare": update_share,
    "DeleteResourceShare": delete_share,
    "AssociateResourceShare": associate_share,
    "DisassociateResourceShare": disassociate_share,
    "EnableSharingWithAwsOrganization": enable_sharing,
    "TagResource": tag,
    "UntagResource": untag,
}
