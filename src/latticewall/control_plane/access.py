"""Whether a caller may perform an operation: the root user always, everybody else by identity policies, boundary and session policy.

Page followed: "Policy evaluation logic". What is asked about are the resources that the call names (`named`), and the role it passes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.apimodel.catalog import Operation
from latticewall.auth.permissions import permissions_of, principal_of
from latticewall.base.faults import Denied
from latticewall.control_plane.named import Named, named
from latticewall.policy.combine import access_denied_text, authorize
from latticewall.policy.request import Request, ResourceOwner, global_context
from latticewall.resources import tags
from latticewall.resources.context import Context

ALWAYS_ALLOWED = ("sts:GetCallerIdentity",)
DECIDED_BY_TRUST = ("sts:AssumeRole",)
"""The operation itself weighs trust policy and identity policies together."""
SAME_PERMISSION = {"vpc-lattice:BatchUpdateRule": "vpc-lattice:UpdateRule"}
PASSING = {
    "ec2:RunInstances": "ec2.amazonaws.com",
    "ec2:AssociateIamInstanceProfile": "ec2.amazonaws.com",
    "ec2:ReplaceIamInstanceProfileAssociation": "ec2.amazonaws.com",
    "iam:AddRoleToInstanceProfile": "",
}
"""Operations that hand a role on, which takes iam:PassRole too ("Granting a user permissions to pass a role"); the service it goes to."""


def authorise(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> None:
    """Raises Denied in AWS's words unless every resource named is allowed."""
    caller, name = ctx.caller, operation.qualified_name
    if caller.principal_type == "Account" or name in ALWAYS_ALLOWED or name in DECIDED_BY_TRUST:
        return
    found = permissions_of(ctx.tx, caller)
    principal, policies = principal_of(ctx.tx, caller, found), found.policies
    for action, resource, more in _questions(ctx, operation, params):
        owner = ResourceOwner(resource.account, found.org_id if resource.account == caller.account else "", tags=resource.tags)
        context = global_context(
            principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, user_agent=caller.user_agent, owner=owner
        )  # fmt: skip
        request = Request(action, resource.arn, principal, {**context, **more})
        verdict = authorize(request, policies)
        if not verdict.allowed:
            raise Denied(access_denied_text(request, verdict))


def _questions(ctx: Context, operation: Operation, params: Mapping[str, Any]) -> Iterator[tuple[str, Named, dict[str, str | tuple[str, ...]]]]:
    """(action, resource, further condition keys) of everything that must be allowed."""
    action = SAME_PERMISSION.get(operation.qualified_name, operation.qualified_name)
    request_tags = _request_tags(params)
    more: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{key}": value for key, value in request_tags.items()}
    keys = (*request_tags, *(key for member in ("TagKeys", "tagKeys") for key in params.get(member) or ()))
    if keys:
        more["aws:TagKeys"] = keys
    for resource in named(ctx, operation, params):
        yield action, resource, more
    service = PASSING.get(operation.qualified_name)
    role = _passed_role(ctx, params) if service is not None else None
    if role is not None:
        yield "iam:PassRole", role, {"iam:PassedToService": service} if service else {}


def _request_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags a call would set, in any of the three spellings."""
    found = {key: value for specification in params.get("TagSpecifications") or () for key, value in tags.read(specification.get("Tags")).items()}
    return found | tags.read(params.get("Tags") or params.get("tags"))


def _passed_role(ctx: Context, params: Mapping[str, Any]) -> Named | None:
    """The role that a call hands on, itself or in an instance profile; None when there is none (the operation then says what is missing)."""
    if role_name := params.get("RoleName"):
        role = ctx.find("iam:Role", str(role_name))
    else:
        given = params.get("IamInstanceProfile") or {}
        profile = ctx.find("iam:InstanceProfile", str(given.get("Arn") or given.get("Name") or ""))
        held = ctx.referred(profile, "role") if profile else []
        role = held[0] if held else None
    return Named(role.arn, role.account, role.tags) if role else None
