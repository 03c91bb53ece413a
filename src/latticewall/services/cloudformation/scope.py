"""What a stack's functions may refer to, read out of the transaction: its parameters and resources, zones, exports, parameters in store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from latticewall.base.caller import Caller
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.services.cloudformation import text, work
from latticewall.services.cloudformation.intrinsics import Resolver, Scope
from latticewall.services.cloudformation.kinds import STACK
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.resource_types import TABLE
from latticewall.services.cloudformation.rows import made_of, status_of
from latticewall.services.cloudformation.template import Template
from latticewall.store import Snapshot

NO_NOTIFICATIONS: list[str] = []


def pseudo_parameters(caller: Caller, stack_name: str, stack_id: str) -> dict[str, Any]:
    """The pseudo parameters but AWS::NoValue."""
    return {
        "AWS::AccountId": caller.account, "AWS::Region": caller.region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack_name, "AWS::StackId": stack_id, "AWS::NotificationARNs": NO_NOTIFICATIONS,
    }  # fmt: skip


def conditions_of(template: Template, values: Values, caller: Caller, stack_name: str, stack_id: str) -> dict[str, bool]:
    """All conditions of the template, evaluated: they know parameters only."""
    parameters = {**pseudo_parameters(caller, stack_name, stack_id), **values.effective}
    resolver = Resolver(Scope(parameters, template.mappings, template.conditions))
    return {name: resolver.condition(name) for name in template.conditions}


def active_resources(template: Template, conditions: Mapping[str, bool]) -> list[str]:
    """The logical ids whose condition holds."""
    return [name for name, resource in template.resources.items() if not resource.condition or conditions[resource.condition]]


def resolver_for(
    ctx: Context, template: Template, values: Values, stack: Row, states: Mapping[str, Row], zones: Callable[[str], list[str]]
) -> Resolver:
    """A resolver for the values of a stack as it is in this transaction. states: its resources that are right by now."""

    def state_of(name: str) -> Row:
        if name not in states:
            raise text.format_error(f"Unresolved resource dependencies [{name}] in the Resources block of the template")
        return states[name]

    def ref(name: str) -> str:
        return str(state_of(name).document["PhysicalResourceId"])

    def attribute(name: str, wanted: str) -> Any:
        state = state_of(name)
        resource_type = TABLE[state.document["ResourceType"]]
        if wanted not in resource_type.attributes:
            raise text.template_error(f"resource {name} does not support attribute type {wanted} in Fn::GetAtt")
        return work.attribute(ctx, resource_type, made_of(state), wanted)

    return Resolver(
        Scope(
            parameters={**pseudo_parameters(ctx.caller, stack.name, stack.id), **values.effective}, mappings=template.mappings,
            conditions=template.conditions, ref=ref, attribute=attribute, zones=zones, imported=lambda name: imported(ctx.tx, ctx.caller, name),
            parameter_store=lambda name: str(ctx.call("ssm:GetParameter", {"Name": name})["Parameter"]["Value"]),
        )
    )  # fmt: skip


def exports(snapshot: Snapshot, caller: Caller) -> dict[str, tuple[str, str]]:
    """Export name -> (value, exporting stack's id) of the caller's account and region."""
    found = {}
    for stack in snapshot.rows(STACK, account=caller.account, region=caller.region):
        if stack.status != "deleted":
            for output in stack.document.get("Outputs") or ():
                if "ExportName" in output:
                    found[output["ExportName"]] = (output["OutputValue"], stack.id)
    return found


def imported(snapshot: Snapshot, caller: Caller, name: str) -> str:
    found = exports(snapshot, caller).get(name)
    if found is None:
        raise text.invalid(f"No export named {name} found.")
    return found[0]


def importers(snapshot: Snapshot, caller: Caller, name: str) -> list[Row]:
    """The stacks that use an export; one whose creation was rolled back has nothing left that could."""
    stacks = snapshot.rows(STACK, account=caller.account, region=caller.region)
    return [stack for stack in stacks if stack.status != "deleted" and status_of(stack) != "ROLLBACK_COMPLETE" and name in stack.document.get("_imports", ())]
