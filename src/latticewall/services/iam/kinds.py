"""IAM's kinds. All are global: stored without a region. Their rows' ids are IAM's unique ids; names are unique per account.

Private members: `_inline` {policy name: text} and `_attached` [policy ARNs] of roles, users and groups; `_groups` [group ARNs] of users; `_document`
(default version's text) and `_versions` {id: {text, created}} of managed policies; `_secret` of access keys; `_role` (the role's id) of instance
profiles. A role's AssumeRolePolicyDocument is stored with principal ids (see `trust`).
"""

from __future__ import annotations

from collections import Counter

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Kind, Ref
from latticewall.services.iam import trust

HOLDERS = ("iam:User", "iam:Group", "iam:Role")


def _arn(type_: str) -> str:
    return f"arn:aws:iam::{{account}}:{type_}{{path}}{{name}}"


def show_profile_roles(ctx: Context, row: Row) -> Document:
    return {"Roles": [ctx.view(role) for role in ctx.referred(row, "role")]}


def show_role(ctx: Context, row: Row) -> Document:
    return {"AssumeRolePolicyDocument": trust.shown(ctx, row.document["AssumeRolePolicyDocument"])}


def policy_usage(ctx: Context) -> tuple[Counter[str], Counter[str]]:
    """(how often each managed policy is attached, how often it is a boundary) in the account, by ARN."""
    holders = [holder.document for kind in HOLDERS for holder in ctx.rows(kind)]
    attached = Counter(arn for holder in holders for arn in holder["_attached"])
    return attached, Counter(holder["PermissionsBoundary"]["PermissionsBoundaryArn"] for holder in holders if holder.get("PermissionsBoundary"))


def show_policy(ctx: Context, row: Row) -> Document:
    attached, bounding = policy_usage(ctx)
    shown: Document = {"AttachmentCount": attached[row.arn], "PermissionsBoundaryUsageCount": bounding[row.arn]}
    return {**shown, "Tags": tags.as_list(row.tags)} if row.tags else shown


ROLE = Kind(
    "iam:Role", id_member="RoleId", id_prefix="AROA", arn_member="Arn", arn=_arn("role"),
    name_member="RoleName", unique="account", by_name=True, is_global=True,
    tag_member="Tags", view=show_role, not_found="NoSuchEntity",
)  # fmt: skip
USER = Kind(
    "iam:User", id_member="UserId", id_prefix="AIDA", arn_member="Arn", arn=_arn("user"),
    name_member="UserName", unique="account", by_name=True, is_global=True,
    tag_member="Tags", not_found="NoSuchEntity",
)  # fmt: skip
GROUP = Kind(
    "iam:Group", id_member="GroupId", id_prefix="AGPA", arn_member="Arn", arn=_arn("group"),
    name_member="GroupName", unique="account", by_name=True, is_global=True, not_found="NoSuchEntity",
)  # fmt: skip
POLICY = Kind(
    "iam:Policy", id_member="PolicyId", id_prefix="ANPA", arn_member="Arn", arn=_arn("policy"),
    name_member="PolicyName", unique="account", by_name=False, is_global=True,
    view=show_policy, not_found="NoSuchEntity",
)  # fmt: skip
INSTANCE_PROFILE = Kind(
    "iam:InstanceProfile", id_member="InstanceProfileId", id_prefix="AIPA", arn_member="Arn", arn=_arn("instance-profile"),
    name_member="InstanceProfileName", unique="account", by_name=True, is_global=True, tag_member="Tags",
    refs={"role": Ref("iam:Role")}, view=show_profile_roles, not_found="NoSuchEntity",
)  # fmt: skip
ACCESS_KEY = Kind("iam:AccessKey", id_member="AccessKeyId", id_prefix="AKIA", is_global=True, refs={"user": Ref("iam:User")}, not_found="NoSuchEntity")
OPENID_CONNECT_PROVIDER = Kind(
    "iam:OpenIDConnectProvider", arn="arn:aws:iam::{account}:oidc-provider/{name}", is_global=True, tag_member="Tags", not_found="NoSuchEntity"
)  # fmt: skip
SERVICE_LINKED_ROLE_DELETION = Kind("iam:ServiceLinkedRoleDeletion", is_global=True, not_found="NoSuchEntity")
ACCOUNT_ALIAS = Kind("iam:AccountAlias", id_member="AccountAlias", is_global=True, not_found="NoSuchEntity")
KINDS = (ROLE, USER, GROUP, POLICY, INSTANCE_PROFILE, ACCESS_KEY, OPENID_CONNECT_PROVIDER, SERVICE_LINKED_ROLE_DELETION, ACCOUNT_ALIAS)
