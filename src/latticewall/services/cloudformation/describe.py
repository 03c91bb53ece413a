"""What can be asked about stacks, templates and exports."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.cloudformation import graph, parameters, rows, text
from latticewall.services.cloudformation.kinds import CHANGE_SET, EVENT, RESOURCE, STACK
from latticewall.services.cloudformation.scope import exports, importers
from latticewall.services.cloudformation.stacks import find_stack, read_template, refuse_options
from latticewall.services.cloudformation.template import Template
from latticewall.services.cloudformation.template_body import template_body

DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


def describe_stacks(ctx: Context, params: Document) -> Document:
    """DescribeStacks: a stack that was deleted is found by its id only."""
    found = [find_stack(ctx, params["StackName"], deleted=True)] if params.get("StackName") else ctx.live(STACK)[::-1]
    return {"Stacks": [ctx.view(stack) for stack in found]}


def list_stacks(ctx: Context, params: Document) -> Document:
    """ListStacks: deleted ones too."""
    wanted = params.get("StackStatusFilter") or ()
    listed = []
    for stack in ctx.rows(STACK)[::-1]:
        if not wanted or rows.status_of(stack) in wanted:
            shown = ctx.view(stack)
            listed.append({**shown, **({"TemplateDescription": shown["Description"]} if shown.get("Description") else {})})
    return {"StackSummaries": listed}


def describe_stack_events(ctx: Context, params: Document) -> Document:
    """DescribeStackEvents: the newest first."""
    if not params.get("StackName"):
        raise text.invalid("1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")
    stack = find_stack(ctx, params["StackName"], deleted=True)
    return {"StackEvents": [ctx.view(event) for event in reversed(rows.in_order(ctx.rows(EVENT, parent=stack.id)))]}


# -- resources -----------------------------------------------------------------------------------------------------------------------------


def _shown(stack: Row, state: Row) -> Document:
    document = {key: value for key, value in state.document.items() if not key.startswith("_")}
    return {**document, "LastUpdatedTimestamp": document["Timestamp"], "StackName": stack.name, "StackId": stack.id, "DriftInformation": DRIFT}


def _listed(ctx: Context, stack: Row) -> list[Document]:
    return [_shown(stack, state) for state in sorted(ctx.rows(RESOURCE, parent=stack.id), key=lambda row: row.name) if state.document["ResourceStatus"]]


def describe_stack_resource(ctx: Context, params: Document) -> Document:
    """DescribeStackResource."""
    stack = find_stack(ctx, params["StackName"], deleted=True)
    for shown in _listed(ctx, stack):
        if shown["LogicalResourceId"] == params["LogicalResourceId"]:
            return {"StackResourceDetail": {**shown, "Metadata": _metadata(stack, params["LogicalResourceId"])}}
    raise text.invalid(f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}")


def _metadata(stack: Row, logical_id: str) -> str:
    resource = rows.template_of(stack).resources.get(logical_id)
    return json.dumps(resource.metadata) if resource else "{}"


def describe_stack_resources(ctx: Context, params: Document) -> Document:
    """DescribeStackResources, of a stack or of the stack that has a physical id."""
    physical = params.get("PhysicalResourceId")
    if bool(params.get("StackName")) == bool(physical):
        raise text.invalid("Exactly one of StackName and PhysicalResourceId must be specified")
    if physical:
        owner = next((row for row in ctx.rows(RESOURCE) if row.document.get("PhysicalResourceId") == physical and rows.exists(row)), None)
        if owner is None:
            raise text.invalid(f"Stack for {physical} does not exist")
        stack = find_stack(ctx, owner.parent)
    else:
        stack = find_stack(ctx, params["StackName"], deleted=True)
    wanted = params.get("LogicalResourceId")
    return {"StackResources": [shown for shown in _listed(ctx, stack) if wanted in (None, shown["LogicalResourceId"])]}


def list_stack_resources(ctx: Context, params: Document) -> Document:
    """ListStackResources."""
    return {"StackResourceSummaries": _listed(ctx, find_stack(ctx, params["StackName"], deleted=True))}


# -- templates -----------------------------------------------------------------------------------------------------------------------------


def get_template(ctx: Context, params: Document) -> Document:
    """GetTemplate, of a stack or of a change set; as it was given."""
    if params.get("ChangeSetName"):
        found = ctx.call("cloudformation:DescribeChangeSet", {key: params[key] for key in ("ChangeSetName", "StackName") if params.get(key)})
        row = ctx.resolve(CHANGE_SET, found["ChangeSetId"])
    else:
        if not params.get("StackName"):
            raise text.invalid("StackName or ChangeSetName must be specified")
        row = find_stack(ctx, params["StackName"], deleted=True)
    if "_template" not in row.document:
        return {"StagesAvailable": []}  # under review: CDK takes what is not there for an empty template
    return {"TemplateBody": row.document["_template"], "StagesAvailable": ["Original", "Processed"]}


def _acknowledgements(template: Template) -> Document:
    names, types = graph.capabilities(template)
    reason = f"The following resource(s) require capabilities: {text.bracketed(types)}"
    return {"Capabilities": names, **({"CapabilitiesReason": reason} if names else {})}


def validate_template(ctx: Context, params: Document) -> Document:
    """ValidateTemplate."""
    refuse_options(params)
    template = read_template(ctx, template_body(ctx, params))
    return {"Description": template.description, "Parameters": parameters.declarations(template), **_acknowledgements(template)}


def get_template_summary(ctx: Context, params: Document) -> Document:
    """GetTemplateSummary, of a template or of a stack."""
    refuse_options(params)
    name = params.get("StackName")
    template = read_template(ctx, str(find_stack(ctx, name).document.get("_template", "")) if name else template_body(ctx, params))
    types = [resource.type for resource in template.resources.values()]
    summary: dict[str, Any] = {
        "Parameters": parameters.declarations(template), "Description": template.description, "ResourceTypes": list(dict.fromkeys(types)),
        "Version": "2010-09-09", "DeclaredTransforms": list(template.transforms), **_acknowledgements(template),
    }  # fmt: skip
    return summary


# -- exports -------------------------------------------------------------------------------------------------------------------------------


def list_exports(ctx: Context, params: Document) -> Document:  # noqa: ARG001 - the signature of a handler
    """ListExports."""
    found = exports(ctx.tx, ctx.caller)
    return {"Exports": [{"Name": name, "Value": value, "ExportingStackId": owner} for name, (value, owner) in sorted(found.items())]}


def list_imports(ctx: Context, params: Document) -> Document:
    """ListImports: the stacks that use an export."""
    name = params["ExportName"]
    if name not in exports(ctx.tx, ctx.caller):
        raise text.invalid(f"Export '{name}' does not exist.")
    users = [stack.name for stack in importers(ctx.tx, ctx.caller, name)]
    if not users:
        raise text.invalid(f"Export '{name}' is not imported by any stack.")
    return {"Imports": users}


OPERATIONS: Mapping[str, Callable[[Context, Document], Document]] = {
    "DescribeStacks": describe_stacks,
    "ListStacks": list_stacks,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResource": describe_stack_resource,
    "DescribeStackResources": describe_stack_resources,
    "ListStackResources": list_stack_resources,
    "GetTemplate": get_template,
    "ValidateTemplate": validate_template,
    "GetTemplateSummary": get_template_summary,
    "ListExports": list_exports,
    "ListImports": list_imports,
}
