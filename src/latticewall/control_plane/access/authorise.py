"""The decision on one call. The root user of an account that no organization limits may do everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.auth.key_usage import note_use
from latticewall.auth.permissions import Permissions, organization_of, permissions_of, principal_of, resource_control_of
from latticewall.auth.resource_policies import resource_policy_of
from latticewall.auth.sessions import check_reach
from latticewall.base.caller import Caller
from latticewall.base.resource_shares import type_of
from latticewall.control_plane.access.functions import function_policy
from latticewall.control_plane.access.named import Named
from latticewall.control_plane.access.questions import Question, questions
from latticewall.control_plane.access.refusals import denied
from latticewall.control_plane.access.s3 import bucket_policy
from latticewall.policy.combine import RESOURCE_CONTROL_SERVICES, authorize
from latticewall.policy.request import Principal, Request, ResourceOwner, global_context
from latticewall.resources.context import Context

ALWAYS_ALLOWED = ("sts:GetCallerIdentity", "sts:GetSessionToken")
"""Operations that no policy is asked about ("GetCallerIdentity", "GetSessionToken")."""
DECIDED_BY_TRUST = ("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "rolesanywhere:CreateSession")
"""The operation itself weighs trust policy and identity policies together."""
WITH_RESOURCE_POLICIES = ("vpc-lattice",)
"""Services whose resources are named across accounts: even the root user may use another account's only where a policy of the resource allows it."""
S3 = "s3"
"""The service whose buckets have policies that even their own account must obey, and whose ARNs do not name an account."""


def authorise(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> None:
    """Raises Denied in AWS's words unless everything that the call would do is allowed. The use of the caller's access key is noted."""
    caller = ctx.caller
    note_use(ctx.tx, caller.access_key_id, operation.service.signing_name, caller.region)
    check_reach(ctx.tx, caller.access_key_id, operation.service.name, operation.name)
    if operation.qualified_name in ALWAYS_ALLOWED or operation.qualified_name in DECIDED_BY_TRUST:
        return
    found = permissions_of(ctx.tx, caller)
    unlimited = caller.principal_type == "Account" and not found.service_control and not _controlled(ctx, operation)
    if unlimited and operation.service.name != S3 and not (operation.service.name in WITH_RESOURCE_POLICIES and _names_arn(params)):
        return
    principal = principal_of(ctx.tx, caller, found)
    for question in questions(ctx, operation, params):
        if not unlimited or _is_foreign(ctx, question) or operation.service.name == S3:
            _decide(ctx, operation, found, principal, question)


def _names_arn(value: Any) -> bool:
    """Whether an ARN is anywhere in the parameters: without one they can only name what is the caller's own."""
    if isinstance(value, Mapping):
        return any(map(_names_arn, value.values()))
    return value.startswith("arn:") if isinstance(value, str) else isinstance(value, list) and any(map(_names_arn, value))


def _is_foreign(ctx: Context, question: Question) -> bool:
    """Whether it is about a resource of another account, existing or not, that only its own policy can open."""
    if question.resource.arn.startswith("arn:aws:s3:"):
        return question.resource.account not in ("", ctx.caller.account)
    _, _, service, _, account, *_ = [*question.resource.arn.split(":", 5), "", "", "", ""]
    row = question.resource.row
    shareable = service in WITH_RESOURCE_POLICIES or (row is not None and type_of(row.arn) != "")
    return shareable and account != ctx.caller.account


def _controlled(ctx: Context, operation: Operation) -> bool:
    """Whether resource control policies may limit even the root user."""
    return operation.service.signing_name in RESOURCE_CONTROL_SERVICES and bool(resource_control_of(ctx.tx, ctx.caller.account))


def _decide(ctx: Context, operation: Operation, found: Permissions, principal: Principal, question: Question) -> None:
    caller, resource = ctx.caller, question.resource
    owner = _owner(ctx, resource, found)
    context = global_context(
        principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, secure=_crosses_no_wire(caller), user_agent=caller.user_agent,
        owner=owner,
    )  # fmt: skip
    request = Request(question.action, resource.arn, principal, {**context, **_calling_services(caller), **question.keys})
    reached = question.action.partition(":")[0] in RESOURCE_CONTROL_SERVICES
    control = resource_control_of(ctx.tx, owner.account or caller.account) if reached else ()
    foreign = _is_foreign(ctx, question)
    policy = resource_policy_of(ctx.tx, resource.row) if foreign and resource.row else None
    policy = bucket_policy(resource, caller, question.action) if question.action.startswith("s3:") else function_policy(resource) or policy
    verdict = authorize(request, found.policies, policy, owner.account if foreign else "", control)
    if not verdict.allowed:
        related = owner.account in ("", caller.account) or (bool(found.org_id) and owner.org_id == found.org_id)
        raise denied(ctx, operation.service.name, request, found, verdict, related=related)


def _owner(ctx: Context, resource: Named, found: Permissions) -> ResourceOwner:
    """Whose a resource is: the account in its ARN; what is about to be made will be the caller's."""
    in_arn = resource.arn.split(":")[4:5] if resource.account or resource.arn.startswith("arn:aws:vpc-lattice:") else []
    account = "".join(in_arn) or resource.account or ctx.caller.account
    same = account == ctx.caller.account
    org_id, org_paths = (found.org_id, found.org_paths) if same else organization_of(ctx.tx, account)
    return ResourceOwner(account, org_id, org_paths, resource.tags)


def _crosses_no_wire(caller: Caller) -> bool:
    """Whether a call is as safe as TLS makes it, which this endpoint has not: one of this machine's own, or one that a service makes for the caller."""
    return bool(caller.called_via) or caller.source_ip.startswith("127.") or caller.source_ip == "::1"


def _calling_services(caller: Caller) -> dict[str, str | tuple[str, ...]]:
    """The services through which a call comes, the first caller first ("aws:CalledVia")."""
    via = tuple(caller.called_via)
    if not via:
        return {}
    return {"aws:ViaAWSService": "true", "aws:CalledVia": via, "aws:CalledViaFirst": via[0], "aws:CalledViaLast": via[-1]}
