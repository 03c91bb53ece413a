"""What IAM says about the account as a whole: its summary, its alias, and everything it knows about permissions.

Pages: "GetAccountSummary", "CreateAccountAlias", "GetAccountAuthorizationDetails".
"""

from __future__ import annotations

from latticewall.base.faults import Conflict, NotFound
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.iam import aws_managed
from latticewall.services.iam.groups import groups_of
from latticewall.services.iam.holders import attached
from latticewall.services.iam.policies import find_policy, shown_version
from latticewall.services.iam.quotas import QUOTAS

COUNTED = {
    "Users": "iam:User", "Groups": "iam:Group", "Roles": "iam:Role", "Policies": "iam:Policy", "InstanceProfiles": "iam:InstanceProfile",
    "Providers": "iam:OpenIDConnectProvider",
}  # fmt: skip
ABSENT = (
    "ServerCertificates", "MFADevices", "MFADevicesInUse", "AccountMFAEnabled", "AccountPasswordPresent", "AccountSigningCertificatesPresent",
)  # fmt: skip
"""What no account here has."""
QUOTA_OF = {
    "UsersQuota": "UsersPerAccount", "GroupsQuota": "GroupsPerAccount", "RolesQuota": "RolesPerAccount", "PoliciesQuota": "PoliciesPerAccount",
    "InstanceProfilesQuota": "InstanceProfilesPerAccount", "UserPolicySizeQuota": "UserPolicySize", "GroupPolicySizeQuota": "GroupPolicySize",
    "RolePolicySizeQuota": "RolePolicySize", "PolicySizeQuota": "PolicySize", "AssumeRolePolicySizeQuota": "ACLSizePerRole",
    "GroupsPerUserQuota": "GroupsPerUser", "AccessKeysPerUserQuota": "AccessKeysPerUser", "AttachedPoliciesPerUserQuota": "PoliciesPerUser",
    "AttachedPoliciesPerGroupQuota": "PoliciesPerGroup", "AttachedPoliciesPerRoleQuota": "PoliciesPerRole", "VersionsPerPolicyQuota": "VersionsPerPolicy",
}  # fmt: skip


def summary(ctx: Context, _: Document) -> Document:
    policies = ctx.rows("iam:Policy")
    found = {name: len(ctx.rows(kind)) for name, kind in COUNTED.items()}
    found |= {name: QUOTAS[quota] for name, quota in QUOTA_OF.items()} | dict.fromkeys(ABSENT, 0)
    root_keys = [row for row in ctx.rows("iam:AccessKey") if not row.parent]
    found |= {
        "AccountAccessKeysPresent": int(bool(root_keys)), "PolicyVersionsInUse": sum(len(row.document["_versions"]) for row in policies),
        "PolicyVersionsInUseQuota": 10_000, "GlobalEndpointTokenVersion": 1,
    }  # fmt: skip
    return {"SummaryMap": found}


# -- the alias ------------------------------------------------------------------------------------------------------------------------------


def create_alias(ctx: Context, params: Document) -> Document:
    """An account has one: a second replaces it. No two accounts have the same."""
    alias = params["AccountAlias"]
    taken = ctx.tx.get("iam:AccountAlias", alias)
    if taken and taken.account != ctx.caller.account:
        raise Conflict(f"The account alias {alias} already exists.", code="EntityAlreadyExists")
    for row in ctx.rows("iam:AccountAlias"):
        ctx.remove(row)
    ctx.create("iam:AccountAlias", {}, id=alias)
    return {}


def list_aliases(ctx: Context, _: Document) -> Document:
    return {"AccountAliases": [row.id for row in ctx.rows("iam:AccountAlias")]}


def delete_alias(ctx: Context, params: Document) -> Document:
    row = ctx.find("iam:AccountAlias", params["AccountAlias"])
    if row is None:
        raise NotFound(f"The account alias {params['AccountAlias']} cannot be found.", code="NoSuchEntity")
    ctx.remove(row)
    return {}


# -- everything ---------------------------------------------------------------------------------------------------------------------------


def authorization_details(ctx: Context, params: Document) -> Document:
    """All users, groups, roles and policies with the texts of their policies; of AWS's policies those that are in use."""
    wanted = params.get("Filter") or ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")

    def rows(name: str, kind: str) -> list[Row]:
        return ctx.rows(kind) if name in wanted else []

    users = [_detail(ctx, row, "User") | {"GroupList": [arn.rsplit("/", 1)[-1] for arn in groups_of(row)]} for row in rows("User", "iam:User")]
    groups = [_detail(ctx, row, "Group") for row in rows("Group", "iam:Group")]
    roles = [_detail(ctx, row, "Role") | {"InstanceProfileList": _profiles(ctx, row)} for row in rows("Role", "iam:Role")]
    policies = rows("LocalManagedPolicy", "iam:Policy") + (_aws_in_use(ctx) if "AWSManagedPolicy" in wanted else [])
    return {"UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles, "Policies": [_policy_detail(ctx, row) for row in policies]}


def _detail(ctx: Context, row: Row, noun: str) -> Document:
    document = row.document
    inline = [{"PolicyName": name, "PolicyDocument": body} for name, body in sorted(document["_inline"].items())]
    managed = [attached(find_policy(ctx, arn)) for arn in document["_attached"]]
    return {**ctx.view(row), f"{noun}PolicyList": inline, "AttachedManagedPolicies": managed}


def _profiles(ctx: Context, role: Row) -> list[Document]:
    return [ctx.view(profile) for profile in ctx.referring(role, "iam:InstanceProfile")]


def _aws_in_use(ctx: Context) -> list[Row]:
    held = {arn for kind in ("iam:User", "iam:Group", "iam:Role") for row in ctx.rows(kind) for arn in _policies_of(row)}
    return [row for arn in aws_managed.arns() if arn in held and (row := aws_managed.policy(arn))]


def _policies_of(row: Row) -> list[str]:
    boundary = (row.document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
    return [*row.document["_attached"], *([boundary] if boundary else [])]


def _policy_detail(ctx: Context, row: Row) -> Document:
    shown = ctx.view(row)
    shown.pop("Tags", None)
    versions = [shown_version(row, name, with_text=True) for name in sorted(row.document["_versions"], key=lambda name: -int(name[1:]))]
    return {**shown, "PolicyVersionList": versions}


OPERATIONS: dict[str, Handler] = {
    "GetAccountSummary": summary,
    "CreateAccountAlias": create_alias,
    "ListAccountAliases": list_aliases,
    "DeleteAccountAlias": delete_alias,
    "GetAccountAuthorizationDetails": authorization_details,
}
