"""A function's resource-based policy ("Viewing resource-based IAM policies in Lambda", AddPermission)."""

from __future__ import annotations

import json
import re
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.lambda_ import text
from latticewall.services.lambda_.names import Named, executable, function_of, parse

LONGEST_POLICY = 20_480
_ACCOUNT = re.compile(r"\d{12}")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


def add_permission(ctx: Context, params: Document) -> Document:
    """AddPermission: one more statement."""
    for member in ("EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl"):
        if params.get(member):
            raise text.unsupported(member, f"{member} is not supported by latticewall")
    named, function, statements, revision = _policy(ctx, params)
    if params.get("RevisionId") and params["RevisionId"] != revision:
        raise text.stale()
    if any(one["Sid"] == params["StatementId"] for one in statements):
        advice = "Please provide a new statement id, or remove the existing statement."
        raise text.conflict(f"The statement id ({params['StatementId']}) provided already exists. {advice}")
    statement = _statement(params, named)
    changed = [*statements, statement]
    if len(json.dumps(changed)) > LONGEST_POLICY:
        raise text.invalid(f"The final policy size is bigger than the limit ({LONGEST_POLICY}).", "StatementId")
    _keep(ctx, function, named, changed)
    return {"Statement": json.dumps(statement, separators=(",", ":"))}


def remove_permission(ctx: Context, params: Document) -> Document:
    named, function, statements, revision = _policy(ctx, params)
    if params.get("RevisionId") and params["RevisionId"] != revision:
        raise text.stale()
    left = [one for one in statements if one["Sid"] != params["StatementId"]]
    if len(left) == len(statements):
        raise text.not_found(f"Statement {params['StatementId']} is not found in resource policy.")
    _keep(ctx, function, named, left)
    return {}


def get_policy(ctx: Context, params: Document) -> Document:
    _, _, statements, revision = _policy(ctx, params)
    if not statements:
        raise text.not_found("The resource you requested does not exist.")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return {"Policy": json.dumps(policy, separators=(",", ":")), "RevisionId": revision}


def _policy(ctx: Context, params: Document) -> tuple[Named, Row, list[Document], str]:
    """The name asked for, the function, and the statements of that qualifier's policy. Each version and alias has a policy of its own."""
    named = parse(ctx, params["FunctionName"], params.get("Qualifier"))
    executable(ctx, named)
    function = function_of(ctx, named)
    found = function.document["_policies"].get(named.qualifier) or {"statements": [], "revision": function.document["_revision"]}
    return named, function, list(found["statements"]), found["revision"]


def _keep(ctx: Context, function: Row, named: Named, statements: list[Document]) -> None:
    policies = {name: policy for name, policy in function.document["_policies"].items() if name != named.qualifier}
    if statements:
        policies[named.qualifier] = {"statements": statements, "revision": ctx.new_uuid()}
    ctx.change(function, {"_policies": policies})


def _statement(params: Document, named: Named) -> Document:
    statement: Document = {
        "Sid": params["StatementId"], "Effect": "Allow", "Principal": _principal(params["Principal"]), "Action": params["Action"], "Resource": named.arn,
    }  # fmt: skip
    condition: dict[str, dict[str, str]] = {}
    if params.get("SourceAccount"):
        condition.setdefault("StringEquals", {})["AWS:SourceAccount"] = params["SourceAccount"]
    if params.get("PrincipalOrgID"):
        condition.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = params["PrincipalOrgID"]
    if params.get("SourceArn"):
        condition.setdefault("ArnLike", {})["AWS:SourceArn"] = params["SourceArn"]
    return statement | ({"Condition": condition} if condition else {})


def _principal(given: str) -> Any:
    if given == "*":
        return "*"
    if _ACCOUNT.fullmatch(given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if given.startswith(("arn:aws:iam::", "arn:aws:sts::")):
        return {"AWS": given}
    if _SERVICE.fullmatch(given):
        return {"Service": given}
    raise text.invalid(f"The provided principal was invalid. Please check the principal and try again: {given}", "Principal")


OPERATIONS: dict[str, Handler] = {"AddPermission": add_permission, "RemovePermission": remove_permission, "GetPolicy": get_policy}
