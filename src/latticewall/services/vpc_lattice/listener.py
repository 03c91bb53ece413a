"""Listeners and their rules ("Listeners for your VPC Lattice service", "TLS listeners", "Listener rules for your VPC Lattice service")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from latticewall.base.faults import Fault, NotFound
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import actions, quotas, text
from latticewall.services.vpc_lattice.actions import TLS_PASSTHROUGH, Action
from latticewall.services.vpc_lattice.find import listener_of, relink, usable
from latticewall.services.vpc_lattice.nouns import LISTENER, RULE, SERVICE

DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443, TLS_PASSTHROUGH: 443}
DEFAULT_RULE = "Default"
"""The default rule's name: no name that a client may choose has capitals."""


def create_listener(ctx: Context, params: Document) -> Document:
    """CreateListener; its default rule exists at once."""
    service = usable(ctx, SERVICE, params["serviceIdentifier"])
    protocol = params["protocol"]
    if protocol == TLS_PASSTHROUGH and not service.document.get("customDomainName"):
        raise text.invalid("protocol", f"A {TLS_PASSTHROUGH} listener needs a custom domain name, which service {service.id} does not have")
    port = params.get("port") or DEFAULT_PORTS[protocol]
    others = ctx.live(LISTENER, parent=service.id)
    for other in others:
        if other.document["port"] == port:
            raise text.conflict(LISTENER, other.id, f"A listener on port {port} already exists in service {service.id}: {other.id}")
    quotas.check(ctx, LISTENER, len(others) + 1, service.id)
    action = actions.read(ctx, service.id, protocol, params["defaultAction"], "defaultAction")
    document = {
        "protocol": protocol, "port": port, "serviceId": service.id, "serviceArn": service.arn, "defaultAction": action.document,
    }  # fmt: skip
    listener = ctx.create(LISTENER, document, name=params["name"], parent=service.id, tags=tags.read(params.get("tags")))
    _put_rule(ctx, listener, DEFAULT_RULE, {"isDefault": True}, action, {})
    return ctx.view(listener)


def get_listener(ctx: Context, params: Document) -> Document:
    """GetListener."""
    return ctx.view(listener_of(ctx, params))


def update_listener(ctx: Context, params: Document) -> Document:
    """UpdateListener: the default action, which is the default rule's."""
    listener = listener_of(ctx, params)
    action = actions.read(ctx, listener.parent, listener.document["protocol"], params["defaultAction"], "defaultAction")
    default = next(rule for rule in _rules(ctx, listener) if rule.document["isDefault"])
    relink(ctx, ctx.change(default, {"action": action.document}), "targetGroups", action.target_groups)
    return ctx.view(ctx.change(listener, {"defaultAction": action.document}))


def delete_listener(ctx: Context, params: Document) -> Document:
    """DeleteListener: its rules go with it."""
    ctx.remove(listener_of(ctx, params))
    return {}


# -- rules -------------------------------------------------------------------------------------------------------------------------------------


def create_rule(ctx: Context, params: Document) -> Document:
    """CreateRule."""
    listener = listener_of(ctx, params)
    if listener.document["protocol"] == TLS_PASSTHROUGH:
        raise text.invalid("listenerIdentifier", f"{TLS_PASSTHROUGH} listeners have only a default rule")
    others = _rules(ctx, listener)
    quotas.check(ctx, RULE, len(others), listener.id)  # the default rule does not count
    _check_priorities(listener, others, {"": params["priority"]})
    action = actions.read(ctx, listener.parent, listener.document["protocol"], params["action"], "action")
    members = {"isDefault": False, "match": actions.check_match(params["match"]), "priority": params["priority"]}
    return ctx.view(_put_rule(ctx, listener, params["name"], members, action, tags.read(params.get("tags"))))


def get_rule(ctx: Context, params: Document) -> Document:
    """GetRule."""
    return ctx.view(_rule(ctx, listener_of(ctx, params), params["ruleIdentifier"]))


def list_rules(ctx: Context, params: Document) -> Document:
    """ListRules: the default rule is one of them."""
    return {"items": [ctx.view(rule) for rule in _rules(ctx, listener_of(ctx, params))]}


