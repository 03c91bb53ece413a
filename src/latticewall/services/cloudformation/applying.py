"""Creating, updating, rolling back: bringing every resource to what the template wants of it, in the order of their references."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.services.cloudformation import outcome, rows, text, work
from latticewall.services.cloudformation.graph import dependencies
from latticewall.services.cloudformation.intrinsics import NO_VALUE
from latticewall.services.cloudformation.resource_types import TABLE, ResourceType, tagging
from latticewall.services.cloudformation.template import Resource
from latticewall.services.cloudformation.turn import INTERNAL, OvertakenError, StackTurn
from latticewall.store import Snapshot, Transaction

log = logging.getLogger(__name__)
STATUSES = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


class Applying(StackTurn):
    """A turn towards the template."""

    def take(self) -> bool:
        """Do what can be done now. True if anything changed."""
        with self.home.store.read() as snapshot:
            states = rows.states_of(snapshot, self.stack)
            started = [name for name in self.active if self._in_progress(states.get(name)) and self.standing(snapshot, states[name])[0] != "waiting"]
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
        if all(self.is_right(states.get(name)) for name in self.active):
            return self._complete()
        return self._expire() or changed

    def _over(self) -> bool:
        """Whether the stack went another way in the last transaction."""
        return rows.status_of(self.stack) not in STATUSES or self.stack.document["_generation"] != self.generation

    def _in_progress(self, state: Row | None) -> bool:
        return state is not None and state.document.get("_generation") == self.generation and state.document["ResourceStatus"].endswith("_IN_PROGRESS")

    def _can_start(self, snapshot: Snapshot, states: Mapping[str, Row], name: str) -> bool:
        state = states.get(name)
        if state is not None and state.document.get("_generation") == self.generation:
            return False
        if state is not None and rows.exists(state) and self.standing(snapshot, state)[0] == "waiting":
            return False  # left moving by an operation that failed: first let it come to rest
        needs = dependencies(self.template, self.template.resources[name])
        return all(self.is_right(states.get(need)) for need in needs if need in self.active)

    def _attempt(self, name: str, action: Callable[[Transaction, str], None]) -> bool:
        """Run one action in a transaction; what it is refused fails the resource, and with it the operation."""
        try:
            with self.transaction() as tx:
                action(tx, name)
        except OvertakenError:
            return False
        except Fault as fault:
            self._fail(name, fault.message)
        except Exception:
            log.exception("stack `%s`, resource `%s`", self.stack.name, name)
            self._fail(name, INTERNAL)
        return True

    def _start(self, tx: Transaction, name: str) -> None:
        ctx, resource = self.context(tx), self.template.resources[name]
        resource_type = TABLE[resource.type]
        resolved = self.resolver(ctx).resolve(resource.properties)
        properties = {} if resolved is NO_VALUE else dict(resolved)
        for wanted in resource_type.required:
            if properties.get(wanted) is None:
                raise text.invalid(f"Property {wanted} cannot be empty.")
        tags = tagging.wanted(resource_type, properties, self.stack.tags)
        state = self.state(tx, name) or rows.new_resource(self.stack, name, resource.type)
        stack_work = self.work_on(ctx, name, tags)
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

    def _create(
        self, tx: Transaction, stack_work: work.StackWork, resource: Resource, state: Row, given: Mapping[str, Any], *, replacing: bool = False
    ) -> None:
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
        name = resource_type.name.split(":")[0]
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
        state = self.state(tx, name)
        if state is not None and self._in_progress(state):
            self._finish_if_ready(tx, self.work_on(self.context(tx), name, state.document["_tags"]), state)

    def _finish_if_ready(self, tx: Transaction, stack_work: work.StackWork, state: Row) -> None:
        """What came to rest is complete, or fails; what has a follow-up (targets of a group) gets it first."""
        standing, reason = self.standing(tx, state)
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
            if self.standing(tx, state)[0] == "waiting":
                return
        rows.put_resource(tx, self.stack, state, "UPDATE_COMPLETE" if updating else "CREATE_COMPLETE")

    def _fail(self, name: str, reason: str) -> None:
        """Record the failure of a resource and turn the operation round. What was created stays recorded and goes with the rollback."""
        try:
            with self.transaction() as tx:
                state = self.state(tx, name) or rows.new_resource(self.stack, name, self.template.resources[name].type)
                verb = "UPDATE" if rows.exists(state) and not state.document["ResourceStatus"].startswith("CREATE_IN") else "CREATE"
                rows.put_resource(tx, self.stack, state, f"{verb}_FAILED", reason, _generation=self.generation)
                self.stack = outcome.turn_round(tx, self.stack, verb, name)
        except OvertakenError:
            return

    def _complete(self) -> bool:
        try:
            with self.transaction() as tx:
                self.stack = outcome.finish_apply(tx, self.stack, self.template, self.resolver(self.context(tx)), self.caller)
        except OvertakenError:
            return False
        except Fault as fault:
            return self._turn_round(fault.message)
        return True

    def _turn_round(self, reason: str) -> bool:
        """The operation as a whole has failed."""
        try:
            with self.transaction() as tx:
                self.stack = outcome.turn_round(tx, self.stack, "", "", reason)
        except OvertakenError:
            return False
        return True

    def _expire(self) -> bool:
        """A creation that takes longer than TimeoutInMinutes fails."""
        minutes, started = self.stack.document.get("TimeoutInMinutes"), self.stack.document.get("_started")
        if not minutes or not started or rows.status_of(self.stack) != "CREATE_IN_PROGRESS":
            return False
        age = self.home.clock.now() - datetime.fromisoformat(started)
        if age.total_seconds() < 60 * int(minutes):
            return False
        return self._turn_round("Stack creation time exceeded the specified timeout.")


def _completed(state: Row) -> str:
    """The status of a resource that an operation found as it should be."""
    status = str(state.document["ResourceStatus"])
    return status if status.endswith("_COMPLETE") else "UPDATE_COMPLETE"


def _remains(state: Row) -> dict[str, Any]:
    members = ("PhysicalResourceId", "ResourceType", "_row", "_properties", "_tags", "_needs", "_replace_policy", "_settled")
    return {member: state.document[member] for member in members if member in state.document}
