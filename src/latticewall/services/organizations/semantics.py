"""Creating an organization and its accounts.

Pages: "CreateOrganization", "CreateAccount", "RemoveAccountFromOrganization". A new account has, as in AWS, the role OrganizationAccountAccessRole
that the management account may assume.
"""

from __future__ import annotations

import json

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.faults import Conflict, Denied, NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

DEFAULT_ROLE = "OrganizationAccountAccessRole"
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def _organization(ctx: Context) -> Row:
    """The organization the caller's account belongs to."""
    member = ctx.tx.get("organizations:Account", ctx.caller.account)
    row = ctx.tx.get("organizations:Organization", member.parent) if member and member.parent else None
    if row is None:
        raise NotFound("Your account is not a member of an organization.", code="AWSOrganizationsNotInUseException")
    return row


def _managed(ctx: Context) -> Row:
    """The organization, for its management account only: other accounts may do no more than describe it. Raises AccessDeniedException."""
    row = _organization(ctx)
    if row.account != ctx.caller.account:
        raise Denied("You don't have permissions to access this resource.", code="AccessDeniedException")
    return row


def _show(row: Row) -> Document:
    return {**{key: value for key, value in row.document.items() if not key.startswith("_")}, "Id": row.id, "Arn": row.arn}


def create_organization(ctx: Context, params: Document) -> Document:
    account = ctx.caller.account
    member = ctx.tx.get("organizations:Account", account)
    if member and member.parent:
        raise Conflict("The AWS account is already a member of an organization.", code="AlreadyInOrganizationException")
    id_ = ctx.new_id("o-", 10)
    email = f"management@{account}.example.com"
    document: Document = {
        "FeatureSet": params.get("FeatureSet") or "ALL", "MasterAccountId": account, "MasterAccountEmail": email,
        "MasterAccountArn": f"arn:aws:organizations::{account}:account/{id_}/{account}", "AvailablePolicyTypes": [], "_root": ctx.new_id("r-", 4),
    }  # fmt: skip
    row = ctx.create("organizations:Organization", document, id=id_)
    row.arn = f"arn:aws:organizations::{account}:organization/{id_}"
    row = ctx.tx.put(row)
    _join(ctx, row, account, "management", email, joined="INVITED")
    return {"Organization": _show(row)}


def _join(ctx: Context, organization: Row, account: str, name: str, email: str, *, joined: str, tagged: dict[str, str] | None = None) -> Row:
    old = ctx.tx.get("organizations:Account", account)
    document: Document = {
        "Email": email, "Name": name, "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": joined, "JoinedTimestamp": ctx.now,
        "_path": f"{organization.id}/{organization.document['_root']}/",
    }  # fmt: skip
    row = Row(
        "organizations:Account", account, "", account, name=name, parent=organization.id, document=document, tags=tagged or {},
        arn=f"arn:aws:organizations::{organization.account}:account/{organization.id}/{account}", created_at=old.created_at if old else "",
    )  # fmt: skip
    return ctx.tx.put(row)


def describe_organization(ctx: Context, _: Document) -> Document:
    return {"Organization": _show(_organization(ctx))}


def delete_organization(ctx: Context, _: Document) -> Document:
    row = _managed(ctx)
    others = [account for account in ctx.tx.rows("organizations:Account", parent=row.id) if account.id != row.account]
    if others:
        raise Conflict("The organization isn't empty. To delete an organization, you must first remove all accounts.", code="OrganizationNotEmptyException")
    own = ctx.tx.get("organizations:Account", row.account)
    if own:
        ctx.tx.delete(own)
    ctx.tx.delete(row)
    return {}


def create_account(ctx: Context, params: Document) -> Document:
    """A new account, at once; `DescribeCreateAccountStatus` answers SUCCEEDED."""
    organization = _managed(ctx)
    if any(account.document.get("Email") == params["Email"] for account in ctx.tx.rows("organizations:Account")):
        return {"CreateAccountStatus": _status(ctx, params, failure="EMAIL_ALREADY_EXISTS")}
    account = str(100_000_000_000 + int.from_bytes(ctx.random.token_bytes(8), "big") % 900_000_000_000)
    _join(ctx, organization, account, params["AccountName"], params["Email"], joined="CREATED", tagged=tags.read(params.get("Tags")))
    role = params.get("RoleName") or DEFAULT_ROLE
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{organization.account}:root"}, "Action": "sts:AssumeRole"}
    document: Document = {
        "Path": "/", "CreateDate": ctx.now, "MaxSessionDuration": 3600, "_attached": [], "_inline": {"AdministratorAccess": EVERYTHING},
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    }  # fmt: skip
    role_id = mint_unique_id(ctx.random, "AROA")
    ctx.tx.put(Row("iam:Role", account, "", role_id, arn=f"arn:aws:iam::{account}:role/{role}", name=role, document=document))
    return {"CreateAccountStatus": _status(ctx, params, account=account)}


