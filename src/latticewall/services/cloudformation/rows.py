"""Reading and writing the rows of stacks, their resources and events, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from latticewall.base.caller import Caller
from latticewall.base.rows import Row
from latticewall.services.cloudformation.kinds import EVENT, RESOURCE, STACK, STACK_TYPE, WORKING
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.resource_types import Made
from latticewall.services.cloudformation.template import Template, parse
from latticewall.store import Snapshot, Transaction

CALLED_VIA = "cloudformation.amazonaws.com"
MOST_EVENTS = 2000
"""Events kept per stack; the oldest go when an operation starts."""
MOST_DELETED = 20
"""Deleted stacks kept per region."""
_orders: WeakKeyDictionary[Transaction, int] = WeakKeyDictionary()
"""How many events a transaction has written."""


def uuid_of(stack: Row) -> str:
    return stack.id.rsplit("/", 1)[-1]


def caller_of(row: Row) -> Caller:
    """Who asked for the operation that is going on, with CloudFormation calling on his behalf; or CloudFormation itself with the stack's role."""
    caller = Caller(**row.document["_caller"])
    return caller if row.document.get("RoleARN") else replace(caller, called_via=(CALLED_VIA,))


def caller_document(caller: Caller) -> dict[str, Any]:
    return asdict(caller)


def template_of(row: Row) -> Template:
    return parse(row.document["_template"])


def values_of(row: Row) -> Values:
    return Values(**row.document["_values"])


def status_of(row: Row) -> str:
    """A stack's status in AWS's words."""
    return str(row.document["StackStatus"])


def states_of(snapshot: Snapshot, stack: Row) -> dict[str, Row]:
    """The stack's resources by logical id."""
    return {row.name: row for row in snapshot.rows(RESOURCE, parent=stack.id)}


def exists(state: Row | None) -> bool:
    """Whether there is something of the resource that deletion must take away."""
    if state is None or not state.document.get("PhysicalResourceId"):
        return False
    return state.document["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


def made_of(state: Row) -> Made:
    document = state.document
    return Made(document["PhysicalResourceId"], document.get("_row", ""), document.get("_properties") or {})


def put_stack(tx: Transaction, stack: Row, status: str, reason: str = "", **members: Any) -> Row:
    """Move a stack to a status, with an event. members: of its document; None removes one."""
    changes = {"StackStatus": status, "StackStatusReason": reason or None, **members}
    document = {key: value for key, value in {**stack.document, **changes}.items() if value is not None}
    engine = "deleted" if status == "DELETE_COMPLETE" else WORKING if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" else "ready"
    stack = tx.put(replace(stack, document=document, status=engine))
    put_event(tx, stack, stack.name, stack.id, STACK_TYPE, status, reason)
    return stack


def put_resource(tx: Transaction, stack: Row, state: Row, status: str, reason: str = "", **members: Any) -> Row:
    """Move a resource of a stack to a status, with an event."""
    changes = {"ResourceStatus": status, "ResourceStatusReason": reason or None, "Timestamp": tx.now, **members}
    document = {key: value for key, value in {**state.document, **changes}.items() if value is not None}
    state = tx.put(replace(state, document=document))
    put_event(tx, stack, state.name, document.get("PhysicalResourceId", ""), document["ResourceType"], status, reason)
    return state


def new_resource(stack: Row, logical_id: str, resource_type: str) -> Row:
    document = {"LogicalResourceId": logical_id, "ResourceType": resource_type, "ResourceStatus": ""}
    return Row(RESOURCE, stack.account, stack.region, f"{uuid_of(stack)}/{logical_id}", name=logical_id, parent=stack.id, document=document)


def put_event(tx: Transaction, stack: Row, logical_id: str, physical_id: str, resource_type: str, status: str, reason: str = "") -> None:
    """What DescribeStackEvents tells. Ids grow with time, so that events of one moment stay in order."""
    _orders[tx] = order = _orders.get(tx, 0) + 1
    document: dict[str, Any] = {
        "StackName": stack.name, "StackId": stack.id, "LogicalResourceId": logical_id, "PhysicalResourceId": physical_id, "ResourceType": resource_type,
        "ResourceStatus": status, "Timestamp": tx.now,
    }  # fmt: skip
    if reason:
        document["ResourceStatusReason"] = reason
    if token := stack.document.get("_token"):
        document["ClientRequestToken"] = token
    tx.put(Row(EVENT, stack.account, stack.region, f"{uuid_of(stack)}/{tx.new_revision:012d}.{order:05d}", parent=stack.id, document=document))


def in_order(events: Iterable[Row]) -> list[Row]:
    """As they happened, however the clock was set meanwhile."""
    return sorted(events, key=attrgetter("id"))


def prune_events(tx: Transaction, stack: Row) -> None:
    for row in in_order(tx.rows(EVENT, parent=stack.id))[:-MOST_EVENTS]:
        tx.delete(row)


def forget_old(tx: Transaction, account: str, region: str) -> None:
    """Deleted stacks are remembered for a while, as in AWS; only the newest, so that a region that is used for years stays small."""
    deleted = sorted(tx.rows(STACK, account=account, region=region, status="deleted"), key=lambda stack: str(stack.document["DeletionTime"]))
    for stack in deleted[:-MOST_DELETED]:
        for row in (*tx.rows(EVENT, parent=stack.id), *tx.rows(RESOURCE, parent=stack.id), stack):
            tx.delete(row)
