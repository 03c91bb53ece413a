"""Deleting: everything of a stack, or what an update left behind, each thing after what needs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from latticewall.base.faults import Conflict, Fault
from latticewall.base.rows import Row
from latticewall.services.cloudformation import outcome, rows, work
from latticewall.services.cloudformation.resource_types import TABLE, Made, ResourceType
from latticewall.services.cloudformation.turn import INTERNAL, OvertakenError, StackTurn
from latticewall.store import Transaction

log = logging.getLogger(__name__)
CLEANING = ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
STATUSES = ("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", *CLEANING)


@dataclass(frozen=True)
class Doomed:
    """Something to delete: a resource, or what its replacement left behind (`old`: its physical id, "" for the resource itself)."""

    logical_id: str
    resource_type: ResourceType
    made: Made
    needs: frozenset[str]
    policy: str
    old: str = ""


class Deleting(StackTurn):
    """A turn towards nothing being left."""

    def _doomed(self, states: Mapping[str, Row]) -> list[Doomed]:
        """After an update what was replaced and what the template no longer has, else everything; but not what was given up."""
        cleaning = rows.status_of(self.stack) in CLEANING
        found = [item for name, state in states.items() for item in _doomed(state, own=not cleaning or name not in self.active)]
        return [item for item in found if item.old or states[item.logical_id].document["ResourceStatus"] != "DELETE_FAILED"]

    def take(self) -> bool:
        """Do what can be done now. True if anything changed."""
        with self.home.store.read() as snapshot:
            states = rows.states_of(snapshot, self.stack)
            doomed = self._doomed(states)
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
            return self._finish()
        if refused and not changed and not still:
            for item, message in refused.values():
                self._give_up(item, message)
            return True
        return changed

    def _delete_one(self, item: Doomed) -> str | None:
        """Take one step with one thing. None when something was done; else why it cannot be deleted yet."""
        try:
            with self.transaction() as tx:
                state = self.state(tx, item.logical_id)
                if state is not None:
                    self._take_away(tx, state, item)
        except OvertakenError:
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
            ctx = self.context(tx)
            work.remove(self.work_on(ctx, item.logical_id, {}), item.resource_type, item.made)
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
            with self.transaction() as tx:
                state = self.state(tx, item.logical_id)
                if state is None:
                    return
                if not item.old:
                    rows.put_resource(tx, self.stack, state, "DELETE_FAILED", reason)
                    return
                rows.put_event(tx, self.stack, item.logical_id, item.old, item.resource_type.type, "DELETE_FAILED", reason)
                kept = [old for old in state.document["_old"] if old["PhysicalResourceId"] != item.old]
                tx.put(replace(state, document={**state.document, "_old": kept}))
        except OvertakenError:
            return

    def _finish(self) -> bool:
        finish = outcome.finish_cleanup if rows.status_of(self.stack) in CLEANING else outcome.finish_deletion
        try:
            with self.transaction() as tx:
                self.stack = finish(tx, self.stack, list(rows.states_of(tx, self.stack).values()))
        except OvertakenError:
            return False
        return True


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
