"""Handshakes: an account invited and joining, all features enabled.

Pages: "InviteAccountToOrganization", "AcceptHandshake", "EnableAllFeatures". A handshake is open for 15 days.
"""

from __future__ import annotations

from datetime import timedelta

from latticewall.base.faults import Unsupported
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.organizations.accounts import join
from latticewall.services.organizations.find import accounts_of, managed, show
from latticewall.services.organizations.organization import AVAILABLE
from latticewall.services.organizations.text import refusal

OPEN_FOR = timedelta(days=15)
INVITE, ALL_FEATURES = "INVITE", "ENABLE_ALL_FEATURES"


def _open(ctx: Context, organization: Row, action: str, parties: list[Document], resources: list[Document], **more: object) -> Row:
    id_ = ctx.new_id("h-", 10)
    expires = (ctx.now_datetime + OPEN_FOR).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    document: Document = {
        "Parties": parties, "State": "OPEN", "RequestedTimestamp": ctx.now, "ExpirationTimestamp": expires, "Action": action, "Resources": resources,
        **more,
    }  # fmt: skip
    row = ctx.create("organizations:Handshake", document, id=id_, parent=organization.id)
    row.arn = f"arn:aws:organizations::{organization.account}:handshake/{organization.id}/{action.lower()}/{id_}"
    return ctx.tx.put(row)


def _view(ctx: Context, row: Row) -> Document:
    return {**show(row), "State": _state(ctx, row)}


def _state(ctx: Context, row: Row) -> str:
    state: str = row.document["State"]
    return "EXPIRED" if state == "OPEN" and row.document["ExpirationTimestamp"] <= ctx.now else state


