"""Refusals in the words of the service called.

Pages: "Troubleshoot access denied error messages"; AWS Security Blog, "Enhanced access denied error messages with policy ARNs"; EC2's own form:
"DecodeAuthorizationMessage".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from latticewall.auth.authorization_message import encode_message
from latticewall.auth.permissions import Permissions
from latticewall.base.faults import Denied
from latticewall.policy.combine import PolicyType, Verdict, access_denied_text
from latticewall.policy.document import Statement
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Request
from latticewall.resources.context import Context

WITH_ARN = (PolicyType.SERVICE_CONTROL, PolicyType.RESOURCE_CONTROL, PolicyType.BOUNDARY, PolicyType.SESSION, PolicyType.IDENTITY)
"""Layers whose explicit denials name the policy, where it has an ARN and caller and resource are of one account or organization."""


def denied(ctx: Context, service: str, request: Request, found: Permissions, verdict: Verdict, *, related: bool) -> Denied:
    """The fault for a refused question. related: caller and resource are of one account or organization. EC2 adds a sealed message, but for actions
    that are about no resource it leaves that and the resource out."""
    text = access_denied_text(request, verdict)
    policy = verdict.statements[0].policy if verdict.explicit and verdict.statements else ""
    if related and verdict.by in WITH_ARN and policy.startswith("arn:"):
        text = f"{text}: {policy}"
    if service != "ec2":
        return Denied(text)
    if request.resource == "*":
        return Denied(f"You are not authorized to perform this operation. {text.replace(' on resource: *', '', 1)}")
    encoded = encode_message(ctx.tx, ctx.random, ctx.caller.account, _message(request, found, verdict))
    tail = f" Encoded authorization failure message: {encoded}" if encoded else ""
    return Denied(f"You are not authorized to perform this operation. {text}.{tail}")


def _message(request: Request, found: Permissions, verdict: Verdict) -> dict[str, Any]:
    """What DecodeAuthorizationMessage shows."""
    principal = request.principal
    about = {"id": principal.userid, "arn": principal.arn, **({"name": principal.username} if principal.username else {})}
    conditions = [{"key": key, "values": _values(value)} for key, value in sorted(request.context.items())]
    statements = [_shown(statement) for statement in _statements(found, verdict)]
    return {
        "allowed": False, "explicitDeny": verdict.explicit, "matchedStatements": {"items": statements}, "failures": {"items": []},
        "context": {"principal": about, "action": request.action, "resource": request.resource, "conditions": {"items": conditions}},
    }  # fmt: skip


def _values(value: str | Iterable[str]) -> dict[str, Any]:
    return {"items": [{"value": item} for item in ((value,) if isinstance(value, str) else value)]}


def _statements(found: Permissions, verdict: Verdict) -> Iterator[Statement]:
    """The statements that decided, in the policies of the layer that did."""
    policies = found.policies
    layers: dict[PolicyType, tuple[PolicySet | None, ...]] = {
        PolicyType.IDENTITY: (policies.identity,), PolicyType.BOUNDARY: (policies.boundary,), PolicyType.SESSION: (policies.session,),
        PolicyType.SERVICE_CONTROL: policies.service_control,
    }  # fmt: skip
    for layer in layers.get(verdict.by, ()):
        for policy in layer.policies if layer else ():
            wanted = {match.statement for match in verdict.statements if match.policy == policy.name}
            yield from (statement for statement in policy.statements if statement.index in wanted)


def _shown(statement: Statement) -> dict[str, Any]:
    conditions = [
        {"key": one.key, "operator": str(one.operator), "values": _values(one.values)} for one in statement.conditions
    ]  # fmt: skip
    return {
        "statementId": statement.sid, "effect": statement.effect.upper(),
        "actions": _values(statement.actions or ()), "notActions": _values(statement.not_actions or ()),
        "resources": _values(statement.resources or ()), "notResources": _values(statement.not_resources or ()), "conditions": {"items": conditions},
    }  # fmt: skip
