"""Whether a caller may perform an operation: the root user always, everybody else by identity policies, boundary and session policy.

Page followed: "Policy evaluation logic". Resource-level permissions: the ARN that the call names, or "*" where it names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.auth.permissions import permissions_of
from latticewall.base.faults import Denied
from latticewall.policy.combine import PrincipalPolicies, access_denied_text, authorize
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Principal, Request, global_context
from latticewall.resources.context import Context

ALWAYS_ALLOWED = ("sts:GetCallerIdentity",)
DECIDED_BY_TRUST = ("sts:AssumeRole",)
"""The operation itself weighs trust policy and identity policies together."""
SAME_PERMISSION = {"vpc-lattice:BatchUpdateRule": "vpc-lattice:UpdateRule"}


def authorise(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> None:
    """Raises Denied in AWS's words."""
    caller, name = ctx.caller, operation.qualified_name
    if caller.principal_type == "Account" or name in ALWAYS_ALLOWED or name in DECIDED_BY_TRUST:
        return
    found = permissions_of(ctx.tx, caller)
    principal = Principal(
        arn=caller.arn, account=caller.account, type=caller.principal_type, role_arn=caller.role_arn, userid=caller.user_id, tags=caller.tags,
        org_id=found.org_id, org_paths=found.org_paths,
    )  # fmt: skip
    context = global_context(principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, user_agent=caller.user_agent)
    request = Request(SAME_PERMISSION.get(name, name), _resource(ctx, params), principal, context)
    policies = PrincipalPolicies(
        identity=PolicySet([parse_policy(text, Form.IDENTITY) for text in found.identity]),
        boundary=PolicySet([parse_policy(found.boundary, Form.IDENTITY)]) if found.boundary else None,
        session=PolicySet([parse_policy(found.session, Form.IDENTITY)]) if found.session else None,
    )
    verdict = authorize(request, policies)
    if not verdict.allowed:
        raise Denied(access_denied_text(request, verdict), code="AccessDenied" if operation.service.protocol != "ec2" else "UnauthorizedOperation")


def _resource(ctx: Context, params: Mapping[str, Any]) -> str:
    """The ARN the call is about: one it gives, or that of an id it gives; "*" for calls that name nothing that exists."""
    for value in params.values():
        if not isinstance(value, str):
            continue
        if value.startswith("arn:"):
            return value
        kind = ctx.registry.kind_of_id(value)
        row = ctx.find(kind.name, value) if kind else None
        if row is not None and row.arn:
            return row.arn
    return "*"
