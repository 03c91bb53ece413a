"""Firewall policies ("Firewall policy settings in AWS Network Firewall")."""

from __future__ import annotations

from typing import Any

from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.network_firewall import objects, sharing, text
from latticewall.services.network_firewall.rule_groups import check_policy

KIND = "network-firewall:FirewallPolicy"
MOST_GROUPS, MOST_CAPACITY = 20, 30_000


def rule_order(body: dict[str, Any]) -> str:
    return str((body.get("StatefulEngineOptions") or body.get("StatefulRuleOptions") or {}).get("RuleOrder") or "DEFAULT_ACTION_ORDER")


def _groups(ctx: Context, body: Document, member: str, group_type: str) -> list[Row]:
    """The rule groups a policy refers to, of the right type and known."""
    found = []
    for position, reference in enumerate(body.get(member) or ()):
        row = sharing.usable(ctx, "network-firewall:RuleGroup", reference["ResourceArn"])
        if row is None or row.document["Type"] != group_type:
            raise text.invalid("rule group does not exist or has the wrong type", reference["ResourceArn"], f"{member}[{position}].ResourceArn")
        found.append(row)
    if len(found) > MOST_GROUPS:
        raise text.invalid(f"at most {MOST_GROUPS} rule groups are allowed", len(found), member)
    return found


def _check_references(body: Document) -> None:
    strict = rule_order(body) == "STRICT_ORDER"
    for member, needs_priority in (("StatelessRuleGroupReferences", True), ("StatefulRuleGroupReferences", strict)):
        seen: set[int] = set()
        arns: set[str] = set()
        for position, reference in enumerate(body.get(member) or ()):
            priority, context = reference.get("Priority"), f"{member}[{position}]"
            if reference["ResourceArn"] in arns:
                raise text.invalid("rule group is referenced more than once", reference["ResourceArn"], context)
            arns.add(reference["ResourceArn"])
            if needs_priority and priority is None:
                raise text.invalid("Priority must be provided", "null", f"{context}[Priority=null]")
            if not needs_priority and priority is not None:
                raise text.invalid("Priority cannot be provided", priority, f"{context}[Priority={priority}]")
            if priority in seen:
                raise text.invalid("Priority must be unique", priority, f"{context}[Priority={priority}]")
            if priority is not None:
                seen.add(priority)
    if body.get("StatefulDefaultActions") and not strict:
        raise text.invalid("stateful default actions need STRICT_ORDER", body["StatefulDefaultActions"][0], "StatefulDefaultActions")


def _check(ctx: Context, body: Document, arn: str) -> Document:
    """Validate a policy; returns what it consumes."""
    for member in ("TLSInspectionConfigurationArn", "EnableTLSSessionHolding"):
        if body.get(member):
            raise text.invalid("TLS inspection is not supported by latticewall", body[member], member)
    _check_references(body)
    stateful = _groups(ctx, body, "StatefulRuleGroupReferences", "STATEFUL")
    stateless = _groups(ctx, body, "StatelessRuleGroupReferences", "STATELESS")
    for position, row in enumerate(stateful):
        group_order = str((row.document["_rule_group"].get("StatefulRuleOptions") or {}).get("RuleOrder") or "DEFAULT_ACTION_ORDER")
        if group_order != rule_order(body):
            raise text.invalid(f"rule order must be {rule_order(body)} as the policy's", group_order, f"StatefulRuleGroupReferences[{position}]")
    consumed = {}
    for member, rows in (("ConsumedStatefulRuleCapacity", stateful), ("ConsumedStatelessRuleCapacity", stateless)):
        consumed[member] = sum(row.document["Capacity"] for row in rows)
        if consumed[member] > MOST_CAPACITY:
            raise text.invalid(f"the capacities of the rule groups exceed {MOST_CAPACITY}", consumed[member], member)
    check_policy(ctx, arn, body)
    return consumed


def _answer(ctx: Context, row: Row) -> Document:
    users = ctx.referring(row, "network-firewall:Firewall")
    response = {
        **ctx.view(row), "FirewallPolicyStatus": "ACTIVE", "NumberOfAssociations": len(users), "Tags": tags.as_list(row.tags),
        "EncryptionConfiguration": text.OWNED_KEY,
    }  # fmt: skip
    return {"UpdateToken": row.document["_token"], "FirewallPolicyResponse": response}


def _link(ctx: Context, row: Row) -> None:
    ctx.forget(row, "RuleGroup")
    body = row.document["_policy"]
    for reference in [*(body.get("StatefulRuleGroupReferences") or ()), *(body.get("StatelessRuleGroupReferences") or ())]:
        if group := ctx.tx.by_arn(reference["ResourceArn"]):  # of another account, maybe: `_groups` has seen to that
            ctx.refer(row, "RuleGroup", group)


def create(ctx: Context, params: Document) -> Document:
    objects.check_encryption(params)
    name, body = params["FirewallPolicyName"], params["FirewallPolicy"]
    arn = f"arn:aws:network-firewall:{ctx.caller.region}:{ctx.caller.account}:firewall-policy/{name}"
    document: Document = {"_policy": body, "_token": ctx.new_uuid(), "LastModifiedTime": ctx.now, **_check(ctx, body, arn)}
    if params.get("Description"):
        document["Description"] = params["Description"]
    if params.get("DryRun"):
        return _answer(ctx, Row(KIND, ctx.caller.account, ctx.caller.region, ctx.new_uuid(), arn, name, document=document))
    row = ctx.create(KIND, document, id=ctx.new_uuid(), name=name, tags=tags.read(params.get("Tags")))
    _link(ctx, row)
    return _answer(ctx, row)


def describe(ctx: Context, params: Document) -> Document:
    row = objects.find(ctx, KIND, params, "FirewallPolicy")
    return {**_answer(ctx, row), "FirewallPolicy": row.document["_policy"]}


def update(ctx: Context, params: Document) -> Document:
    row = objects.find(ctx, KIND, params, "FirewallPolicy")
    objects.check_token(row, params, required=True)
    objects.check_encryption(params)
    body = params["FirewallPolicy"]
    if rule_order(body) != rule_order(row.document["_policy"]):
        raise text.invalid("parameter is invalid: the rule order of a policy cannot be changed", rule_order(body), "StatefulEngineOptions.RuleOrder")
    members: Document = {"_policy": body, **_check(ctx, body, row.arn)}
    if params.get("Description") is not None:
        members["Description"] = params["Description"] or None
    if params.get("DryRun"):
        return _answer(ctx, row)
    row = objects.renewed(ctx, row, members)
    _link(ctx, row)
    objects.touch_users(ctx, row)
    return _answer(ctx, row)


def delete(ctx: Context, params: Document) -> Document:
    row = objects.find(ctx, KIND, params, "FirewallPolicy")
    if ctx.referring(row, "network-firewall:Firewall"):
        raise text.in_use()
    response = {**_answer(ctx, row)["FirewallPolicyResponse"], "FirewallPolicyStatus": "DELETING"}
    ctx.remove(row)
    return {"FirewallPolicyResponse": response}


def listing(ctx: Context, _: Document) -> Document:
    return {"FirewallPolicies": [{"Name": row.name, "Arn": row.arn} for row in sharing.listed(ctx, KIND)]}


OPERATIONS: dict[str, Handler] = {
    "CreateFirewallPolicy": create,
    "DescribeFirewallPolicy": describe,
    "UpdateFirewallPolicy": update,
    "DeleteFirewallPolicy": delete,
    "ListFirewallPolicies": listing,
}
