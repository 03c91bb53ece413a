"""Accounts: made, moved, closed, and let go.

Pages: "CreateAccount", "MoveAccount", "CloseAccount", "RemoveAccountFromOrganization", "LeaveOrganization". A new account has, as in AWS, the role
OrganizationAccountAccessRole that the management account may assume.
"""

from __future__ import annotations

import json

from latticewall.auth.credentials import mint_unique_id
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.organizations.find import (
    account,
    accounts_of,
    at_birth,
    container,
    managed,
    organization_of_caller,
    parent_id,
    path_of,
    root_of,
    show,
)
from latticewall.services.organizations.text import refusal

DEFAULT_ROLE = "OrganizationAccountAccessRole"
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def join(ctx: Context, organization: Row, id_: str, name: str, email: str, *, joined: str, tagged: dict[str, str] | None = None) -> Row:
    """An account enters the organization, directly below its root. joined: CREATED or INVITED."""
    old, root = ctx.tx.get("organizations:Account", id_), root_of(ctx, organization)
    document: Document = {
        "Email": email, "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": joined, "JoinedTimestamp": ctx.now,
        "_path": path_of(organization, root), "_policies": at_birth(root),
    }  # fmt: skip
    row = Row(
        "organizations:Account", id_, "", id_, name=name, parent=organization.id, document=document, tags=tagged or {},
        arn=f"arn:aws:organizations::{organization.account}:account/{organization.id}/{id_}", created_at=old.created_at if old else "",
    )  # fmt: skip
    return ctx.tx.put(row)


def create_account(ctx: Context, params: Document) -> Document:
    """A new account, at once; `DescribeCreateAccountStatus` answers SUCCEEDED."""
    organization = managed(ctx)
    if any(row.document.get("Email") == params["Email"] for row in ctx.tx.rows("organizations:Account")):
        return {"CreateAccountStatus": _status(ctx, params, failure="EMAIL_ALREADY_EXISTS")}
    id_ = str(100_000_000_000 + int.from_bytes(ctx.random.token_bytes(8), "big") % 900_000_000_000)
    join(ctx, organization, id_, params["AccountName"], params["Email"], joined="CREATED", tagged=tags.read(params.get("Tags")))
    role = params.get("RoleName") or DEFAULT_ROLE
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{organization.account}:root"}, "Action": "sts:AssumeRole"}
    document: Document = {
        "Path": "/", "CreateDate": ctx.now, "MaxSessionDuration": 3600, "_attached": [], "_inline": {"AdministratorAccess": EVERYTHING},
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    }  # fmt: skip
    role_id = mint_unique_id(ctx.random, "AROA")
    ctx.tx.put(Row("iam:Role", id_, "", role_id, arn=f"arn:aws:iam::{id_}:role/{role}", name=role, document=document))
    return {"CreateAccountStatus": _status(ctx, params, account=id_)}


def _status(ctx: Context, params: Document, *, account: str = "", failure: str = "") -> Document:
    document: Document = {"AccountName": params["AccountName"], "State": "FAILED" if failure else "SUCCEEDED", "RequestedTimestamp": ctx.now}
    document |= {"CompletedTimestamp": ctx.now, **({"AccountId": account} if account else {"FailureReason": failure})}
    return show(ctx.create("organizations:CreateAccountStatus", document, id=ctx.new_id("car-", 32)))


def describe_create_account_status(ctx: Context, params: Document) -> Document:
    managed(ctx)
    row = ctx.tx.get("organizations:CreateAccountStatus", params["CreateAccountRequestId"], ctx.caller.account)
    if row is None:
        raise refusal("CreateAccountStatusNotFoundException")
    return {"CreateAccountStatus": show(row)}


def list_create_account_status(ctx: Context, params: Document) -> Document:
    managed(ctx)
    wanted = params.get("States")
    found = [show(row) for row in ctx.rows("organizations:CreateAccountStatus")]
    return {"CreateAccountStatuses": [status for status in found if not wanted or status["State"] in wanted]}


def describe_account(ctx: Context, params: Document) -> Document:
    return {"Account": show(account(ctx, managed(ctx), params["AccountId"]))}


def list_accounts(ctx: Context, _: Document) -> Document:
    return {"Accounts": [show(row) for row in accounts_of(ctx, managed(ctx))]}


def list_accounts_for_parent(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    holder = container(ctx, organization, params["ParentId"])
    return {"Accounts": [show(row) for row in accounts_of(ctx, organization) if parent_id(row) == holder.id]}


def move_account(ctx: Context, params: Document) -> Document:
    organization = managed(ctx)
    row = account(ctx, organization, params["AccountId"])
    source = container(ctx, organization, params["SourceParentId"], "SourceParentNotFoundException")
    destination = container(ctx, organization, params["DestinationParentId"], "DestinationParentNotFoundException")
    if parent_id(row) == destination.id:
        raise refusal("DuplicateAccountException")
    if parent_id(row) != source.id:
        raise refusal("SourceParentNotFoundException")
    ctx.change(row, {"_path": path_of(organization, destination)})
    return {}


def close_account(ctx: Context, params: Document) -> Document:
    """The account stays in the organization, suspended: nobody in it may do anything any more."""
    organization = managed(ctx)
    row = account(ctx, organization, params["AccountId"])
    if row.id == organization.account:
        raise refusal("ConstraintViolationException", "CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
    if row.document["Status"] != "ACTIVE":
        raise refusal("AccountAlreadyClosedException")
    ctx.change(row, {"Status": "SUSPENDED", "State": "SUSPENDED"})
    return {}


def remove_account(ctx: Context, params: Document) -> Document:
    """The account goes on by itself, outside the organization; it may then create one of its own."""
    organization = managed(ctx)
    return _let_go(ctx, organization, account(ctx, organization, params["AccountId"]))


def leave_organization(ctx: Context, _: Document) -> Document:
    organization = organization_of_caller(ctx)
    return _let_go(ctx, organization, account(ctx, organization, ctx.caller.account))


def _let_go(ctx: Context, organization: Row, row: Row) -> Document:
    if row.id == organization.account:
        raise refusal("MasterCannotLeaveOrganizationException")
    if row.document["Status"] != "ACTIVE":  # outside nothing would say any more that it is closed
        raise refusal("ConstraintViolationException", "ACCOUNT_CANNOT_LEAVE_ORGANIZATION")
    ctx.tx.delete(row)
    return {}


OPERATIONS: dict[str, Handler] = {
    "CreateAccount": create_account,
    "DescribeCreateAccountStatus": describe_create_account_status,
    "ListCreateAccountStatus": list_create_account_status,
    "DescribeAccount": describe_account,
    "ListAccounts": list_accounts,
    "ListAccountsForParent": list_accounts_for_parent,
    "MoveAccount": move_account,
    "CloseAccount": close_account,
    "RemoveAccountFromOrganization": remove_account,
    "LeaveOrganization": leave_organization,
}
