"""What an update would change, before it is made: for "No updates are to be performed." and for change sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.cloudformation import rows, work
from latticewall.services.cloudformation.graph import order
from latticewall.services.cloudformation.intrinsics import NO_VALUE, Resolver, Scope
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.preflight import LATER, LenientResolver
from latticewall.services.cloudformation.resource_types import TABLE, tagging
from latticewall.services.cloudformation.scope import active_resources, conditions_of, imported, pseudo_parameters
from latticewall.services.cloudformation.template import Template


@dataclass(frozen=True)
class Difference:
    """action: Add, Modify, Remove. properties: changed property -> whether it replaces the resource ("Tags" included)."""

    action: str
    logical_id: str
    physical_id: str
    type: str
    properties: Mapping[str, bool]

    @property
    def replaces(self) -> bool:
        return any(self.properties.values())


def differences(
    ctx: Context, stack: Row, template: Template, values: Values, tags: Mapping[str, str], zones: Callable[[str], list[str]]
) -> list[Difference]:
    """The resources that would be added, changed or removed, in the order of the template."""
    states = {name: state for name, state in rows.states_of(ctx.tx, stack).items() if rows.exists(state)}
    active = active_resources(template, conditions_of(template, values, ctx.caller, stack.name, stack.id))
    fresh: set[str] = set()
    resolver = _resolver(ctx, stack, template, values, states, fresh, zones)
    found: dict[str, Difference] = {}
    for name in order(template):
        if name not in active:
            continue
        resource, state = template.resources[name], states.get(name)
        if state is None:
            found[name] = Difference("Add", name, "", resource.type, {})
            fresh.add(name)
            continue
        resolved = resolver.resolve(resource.properties)
        changed = _changed(state, resource.type, {} if resolved is NO_VALUE else resolved, tags)
        if changed:
            found[name] = Difference("Modify", name, state.document["PhysicalResourceId"], resource.type, changed)
            if any(changed.values()):
                fresh.add(name)
    listed = [found[name] for name in template.resources if name in found]
    gone = [state for name, state in states.items() if name not in active]
    return listed + [Difference("Remove", state.name, state.document["PhysicalResourceId"], state.document["ResourceType"], {}) for state in gone]


def _changed(state: Row, type_name: str, properties: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, bool]:
    resource_type = TABLE[type_name]
    old, tagged = state.document["_properties"], resource_type.tag_property if resource_type.tagging else ""
    replacing = {path.split(".")[0] for path in resource_type.needs_replacement(old, properties)}
    names = [name for name in {**old, **properties} if name != tagged and old.get(name) != properties.get(name)]
    changed = {name: name in replacing for name in names}
    if tagging.wanted(resource_type, properties, tags) != state.document["_tags"]:
        changed[tagged] = False
    return changed


def _resolver(
    ctx: Context, stack: Row, template: Template, values: Values, states: Mapping[str, Row], fresh: set[str], zones: Callable[[str], list[str]]
) -> Resolver:
    """What does not exist yet is known after it is made."""

    def ref(name: str) -> str:
        return LATER if name in fresh or name not in states else str(states[name].document["PhysicalResourceId"])

    def attribute(name: str, wanted: str) -> Any:
        if name in fresh or name not in states:
            return LATER
        try:
            return work.attribute(ctx, TABLE[states[name].document["ResourceType"]], rows.made_of(states[name]), wanted)
        except Fault:
            return LATER  # it was deleted behind the stack's back: the operation itself will say so

    parameters = {**pseudo_parameters(ctx.caller, stack.name, stack.id), **values.effective}
    return LenientResolver(
        Scope(
            parameters, template.mappings, template.conditions, ref, attribute, zones, lambda name: imported(ctx.tx, ctx.caller, name),
            lambda name: str(ctx.call("ssm:GetParameter", {"Name": name})["Parameter"]["Value"]),
        )
    )  # fmt: skip


def as_change(difference: Difference) -> dict[str, Any]:
    """As DescribeChangeSet shows it."""
    change: dict[str, Any] = {
        "Action": difference.action, "LogicalResourceId": difference.logical_id, "ResourceType": difference.type, "Scope": [], "Details": [],
    }  # fmt: skip
    if difference.physical_id:
        change["PhysicalResourceId"] = difference.physical_id
    if difference.action == "Modify":
        change["Replacement"] = "True" if difference.replaces else "False"
        tagged = TABLE[difference.type].tag_property
        change["Scope"] = sorted({"Tags" if name == tagged else "Properties" for name in difference.properties})
        change["Details"] = [
            {
                "Target": {"Attribute": "Tags"} if name == tagged else
                {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Always" if replaces else "Never"},
                "Evaluation": "Static", "ChangeSource": "DirectModification",
            }
            for name, replaces in difference.properties.items()
        ]  # fmt: skip
    return {"Type": "Resource", "ResourceChange": change}
