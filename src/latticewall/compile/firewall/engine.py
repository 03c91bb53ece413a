"""A firewall policy with its rule groups -> one engine, or the problems that prevent it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latticewall.compile.firewall import marks
from latticewall.compile.firewall.classification import severity
from latticewall.compile.firewall.defaults import check_defaults, default_actions
from latticewall.compile.firewall.groups import DEFAULT_ACTION_ORDER, STRICT_ORDER, rule_order, stateful_rules
from latticewall.compile.firewall.ordering import Grouped, Refusal, lay_out
from latticewall.compile.firewall.rules import Option, RuleSyntaxError
from latticewall.compile.firewall.stateless import compile_stateless, stateless_actions_problem, stateless_chain
from latticewall.compile.firewall.strict import ACTION_ORDER, FIRST_GROUP_GID, strict_rules
from latticewall.compile.firewall.variables import VariableError, group_scope, policy_variables
from latticewall.plan.firewall import FirewallEngine, Signature
from latticewall.plan.nft import Ruleset
from latticewall.plan.node import Problem

NATIVE_ORDER = ("pass", "drop", "reject", "alert")
TCP_IDLE_TIMEOUT = 350
GROUP_KIND, POLICY_KIND = "network-firewall:RuleGroup", "network-firewall:FirewallPolicy"


@dataclass(frozen=True)
class PolicyInput:
    """A policy as the API has it. groups: RuleGroup documents by ARN, stateless and stateful. home_net: CIDRs of the firewall's VPC.

    prefix_lists: CIDRs by the ARN of the prefix list or resource group.
    """

    arn: str
    policy: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]]
    home_net: Sequence[str]
    prefix_lists: Mapping[str, Sequence[str]]


def compile_engine(given: PolicyInput) -> FirewallEngine | tuple[Problem, ...]:
    """The whole engine, or everything that is wrong with the policy; never a part of an engine."""
    wrong = (*_missing_groups(given), *_policy_problems(given))
    if wrong:
        return wrong
    collected = _collect(given)
    if not isinstance(collected, list):
        return collected
    ordered = _order(given, collected)
    if isinstance(ordered, Problem):
        return (ordered,)
    texts, signatures, action_order = ordered
    stateless, metrics = stateless_chain(compile_stateless(given.policy, given.groups), given.policy)
    options = given.policy.get("StatefulEngineOptions", {})
    timeouts = options.get("FlowTimeouts", {})
    rules = "".join(f"{text}\n" for text in texts)
    exception, idle = str(options.get("StreamExceptionPolicy", "DROP")), int(timeouts.get("TcpIdleTimeoutSeconds", TCP_IDLE_TIMEOUT))
    return FirewallEngine(
        rules=rules,
        signatures=tuple(signatures),
        action_order=action_order,
        stream_exception_policy=exception,
        tcp_idle_timeout=idle,
        ruleset=Ruleset((stateless, *marks.chains()), tuple(metric.counter for metric in metrics)),
        queue_mark=marks.QUEUE,
        custom_metrics=metrics,
        restart_key=_digest(action_order, exception, idle),
        reload_key=_digest(rules),
    )


def _missing_groups(given: PolicyInput) -> tuple[Problem, ...]:
    references = [*given.policy.get("StatelessRuleGroupReferences", ()), *given.policy.get("StatefulRuleGroupReferences", ())]
    lost = [reference["ResourceArn"] for reference in references if reference["ResourceArn"] not in given.groups]
    return tuple(Problem(POLICY_KIND, given.arn, f"rule group {arn} does not exist") for arn in lost)


def _policy_problems(given: PolicyInput) -> tuple[Problem, ...]:
    """What is wrong with the policy by itself ("Firewall policy settings")."""
    customs = [item["ActionName"] for item in given.policy.get("StatelessCustomActions", ())]
    found = [
        stateless_actions_problem(given.policy.get(member, ()), customs, member) for member in ("StatelessDefaultActions", "StatelessFragmentDefaultActions")
    ]
    variables = given.policy.get("PolicyVariables", {}).get("RuleVariables", {})
    found += [f"only HOME_NET can be set, parameter: [{name}], context: PolicyVariables.RuleVariables" for name in variables if name != "HOME_NET"]
    if rule_order(given.policy) == STRICT_ORDER:
        found.append(check_defaults(given.policy.get("StatefulDefaultActions", ())))
    return tuple(Problem(POLICY_KIND, given.arn, message) for message in found if message)


def _collect(given: PolicyInput) -> list[Grouped] | tuple[Problem, ...]:
    """All stateful rules in the order of the policy's references, variables replaced, overrides applied."""
    order = rule_order(given.policy)
    references = list(given.policy.get("StatefulRuleGroupReferences", ()))
    if order == STRICT_ORDER:
        references.sort(key=lambda reference: int(reference["Priority"]))
    try:
        inherited = policy_variables(given.policy, given.home_net)
    except VariableError as error:
        return (Problem(POLICY_KIND, given.arn, str(error)),)
    found: list[Grouped] = []
    problems = []
    for gid, reference in enumerate(references, FIRST_GROUP_GID):
        arn = reference["ResourceArn"]
        group = given.groups[arn]
        if rule_order(group) != order:
            problems.append(Problem(GROUP_KIND, arn, f"rule order does not match that of the policy, parameter: [{rule_order(group)}]"))
            continue
        to_alert = reference.get("Override", {}).get("Action") == "DROP_TO_ALERT"
        try:
            scope = group_scope(group, inherited, given.prefix_lists)
            for rule in stateful_rules(group, order):
                rule = replace(rule, action="alert") if to_alert and rule.action in ("drop", "reject") else rule
                found += [Grouped(arn, gid, expanded) for expanded in scope.expand(rule)]
        except (RuleSyntaxError, VariableError) as error:
            problems.append(Problem(GROUP_KIND, arn, str(error)))
    return tuple(problems) if problems else found


def _order(given: PolicyInput, rules: list[Grouped]) -> tuple[list[str], list[Signature], tuple[str, ...]] | Problem:
    names = given.policy.get("StatefulDefaultActions", ())
    if rule_order(given.policy) == DEFAULT_ACTION_ORDER:
        return (*_native_rules(rules), NATIVE_ORDER)
    layout = lay_out(rules)
    if isinstance(layout, Refusal):
        return Problem(GROUP_KIND, layout.group_arn, layout.message)
    defaults = default_actions(names, (grouped.rule.protocol for grouped in rules))
    return (*strict_rules(layout, defaults), ACTION_ORDER)


def _native_rules(rules: list[Grouped]) -> tuple[list[str], list[Signature]]:
    """Default action order is the engine's own: rules as written, each group under its own gid so that sids may repeat."""
    texts, signatures = [], []
    taken: set[tuple[int, int]] = set()
    for grouped in rules:
        rule, sid = grouped.rule, grouped.rule.sid
        while (grouped.gid, sid) in taken:  # a long address list became several rules
            sid += 1 << 24
        taken.add((grouped.gid, sid))
        texts.append(str(rule.without("gid", "sid").with_options(Option("gid", str(grouped.gid)), Option("sid", str(sid)))))
        logged = rule.action != "pass" or rule.has("alert")
        signatures.append(Signature(grouped.gid, sid, grouped.group_arn, rule.sid, rule.message, rule.action, severity(rule), logged=logged))
    return texts, signatures


def _digest(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
