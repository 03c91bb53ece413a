"""CreateStack, UpdateStack, DeleteStack and their like: they check everything that can be checked at once, and leave the work to the runner."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from latticewall.apimodel.catalog import Catalog
from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources import tags as tag_forms
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.cloudformation import graph, outcome, parameters, rows, rules, service_role, text
from latticewall.services.cloudformation.intrinsics import Resolver, Scope
from latticewall.services.cloudformation.kinds import STACK
from latticewall.services.cloudformation.parameters import Values
from latticewall.services.cloudformation.preflight import check_values
from latticewall.services.cloudformation.preview import differences
from latticewall.services.cloudformation.scope import active_resources, conditions_of, exports, importers, pseudo_parameters
from latticewall.services.cloudformation.template import Template, parse, walk
from latticewall.services.cloudformation.template_body import template_body

NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}\Z")
NOT_THERE = (
    "NotificationARNs", "StackPolicyBody", "StackPolicyURL", "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "ResourceTypes",
    "RetainExceptOnCreate", "ResourcesToImport", "ImportExistingResources", "DeploymentMode", "ResourcesToSkip",
)  # fmt: skip
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "CREATE_FAILED")
DELETABLE_WHILE = ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")
MOST_TAGS = 50


@dataclass(frozen=True)
class Prepared:
    """A template with values that passed every check."""

    body: str
    template: Template
    values: Values
    tags: dict[str, str]
    imports: list[str]
    capabilities: list[str]
    worker: dict[str, Any]

    def members(self) -> dict[str, Any]:
        """Of a stack's document, for the operation that begins."""
        return {
            "_template": self.body, "_values": asdict(self.values), "_imports": self.imports, **self.worker,
            "Parameters": parameters.shown(self.template, self.values), "Capabilities": self.capabilities,
        }  # fmt: skip


# -- finding -------------------------------------------------------------------------------------------------------------------------------


def find_stack(ctx: Context, name: str, *, deleted: bool = False) -> Row:
    """The stack with that name or id. deleted: also one that is gone, by its id. Raises ValidationError."""
    if name.startswith("arn:"):
        row = ctx.tx.get(STACK, name)
        mine = row is not None and (row.account, row.region) == (ctx.caller.account, ctx.caller.region)
        if row is not None and mine and (deleted or row.status != "deleted"):
            return row
    else:
        found = ctx.live(STACK, name=name)
        if found:
            return found[0]
    raise text.no_stack(name)


def zones_of(ctx: Context) -> Callable[[str], list[str]]:
    """Fn::GetAZs while a request is checked: of the caller's own region; of another one, what the operation itself will find."""

    def zones(region: str) -> list[str]:
        if region != ctx.caller.region:
            return [f"{region}{letter}" for letter in "abc"]
        return sorted(zone["ZoneName"] for zone in ctx.call("ec2:DescribeAvailabilityZones", {})["AvailabilityZones"])

    return zones


# -- checking ------------------------------------------------------------------------------------------------------------------------------


def refuse_options(params: Document) -> None:
    """What would change behaviour and is not there yet is refused by name."""
    for name in NOT_THERE:
        if params.get(name):
            raise text.invalid(f"{name} is not supported by latticewall yet")
    deployment = params.get("DeploymentConfig") or {}
    if (deployment.get("Mode") or "STANDARD") != "STANDARD" or deployment.get("DisableRollback"):  # CDK always names the mode
        raise text.invalid("DeploymentConfig is not supported by latticewall yet, other than the mode STANDARD")
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise text.invalid("RollbackConfiguration.RollbackTriggers is not supported by latticewall yet")


def catalog_of(ctx: Context) -> Catalog:
    catalog: Catalog = ctx.ports["catalog"]
    return catalog


def read_template(ctx: Context, body: str) -> Template:
    """A template that is right in itself. Raises ValidationError."""
    if not body:
        raise text.invalid("Either Template URL or Template Body must be specified.")
    template = parse(body)
    graph.check(template, catalog_of(ctx))
    parameters.check_declarations(template)
    rules.check_form(template)
    return template


def prepare(ctx: Context, params: Document, stack: Row | None, name: str, stack_id: str, body: str = "") -> Prepared:
    """The template and values of a request, fully checked; previous ones from `stack`. body: the template when it has been read already."""
    refuse_options(params)
    body = body or _given_body(ctx, params, stack)
    template = read_template(ctx, body)
    known = rows.values_of(stack).given if stack and "_values" in stack.document else {}
    values = parameters.evaluate(template, params.get("Parameters") or (), known, _fetcher(ctx), lambda kind, id_: ctx.find(kind, id_) is not None)
    given = list(params.get("Capabilities") or ())
    graph.check_capabilities(template, given)
    effective = {**pseudo_parameters(ctx.caller, name, stack_id), **values.effective}
    rules.enforce(template, effective)
    conditions = conditions_of(template, values, ctx.caller, name, stack_id)
    check_values(template, effective, active_resources(template, conditions), conditions, zones_of(ctx))
    tags = tag_forms.read(params.get("Tags")) if params.get("Tags") is not None or stack is None else dict(stack.tags)
    if len(tags) > MOST_TAGS:
        raise text.invalid(f"At most {MOST_TAGS} tags are allowed on a stack")
    return Prepared(body, template, values, tags, _imports(ctx, template, values, name, stack_id), given, service_role.worker(ctx, params, stack))


