"""What is shared, with whom, by whom ("GetResourceShares" and its kin). `resourceOwner` says whose shares: one's own, or those open to one's account."""

from __future__ import annotations

from collections.abc import Iterator

from latticewall.auth.resource_policies import shared_policy
from latticewall.base.faults import NotFound
from latticewall.base.resource_shares import DEFAULTS, type_of
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.ram import find, text
from latticewall.services.ram.find import PRINCIPAL, RESOURCE


def get_shares(ctx: Context, params: Document) -> Document:
    """GetResourceShares. The tags of another account's share are not shown."""
    own = params["resourceOwner"] == "SELF"
    found = find.shares(ctx, params["resourceOwner"], params.get("resourceShareArns"))
    if params.get("name"):
        found = [row for row in found if row.name == params["name"]]
    if params.get("permissionArn"):
        found = [row for row in found if params["permissionArn"] in row.document["_permissions"].values()]
    for rule in params.get("tagFilters") or ():
        values = rule.get("tagValues") or ()
        found = [row for row in found if own and rule.get("tagKey") in row.tags and (not values or row.tags[rule["tagKey"]] in values)]
    shown = [ctx.view(row) if own else {**ctx.view(row), "tags": []} for row in found]
    return {"resourceShares": [one for one in shown if params.get("resourceShareStatus") in (None, one["status"])]}


def get_associations(ctx: Context, params: Document) -> Document:
    """GetResourceShareAssociations of the account's own shares."""
    type_ = params["associationType"]
    if params.get("resourceArn") and type_ != RESOURCE:
        raise text.invalid("You cannot specify a resource ARN when you specify an association type of PRINCIPAL.")
    if params.get("principal") and type_ != PRINCIPAL:
        raise text.invalid("You cannot specify a principal when you specify an association type of RESOURCE.")
    found = [row for share in find.shares(ctx, "SELF", params.get("resourceShareArns")) for row in find.associated(ctx, share, type_)]
    if wanted := params.get("resourceArn") or params.get("principal"):
        found = [row for row in found if row.name == wanted]
    shown = [ctx.view(row) for row in found]
    return {"resourceShareAssociations": [one for one in shown if params.get("associationStatus") in (None, one["status"])]}


def _pairs(ctx: Context, params: Document, type_: str) -> Iterator[tuple[Row, Row]]:
    """(share, association) of the shares asked for."""
    for share in find.shares(ctx, params["resourceOwner"], params.get("resourceShareArns")):
        for row in find.associated(ctx, share, type_):
            yield share, row


def list_resources(ctx: Context, params: Document) -> Document:
    """ListResources: those one shares, or those shared with one's account."""
    _check_type(params)
    found = []
    for share, row in _pairs(ctx, params, RESOURCE):
        wanted = params.get("resourceType")
        if (wanted and type_of(row.name).lower() != wanted.lower()) or row.name not in (params.get("resourceArns") or [row.name]):
            continue
        if params.get("principal") and not _is_with(ctx, params, share):
            continue
        there = find.shared_resource(ctx, row) is not None
        found.append({
            "arn": row.name, "type": type_of(row.name), "resourceShareArn": share.arn, "status": "AVAILABLE" if there else "UNAVAILABLE",
            "creationTime": row.created_at, "lastUpdatedTime": row.updated_at, "resourceRegionScope": "REGIONAL",
        })  # fmt: skip
    return {"resources": [] if params.get("resourceRegionScope") == "GLOBAL" else found}


def _is_with(ctx: Context, params: Document, share: Row) -> bool:
    """Whether the principal asked for is the share's consumer, or of shares that one may use its owner."""
    if params["resourceOwner"] != "SELF":
        return bool(params["principal"] == share.account)
    return any(row.name == params["principal"] for row in find.associated(ctx, share, PRINCIPAL))


def list_principals(ctx: Context, params: Document) -> Document:
    """ListPrincipals: whom one shares with, or who shares with one's account."""
    _check_type(params)
    own = params["resourceOwner"] == "SELF"
    found: dict[tuple[str, str], Document] = {}
    for share, row in _pairs(ctx, params, PRINCIPAL):
        who = row.name if own else share.account
        held = find.associated(ctx, share, RESOURCE)
        if params.get("resourceArn") and params["resourceArn"] not in [one.name for one in held]:
            continue
        if params.get("resourceType") and params["resourceType"].lower() not in [type_of(one.name).lower() for one in held]:
            continue
        if who not in (params.get("principals") or [who]):
            continue
        times = {"creationTime": row.created_at, "lastUpdatedTime": row.updated_at}
        found[who, share.id] = {"id": who, "resourceShareArn": share.arn, **times, "external": bool(row.document["external"])}
    return {"principals": list(found.values())}


def _check_type(params: Document) -> None:
    type_ = params.get("resourceType")
    if type_ and type_.lower() not in [known.lower() for known in DEFAULTS]:
        message = f"Resource type {type_} is not shareable here; shareable are {', '.join(DEFAULTS)}."
        raise text.invalid(message)


def list_types(_: Context, params: Document) -> Document:
    """ListResourceTypes: what can be shared here."""
    types = [] if params.get("resourceRegionScope") == "GLOBAL" else list(DEFAULTS)
    return {"resourceTypes": [{"resourceType": type_, "serviceName": type_.partition(":")[0], "resourceRegionScope": "REGIONAL"} for type_ in types]}


def get_policies(ctx: Context, params: Document) -> Document:
    """GetResourcePolicies: what the shares of one's resources amount to, a policy per resource that is shared."""
    found = []
    for arn in params["resourceArns"]:
        row = find.own_resource(ctx, text.check_arn(arn))
        if row is None:
            raise NotFound(f"Resource {arn} could not be found.", code="ResourceArnNotFoundException")
        policy = shared_policy(ctx.tx, row)
        if policy and params.get("principal", "") in policy:
            found.append(policy)
    return {"policies": found}


OPERATIONS: dict[str, Handler] = {
    "GetResourceShares": get_shares,
    "GetResourceShareAssociations": get_associations,
    "GetResourcePolicies": get_policies,
    "ListResources": list_resources,
    "ListPrincipals": list_principals,
    "ListResourceTypes": list_types,
}
