"""Change sets: an update looked at before it is made ("Update CloudFormation stacks using change sets"). They are ready at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from latticewall.base.faults import Conflict
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.cloudformation import rows, stacks, text
from latticewall.services.cloudformation.kinds import CHANGE_SET, STACK
from latticewall.services.cloudformation.preview import Difference, as_change
from latticewall.services.cloudformation.scope import active_resources, conditions_of
from latticewall.services.cloudformation.stacks import find_stack

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}\Z")
REVIEW = "REVIEW_IN_PROGRESS"
AGAIN = ("StackName", "Parameters", "Capabilities", "Tags", "OnStackFailure", "RoleARN")
"""Members of the request that executing it needs, beside the template."""


def _find(ctx: Context, params: Document) -> Row:
    """By ARN, or by name and stack. Raises ChangeSetNotFound."""
    name = params["ChangeSetName"]
    if name.startswith("arn:"):
        row = ctx.tx.get(CHANGE_SET, name)
        if row is not None and (row.account, row.region) == (ctx.caller.account, ctx.caller.region):
            return row
        raise text.no_change_set(name)
    if not params.get("StackName"):
        raise text.invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    found = ctx.rows(CHANGE_SET, parent=find_stack(ctx, params["StackName"]).id, name=name)
    if not found:
        raise text.no_change_set(name)
    return found[0]


def _stack_for(ctx: Context, params: Document) -> tuple[Row, bool]:
    """The stack a change set is for, and whether it would be created."""
    kind, name = params.get("ChangeSetType") or "UPDATE", params["StackName"]
    present = [stack for stack in ctx.live(STACK) if name in (stack.name, stack.id)]
    if kind == "CREATE":
        if not present:
            return rows.put_stack(ctx.tx, stacks.new_stack(ctx, name), REVIEW, "User Initiated"), True
        if rows.status_of(present[0]) != REVIEW:
            raise text.invalid(f"Stack [{name}] already exists and cannot be created again with the changeSet [{params['ChangeSetName']}].")
        return present[0], True
    if kind != "UPDATE":
        raise text.invalid(f"ChangeSetType {kind} is not supported by latticewall yet")
    stack = find_stack(ctx, name)
    if rows.status_of(stack) not in stacks.UPDATABLE:
        raise text.wrong_state(stack.id, rows.status_of(stack), "updated")
    return stack, False


def create_change_set(ctx: Context, params: Document) -> Document:
    """CreateChangeSet."""
    name = params["ChangeSetName"]
    if not NAME.match(name):
        message = f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: "
        raise text.invalid(message + "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
    stack, creating = _stack_for(ctx, params)
    if ctx.rows(CHANGE_SET, parent=stack.id, name=name):
        raise Conflict(f"ChangeSet {name} cannot be created due to a mismatch with existing attribute Name", code="AlreadyExistsException")
    prepared = stacks.prepare(ctx, params, None if creating else stack, stack.name, stack.id)
    if creating:
        conditions = conditions_of(prepared.template, prepared.values, ctx.caller, stack.name, stack.id)
        names = active_resources(prepared.template, conditions)
        changes, needed = [Difference("Add", one, "", prepared.template.resources[one].type, {}) for one in names], True
    else:
        changes, needed = stacks.changes_of(ctx, stack, prepared)
    arn = f"arn:aws:cloudformation:{ctx.caller.region}:{ctx.caller.account}:changeSet/{name}/{ctx.new_uuid()}"
    document: dict[str, Any] = {
        "StackId": stack.id, "StackName": stack.name, "Description": params.get("Description"), "CreationTime": ctx.now, "NotificationARNs": [],
        "RollbackConfiguration": {}, "IncludeNestedStacks": False, "Changes": [as_change(change) for change in changes],
        "Status": "CREATE_COMPLETE" if needed else "FAILED", "ExecutionStatus": "AVAILABLE" if needed else "UNAVAILABLE",
        "StatusReason": None if needed else text.NO_CHANGES, "OnStackFailure": params.get("OnStackFailure"), "_creating": creating,
        "_request": {key: params[key] for key in AGAIN if params.get(key) is not None}, **prepared.members(),
    }  # fmt: skip
    kept = {key: value for key, value in document.items() if value is not None}
    ctx.tx.put(Row(CHANGE_SET, stack.account, stack.region, arn, arn=arn, name=name, parent=stack.id, document=kept, tags=prepared.tags))
    return {"Id": arn, "StackId": stack.id}


def describe_change_set(ctx: Context, params: Document) -> Document:
    """DescribeChangeSet."""
    return ctx.view(_find(ctx, params))


def list_change_sets(ctx: Context, params: Document) -> Document:
    """ListChangeSets of a stack."""
    return {"Summaries": [ctx.view(row) for row in ctx.rows(CHANGE_SET, parent=find_stack(ctx, params["StackName"]).id)]}


def execute_change_set(ctx: Context, params: Document) -> Document:
    """ExecuteChangeSet: its request is checked again, for what it refers to may have changed. The stack's other change sets go."""
    row = _find(ctx, params)
    if row.document["ExecutionStatus"] != "AVAILABLE":
        reason = f"ChangeSet [{row.id}] cannot be executed in its current status of [{row.document['Status']}]"
        raise Conflict(reason, code="InvalidChangeSetStatus")
    if params.get("RetainExceptOnCreate"):
        raise text.invalid("RetainExceptOnCreate is not supported by latticewall yet")
    stack, request = find_stack(ctx, row.parent), row.document["_request"]
    creating, keep_going = bool(row.document["_creating"]), bool(params.get("DisableRollback"))
    status = rows.status_of(stack)
    if (status != REVIEW) if creating else (status not in stacks.UPDATABLE):
        raise text.wrong_state(stack.id, status, "updated")
    prepared = stacks.prepare(ctx, request, None if creating else stack, stack.name, stack.id, row.document["_template"])
    token = params.get("ClientRequestToken")
    for other in ctx.rows(CHANGE_SET, parent=stack.id):
        ctx.tx.delete(other)
    if creating:
        failing = "DO_NOTHING" if keep_going else stacks.on_failure(request)
        stacks.start_creation(ctx, stack, prepared, failing, _token=token, ChangeSetId=row.id)
    else:
        stacks.start_update(ctx, stack, prepared, keep_going=keep_going, token=token, ChangeSetId=row.id)
    return {}


def delete_change_set(ctx: Context, params: Document) -> Document:
    """DeleteChangeSet: one that is not there is deleted already, as long as its stack exists; CDK deletes before it creates."""
    name = params["ChangeSetName"]
    if name.startswith("arn:") or not params.get("StackName"):
        ctx.tx.delete(_find(ctx, params))
        return {}
    for row in ctx.rows(CHANGE_SET, parent=find_stack(ctx, params["StackName"]).id, name=name):
        ctx.tx.delete(row)
    return {}


OPERATIONS: Mapping[str, Callable[[Context, Document], Document]] = {
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": describe_change_set,
    "ListChangeSets": list_change_sets,
    "ExecuteChangeSet": execute_change_set,
    "DeleteChangeSet": delete_change_set,
}
