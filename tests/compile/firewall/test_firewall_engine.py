"""Policies -> engines: places in strict order, marks, keys, and problems instead of parts of an engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from latticewall.compile.firewall import marks
from latticewall.compile.firewall.defaults import ACTIONS, check_defaults
from latticewall.compile.firewall.engine import NATIVE_ORDER, PolicyInput, compile_engine
from latticewall.compile.firewall.ordering import Grouped, Layout, Refusal, lay_out
from latticewall.compile.firewall.rules import parse_rule
from latticewall.compile.firewall.strict import ACTION_ORDER
from latticewall.plan.firewall import FirewallEngine

ARN = "arn:aws:network-firewall:eu-west-1:111122223333:stateful-rulegroup/"
FORWARD = {"StatelessDefaultActions": ["aws:forward_to_sfe"], "StatelessFragmentDefaultActions": ["aws:forward_to_sfe"]}


def group(*rules: str, strict: bool = True) -> dict[str, Any]:
    options = {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}} if strict else {}
    return {**options, "RulesSource": {"RulesString": "\n".join(rules)}}


def given(*groups: dict[str, Any], strict: bool = True, **members: Any) -> PolicyInput:
    arns = [f"{ARN}{number}" for number in range(len(groups))]
    priority = [{"Priority": number} if strict else {} for number in range(1, len(groups) + 1)]
    policy = {**FORWARD, "StatefulRuleGroupReferences": [{"ResourceArn": arn, **extra} for arn, extra in zip(arns, priority, strict=True)]}
    if strict:
        policy["StatefulEngineOptions"] = {"RuleOrder": "STRICT_ORDER"}
    return PolicyInput("arn:policy", {**policy, **members}, dict(zip(arns, groups, strict=True)), ("10.0.0.0/16",), {})


def engine_of(item: PolicyInput) -> FirewallEngine:
    compiled = compile_engine(item)
    assert isinstance(compiled, FirewallEngine), compiled
    return compiled


def problems(item: PolicyInput) -> list[tuple[str, str]]:
    compiled = compile_engine(item)
    assert isinstance(compiled, tuple)
    return [(problem.id, problem.message) for problem in compiled]


def placed(*rules: str) -> Layout:
    found = lay_out([Grouped(ARN, 2, parse_rule(f"{rule[:-1]} sid:{number};)")) for number, rule in enumerate(rules, 1)])
    assert isinstance(found, Layout)
    return found


HEADER, PACKET, CONTENT = "tcp any any -> any 1 ()", "tcp any any -> any 1 (flow:to_server;)", 'tcp any any -> any 1 (content:"x";)'


def test_only_what_nothing_can_come_before_stays_with_the_engine() -> None:
    layout = placed(f"alert {PACKET}", f"drop {CONTENT}", f"drop {HEADER}", f"reject {HEADER}", f"pass {HEADER}", f"drop {HEADER}")
    assert [place.native for place in layout.places] == [True, True, True, False, False, False]
    assert [place.slot for place in layout.places] == [None, None, None, 1, 2, 3]
    assert not placed(f"drop {PACKET}").places[0].native


def test_passes_of_flows_and_of_packets_are_different_segments() -> None:
    layout = placed(f"pass {HEADER}", f"pass {CONTENT}", f"pass {PACKET}", f"alert {PACKET}", f"pass {PACKET}", f"drop {HEADER}")
    assert [(place.segment, place.above) for place in layout.places] == [(0, -1), (0, -1), (1, 0), (-1, 1), (2, 1), (-1, 2)]
    assert (layout.segments.flows, layout.segments.packets, layout.segments.last) == ((0,), (1, 2), 2)


def test_marks_follow_the_list() -> None:
    slots = marks.Slots()
    taken = [slots.take(verdict) for verdict in ("pass", "pass", "drop", "reject", "drop", "pass", "reject")]
    assert taken == [2, 2, 3, 4, 6, 8, 10]
    assert taken == sorted(slot for slot in taken if slot is not None)


def test_a_list_that_changes_its_mind_too_often_is_refused_by_name() -> None:
    rules = [parse_rule(f"{action} tcp any any -> any {number} (sid:{number};)") for number, action in enumerate(["pass", "drop"] * 10, 1)]
    refused = lay_out([Grouped(ARN, 2, rule) for rule in rules])
    assert isinstance(refused, Refusal)
    assert refused.group_arn == ARN
    assert "sid:17" in refused.message
    assert "sid:18" in refused.message


@pytest.mark.parametrize("option", ["detection_filter:track by_src, count 2, seconds 3;", "threshold:type threshold, track by_src, count 2, seconds 3;"])
def test_a_verdict_after_a_number_of_matches_is_refused_where_it_would_need_a_mark(option: str) -> None:
    counting = f"drop tcp any any -> any 2 (flow:to_server; {option} sid:2;)"
    assert "counts its matches" in problems(given(group("pass tcp any any -> any 1 (sid:1;)", counting)))[0][1]
    limited = counting.replace("type threshold", "type limit")
    if limited != counting:
        engine_of(given(group("pass tcp any any -> any 1 (sid:1;)", limited)))


def test_every_rule_is_known_to_the_log_by_its_own_number() -> None:
    first, second = (group(f'drop tcp any any -> any {port} (msg:"m{port}"; sid:1; classtype:misc-attack;)') for port in (1, 2))
    engine = engine_of(given(first, second))
    shown = [(item.group_arn, item.signature_id, item.message, item.severity, item.position) for item in engine.signatures]
    assert shown == [(f"{ARN}0", 1, "m1", 2, 1), (f"{ARN}1", 1, "m2", 2, 2)]
    for item in engine.signatures:
        assert f"gid:{item.gid}; sid:{item.sid};)" in engine.rules


def test_groups_are_taken_by_their_priority() -> None:
    item = given(group("drop tcp any any -> any 1 (sid:1;)"), group("drop tcp any any -> any 2 (sid:1;)"))
    references = item.policy["StatefulRuleGroupReferences"]
    swapped = [{**references[0], "Priority": 9}, references[1]]
    engine = engine_of(replace(item, policy={**item.policy, "StatefulRuleGroupReferences": swapped}))
    assert [signature.group_arn for signature in engine.signatures] == [f"{ARN}1", f"{ARN}0"]


def test_no_rule_passes_inside_the_engine_in_strict_order() -> None:
    rules = [f"pass {text[:-1]} sid:{number};)" for number, text in enumerate((HEADER, PACKET, CONTENT), 1)]
    engine = engine_of(given(group(*rules), StatefulDefaultActions=["aws:drop_strict", "aws:alert_strict"]))
    assert engine.action_order == ACTION_ORDER
    assert {line.split()[0] for line in engine.rules.splitlines()} == {"alert"}


def test_default_action_order_is_left_to_the_engine() -> None:
    engine = engine_of(given(group("pass tcp $HOME_NET any -> any 1 (priority:4; sid:8;)", strict=False), strict=False))
    assert engine.action_order == NATIVE_ORDER
    assert engine.rules == "pass tcp 10.0.0.0/16 any -> any 1 (priority:4; gid:2; sid:8;)\n"


def test_keys_tell_what_must_be_done() -> None:
    item = given(group("drop tcp any any -> any 1 (sid:1;)"))
    options = {"RuleOrder": "STRICT_ORDER", "FlowTimeouts": {"TcpIdleTimeoutSeconds": 60}, "StreamExceptionPolicy": "REJECT"}
    first, second = engine_of(item), engine_of(given(group("drop tcp any any -> any 2 (sid:1;)")))
    third = engine_of(replace(item, policy={**item.policy, "StatefulEngineOptions": options}))
    assert (first.restart_key, first.ruleset) == (second.restart_key, second.ruleset)
    assert first.reload_key != second.reload_key
    assert (third.reload_key == first.reload_key, third.restart_key == first.restart_key) == (True, False)
    assert (third.tcp_idle_timeout, third.stream_exception_policy) == (60, "REJECT")
    assert (first.tcp_idle_timeout, first.stream_exception_policy) == (350, "DROP")


def test_problems_name_their_resource_and_leave_no_engine() -> None:
    good, bad = group("drop tcp any any -> any 1 (sid:1;)"), group("drop tcp $NOPE any -> any 1 (sid:1;)", "nonsense")
    reason = "stateful rule is invalid, rule: nonsense, reason: the options must stand in parentheses after the header (line 2)"
    assert problems(given(good, bad)) == [(f"{ARN}1", reason)]
    assert problems(given(good, group("drop tcp $NOPE any -> any 1 (sid:1;)"))) == [(f"{ARN}1", 'Variable "NOPE" is not defined')]
    assert problems(given(good, group("drop tcp any any -> any 1 (sid:1;)", strict=False)))[0][0] == f"{ARN}1"
    lost = given(good)
    assert problems(replace(lost, groups={})) == [("arn:policy", f"rule group {ARN}0 does not exist")]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"StatelessDefaultActions": []}, "context: StatelessDefaultActions"),
        ({"StatelessDefaultActions": ["aws:pass", "aws:drop"]}, "exactly one of"),
        ({"StatelessFragmentDefaultActions": ["aws:pass", "Count"]}, "custom action is not defined, parameter: [Count]"),
        ({"PolicyVariables": {"RuleVariables": {"EXTERNAL_NET": {"Definition": ["any"]}}}}, "only HOME_NET can be set"),
        ({"StatefulDefaultActions": ["aws:drop_strict", "aws:drop_established"]}, "only one drop action"),
        ({"StatefulDefaultActions": ["aws:drop_never"]}, "stateful default action is invalid"),
    ],
)
def test_policies_that_are_wrong_by_themselves(members: dict[str, Any], reason: str) -> None:
    ((arn, message),) = problems(given(**members))
    assert arn == "arn:policy"
    assert reason in message


def test_which_default_actions_go_together() -> None:
    assert check_defaults(["aws:drop_strict", "aws:alert_strict", "aws:alert_established"]) == ""
    assert "cannot be combined" in check_defaults(["aws:drop_established", "aws:alert_established_app_layer"])
    assert all(check_defaults([action]) == "" for action in ACTIONS)


def test_application_layer_defaults_wait_for_the_protocols_of_the_rules() -> None:
    rules = group("pass ssh any any -> any any (sid:1;)", "pass dns any any -> any any (sid:2;)", "pass quic any any -> any any (sid:3;)")
    engine = engine_of(given(rules, StatefulDefaultActions=["aws:drop_established_app_layer"]))
    waiting = [line for line in engine.rules.splitlines() if "app-layer-protocol:!tls" in line]
    assert len(waiting) == 2, "to the server, and to the client"
    assert all("app-layer-protocol:!ssh; " in line and "app-layer-protocol:!dns; " in line and "!quic" not in line for line in waiting)


def test_the_chains_after_the_engine_are_the_same_for_every_policy() -> None:
    small = engine_of(given())
    large = engine_of(given(group(*(f"pass tcp any any -> any {port} (sid:{port};)" for port in range(1, 50)))))
    assert small.ruleset.chains[1:] == large.ruleset.chains[1:] == marks.chains()
    assert small.queue_mark == marks.QUEUE
