"""Who a stack's work is done as: whoever asked, or the role handed on to CloudFormation ("AWS CloudFormation service role").

A stack remembers its role: later operations use it without being given it, also for callers who may not pass it.
"""

from __future__ import annotations

from typing import Any

from latticewall.auth.assuming import Assumption, refused_action
from latticewall.base.caller import Caller
from latticewall.base.rows import Row
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.cloudformation import rows, text

PRINCIPAL = "cloudformation.amazonaws.com"
SESSION = "AWSCloudFormation"


def worker(ctx: Context, params: Document, stack: Row | None) -> dict[str, Any]:
    """Of a stack's document: its role, and whose rights count in the operation that begins. That the caller may pass the role is asked before
    (control_plane.access.questions). Raises ValidationError."""
    arn = str(params.get("RoleARN") or (stack.document.get("RoleARN") if stack else None) or "")
    caller = _of_role(ctx, arn) if arn else ctx.caller
    return {"RoleARN": arn or None, "_caller": rows.caller_document(caller)}


def _of_role(ctx: Context, arn: str) -> Caller:
    role = ctx.find("iam:Role", arn)
    if role is None or role.account != ctx.caller.account or not _lets_in(ctx, role):
        raise text.invalid(f"Role {arn} is invalid or cannot be assumed")
    session = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{SESSION}"
    return Caller(role.account, ctx.caller.region, session, f"{role.id}:{SESSION}", "AssumedRole", role.arn, tags=dict(role.tags), host=ctx.caller.host)


def _lets_in(ctx: Context, role: Row) -> bool:
    principal = Principal.service(PRINCIPAL)
    context = global_context(principal, now=ctx.now_datetime, region="")
    return not refused_action(ctx.tx, role, Assumption("sts:AssumeRole", SESSION), principal, PrincipalPolicies(), context)
