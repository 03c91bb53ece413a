"""One turn of work on one stack: what can be done now is done, each resource in a transaction of its own.

Level-triggered: a turn looks at the rows as they are and needs no memory of the turns before, so it may be cut off anywhere and repeated. A resource
is created in the same transaction in which its physical id is recorded: there is never one without the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latticewall.base.faults import Conflict, Fault
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.cloudformation import outcome, rows, text, work
from latticewall.services.cloudformation.graph import dependencies
from latticewall.services.cloudformation.intrinsics import NO_VALUE, Resolver
from latticewall.services.cloudformation.kinds import RESOURCE, STACK
from latticewall.services.cloudformation.resource_types import TABLE, Made, ResourceType, tagging
from latticewall.services.cloudformation.scope import active_resources, conditions_of, resolver_for
from latticewall.services.cloudformation.template import Resource
from latticewall.store import Snapshot, Transaction

log = logging.getLogger(__name__)

APPLYING = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
DELETING = ("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
CLEANING = ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
INTERNAL = "Internal Failure"


@dataclass(frozen=True)
class Doomed:
    """Something to delete: a resource, or what its replacement left behind (`old`: its physical id, "" for the resource itself)."""

    logical_id: str
    resource_type: ResourceType
    made: Made
    needs: frozenset[str]
    policy: str
    old: str = ""


class Deployment:
    """A stack with work to do, as it was when the turn began. Every transaction reads it again before it writes."""

    def __init__(self, home: work.Home, stack: Row) -> None:
        self._home = home
        self.stack = stack
        self.caller = rows.caller_of(stack)
        self.template = rows.template_of(stack)
        self.values = rows.values_of(stack)
        self.generation = int(stack.document["_generation"])
        conditions = conditions_of(self.template, self.values, self.caller, stack.name, stack.id)
        self.active = active_resources(self.template, conditions)

    def turn(self) -> bool:
        """Do what can be done now. True if anything changed."""
        status = rows.status_of(self.stack)
        if status in APPLYING:
            return self._apply()
        if status in DELETING:
            return self._delete(self._all_doomed, outcome.finish_deletion)
        return self._delete(self._left_behind, outcome.finish_cleanup) if status in CLEANING else False

    # -- transactions ----------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """A transaction in which the stack is still at the same operation. Raises _Overtaken if it is not."""
        with self._home.store.write(self.caller.arn, "cloudformation") as tx:
            now = tx.get(STACK, self.stack.id)
            if now is None or rows.status_of(now) != rows.status_of(self.stack) or now.document["_generation"] != self.generation:
                raise _OvertakenError
            self.stack = now
            yield tx

    def _context(self, tx: Transaction) -> Context:
        return self._home.context(tx, self.caller, "cloudformation", "stack", "cloudformation")

    def _zones(self, tx: Transaction) -> Callable[[str], list[str]]:
        def zones(region: str) -> list[str]:
            ctx = self._home.context(tx, self.caller.at(region), "cloudformation", "stack", "cloudformation")
            return sorted(zone["ZoneName"] for zone in ctx.call("ec2:DescribeAvailabilityZones", {})["AvailabilityZones"])

        return zones

    def resolver(self, ctx: Context) -> Resolver:
        states = {name: row for name, row in rows.states_of(ctx.tx, self.stack).items() if self._is_right(row)}
        return resolver_for(ctx, self.template, self.values, self.stack, states, self._zones(ctx.tx))

    def _work(self, ctx: Context, logical_id: str, tags: Mapping[str, str]) -> work.StackWork:
        return work.StackWork(self._home, ctx, self.stack, logical_id, tags)

    # -- creating and updating -------------------------------------------------------------------------------------------------------------

    def _is_right(self, state: Row | None) -> bool:
        """Whether the resource is as this operation wants it."""
        return state is not None and state.document.get("_generation") == self.generation and state.document["ResourceStatus"].endswith("_COMPLETE")

    def _apply(self) -> bool:
        with self._home.store.read() as snapshot:
            states = rows.states_of(snapshot, self.stack)
            started = [name for name in self.active if self._in_progress(states.get(name)) and self._standing(snapshot, states[name])[0] != "waiting"]
            ready = [name for name in self.active if self._can_start(snapshot, states, name)]
        changed = False
        for name in started:
            changed |= self._attempt(name, self._advance)
            if self._over():
                return True
        for name in ready:
            changed |= self._attempt(name, self._start)
            if self._over():
                return True
        if all(self._is_right(states.get(name)) for name in self.active):
            return self._complete()
        return self._expire() or changed

    def _over(self) -> bool:
        """Whether the stack went another way in the last transaction."""
        return rows.status_of(self.stack) not in APPLYING or self.stack.document["_generation"] != self.generation

    def _in_progress(self, state: Row | None) -> bool:
        return state is not None and state.document.get("_generation") == self.generation and state.document["ResourceStatus"].endswith("_IN_PROGRESS")

    def _standing(self, snapshot: Snapshot, state: Row) -> tuple[str, str]:
        return work.standing(snapshot, TABLE[state.document["ResourceType"]], state.document.get("_row", ""))

    def _can_start(self, snapshot: Snapshot, states: Mapping[str, Row], name: str) -> bool:
        state = states.get(name)
        if state is not None and state.document.get("_generation") == self.generation:
            return False
        if state is not None and rows.exists(state) and self._standing(snapshot, state)[0] == "waiting":
            return False  # left moving by an operation that failed: first let it come to rest
        needs = dependencies(self.template, self.template.resources[name])
        return all(self._is_right(states.get(need)) for need in needs if need in self.active)

    def _attempt(self, name: str, action: Callable[[Transaction, str], None]) -> bool:
        """Run one action in a transaction; what it is refused fails the resource, and with it the operation."""
        try:
            with self._transaction() as tx:
                action(tx, name)
        except _OvertakenError:
            return False
        except Fault as fault:
            self._fail(name, fault.message)
        except Exception:
            log.exception("stack `%s`, resource `%s`", self.stack.name, name)
            self._fail(name, INTERNAL)
        return True

    def _start(self, tx: Transaction, name: str) -> None:
        ctx, resource = self._context(tx), self.template.resources[name]
        resource_type = TABLE[resource.type]
        resolved = self.resolver(ctx).resolve(resource.properties)
        properties = {} if resolved is NO_VALUE else dict(resolved)
        for wanted in resource_type.required:
            if properties.get(wanted) is None:
                raise text.invalid(f"Property {wanted} cannot be empty.")
        tags = tagging.wanted(resource_type, properties, self.stack.tags)
        state = tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{name}") or rows.new_resource(self.stack, name, resource.type)
        stack_work = self._work(ctx, name, tags)
        given = {
            "_properties": properties, "_tags": tags, "_generation": self.generation, "_needs": sorted(dependencies(self.template, resource)),
            "_deletion_policy": resource.deletion_policy, "_replace_policy": resource.replace_policy,
        }  # fmt: skip
        state = self._restored(state, resource, properties)
        if not rows.exists(state):
            self._create(tx, stack_work, resource, state, given)
        elif state.document["ResourceType"] != resource.type:
            raise text.invalid(f"Update of resource type is not permitted. The new template modifies resource type of the following resources: [{name}]")
        elif (state.document["_properties"], state.document["_tags"]) == (properties, tags):
            document = {**state.document, **given, "ResourceStatus": _completed(state)}
            tx.put(replace(state, document=document))
        elif resource_type.needs_replacement(state.document["_properties"], properties):
            self._replace(tx, stack_work, resource, state, given)
        else:
            self._change(tx, stack_work, resource_type, state, given)

    def _restored(self, state: Row, resource: Resource, properties: Mapping[str, Any]) -> Row:
        """In a rollback: what was replaced takes its place again, if it is what is wanted; the replacement is left behind."""
        if rows.status_of(self.stack) != "UPDATE_ROLLBACK_IN_PROGRESS":
            return state
        for old in state.document.get("_old") or ():
            if old["_properties"] == properties and old["ResourceType"] == resource.type:
                others = [one for one in state.document["_old"] if one is not old]
                return replace(state, document={**state.document, **old, "_old": [*others, *([_remains(state)] if rows.exists(state) else [])]})
        return state

    def _create(self, tx: Transaction, stack_work: work.StackWork, resource: Resource, state: Row, given: Mapping[str, Any], *, replacing: bool = False) -> None:
        verb = "UPDATE" if replacing else "CREATE"
        if not replacing:
            state = rows.put_resource(tx, self.stack, state, "CREATE_IN_PROGRESS")
        made = work.make(stack_work, TABLE[resource.type], given["_properties"])
        settled = TABLE[resource.type].settled is None
        state = rows.put_resource(
            tx, self.stack, state, f"{verb}_IN_PROGRESS", "Requested update required the creation of a new physical resource; hence creating one."
            if replacing else "Resource creation Initiated", PhysicalResourceId=made.physical_id, _row=made.row_id, _settled=settled, **given,
        )  # fmt: skip
        self._finish_if_ready(tx, stack_work, state)

    def _replace(self, tx: Transaction, stack_work: work.StackWork, resource: Resource, state: Row, given: Mapping[str, Any]) -> None:
        """The new one first; the old one goes when everything is right."""
        resource_type = TABLE[resource.type]
        name = resource_type.name.split(":")[0] or next((item for item in resource_type.required if item.endswith("Name")), "")
        if name and given["_properties"].get(name) is not None and given["_properties"].get(name) == state.document["_properties"].get(name):
            custom = given["_properties"][name]
            message = f"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {custom} and update the stack again."
            raise text.invalid(message)
        remains = [*(state.document.get("_old") or ()), _remains(state)]
        self._create(tx, stack_work, resource, replace(state, document={**state.document, "_old": remains}), given, replacing=True)

    def _change(self, tx: Transaction, stack_work: work.StackWork, resource_type: ResourceType, state: Row, given: Mapping[str, Any]) -> None:
        made = work.change(stack_work, resource_type, rows.made_of(state), given["_properties"], state.document["_tags"])
        state = rows.put_resource(
            tx, self.stack, state, "UPDATE_IN_PROGRESS", PhysicalResourceId=made.physical_id, _row=made.row_id, **given,
        )  # fmt: skip
        self._finish_if_ready(tx, stack_work, state)

    def _advance(self, tx: Transaction, name: str) -> None:
        state = tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{name}")
        if state is not None and self._in_progress(state):
            self._finish_if_ready(tx, self._work(self._context(tx), name, state.document["_tags"]), state)

    def _finish_if_ready(self, tx: Transaction, stack_work: work.StackWork, state: Row) -> None:
        """What came to rest is complete, or fails; what has a follow-up (targets of a group) gets it first."""
        standing, reason = self._standing(tx, state)
        updating = state.document["ResourceStatus"] == "UPDATE_IN_PROGRESS"
        if standing == "waiting":
            return
        if standing == "gone":
            raise text.invalid("The resource disappeared while it was being made")
        if standing == "failed" or (reason and updating):
            raise text.invalid(reason)
        settled = TABLE[state.document["ResourceType"]].settled
        if settled and not state.document.get("_settled"):
            settled(stack_work, rows.made_of(state))
            state = tx.put(replace(state, document={**state.document, "_settled": True}))
            if self._standing(tx, state)[0] == "waiting":
                return
        rows.put_resource(tx, self.stack, state, "UPDATE_COMPLETE" if updating else "CREATE_COMPLETE")

    def _fail(self, name: str, reason: str) -> None:
        """Record the failure of a resource and turn the operation round. What was created stays recorded and goes with the rollback."""
        try:
            with self._transaction() as tx:
                state = tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{name}") or rows.new_resource(self.stack, name, self.template.resources[name].type)
                verb = "UPDATE" if rows.exists(state) and not state.document["ResourceStatus"].startswith("CREATE_IN") else "CREATE"
                rows.put_resource(tx, self.stack, state, f"{verb}_FAILED", reason, _generation=self.generation)
                self.stack = outcome.turn_round(tx, self.stack, verb, name)
        except _OvertakenError:
            return

    def _complete(self) -> bool:
        try:
            with self._transaction() as tx:
                self.stack = outcome.finish_apply(tx, self.stack, self.template, self.active, self.resolver(self._context(tx)), self.caller)
        except _OvertakenError:
            return False
        except Fault as fault:
            with self._transaction() as tx:
                self.stack = outcome.turn_round(tx, self.stack, "", "", fault.message)
        return True

    def _expire(self) -> bool:
        """A creation that takes longer than TimeoutInMinutes fails."""
        minutes, started = self.stack.document.get("TimeoutInMinutes"), self.stack.document.get("_started")
        if not minutes or not started or rows.status_of(self.stack) != "CREATE_IN_PROGRESS":
            return False
        try:
            with self._transaction() as tx:
                if (datetime.fromisoformat(tx.now) - datetime.fromisoformat(started)).total_seconds() < 60 * int(minutes):
                    return False
                self.stack = outcome.turn_round(tx, self.stack, "", "", "Stack creation time exceeded the specified timeout.")
        except _OvertakenError:
            return False
        return True

    # -- deleting --------------------------------------------------------------------------------------------------------------------------

    def _all_doomed(self, states: Mapping[str, Row]) -> list[Doomed]:
        return [item for state in states.values() for item in _doomed(state, own=True)]

    def _left_behind(self, states: Mapping[str, Row]) -> list[Doomed]:
        """After an update: what was replaced, and what the template no longer has."""
        return [item for name, state in states.items() for item in _doomed(state, own=name not in self.active)]

    def _delete(self, select: Callable[[Mapping[str, Row]], list[Doomed]], finish: Callable[[Transaction, Row, list[Row]], Row]) -> bool:
        with self._home.store.read() as snapshot:
            states = rows.states_of(snapshot, self.stack)
            doomed = [item for item in select(states) if not _given_up(states[item.logical_id], item)]
            free = [item for item in doomed if not any(item.logical_id in other.needs for other in doomed if other.logical_id != item.logical_id)]
            still = [item for item in free if work.standing(snapshot, item.resource_type, item.made.row_id)[0] == "waiting"]
        changed, refused = False, dict[str, tuple[Doomed, str]]()
        for item in [one for one in free if one not in still]:
            message = self._delete_one(item)
            if message is None:
                changed = True
            else:
                refused[item.logical_id + item.old] = (item, message)
        if not doomed:
            return self._finish_deletion(finish)
        if refused and not changed and not still:
            for item, message in refused.values():
                self._give_up(item, message)
            return True
        return changed

    def _delete_one(self, item: Doomed) -> str | None:
        """Take one step with one thing. None when something was done; else why it cannot be deleted yet."""
        try:
            with self._transaction() as tx:
                state = tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{item.logical_id}")
                if state is not None:
                    self._take_away(tx, state, item)
        except _OvertakenError:
            return None
        except Conflict as fault:
            return fault.message  # in use, or still moving: others that go first may free it
        except Fault as fault:
            self._give_up(item, fault.message)
        except Exception:
            log.exception("stack `%s`, resource `%s`", self.stack.name, item.logical_id)
            self._give_up(item, INTERNAL)
        return None

    def _take_away(self, tx: Transaction, state: Row, item: Doomed) -> None:
        gone = work.standing(tx, item.resource_type, item.made.row_id)[0] == "gone"
        retained = self.stack.document.get("_retain") or ()
        if item.policy == "Retain" or item.logical_id in retained or (item.policy == "RetainExceptOnCreate" and not self._undoing_creation()):
            self._strike(tx, state, item, "DELETE_SKIPPED")
        elif gone and item.made.row_id:
            self._strike(tx, state, item, "DELETE_COMPLETE")
        else:
            if not item.old:
                state = rows.put_resource(tx, self.stack, state, "DELETE_IN_PROGRESS")
            else:
                rows.put_event(tx, self.stack, item.logical_id, item.old, item.resource_type.type, "DELETE_IN_PROGRESS")
            ctx = self._context(tx)
            work.remove(self._work(ctx, item.logical_id, {}), item.resource_type, item.made)
            if not item.made.row_id or work.standing(tx, item.resource_type, item.made.row_id)[0] == "gone":
                self._strike(tx, state, item, "DELETE_COMPLETE")

    def _undoing_creation(self) -> bool:
        return rows.status_of(self.stack) == "ROLLBACK_IN_PROGRESS"

    def _strike(self, tx: Transaction, state: Row, item: Doomed, status: str) -> None:
        if not item.old:
            rows.put_resource(tx, self.stack, state, status)
            return
        kept = [old for old in state.document["_old"] if old["PhysicalResourceId"] != item.old]
        tx.put(replace(state, document={**state.document, "_old": kept}))
        rows.put_event(tx, self.stack, item.logical_id, item.old, item.resource_type.type, status)

    def _give_up(self, item: Doomed, reason: str) -> None:
        """Record that something cannot be deleted; the others go on."""
        try:
            with self._transaction() as tx:
                state = tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{item.logical_id}")
                if state is None:
                    return
                if not item.old:
                    rows.put_resource(tx, self.stack, state, "DELETE_FAILED", reason)
                    return
                rows.put_event(tx, self.stack, item.logical_id, item.old, item.resource_type.type, "DELETE_FAILED", reason)
                kept = [old for old in state.document["_old"] if old["PhysicalResourceId"] != item.old]
                tx.put(replace(state, document={**state.document, "_old": kept}))
        except _OvertakenError:
            return

    def _finish_deletion(self, finish: Callable[[Transaction, Row, list[Row]], Row]) -> bool:
        try:
            with self._transaction() as tx:
                self.stack = finish(tx, self.stack, list(rows.states_of(tx, self.stack).values()))
        except _OvertakenError:
            return False
        return True


class _OvertakenError(Exception):
    """Another operation has begun since the turn began."""


def _completed(state: Row) -> str:
    """The status of a resource that an operation found as it should be."""
    status = str(state.document["ResourceStatus"])
    return status if status.endswith("_COMPLETE") else "UPDATE_COMPLETE"


def _remains(state: Row) -> dict[str, Any]:
    members = ("PhysicalResourceId", "ResourceType", "_row", "_properties", "_tags", "_needs", "_replace_policy", "_settled")
    return {member: state.document[member] for member in members if member in state.document}


def _doomed(state: Row, *, own: bool) -> list[Doomed]:
    document = state.document
    found = [
        Doomed(
            state.name, TABLE[old["ResourceType"]], Made(old["PhysicalResourceId"], old.get("_row", ""), old["_properties"]),
            frozenset(old.get("_needs") or ()), old.get("_replace_policy", "Delete"), old["PhysicalResourceId"],
        )
        for old in document.get("_old") or ()
    ]  # fmt: skip
    if own and rows.exists(state):
        made, needs = rows.made_of(state), frozenset(document.get("_needs") or ())
        found.append(Doomed(state.name, TABLE[document["ResourceType"]], made, needs, document.get("_deletion_policy", "Delete")))
    return found


def _given_up(state: Row, item: Doomed) -> bool:
    return not item.old and state.document["ResourceStatus"] == "DELETE_FAILED"
