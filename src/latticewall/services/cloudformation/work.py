"""Making, changing and removing one resource by its row of the table, in one transaction with what is recorded about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from latticewall.apimodel.catalog import Catalog
from latticewall.base.caller import Caller
from latticewall.base.faults import Invalid, NotFound
from latticewall.base.ports import Clock, Random
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.cloudformation.conform import UnknownProperty, conform, member_of
from latticewall.services.cloudformation.resource_types import Made, Properties, ResourceType, at, tagging
from latticewall.services.cloudformation.resource_types.row import EMPTY
from latticewall.store import Snapshot, Store, Transaction

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SYSTEM_TAGS = "aws:cloudformation:"
WAITING = ("creating", "updating", "starting", "stopping", "rebooting", "deleting")


class Home(Protocol):
    """Where stacks live: the composition root, as far as they need it."""

    store: Store
    catalog: Catalog
    random: Random
    clock: Clock

    def call_within(self, tx: Transaction, caller: Caller, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """An authorised operation in a transaction that is already open."""
        ...

    def context(self, tx: Transaction, caller: Caller, service: str, operation: str, request_id: str) -> Context: ...


class StackWork:
    """The `resource_types.Work` of one resource."""

    def __init__(self, home: Home, ctx: Context, stack: Row, logical_id: str, tags: Mapping[str, str]) -> None:
        self._home = home
        self._stack = stack
        self.ctx = ctx
        self.logical_id = logical_id
        self.tags = tags

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._home.call_within(self.ctx.tx, self.ctx.caller, operation, params)

    def input(self, operation: str, properties: Mapping[str, Any], renames: Mapping[str, str] = EMPTY) -> dict[str, Any]:
        shape = self._home.catalog.operation(operation).input
        found: dict[str, Any] = {}
        for name, value in properties.items():
            member = member_of(shape, name, renames) if shape else ""
            if shape is None or not member or value is None:
                continue
            try:
                found[member] = conform(shape.members[member], value, renames, name)
            except UnknownProperty as error:
                raise Invalid(f"Encountered unsupported property {error.path}") from None
        return found

    def name(self, limit: int, *, lower: bool = False) -> str:
        random = "".join(ALPHABET[byte % len(ALPHABET)] for byte in self._home.random.token_bytes(12))
        room = limit - len(random) - 1
        logical = self.logical_id[: max(room - len(self._stack.name) - 1, room // 2)]
        text = f"{self._stack.name[: room - len(logical) - 1]}-{logical}-{random}"
        return re.sub("-+", "-", text.lower()) if lower else text


def make(work: StackWork, resource_type: ResourceType, properties: Properties) -> Made:
    """Create the resource. Raises the service's refusal."""
    given = _named(work, resource_type, properties)
    made = resource_type.making(work, given) if resource_type.making else _create(work, resource_type, given)
    row = work.ctx.tx.get(resource_type.kind, made.row_id) if made.row_id else None
    if row:
        for name, operation in resource_type.settings.items():
            if given.get(name) is not None:
                _set(work, resource_type, row, operation, {name: given[name]})
        if resource_type.tagging:
            work.ctx.tag(work.ctx.tx.get(row.kind, row.id) or row, _system_tags(work))
    return replace(made, properties=properties)


def _named(work: StackWork, resource_type: ResourceType, properties: Properties) -> Properties:
    if not resource_type.name:
        return properties
    name, limit, *case = resource_type.name.split(":")
    if properties.get(name) is not None:
        return properties
    return {**properties, name: work.name(int(limit), lower=bool(case))}


def _create(work: StackWork, resource_type: ResourceType, properties: Properties) -> Made:
    taken = {name: value for name, value in properties.items() if name != resource_type.tag_property or not resource_type.tagging}
    prepared = resource_type.before(taken) if resource_type.before else taken
    params = work.input(resource_type.create, prepared, resource_type.renames)
    if resource_type.tagging and work.tags:
        params |= tagging.STYLES[resource_type.tagging].at_creation(resource_type, work.tags)
    answer = work.call(resource_type.create, params)
    identifier = at(answer, resource_type.made) if resource_type.made else properties[resource_type.name.split(":")[0]]
    row = work.ctx.resolve(resource_type.kind, str(identifier))
    return Made({"id": row.id, "arn": row.arn, "name": row.name}[resource_type.ref], row.id)


def _system_tags(work: StackWork) -> dict[str, str]:
    stack = work._stack
    values = {"stack-name": stack.name, "stack-id": stack.id, "logical-id": work.logical_id}
    return {SYSTEM_TAGS + name: value for name, value in values.items()}