def _status(ctx: Context, params: Document, *, account: str = "", failure: str = "") -> Document:
    document: Document = {"AccountName": params["AccountName"], "State": "FAILED" if failure else "SUCCEEDED", "RequestedTimestamp": ctx.now}
    document |= {"CompletedTimestamp": ctx.now, **({"AccountId": account} if account else {"FailureReason": failure})}
    return _show(ctx.create("organizations:CreateAccountStatus", document, id=ctx.new_id("car-", 32)))


def describe_create_account_status(ctx: Context, params: Document) -> Document:
    row = ctx.tx.get("organizations:CreateAccountStatus", params["CreateAccountRequestId"], ctx.caller.account)
    if row is None:
        text = "We can't find a create account request with the CreateAccountRequestId that you specified."
        raise NotFound(text, code="CreateAccountStatusNotFoundException")
    return {"CreateAccountStatus": _show(row)}


def list_create_account_status(ctx: Context, params: Document) -> Document:
    wanted = params.get("States")
    found = [_show(row) for row in ctx.rows("organizations:CreateAccountStatus")]
    return {"CreateAccountStatuses": [status for status in found if not wanted or status["State"] in wanted]}


def list_accounts(ctx: Context, _: Document) -> Document:
    return {"Accounts": [_show(row) for row in ctx.tx.rows("organizations:Account", parent=_managed(ctx).id)]}


def _account(ctx: Context, account: str) -> Row:
    """An account of the organization that the caller manages."""
    organization, row = _managed(ctx), ctx.tx.get("organizations:Account", account)
    if row is None or row.parent != organization.id:
        raise NotFound("You specified an account that doesn't exist.", code="AccountNotFoundException")
    return row


def describe_account(ctx: Context, params: Document) -> Document:
    return {"Account": _show(_account(ctx, params["AccountId"]))}


def remove_account(ctx: Context, params: Document) -> Document:
    """The account goes on by itself, outside the organization; it may then create one of its own."""
    _managed(ctx)
    row = _account(ctx, params["AccountId"])
    if row.id == ctx.caller.account:
        raise Conflict("You can't remove the management account from an organization.", code="MasterCannotLeaveOrganizationException")
    ctx.tx.delete(row)
    return {}


def list_roots(ctx: Context, _: Document) -> Document:
    row = _managed(ctx)
    root = row.document["_root"]
    return {"Roots": [{"Id": root, "Arn": f"arn:aws:organizations::{row.account}:root/{row.id}/{root}", "Name": "Root", "PolicyTypes": []}]}


def list_parents(ctx: Context, params: Document) -> Document:
    _account(ctx, params["ChildId"])
    return {"Parents": [{"Id": _managed(ctx).document["_root"], "Type": "ROOT"}]}


def list_accounts_for_parent(ctx: Context, params: Document) -> Document:
    row = _managed(ctx)
    if params["ParentId"] != row.document["_root"]:
        raise NotFound("We can't find a root or OU with the ParentId that you specified.", code="ParentNotFoundException")
    return list_accounts(ctx, {})


def list_tags(ctx: Context, params: Document) -> Document:
    return {"Tags": tags.as_list(_account(ctx, params["ResourceId"]).tags)}


def tag(ctx: Context, params: Document) -> Document:
    ctx.tag(_account(ctx, params["ResourceId"]), tags.read(params["Tags"]))
    return {}


def untag(ctx: Context, params: Document) -> Document:
    ctx.tag(_account(ctx, params["ResourceId"]), removed=params["TagKeys"])
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateOrganization": create_organization,
    "DescribeOrganization": describe_organization,
    "DeleteOrganization": delete_organization,
    "CreateAccount": create_account,
    "DescribeCreateAccountStatus": describe_create_account_status,
    "ListCreateAccountStatus": list_create_account_status,
    "ListAccounts": list_accounts,
    "DescribeAccount": describe_account,
    "RemoveAccountFromOrganization": remove_account,
    "ListRoots": list_roots,
    "ListParents": list_parents,
    "ListAccountsForParent": list_accounts_for_parent,
    "ListTagsForResource": list_tags,
    "TagResource": tag,
    "UntagResource": untag,
}
