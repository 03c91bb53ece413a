"""Rule groups ("Managing your own rule groups"): content is checked by the service's rules and by the engine itself before it is kept."""

from __future__ import annotations

from typing import Any

from latticewall.base.faults import Conflict
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.network_firewall import objects, sharing, text

KIND = "network-firewall:RuleGroup"


def _content(params: Document) -> Document:
    """The RuleGroup member, from either form of the input."""
    body, rules = params.get("RuleGroup"), params.get("Rules")
    if bool(body) == (rules is not None):
        raise text.invalid("exactly one of RuleGroup and Rules must be provided", "Rules" if body else "null", "RuleGroup")
    return dict(body) if body else {"RulesSource": {"RulesString": rules}}


def _order(body: Document) -> str:
    return str((body.get("StatefulRuleOptions") or {}).get("RuleOrder") or "DEFAULT_ACTION_ORDER")


def _check(ctx: Context, body: Document, group_type: str, capacity: int) -> int:
    """Consumed capacity. Raises Invalid with the service's or the engine's own words."""
    return int(ctx.ports["firewall_rules"].check_group(body, group_type, capacity))


def _find(ctx: Context, params: Document) -> Row:
    """By ARN, or by name and Type (a stateful and a stateless group may share a name)."""
    if params.get("RuleGroupArn") or params.get("Type") is None:
        if not params.get("RuleGroupArn"):
            raise text.invalid("Type is required when a rule group is addressed by name", "null", "Type")
        row = objects.find(ctx, KIND, params, "RuleGroup")
        if params.get("Type") not in (None, row.document["Type"]):
            raise text.invalid("Type is not that of the rule group the ARN names", params["Type"], "Type")
        return row
    rows = [row for row in ctx.live(KIND, name=params.get("RuleGroupName") or "") if row.document["Type"] == params["Type"]]
    if not rows:
        raise text.missing("RuleGroup", params.get("RuleGroupName") or "")
    return rows[0]


def _response(ctx: Context, row: Row) -> Document:
    shown = ctx.view(row)
    users = ctx.referring(row, "network-firewall:FirewallPolicy")
    return {
        **shown, "RuleGroupStatus": "ACTIVE", "NumberOfAssociations": len(users), "Tags": tags.as_list(row.tags), "EncryptionConfiguration": text.OWNED_KEY,
        "ConsumedCapacity": row.document["ConsumedCapacity"],
    }  # fmt: skip


def _answer(ctx: Context, row: Row) -> Document:
    return {"UpdateToken": row.document["_token"], "RuleGroupResponse": _response(ctx, row)}


def create(ctx: Context, params: Document) -> Document:
    name, group_type = params["RuleGroupName"], params["Type"]
    if group_type not in ("STATEFUL", "STATELESS"):
        raise text.invalid("rule group type is not supported by latticewall", group_type, "Type")
    objects.check_encryption(params)
    body = _content(params)
    consumed = _check(ctx, body, group_type, params["Capacity"])
    arn = f"arn:aws:network-firewall:{ctx.caller.region}:{ctx.caller.account}:{group_type.lower()}-rulegroup/{name}"
    if any(row.document["Type"] == group_type for row in ctx.live(KIND, name=name)):
        raise Conflict(f"A resource with the specified name already exists, parameter: [{name}]", code="InvalidRequestException")
    document: Document = {
        "Type": group_type, "Capacity": params["Capacity"], "ConsumedCapacity": consumed, "_rule_group": body, "_token": ctx.new_uuid(),
        "LastModifiedTime": ctx.now,
    }  # fmt: skip
    for member in ("Description", "SourceMetadata"):
        if params.get(member):
            document[member] = params[member]
    if params.get("DryRun"):
        row = Row(KIND, ctx.caller.account, ctx.caller.region, ctx.new_uuid(), arn, name, document=document)
        return _answer(ctx, row)
    row = ctx.create(KIND, document, id=ctx.new_uuid(), name=name, tags=tags.read(params.get("Tags")))
    return _answer(ctx, row)


def describe(ctx: Context, params: Document) -> Document:
    row = _find(ctx, params)
    return {**_answer(ctx, row), "RuleGroup": row.document["_rule_group"]}


def describe_metadata(ctx: Context, params: Document) -> Document:
    row = _find(ctx, params)
    options = row.document["_rule_group"].get("StatefulRuleOptions")
    shown: Document = {"RuleGroupArn": row.arn, "RuleGroupName": row.name, "Type": row.document["Type"], "Capacity": row.document["Capacity"]}
    shown |= {"LastModifiedTime": row.document["LastModifiedTime"], **({"Description": row.document["Description"]} if "Description" in row.document else {})}
    return {**shown, "StatefulRuleOptions": options} if options else shown


def update(ctx: Context, params: Document) -> Document:
    row = _find(ctx, params)
    objects.check_token(row, params, required=True)
    objects.check_encryption(params)
    body, old = _content(params), row.document["_rule_group"]
    if _order(body) != _order(old):
        raise text.invalid("parameter is invalid: the rule order of a rule group cannot be changed", _order(body), "RuleGroup.StatefulRuleOptions.RuleOrder")
    consumed = _check(ctx, body, row.document["Type"], row.document["Capacity"])
    members: Document = {"_rule_group": body, "ConsumedCapacity": consumed}
    if params.get("Description") is not None:
        members["Description"] = params["Description"] or None
    if params.get("DryRun"):
        return _answer(ctx, row)
    row = objects.renewed(ctx, row, members)
    check_policies(ctx, row)
    objects.touch_users(ctx, row)
    return _answer(ctx, row)


def check_policies(ctx: Context, group: Row) -> None:
    """The new content must still make an engine of every policy that uses the group."""
    for policy in ctx.referring(group, "network-firewall:FirewallPolicy"):
        check_policy(ctx, policy.arn, policy.document["_policy"])


def check_policy(ctx: Context, arn: str, body: dict[str, Any]) -> None:
    """A policy with its groups as they are now compiles to an engine. Raises Invalid (naming the pair of rules that conflict, for instance)."""
    references = [*(body.get("StatefulRuleGroupReferences") or ()), *(body.get("StatelessRuleGroupReferences") or ())]
    groups = {}
    for reference in references:
        found = ctx.tx.by_arn(reference["ResourceArn"])
        if found is not None:
            groups[found.arn] = found.document["_rule_group"]
    ctx.ports["firewall_rules"].check_policy(arn, body, groups)


def delete(ctx: Context, params: Document) -> Document:
    row = _find(ctx, params)
    if ctx.referring(row):
        raise text.in_use()
    response = {**_response(ctx, row), "RuleGroupStatus": "DELETING"}
    ctx.remove(row)
    return {"RuleGroupResponse": response}


def listing(ctx: Context, params: Document) -> Document:
    if params.get("Scope") == "MANAGED" or params.get("ManagedType"):
        return {"RuleGroups": []}
    rows = [row for row in sharing.listed(ctx, KIND) if params.get("Type") in (None, row.document["Type"])]
    return {"RuleGroups": [{"Name": row.name, "Arn": row.arn} for row in rows]}


OPERATIONS: dict[str, Handler] = {
    "CreateRuleGroup": create,
    "DescribeRuleGroup": describe,
    "DescribeRuleGroupMetadata": describe_metadata,
    "UpdateRuleGroup": update,
    "DeleteRuleGroup": delete,
    "ListRuleGroups": listing,
}
