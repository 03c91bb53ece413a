"""What every turn of work on a stack has: the stack as it is, its caller and template, transactions that notice when another operation began.

Level-triggered: a turn looks at the rows as they are and needs no memory of the turns before, so it may be cut off anywhere and repeated. A resource
is created in the same transaction in which its physical id is recorded: there is never one without the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.cloudformation import rows, work
from latticewall.services.cloudformation.intrinsics import Resolver
from latticewall.services.cloudformation.kinds import RESOURCE, STACK
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.resource_types import TABLE
from latticewall.services.cloudformation.scope import active_resources, conditions_of, resolver_for
from latticewall.services.cloudformation.template import Template
from latticewall.store import Snapshot, Transaction

INTERNAL = "Internal Failure"


class OvertakenError(Exception):
    """Another operation has begun since the turn began."""


class StackTurn:
    """One turn on one stack, which is as it was when the turn began. Every transaction reads it again before it writes."""

    def __init__(self, home: work.Home, stack: Row) -> None:
        self.home = home
        self.stack = stack
        self.caller = rows.caller_of(stack)
        self.generation = int(stack.document["_generation"])

    @cached_property
    def template(self) -> Template:
        return rows.template_of(self.stack)

    @cached_property
    def values(self) -> Values:
        return rows.values_of(self.stack)

    @cached_property
    def active(self) -> list[str]:
        """The logical ids that the template wants: those whose condition holds."""
        return active_resources(self.template, conditions_of(self.template, self.values, self.caller, self.stack.name, self.stack.id))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction in which the stack is still at the same operation. Raises OvertakenError if it is not."""
        with self.home.store.write(self.caller.arn, "cloudformation") as tx:
            now = tx.get(STACK, self.stack.id)
            if now is None or rows.status_of(now) != rows.status_of(self.stack) or now.document["_generation"] != self.generation:
                raise OvertakenError
            self.stack = now
            yield tx

    def context(self, tx: Transaction) -> Context:
        return self.home.context(tx, self.caller, "cloudformation", "stack", "cloudformation")

    def _zones(self, tx: Transaction) -> Callable[[str], list[str]]:
        def zones(region: str) -> list[str]:
            ctx = self.home.context(tx, self.caller.at(region), "cloudformation", "stack", "cloudformation")
            return sorted(zone["ZoneName"] for zone in ctx.call("ec2:DescribeAvailabilityZones", {})["AvailabilityZones"])

        return zones

    def resolver(self, ctx: Context) -> Resolver:
        states = {name: row for name, row in rows.states_of(ctx.tx, self.stack).items() if self.is_right(row)}
        return resolver_for(ctx, self.template, self.values, self.stack, states, self._zones(ctx.tx))

    def work_on(self, ctx: Context, logical_id: str, tags: Mapping[str, str]) -> work.StackWork:
        return work.StackWork(self.home, ctx, self.stack, logical_id, tags)

    def state(self, tx: Transaction, logical_id: str) -> Row | None:
        """What is recorded about a resource."""
        return tx.get(RESOURCE, f"{rows.uuid_of(self.stack)}/{logical_id}")

    def is_right(self, state: Row | None) -> bool:
        """Whether the resource is as this operation wants it."""
        return state is not None and state.document.get("_generation") == self.generation and state.document["ResourceStatus"].endswith("_COMPLETE")

    def standing(self, snapshot: Snapshot, state: Row) -> tuple[str, str]:
        return work.standing(snapshot, TABLE[state.document["ResourceType"]], state.document.get("_row", ""))