def update_rule(ctx: Context, params: Document) -> Document:
    """UpdateRule: what is given changes, the rest stays."""
    listener = listener_of(ctx, params)
    rule = _changeable(ctx, listener, params["ruleIdentifier"])
    members, action = _changes(ctx, listener, params)
    if "priority" in members:
        _check_priorities(listener, _rules(ctx, listener), {rule.id: members["priority"]})
    return ctx.view(_change_rule(ctx, rule, members, action))


def batch_update_rule(ctx: Context, params: Document) -> Document:
    """BatchUpdateRule: priorities must be unique when all is done, so that two rules can swap theirs. Rules that cannot be changed are reported."""
    listener = listener_of(ctx, params)
    accepted: list[tuple[Row, Document, Action | None]] = []
    unsuccessful = []
    for item in params["rules"]:
        try:
            rule = _changeable(ctx, listener, item["ruleIdentifier"])
            used = [group for _, _, action in accepted if action for group in action.target_groups]
            accepted.append((rule, *_changes(ctx, listener, item, used)))
        except Fault as fault:
            code = "RuleNotFound" if isinstance(fault, NotFound) and fault.kind == RULE else "InvalidRule"
            unsuccessful.append({"ruleIdentifier": item["ruleIdentifier"], "failureCode": code, "failureMessage": fault.message})
    if len({rule.id for rule, _, _ in accepted}) != len(accepted):
        raise text.invalid("rules", "A rule is named more than once")
    _check_priorities(listener, _rules(ctx, listener), {rule.id: members["priority"] for rule, members, _ in accepted if "priority" in members})
    return {"successful": [ctx.view(_change_rule(ctx, *change)) for change in accepted], "unsuccessful": unsuccessful}


def delete_rule(ctx: Context, params: Document) -> Document:
    """DeleteRule: any but the default rule."""
    ctx.remove(_changeable(ctx, listener_of(ctx, params), params["ruleIdentifier"]))
    return {}


def _rules(ctx: Context, listener: Row) -> list[Row]:
    return ctx.live(RULE, parent=listener.id)


def _rule(ctx: Context, listener: Row, identifier: str) -> Row:
    rule = ctx.find(RULE, identifier)
    if rule is None or rule.parent != listener.id:
        raise text.not_found(RULE, identifier)
    return rule


def _changeable(ctx: Context, listener: Row, identifier: str) -> Row:
    rule = _rule(ctx, listener, identifier)
    if rule.document["isDefault"]:
        raise text.conflict(RULE, rule.id, "The default rule cannot be updated or deleted; its action is the listener's default action")
    return rule


def _check_priorities(listener: Row, rules: list[Row], changed: Mapping[str, int]) -> None:
    """Every priority at most once, with these changes made (rule id -> priority; "" = a new rule)."""
    holders = {rule.document["priority"]: rule.id for rule in rules if not rule.document["isDefault"] and rule.id not in changed}
    for rule_id, priority in changed.items():
        if priority in holders:
            holder = holders[priority]
            raise text.conflict(RULE, holder, f"A rule with priority {priority} already exists in listener {listener.id}: {holder}")
        holders[priority] = rule_id


def _changes(ctx: Context, listener: Row, given: Mapping[str, Any], used: Sequence[str] = ()) -> tuple[Document, Action | None]:
    """The members that an update gives, checked. used: target groups that other changes of the same request forward to."""
    members: Document = {}
    if given.get("match"):
        members["match"] = actions.check_match(given["match"])
    if given.get("priority") is not None:
        members["priority"] = given["priority"]
    if not given.get("action"):
        return members, None
    return members, actions.read(ctx, listener.parent, listener.document["protocol"], given["action"], "action", used)


def _change_rule(ctx: Context, rule: Row, members: Document, action: Action | None) -> Row:
    changed = ctx.change(rule, members | ({"action": action.document} if action else {}))
    if action:
        relink(ctx, changed, "targetGroups", action.target_groups)
    return changed


def _put_rule(ctx: Context, listener: Row, name: str, members: Document, action: Action, tags_given: Mapping[str, str]) -> Row:
    document = {**members, "action": action.document, "_serviceId": listener.parent}
    rule = ctx.create(RULE, document, name=name, parent=listener.id, tags=tags_given)
    relink(ctx, rule, "targetGroups", action.target_groups)
    return ctx.tx.put(replace(rule, arn=f"{listener.arn}/rule/{rule.id}"))
