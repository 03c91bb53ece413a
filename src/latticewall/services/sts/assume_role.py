"""AssumeRole, and what a session of a role is made of for AssumeRoleWithWebIdentity too.

Pages: "AssumeRole", "Using IAM roles" (role chaining, durations), "Monitor and control actions taken with assumed roles" (source identity).
"""

from __future__ import annotations

from collections.abc import Mapping

from latticewall.auth.assuming import Assumption, Limits, refused_action, session_limits
from latticewall.auth.permissions import permissions_of, principal_of
from latticewall.auth.sessions import ASSUMED_ROLE, SOURCE_IDENTITY, NewSession, credentials_of, open_session
from latticewall.base.faults import Denied, Invalid
from latticewall.base.rows import Row
from latticewall.policy.request import global_context
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.sts import requests

DEFAULT_SECONDS = 3600
CHAINED_SECONDS = 3600


def assume_role(ctx: Context, params: Document) -> Document:
    """A session of the role, if its trust policy (and, for a mere delegation, the caller's own policies) allow."""
    requests.refuse_unsupported(params)
    requests.refuse_devices(params)
    calling = ctx.tx.get("sts:Session", ctx.caller.access_key_id) if ctx.caller.role_arn else None
    inherited = _transitive(calling)
    tags, transitive = requests.session_tags(params, inherited)
    role = _role(ctx, params["RoleArn"])
    limits = session_limits(ctx.tx, ctx.call, role.account, params.get("Policy"), requests.policy_arns(params), {**inherited, **tags})
    source_identity = _source_identity(calling, params)
    external = {"sts:ExternalId": params["ExternalId"]} if params.get("ExternalId") else {}
    wish = Assumption("sts:AssumeRole", params["RoleSessionName"], tags, transitive, bool(inherited), source_identity, external)
    _require(ctx, role, wish)
    seconds = role_seconds(role, params.get("DurationSeconds"))
    if calling and seconds > CHAINED_SECONDS:
        raise Invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", code="ValidationError")
    keys = {SOURCE_IDENTITY: source_identity} if source_identity else {}
    answer = role_session(ctx, role, wish, seconds, limits, tags={**inherited, **tags}, transitive=(*inherited, *transitive), keys=keys)
    return {**answer, **({"SourceIdentity": source_identity} if source_identity else {})}


def _role(ctx: Context, arn: str) -> Row:
    """A role that does not exist is refused as one that does not trust the caller."""
    role = ctx.tx.by_arn(arn)
    if role is None or role.kind != "iam:Role":
        raise _denied(ctx, "sts:AssumeRole", arn)
    return role


def _denied(ctx: Context, action: str, role_arn: str) -> Denied:
    return Denied(f"User: {ctx.caller.arn} is not authorized to perform: {action} on resource: {role_arn}", code="AccessDenied")


def _transitive(calling: Row | None) -> dict[str, str]:
    """The tags that the calling session hands on."""
    return {key: calling.tags[key] for key in calling.document["_transitive"]} if calling else {}


def _source_identity(calling: Row | None, params: Document) -> str:
    """The source identity of the calling session, which nobody may change, or the one asked for."""
    asked = str(params.get("SourceIdentity") or "")
    inherited = str(calling.document["_keys"].get(SOURCE_IDENTITY, "")) if calling else ""
    if asked and inherited and asked != inherited:
        raise Invalid("The source identity is already set.", code="ValidationError")
    return inherited or asked


def _require(ctx: Context, role: Row, wish: Assumption) -> None:
    caller = ctx.caller
    found = permissions_of(ctx.tx, caller)
    principal = principal_of(ctx.tx, caller, found)
    context = global_context(principal, now=ctx.now_datetime, region=caller.region, source_ip=caller.source_ip, user_agent=caller.user_agent)
    if action := refused_action(ctx.tx, role, wish, principal, found.policies, context):
        raise _denied(ctx, action, role.arn)


def role_seconds(role: Row, asked: int | None) -> int:
    """How long the session lasts. Raises ValidationError beyond the role's maximum."""
    seconds = int(asked or DEFAULT_SECONDS)
    if seconds > int(role.document.get("MaxSessionDuration") or DEFAULT_SECONDS):
        raise Invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", code="ValidationError")
    return seconds


def role_session(
    ctx: Context, role: Row, wish: Assumption, seconds: int, limits: Limits, *, tags: Mapping[str, str], transitive: tuple[str, ...], keys: Mapping[str, str]
) -> Document:
    """Open the session and answer as both ways of assuming a role do."""
    new = NewSession(
        ASSUMED_ROLE, role.account, role.id, f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{wish.session_name}",
        f"{role.id}:{wish.session_name}", seconds, tags, transitive, limits.policies, keys,
    )  # fmt: skip
    row = open_session(ctx.tx, ctx.random, ctx.now_datetime, new)
    answer: Document = {"AssumedRoleUser": {"AssumedRoleId": new.user_id, "Arn": new.arn}, "Credentials": credentials_of(row)}
    return {**answer, **({"PackedPolicySize": limits.packed} if limits.packed else {})}


OPERATIONS: dict[str, Handler] = {"AssumeRole": assume_role}
