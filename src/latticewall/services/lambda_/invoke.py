"""Invoke ("Invoke" in the Lambda API Reference). The function runs between two attempts at the call, while nothing is locked."""

from __future__ import annotations

import base64
import json
from typing import Any

from latticewall.base.faults import Fault, Pending
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.lambda_ import text
from latticewall.services.lambda_.names import executable, function_of, parse

LARGEST_SYNCHRONOUS, LARGEST_ASYNCHRONOUS = 6_291_456, 1_048_576
"""Bytes of the payload ("Lambda quotas")."""


class _Refused(Fault):
    """What the functions process said; its code decides the status."""


def invoke(ctx: Context, params: Document) -> Document:
    """Invoke: RequestResponse answers what the function did, Event that it will be done, DryRun that it might."""
    named = parse(ctx, params["FunctionName"], params.get("Qualifier"))
    row, function = executable(ctx, named), function_of(ctx, named)
    kind = params.get("InvocationType") or "RequestResponse"
    payload = bytes(params.get("Payload") or b"")
    _check(params, kind, payload)
    if row.status in ("creating", "failed"):
        state = "Pending" if row.status == "creating" else "Failed"
        raise text.conflict(f"The operation cannot be performed at this time. The function is currently in the following state: {state}")
    if kind == "DryRun":
        return {"StatusCode": 204}
    port, asynchronous = ctx.ports["functions"], kind == "Event"
    answer = port.outcome(ctx.request_id)
    if answer is None:
        request, context = ctx.request_id, _client_context(params)
        raise Pending(lambda: port.invoke(request, function.arn, named.qualifier, named.arn, payload, context, asynchronous=asynchronous))
    if "refused" in answer:
        members = {"Reason": answer["reason"], "Type": "User"} if answer.get("reason") else {}
        raise _Refused(answer["message"], code=answer["refused"], members=members)
    if asynchronous:
        return {"StatusCode": 202, "Payload": b""}
    found: Document = {"StatusCode": 200, "ExecutedVersion": answer["version"], "Payload": base64.b64decode(answer["payload"])}
    if answer["error"]:
        found["FunctionError"] = answer["error"]
    return found | ({"LogResult": answer["tail"]} if params.get("LogType") == "Tail" else {})


def _check(params: Document, kind: str, payload: bytes) -> None:
    most = LARGEST_ASYNCHRONOUS if kind == "Event" else LARGEST_SYNCHRONOUS
    if len(payload) > most:
        raise text.TooLarge(f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {most} bytes)", code="RequestTooLargeException")
    for member in ("DurableExecutionName", "TenantId"):
        if params.get(member):
            raise text.unsupported(member, f"{member} is not supported by latticewall")
    if payload:
        try:
            json.loads(payload)
        except (ValueError, RecursionError) as error:
            message = f"Could not parse request body into json: {error}"
            raise text.invalid_content(message) from None


def _client_context(params: Document) -> Any:
    given = params.get("ClientContext")
    if not given:
        return None
    try:
        return json.loads(base64.b64decode(given, validate=True))
    except (ValueError, RecursionError):
        raise text.invalid_content("Client context must be a valid Base64-encoded JSON object.") from None


OPERATIONS: dict[str, Handler] = {"Invoke": invoke}
