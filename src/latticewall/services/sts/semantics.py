"""AssumeRole, GetCallerIdentity, GetAccessKeyInfo.

Pages: "AssumeRole", "GetCallerIdentity", "GetAccessKeyInfo"; role chaining and durations: "Using IAM roles".
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from latticewall.auth.credentials import account_of, mint_access_key
from latticewall.auth.permissions import permissions_of, principal_of
from latticewall.base.faults import Denied, Fault, Invalid
from latticewall.base.rows import Row
from latticewall.policy.combine import authorize_assume_role
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Request, global_context
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

CHAINED_SECONDS = 3600
NOT_THERE = ("PolicyArns", "TransitiveTagKeys", "SerialNumber", "TokenCode", "ProvidedContexts")
"""Members of AssumeRole that would change what the session may do, and are not supported."""


def get_caller_identity(ctx: Context, _: Document) -> Document:
    caller = ctx.caller
    return {"UserId": caller.user_id or caller.account, "Account": caller.account, "Arn": caller.arn}


def get_access_key_info(_: Context, params: Document) -> Document:
    account = account_of(params["AccessKeyId"])
    if account is None:
        raise Invalid("The access key ID is not valid", code="ValidationError")
    return {"Account": account}


def assume_role(ctx: Context, params: Document) -> Document:
    """A session of the role, if its trust policy (and, for a mere delegation, the caller's own policies) allow."""
    role = ctx.tx.by_arn(params["RoleArn"])
    if role is None or role.kind != "iam:Role":
        raise _denied(ctx, params["RoleArn"])
    session_tags = tags.read(params.get("Tags"))
    actions = ["sts:AssumeRole", *(["sts:TagSession"] if session_tags else []), *(["sts:SetSourceIdentity"] if params.get("SourceIdentity") else [])]
    for action in actions:
        _require(ctx, role, action, params, session_tags)
    seconds = int(params.get("DurationSeconds") or 3600)
    if seconds > int(role.document.get("MaxSessionDuration") or 3600):
        raise Invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", code="ValidationError")
    if ctx.caller.role_arn and seconds > CHAINED_SECONDS:
        raise Invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", code="ValidationError")
    for member in NOT_THERE:
        if params.get(member):
            raise Invalid(f"{member} is not supported by latticewall yet", code="ValidationError")
    if policy := params.get("Policy"):
        parse_policy(policy, Form.IDENTITY)
    return _session(ctx, role, params, seconds, session_tags)


def _require(ctx: Context, role: Row, action: str, params: Document, session_tags: dict[str, str]) -> None:
    caller = ctx.caller
    found = permissions_of(ctx.tx, caller)
    principal = principal_of(ctx.tx, caller, found)
    context = dict(global_context(principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip))
    context["sts:RoleSessionName"] = params["RoleSessionName"]
    for member, key in (("ExternalId", "sts:ExternalId"), ("SourceIdentity", "sts:SourceIdentity")):
        if params.get(member):
            context[key] = params[member]
    context |= {f"aws:RequestTag/{key}": value for key, value in session_tags.items()}
    if session_tags:
        context["aws:TagKeys"] = tuple(session_tags)
    try:
        trust = PolicySet([parse_policy(role.document["AssumeRolePolicyDocument"], Form.TRUST)])
    except Fault as fault:
        raise _denied(ctx, role.arn, action) from fault
    if not authorize_assume_role(Request(action, role.arn, principal, context), found.policies, trust, role.account).allowed:
        raise _denied(ctx, role.arn, action)


def _denied(ctx: Context, role_arn: str, action: str = "sts:AssumeRole") -> Denied:
    return Denied(f"User: {ctx.caller.arn} is not authorized to perform: {action} on resource: {role_arn}", code="AccessDenied")


def _session(ctx: Context, role: Row, params: Document, seconds: int, session_tags: dict[str, str]) -> Document:
    name = params["RoleSessionName"]
    key = mint_access_key(ctx.random, role.account, temporary=True)
    assert key.token is not None
    token = key.token.reveal()
    expires = (ctx.now_datetime + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    arn, user_id = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}", f"{role.id}:{name}"
    document = {
        "Arn": arn, "UserId": user_id, "Expiration": expires, "_secret": key.secret.reveal(), "_token": token, "_issued": ctx.now,
        "_token_digest": hashlib.sha256(token.encode()).hexdigest(), "_session_policy": params.get("Policy") or "",
        "_source_identity": params.get("SourceIdentity") or "",
    }  # fmt: skip
    ctx.tx.put(Row("sts:Session", role.account, "", key.id, parent=role.id, document=document, tags=session_tags))
    answer: Document = {
        "Credentials": {"AccessKeyId": key.id, "SecretAccessKey": key.secret.reveal(), "SessionToken": token, "Expiration": expires},
        "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn},
    }
    if params.get("SourceIdentity"):
        answer["SourceIdentity"] = params["SourceIdentity"]
    return answer


OPERATIONS: dict[str, Handler] = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
    "GetAccessKeyInfo": get_access_key_info,
}
