"""How operations end: outputs and exports, the turn into a rollback, the last status ("Stack status codes")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from latticewall.base.caller import Caller
from latticewall.base.rows import Row
from latticewall.services.cloudformation import rows, text
from latticewall.services.cloudformation.intrinsics import Resolver
from latticewall.services.cloudformation.scope import exports, importers
from latticewall.services.cloudformation.template import Template
from latticewall.store import Transaction

CANCELLED = "Resource {} cancelled"


def outputs_of(template: Template, resolver: Resolver) -> list[dict[str, str]]:
    """The Outputs section, evaluated."""
    found = []
    for key, declared in template.outputs.items():
        if declared.get("Condition") and not resolver.condition(str(declared["Condition"])):
            continue
        value = resolver.resolve(declared["Value"])
        if isinstance(value, list | dict):
            raise text.format_error(f"The Value field of every Outputs member must evaluate to a String: {key}")
        output = {"OutputKey": key, "OutputValue": _plain(value)}
        if declared.get("Description"):
            output["Description"] = str(declared["Description"])
        if declared.get("Export"):
            output["ExportName"] = _plain(resolver.resolve(declared["Export"].get("Name")))
        found.append(output)
    return found


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _check_exports(tx: Transaction, stack: Row, outputs: Iterable[Mapping[str, str]], caller: Caller) -> None:
    """Names are exported once; values that others import stay as they are."""
    known = exports(tx, caller)
    mine = {output["ExportName"]: output["OutputValue"] for output in outputs if "ExportName" in output}
    for name in mine:
        if name in known and known[name][1] != stack.id:
            raise text.invalid(f"Export with name {name} is already exported by stack {known[name][1].split('/')[-2]}. Rollback requested by user.")
    for name, (value, owner) in known.items():
        users = [user for user in importers(tx, caller, name) if user.id != stack.id] if owner == stack.id else []
        if users and mine.get(name) != value:
            verb = "updated" if name in mine else "deleted"
            raise text.invalid(f"Export {name} cannot be {verb} as it is in use by {users[0].name}")


def finish_apply(tx: Transaction, stack: Row, template: Template, resolver: Resolver, caller: Caller) -> Row:
    """Everything is as the template wants it."""
    outputs = outputs_of(template, resolver)
    _check_exports(tx, stack, outputs, caller)
    status = rows.status_of(stack)
    members: dict[str, Any] = {"Outputs": outputs, "Description": template.description or None}
    if status == "CREATE_IN_PROGRESS":
        return rows.put_stack(tx, stack, "CREATE_COMPLETE", **members, _previous=None)
    cleanup = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" if status == "UPDATE_IN_PROGRESS" else "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    return rows.put_stack(tx, stack, cleanup, **members, _previous=None)


def turn_round(tx: Transaction, stack: Row, verb: str, logical_id: str, reason: str = "") -> Row:
    """The operation has failed: cancel what is under way and go back, as far as the caller wants that."""
    status = rows.status_of(stack)
    for state in rows.states_of(tx, stack).values():
        if state.document["ResourceStatus"].endswith("_IN_PROGRESS"):
            doing = state.document["ResourceStatus"].split("_", 1)[0]
            word = {"CREATE": "creation", "UPDATE": "update"}.get(doing, "deletion")
            rows.put_resource(tx, stack, state, f"{doing}_FAILED", CANCELLED.format(word))
    failed = f"The following resource(s) failed to {verb.lower()}: [{logical_id}]." if logical_id else reason
    if status == "CREATE_IN_PROGRESS":
        wanted = stack.document.get("_on_failure", "ROLLBACK")
        if wanted == "DO_NOTHING":
            return rows.put_stack(tx, stack, "CREATE_FAILED", failed)
        if wanted == "DELETE":
            return rows.put_stack(tx, stack, "DELETE_IN_PROGRESS", f"{failed} Delete requested by user.")
        return rows.put_stack(tx, stack, "ROLLBACK_IN_PROGRESS", f"{failed} Rollback requested by user.")
    if status == "UPDATE_IN_PROGRESS":
        if stack.document.get("_on_failure") == "DO_NOTHING":
            return rows.put_stack(tx, stack, "UPDATE_FAILED", failed)
        return go_back(tx, stack, failed)
    return rows.put_stack(tx, stack, "UPDATE_ROLLBACK_FAILED", failed)


def go_back(tx: Transaction, stack: Row, reason: str = "") -> Row:
    """Apply again what was before the update. It stays noted until it is reached, so that a failed rollback can be continued."""
    previous = stack.document["_previous"]
    members = {key: value for key, value in previous.items() if key != "tags"}
    stack = replace(stack, tags=previous["tags"])
    return rows.put_stack(tx, stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason, **members, _generation=int(stack.document["_generation"]) + 1)


def finish_deletion(tx: Transaction, stack: Row, states: list[Row]) -> Row:
    """Nothing is left, or nothing more can be deleted."""
    rolling = rows.status_of(stack) == "ROLLBACK_IN_PROGRESS"
    failed = [state.name for state in states if state.document["ResourceStatus"] == "DELETE_FAILED"]
    if failed:
        reason = f"The following resource(s) failed to delete: {text.bracketed(failed)}. "
        return rows.put_stack(tx, stack, "ROLLBACK_FAILED" if rolling else "DELETE_FAILED", reason)
    for state in states:
        if state.document["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
            rows.put_resource(tx, stack, state, "DELETE_COMPLETE")
    if rolling:
        return rows.put_stack(tx, stack, "ROLLBACK_COMPLETE", Outputs=None)
    for change_set in tx.rows("cloudformation:ChangeSet", parent=stack.id):
        tx.delete(change_set)
    return rows.put_stack(tx, stack, "DELETE_COMPLETE", DeletionTime=tx.now, Outputs=None, _imports=None)


def finish_cleanup(tx: Transaction, stack: Row, states: list[Row]) -> Row:
    """The end of an update or of its rollback; what is gone is forgotten."""
    for state in states:
        if not rows.exists(state) or state.document["ResourceStatus"] == "DELETE_FAILED":
            tx.delete(state)
    done = "UPDATE_COMPLETE" if rows.status_of(stack).startswith("UPDATE_COMPLETE") else "UPDATE_ROLLBACK_COMPLETE"
    return rows.put_stack(tx, stack, done)
