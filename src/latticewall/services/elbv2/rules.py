"""Rules of listeners ("Listener rules for your Application Load Balancer"): in the order of their priorities, the default rule last."""

from __future__ import annotations

from collections.abc import Sequence

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import actions, conditions, find, text, versions
from latticewall.services.elbv2.account import LIMITS
from latticewall.services.elbv2.nouns import LISTENER, RULE

LAST = 50_000


def create_rule(ctx: Context, params: Document) -> Document:
    """CreateRule."""
    listener = find.by_arn(ctx, LISTENER, params["ListenerArn"])
    balancer = find.owner_of(ctx, listener)
    _refuse_transforms(params)
    found = conditions.read(params["Conditions"])
    rules = [rule for other in ctx.live(LISTENER, parent=balancer.id) for rule in ctx.live(RULE, parent=other.id) if not rule.document["IsDefault"]]
    if len(rules) >= LIMITS["rules-per-application-load-balancer"]:
        raise text.too_many("TooManyRules", f"The limit of {len(rules)} rules per load balancer has been reached")
    _check_free(ctx, listener, {params["Priority"]: ""})
    done = actions.read(ctx, balancer, params["Actions"])
    versions.check(listener.document["Protocol"], done.groups)
    return {"Rules": [ctx.view(put(ctx, listener, done, priority=params["Priority"], conditions=found, given_tags=tags.read(params.get("Tags"))))]}


def put(
    ctx: Context, listener: Row, done: actions.Actions, *, priority: int = 0, conditions: Sequence[Document] = (), given_tags: dict[str, str] | None = None
) -> Row:
    """A new rule of the listener; without a priority its default rule."""
    document: Document = {"IsDefault": priority == 0, "_priority": priority, "Conditions": list(conditions), "Actions": done.documents}
    row = ctx.create(RULE, document, id=f"{listener.id}/{ctx.new_id(digits=16)}", parent=listener.id, tags=given_tags)
    _refer(ctx, row, done)
    return row


def _refer(ctx: Context, row: Row, done: actions.Actions) -> None:
    ctx.forget(row, "TargetGroups")
    for group in done.groups:
        ctx.refer(row, "TargetGroups", group.arn)


def act(ctx: Context, row: Row, done: actions.Actions, **more: list[Document]) -> Row:
    """The rule does this from now on."""
    _refer(ctx, row, done)
    return ctx.change(row, {"Actions": done.documents, **more})


def default_of(ctx: Context, listener: Row) -> Row:
    return next(rule for rule in ctx.live(RULE, parent=listener.id) if rule.document["IsDefault"])


def _check_free(ctx: Context, listener: Row, wanted: dict[int, str]) -> None:
    """wanted: priority -> the rule that shall have it, "" for a new one. Raises PriorityInUse."""
    moving = set(wanted.values())
    for rule in ctx.live(RULE, parent=listener.id):
        if rule.document["_priority"] in wanted and rule.id not in moving:
            raise text.refused("PriorityInUse", f"Priority '{rule.document['_priority']}' is currently in use")


def _refuse_transforms(params: Document) -> None:
    if params.get("Transforms") or params.get("ResetTransforms"):
        raise text.unsupported("Transforms", "Transforms are not supported yet")


def _own(ctx: Context, arn: str, verb: str) -> tuple[Row, Row]:
    """A rule that is not a default one, and its listener."""
    row = find.by_arn(ctx, RULE, arn)
    if row.document["IsDefault"]:
        raise text.refused("OperationNotPermitted", f"Default rule '{arn}' cannot be {verb}")
    listener = ctx.tx.get(LISTENER, row.parent)
    if listener is None:
        raise text.not_found(LISTENER, f"Listener '{row.parent}' not found")
    return row, listener


def modify_rule(ctx: Context, params: Document) -> Document:
    """ModifyRule: conditions and actions; what is not given stays."""
    row, listener = _own(ctx, params["RuleArn"], "modified")
    _refuse_transforms(params)
    changes = {"Conditions": conditions.read(params["Conditions"])} if params.get("Conditions") else {}
    if params.get("Actions"):
        done = actions.read(ctx, find.owner_of(ctx, listener), params["Actions"])
        versions.check(listener.document["Protocol"], done.groups)
        row = act(ctx, row, done, **changes)
    elif changes:
        row = ctx.change(row, changes)
    return {"Rules": [ctx.view(row)]}


def set_rule_priorities(ctx: Context, params: Document) -> Document:
    """SetRulePriorities: all at once, so that rules may change places."""
    for item in params["RulePriorities"]:
        if item.get("Priority") is None or not item.get("RuleArn"):
            raise text.invalid("RulePriorities", "Each of RulePriorities needs a RuleArn and a Priority")
    pairs = [(item["Priority"], *_own(ctx, item["RuleArn"], "given a priority")) for item in params["RulePriorities"]]
    for listener_id in {listener.id for _, _, listener in pairs}:
        mine = [(priority, row, listener) for priority, row, listener in pairs if listener.id == listener_id]
        wanted = {priority: row.id for priority, row, _ in mine}
        if len(wanted) < len(mine):
            raise text.refused("PriorityInUse", "A priority is named more than once")
        _check_free(ctx, mine[0][2], wanted)
    return {"Rules": [ctx.view(ctx.change(row, {"_priority": priority})) for priority, row, _ in pairs]}


def delete_rule(ctx: Context, params: Document) -> Document:
    """DeleteRule."""
    row, _ = _own(ctx, params["RuleArn"], "deleted")
    ctx.remove(row)
    return {}


def _chosen(ctx: Context, params: Document) -> list[Row]:
    if bool(params.get("ListenerArn")) == bool(params.get("RuleArns")):
        raise text.invalid("ListenerArn", "You must specify either a listener ARN or rule ARNs")
    if params.get("RuleArns"):
        return [find.by_arn(ctx, RULE, arn) for arn in params["RuleArns"]]
    rows = ctx.live(RULE, parent=find.by_arn(ctx, LISTENER, params["ListenerArn"]).id)
    return sorted(rows, key=lambda row: row.document["_priority"] or LAST + 1)


OPERATIONS = {
    "CreateRule": create_rule,
    "DescribeRules": find.described("Rules", _chosen),
    "ModifyRule": modify_rule,
    "SetRulePriorities": set_rule_priorities,
    "DeleteRule": delete_rule,
}