def _given_body(ctx: Context, params: Document, stack: Row | None) -> str:
    body = template_body(ctx, params)
    if not params.get("UsePreviousTemplate"):
        return body
    if body:
        raise text.invalid("UsePreviousTemplate and TemplateBody or TemplateURL are mutually exclusive")
    if stack is None:
        raise text.invalid("UsePreviousTemplate needs a stack that has a template")
    return str(stack.document["_template"])


def _fetcher(ctx: Context) -> Callable[[str], str]:
    def fetch(name: str) -> str:
        try:
            return str(ctx.call("ssm:GetParameter", {"Name": name})["Parameter"]["Value"])
        except Fault:
            raise text.invalid(f"Unable to fetch parameters {text.bracketed([name])} from parameter store for this account.") from None

    return fetch


def _imports(ctx: Context, template: Template, values: Values, name: str, stack_id: str) -> list[str]:
    """The names of all exports that the template refers to; their arguments may use parameters only."""
    resolver = Resolver(Scope({**pseudo_parameters(ctx.caller, name, stack_id), **values.effective}, template.mappings, template.conditions))
    found: list[str] = []

    def visit(function: str, argument: Any) -> None:
        if function == "Fn::ImportValue":
            found.append(str(resolver.resolve(argument)))

    conditions = conditions_of(template, values, ctx.caller, name, stack_id)
    for logical_id in active_resources(template, conditions):
        walk(template.resources[logical_id].properties, visit)
    walk([dict(output) for output in template.outputs.values()], visit)
    return sorted(set(found))


def on_failure(params: Document) -> str:
    if params.get("OnFailure") and params.get("DisableRollback") is not None:
        raise text.invalid("OnFailure and DisableRollback cannot both be specified")
    return str(params.get("OnFailure") or params.get("OnStackFailure") or ("DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK"))


# -- operations ----------------------------------------------------------------------------------------------------------------------------


def new_stack(ctx: Context, name: str) -> Row:
    """A stack that is not stored yet. Raises AlreadyExistsException."""
    if not NAME.match(name):
        message = f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
        raise text.invalid(message + "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
    if ctx.live(STACK, name=name):
        raise text.exists(name)
    arn = f"arn:aws:cloudformation:{ctx.caller.region}:{ctx.caller.account}:stack/{name}/{ctx.new_uuid()}"
    document = {
        "CreationTime": ctx.now, "RollbackConfiguration": {}, "DisableRollback": False, "NotificationARNs": [], "EnableTerminationProtection": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}, "_generation": 0,
    }  # fmt: skip
    return Row(STACK, ctx.caller.account, ctx.caller.region, arn, arn=arn, name=name, document=document)


def start_creation(ctx: Context, stack: Row, prepared: Prepared, failing: str, **members: Any) -> Row:
    stack = replace(stack, tags=prepared.tags)
    return rows.put_stack(
        ctx.tx, stack, "CREATE_IN_PROGRESS", "User Initiated", **prepared.members(), _on_failure=failing, _generation=1, _started=ctx.now,
        Description=prepared.template.description or None, DisableRollback=failing == "DO_NOTHING", **members,
    )  # fmt: skip


def create_stack(ctx: Context, params: Document) -> Document:
    """CreateStack."""
    stack = new_stack(ctx, params["StackName"])
    rows.forget_old(ctx.tx, ctx.caller.account, ctx.caller.region)
    prepared = prepare(ctx, params, None, stack.name, stack.id)
    members = {
        "TimeoutInMinutes": params.get("TimeoutInMinutes"), "EnableTerminationProtection": bool(params.get("EnableTerminationProtection")),
        "_token": params.get("ClientRequestToken"),
    }  # fmt: skip
    start_creation(ctx, stack, prepared, on_failure(params), **members)
    return {"StackId": stack.id}


def start_update(ctx: Context, stack: Row, prepared: Prepared, *, keep_going: bool, token: str | None, **members: Any) -> Row:
    """Begin an update; what is there now is noted for the way back."""
    noted = ("_template", "_values", "_imports", "Parameters")
    previous = stack.document.get("_previous") or {**{name: stack.document[name] for name in noted}, "tags": dict(stack.tags)}
    rows.prune_events(ctx.tx, stack)
    return rows.put_stack(
        ctx.tx, replace(stack, tags=prepared.tags), "UPDATE_IN_PROGRESS", "User Initiated", **prepared.members(), _previous=previous,
        _on_failure="DO_NOTHING" if keep_going else "ROLLBACK", _generation=int(stack.document["_generation"]) + 1, LastUpdatedTime=ctx.now,
        _token=token, **members,
    )  # fmt: skip