def _key(resource_type: ResourceType, row: Row) -> dict[str, str]:
    """The members by which operations know the resource."""
    found = {}
    for pair in resource_type.key.split():
        member, source = pair.split("=")
        found[member] = {"id": row.id, "arn": row.arn, "name": row.name}[source]
    return found


def _set(work: StackWork, resource_type: ResourceType, row: Row, operation: str, properties: Mapping[str, Any]) -> None:
    work.call(operation, {**_key(resource_type, row), **work.input(operation, properties, resource_type.renames)})


def row_of(ctx: Context, resource_type: ResourceType, made: Made) -> Row:
    row = ctx.tx.get(resource_type.kind, made.row_id)
    if row is None:
        raise NotFound(f"{resource_type.type} {made.physical_id} does not exist", id=made.physical_id)
    return row


def change(work: StackWork, resource_type: ResourceType, made: Made, properties: Properties, old_tags: Mapping[str, str]) -> Made:
    """Bring the resource in place from its properties to others. Raises the service's refusal."""
    changed = [name for name in {**made.properties, **properties} if made.properties.get(name) != properties.get(name)]
    tagged = resource_type.tag_property if resource_type.tagging else ""
    changed = [name for name in changed if name != tagged]
    result: Made | None = None
    if changed and resource_type.changing:
        result = resource_type.changing(work, made, properties)
    elif changed:
        _change_by_table(work, resource_type, made, properties, changed)
    if tagged and dict(old_tags) != dict(work.tags):
        tagging.change(work, resource_type, row_of(work.ctx, resource_type, made), old_tags, work.tags)
    return replace(result or made, properties=properties)


def _change_by_table(work: StackWork, resource_type: ResourceType, made: Made, properties: Properties, changed: list[str]) -> None:
    row = row_of(work.ctx, resource_type, made)
    alone = {**resource_type.settings, **resource_type.updates}
    for name in [one for one in changed if one in alone]:
        wanted = properties.get(name, resource_type.defaults.get(name))
        if wanted is not None:
            _set(work, resource_type, row, alone[name], {name: wanted})
        elif name in resource_type.clears:
            work.call(resource_type.clears[name], _key(resource_type, row))
        else:
            raise Invalid(f"The property {name} of {resource_type.type} cannot be taken away once it was given")
    whole = [name for name in changed if name not in alone]
    if not whole:
        return
    if not resource_type.update:
        raise Invalid(f"Updating {', '.join(whole)} of {resource_type.type} is not supported")
    for name in resource_type.lasting.intersection(made.properties):
        if name not in properties:
            raise Invalid(f"The property {name} of {resource_type.type} cannot be taken away once it was given")
    named = work.input(resource_type.update, {**resource_type.defaults, **properties}, resource_type.renames)
    work.call(resource_type.update, {**named, **_key(resource_type, row)})


def remove(work: StackWork, resource_type: ResourceType, made: Made) -> None:
    """Delete the resource; one that is gone already is no error. Raises the service's refusal."""
    try:
        if resource_type.leaving:
            resource_type.leaving(work, made)
        if resource_type.removing:
            resource_type.removing(work, made)
        else:
            work.call(resource_type.delete, _key(resource_type, row_of(work.ctx, resource_type, made)))
    except NotFound:
        if made.row_id and standing(work.ctx.tx, resource_type, made.row_id)[0] != "gone":
            raise


def standing(snapshot: Snapshot, resource_type: ResourceType, row_id: str) -> tuple[str, str]:
    """("ready" | "waiting" | "failed" | "gone", why) of a resource, from its row; parts of others are always ready."""
    if not row_id:
        return "ready", ""
    row = snapshot.get(resource_type.kind, row_id)
    if row is None or row.status == "deleted":
        return "gone", ""
    if row.status in WAITING:
        return "waiting", ""
    return ("failed", row.reason or "The resource failed to stabilize") if row.status in ("failed", "failing") else ("ready", row.reason)


def attribute(ctx: Context, resource_type: ResourceType, made: Made, name: str) -> Any:
    """Fn::GetAtt. Raises NotFound when the resource is gone."""
    source: str | Callable[[Context, Made], Any] = resource_type.attributes[name]
    if callable(source):
        return source(ctx, made)
    if source == "@ref":
        return made.physical_id
    if source.startswith("#"):
        return at(made.properties, source[1:])
    row = row_of(ctx, resource_type, made)
    own = {"@id": row.id, "@arn": row.arn, "@name": row.name}
    value = own[source] if source in own else at(ctx.view(row), source)
    return "" if value is None else value