def invite_account(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    if params["Target"]["Type"] != "ACCOUNT":
        raise Unsupported("accounts outside of an organization are known by their numbers only: invite with the type ACCOUNT")
    invited = params["Target"]["Id"]
    member = ctx.tx.get("organizations:Account", invited)
    if member and member.parent:
        raise refusal("HandshakeConstraintViolationException", "ALREADY_IN_AN_ORGANIZATION")
    if any(row.document.get("_account") == invited and _state(ctx, row) == "OPEN" for row in ctx.rows("organizations:Handshake")):
        raise refusal("DuplicateHandshakeException")
    parties = [{"Id": organization.id.removeprefix("o-"), "Type": "ORGANIZATION"}, {"Id": invited, "Type": "ACCOUNT"}]
    about = organization.document
    described = [
        {"Type": "MASTER_EMAIL", "Value": about["MasterAccountEmail"]}, {"Type": "MASTER_NAME", "Value": "management"},
        {"Type": "ORGANIZATION_FEATURE_SET", "Value": about["FeatureSet"]},
    ]  # fmt: skip
    resources: list[Document] = [{"Type": "ORGANIZATION", "Value": organization.id, "Resources": described}, {"Type": "ACCOUNT", "Value": invited}]
    if params.get("Notes"):
        resources.append({"Type": "NOTES", "Value": params["Notes"]})
    row = _open(ctx, organization, INVITE, parties, resources, _account=invited, _tags=tags.read(params.get("Tags")))
    return {"Handshake": _view(ctx, row)}


def enable_all_features(ctx: Context, _: Document) -> Document:
    """A handshake that the management account accepts to finish. Accounts that were created need not agree."""
    organization = managed(ctx)
    if organization.document["FeatureSet"] == "ALL":
        raise refusal("HandshakeConstraintViolationException", "ORGANIZATION_ALREADY_HAS_ALL_FEATURES")
    if any(row.document["Action"] == ALL_FEATURES and _state(ctx, row) == "OPEN" for row in ctx.rows("organizations:Handshake")):
        raise refusal("HandshakeConstraintViolationException", "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION")
    if any(row.document["JoinedMethod"] == "INVITED" and row.id != organization.account for row in accounts_of(ctx, organization)):
        raise Unsupported("latticewall does not ask invited accounts for their approval yet: remove them, enable all features, and invite them again")
    parties = [{"Id": organization.id.removeprefix("o-"), "Type": "ORGANIZATION"}]
    row = _open(ctx, organization, ALL_FEATURES, parties, [{"Type": "ORGANIZATION", "Value": organization.id}])
    return {"Handshake": _view(ctx, row)}


def _handshake(ctx: Context, params: Document) -> Row:
    """A handshake that the caller's account takes part in."""
    row = ctx.tx.get("organizations:Handshake", params["HandshakeId"])
    if row is None or ctx.caller.account not in (row.account, row.document.get("_account")):
        raise refusal("HandshakeNotFoundException")
    return row


def _end(ctx: Context, row: Row, state: str) -> Document:
    current = _state(ctx, row)
    if current == state:
        raise refusal("HandshakeAlreadyInStateException")
    if current != "OPEN":
        raise refusal("InvalidHandshakeTransitionException")
    return {"Handshake": _view(ctx, ctx.change(row, {"State": state}))}


def accept_handshake(ctx: Context, params: Document) -> Document:
    """The organization gets all features, or the account that was invited joins it."""
    row, account = _handshake(ctx, params), ctx.caller.account
    organization = ctx.tx.get("organizations:Organization", row.parent)
    if organization is None:
        raise refusal("HandshakeNotFoundException")
    if row.document["Action"] == ALL_FEATURES:
        ctx.change(organization, {"FeatureSet": "ALL", "AvailablePolicyTypes": AVAILABLE})
        return _end(ctx, row, "ACCEPTED")
    if account != row.document["_account"]:
        raise refusal("AccessDeniedException")
    answer = _end(ctx, row, "ACCEPTED")
    member = ctx.tx.get("organizations:Account", account)
    if member and member.parent:
        raise refusal("HandshakeConstraintViolationException", "ALREADY_IN_AN_ORGANIZATION")
    join(ctx, organization, account, account, f"account@{account}.example.com", joined="INVITED", tagged=row.document["_tags"])
    return answer


def decline_handshake(ctx: Context, params: Document) -> Document:
    row = _handshake(ctx, params)
    if ctx.caller.account != row.document.get("_account"):
        raise refusal("AccessDeniedException")
    return _end(ctx, row, "DECLINED")


def cancel_handshake(ctx: Context, params: Document) -> Document:
    row = _handshake(ctx, params)
    if ctx.caller.account != row.account:
        raise refusal("AccessDeniedException")
    return _end(ctx, row, "CANCELED")


def describe_handshake(ctx: Context, params: Document) -> Document:
    return {"Handshake": _view(ctx, _handshake(ctx, params))}


def _wanted(ctx: Context, rows: list[Row], params: Document) -> Document:
    filters = params.get("Filter") or {}
    if filters.get("ParentHandshakeId"):
        rows = []  # only the approvals of all features have parents
    if action := filters.get("ActionType"):
        rows = [row for row in rows if row.document["Action"] == action]
    return {"Handshakes": [_view(ctx, row) for row in rows]}


def list_for_account(ctx: Context, params: Document) -> Document:
    """Handshakes that the caller's account was sent; it need not be in an organization."""
    mine = [row for row in ctx.tx.rows("organizations:Handshake") if row.document.get("_account") == ctx.caller.account]
    return _wanted(ctx, mine, params)


def list_for_organization(ctx: Context, params: Document) -> Document:
    return _wanted(ctx, ctx.tx.rows("organizations:Handshake", parent=managed(ctx).id), params)


OPERATIONS: dict[str, Handler] = {
    "InviteAccountToOrganization": invite_account,
    "EnableAllFeatures": enable_all_features,
    "AcceptHandshake": accept_handshake,
    "DeclineHandshake": decline_handshake,
    "CancelHandshake": cancel_handshake,
    "DescribeHandshake": describe_handshake,
    "ListHandshakesForAccount": list_for_account,
    "ListHandshakesForOrganization": list_for_organization,
}
