"""The credentials of functions' roles ("Defining Lambda function permissions with an execution role"): a session per function, renewed in time."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.app import App, iso
from latticewall.auth.assuming import Assumption, refused_action
from latticewall.auth.sessions import ASSUMED_ROLE, NewSession, open_session
from latticewall.base.rows import Row
from latticewall.control_plane.identity import RENEW_BEFORE, SESSION_HOURS
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.request import Principal, global_context
from latticewall.store import Snapshot

FUNCTION = "lambda:Function"


def refresh_function_sessions(app: App, functions: Iterable[Row], stored: Iterable[Row]) -> None:
    """Every function whose role lets Lambda in has a session with time left; sessions of others end. Writes only when something must change."""
    now = app.clock.now()
    renewed_by = iso(now + RENEW_BEFORE)
    sessions = [row for row in stored if row.document.get("_function")]
    live = [row for row in functions if row.status not in ("deleting", "deleted", "failed")]
    if not live and not sessions:
        return
    with app.store.read() as snapshot:
        wanted = {row.id: (row, role) for row in live if (role := _role_of(snapshot, row)) is not None}
        stale = [row for row in sessions if row.document["_function"] not in wanted or wanted[row.document["_function"]][1].id != row.parent]
        fresh = {row.document["_function"] for row in sessions if row not in stale and row.document["Expiration"] > renewed_by}
        missing = [pair for id_, pair in wanted.items() if id_ not in fresh and _lets_lambda_in(snapshot, pair[1], app)]
    if not stale and not missing:
        return
    with app.store.write("latticewall", "function credentials") as tx:
        for row in stale:
            tx.delete(row)
        for function, role in missing:
            if (function_now := tx.get(FUNCTION, function.id)) and (role_now := tx.get(role.kind, role.id)):
                open_session(tx, app.random, now, _session(function_now, role_now))


def _role_of(snapshot: Snapshot, function: Row) -> Row | None:
    return snapshot.by_arn(function.document["Role"])


def _lets_lambda_in(snapshot: Snapshot, role: Row, app: App) -> bool:
    principal = Principal.service("lambda.amazonaws.com")
    context = global_context(principal, now=app.clock.now(), region="")
    return not refused_action(snapshot, role, Assumption("sts:AssumeRole", "lambda"), principal, PrincipalPolicies(), context)


def _session(function: Row, role: Row) -> NewSession:
    """Named after the function, with the key that names it ("lambda:SourceFunctionArn")."""
    return NewSession(
        ASSUMED_ROLE, role.account, role.id, f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{function.name}", f"{role.id}:{function.name}",
        SESSION_HOURS * 3600, keys={"lambda:SourceFunctionArn": function.arn}, function=function.id,
    )  # fmt: skip


def function_credentials(stored: Iterable[Row], function: str) -> dict[str, str] | None:
    """The variables that SDKs read; None without a session. stored: all sessions of functions."""
    row = newest_session(stored, function)
    if row is None:
        return None
    return {"AWS_ACCESS_KEY_ID": row.id, "AWS_SECRET_ACCESS_KEY": row.document["_secret"], "AWS_SESSION_TOKEN": row.document["_token"]}


def newest_session(stored: Iterable[Row], function: str) -> Row | None:
    found = [row for row in stored if row.document.get("_function") == function]
    return max(found, key=lambda row: str(row.document["Expiration"])) if found else None