def changes_of(ctx: Context, stack: Row, prepared: Prepared) -> tuple[list[Any], bool]:
    """The differences of resources, and whether there is anything at all to do."""
    found = differences(ctx, stack, prepared.template, prepared.values, prepared.tags, zones_of(ctx))
    old = rows.template_of(stack)
    wanted = outputs_differ(old, prepared.template) or _values_differ(stack, prepared) or dict(stack.tags) != prepared.tags
    return found, bool(found) or wanted or rows.status_of(stack) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def outputs_differ(old: Template, new: Template) -> bool:
    return dict(old.outputs) != dict(new.outputs)


def _values_differ(stack: Row, prepared: Prepared) -> bool:
    """Whether a parameter that the outputs use has another value; what resources use shows in them."""
    used = graph.references([dict(output) for output in prepared.template.outputs.values()]).names
    before = rows.values_of(stack).effective
    return any(before.get(name) != value for name, value in prepared.values.effective.items() if name in used)


def update_stack(ctx: Context, params: Document) -> Document:
    """UpdateStack."""
    stack = find_stack(ctx, params["StackName"])
    status = rows.status_of(stack)
    if status not in UPDATABLE:
        raise text.wrong_state(stack.id, status, "updated")
    prepared = prepare(ctx, params, stack, stack.name, stack.id)
    if not changes_of(ctx, stack, prepared)[1]:
        raise text.invalid(text.NO_UPDATES)
    start_update(ctx, stack, prepared, keep_going=bool(params.get("DisableRollback")), token=params.get("ClientRequestToken"))
    return {"StackId": stack.id}


def delete_stack(ctx: Context, params: Document) -> Document:
    """DeleteStack: a stack that is not there is deleted already."""
    if params.get("DeletionMode") == "FORCE_DELETE_STACK":
        raise text.invalid("DeletionMode is not supported by latticewall yet")
    try:
        stack = find_stack(ctx, params["StackName"])
    except Fault:
        return {}
    status = rows.status_of(stack)
    if stack.document["EnableTerminationProtection"]:
        raise text.invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if status.endswith("_IN_PROGRESS") and status not in DELETABLE_WHILE:
        raise text.invalid(f"Stack [{stack.name}] cannot be deleted while in status {status}")
    if params.get("RetainResources") and status != "DELETE_FAILED":
        raise text.invalid(f"Invalid operation on stack [{stack.id}]. RetainResources can only be specified for a stack that is in DELETE_FAILED state")
    for name, (_, owner) in exports(ctx.tx, ctx.caller).items():
        users = [user for user in importers(ctx.tx, ctx.caller, name) if user.id != stack.id] if owner == stack.id else []
        if users:
            raise text.invalid(f"Delete canceled. Cannot delete export {name} as it is in use by {users[0].name}.")
    if status == "DELETE_IN_PROGRESS":
        return {}
    for state in rows.states_of(ctx.tx, stack).values():
        if state.document["ResourceStatus"] == "DELETE_FAILED":  # to be tried again
            ctx.tx.put(replace(state, document={**state.document, "ResourceStatus": "DELETE_IN_PROGRESS"}))
    rows.prune_events(ctx.tx, stack)
    members: dict[str, Any] = {**service_role.worker(ctx, params, stack), "_retain": params.get("RetainResources") or None}
    generation = int(stack.document["_generation"]) + 1
    rows.put_stack(ctx.tx, stack, "DELETE_IN_PROGRESS", "User Initiated", **members, _generation=generation, _token=params.get("ClientRequestToken"))
    return {}


def cancel_update(ctx: Context, params: Document) -> Document:
    """CancelUpdateStack."""
    stack = find_stack(ctx, params["StackName"])
    if rows.status_of(stack) != "UPDATE_IN_PROGRESS":
        raise text.invalid("CancelUpdateStack cannot be called from current stack status")
    outcome.turn_round(ctx.tx, stack, "", "", "User Initiated")
    return {}


def continue_rollback(ctx: Context, params: Document) -> Document:
    """ContinueUpdateRollback."""
    refuse_options(params)
    stack = find_stack(ctx, params["StackName"])
    status = rows.status_of(stack)
    if status not in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        raise text.invalid(f"Stack [{stack.name}] is in {status} state and can not continue rollback")
    worker = service_role.worker(ctx, params, stack) if params.get("RoleARN") else {}
    outcome.go_back(ctx.tx, replace(stack, document={**stack.document, **worker}), "User Initiated")
    return {}


def set_termination_protection(ctx: Context, params: Document) -> Document:
    """UpdateTerminationProtection."""
    stack = find_stack(ctx, params["StackName"])
    ctx.change(stack, {"EnableTerminationProtection": bool(params["EnableTerminationProtection"])})
    return {"StackId": stack.id}


OPERATIONS: Mapping[str, Callable[[Context, Document], Document]] = {
    "CreateStack": create_stack,
    "UpdateStack": update_stack,
    "DeleteStack": delete_stack,
    "CancelUpdateStack": cancel_update,
    "ContinueUpdateRollback": continue_rollback,
    "UpdateTerminationProtection": set_termination_protection,
}
