"""Sessions of users: the user itself (GetSessionToken), and somebody the user vouches for (GetFederationToken).

Pages: "GetSessionToken", "GetFederationToken" in the STS API Reference; "Compare AWS STS credentials".
"""

from __future__ import annotations

from latticewall.auth.assuming import session_limits
from latticewall.auth.sessions import FEDERATED_USER, USER, NewSession, credentials_of, open_session
from latticewall.base.faults import Denied, Unsupported
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.sts import requests

DEFAULT_SECONDS = 43_200
ROOT_SECONDS = 3600
"""The longest session of the account's root."""
NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"none:null","Resource":"*"}]}'
"""A federated user without session policies may do nothing but what resource policies grant to itself."""


def get_session_token(ctx: Context, params: Document) -> Document:
    """Temporary credentials of the same user or root, for a long-term key alone."""
    requests.refuse_unsupported(params)
    requests.refuse_devices(params)
    user_id = _user(ctx, "GetSessionToken")
    caller = ctx.caller
    new = NewSession(USER, caller.account, user_id, caller.arn, caller.user_id, _seconds(ctx, params), made_with=caller.access_key_id)
    return {"Credentials": credentials_of(open_session(ctx.tx, ctx.random, ctx.now_datetime, new))}


def get_federation_token(ctx: Context, params: Document) -> Document:
    """Credentials of `federated-user/<Name>`: what both the user and the session policies allow."""
    requests.refuse_unsupported(params)
    user_id = _user(ctx, "GetFederationToken")
    if not user_id:
        raise Unsupported("GetFederationToken with the key of the root user is not supported by latticewall: call it as a user")
    tags, _ = requests.session_tags(params)
    caller, name = ctx.caller, str(params["Name"])
    limits = session_limits(ctx.tx, ctx.call, caller.account, params.get("Policy"), requests.policy_arns(params), tags)
    new = NewSession(
        FEDERATED_USER, caller.account, user_id, f"arn:aws:sts::{caller.account}:federated-user/{name}", f"{caller.account}:{name}",
        _seconds(ctx, params), tags, policies=limits.policies or (NOTHING,), made_with=caller.access_key_id,
    )  # fmt: skip
    row = open_session(ctx.tx, ctx.random, ctx.now_datetime, new)
    answer: Document = {"Credentials": credentials_of(row), "FederatedUser": {"FederatedUserId": new.user_id, "Arn": new.arn}}
    return {**answer, **({"PackedPolicySize": limits.packed} if limits.packed else {})}


def _user(ctx: Context, operation: str) -> str:
    """The id of the user whose long-term key calls, "" for root. Raises AccessDenied for temporary credentials."""
    if ctx.tx.get("sts:Session", ctx.caller.access_key_id) or ctx.caller.principal_type not in ("User", "Account"):
        raise Denied(f"Cannot call {operation} with session credentials", code="AccessDenied")
    return ctx.caller.user_id if ctx.caller.principal_type == "User" else ""


def _seconds(ctx: Context, params: Document) -> int:
    """Root's sessions last an hour at most, whatever is asked for."""
    seconds = int(params.get("DurationSeconds") or DEFAULT_SECONDS)
    return min(seconds, ROOT_SECONDS) if ctx.caller.principal_type == "Account" else seconds


OPERATIONS: dict[str, Handler] = {"GetSessionToken": get_session_token, "GetFederationToken": get_federation_token}
