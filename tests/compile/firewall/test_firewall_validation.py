"""What the API refuses of a rule group before it is stored, in AWS's grammar, and what a group costs."""

from __future__ import annotations

from typing import Any

import pytest

from latticewall.base.faults import Invalid
from latticewall.compile.firewall.validation import lines_to_check, validate_rule_group

STRICT = {"StatefulRuleOptions": {"RuleOrder": "STRICT_ORDER"}}


def strings(*rules: str, **members: Any) -> dict[str, Any]:
    return {"RulesSource": {"RulesString": "\n".join(rules)}, **members}


def refused(document: dict[str, Any], group_type: str = "STATEFUL", capacity: int = 100) -> str:
    with pytest.raises(Invalid) as fault:
        validate_rule_group(document, group_type, capacity)
    return fault.value.message


def rule(options: str, head: str = "alert tcp any any -> any any") -> str:
    return f"{head} ({options})"


def test_stateful_rules_cost_one_each() -> None:
    assert validate_rule_group(strings(rule("sid:1;"), "# comment", rule("sid:2;", "alert tcp any any <> any any")), "STATEFUL", 2) == 2
    listed = {"RulesSourceList": {"GeneratedRulesType": "ALLOWLIST", "TargetTypes": ["TLS_SNI", "HTTP_HOST"], "Targets": ["a.com", "b.com", "c.com"]}}
    assert validate_rule_group({"RulesSource": listed}, "STATEFUL", 10) == 6
    assert "capacity exceeded, parameter: [5]" in refused({"RulesSource": listed}, capacity=5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('msg:"x";', 'Signature missing required value "sid".'),
        ("sid:0;", 'missing required value "sid"'),
        ("sid:1; priority:0;", "priority 0"),
        ("sid:1; dataset:isset,x;", "keyword dataset is not supported"),
        ("sid:1; filestore;", "keyword filestore"),
        ("sid:1; iprep:src,x,>,1;", "keyword iprep"),
        ("sid:1; lua:x.lua;", "keyword lua"),
        ("sid:1; nfq_set_mark:0x4/0x4;", "keyword nfq_set_mark"),
        ("sid:1; bypass;", "keyword bypass"),
        ('sid:1; pcre:"/x/";', "pcre must be used with"),
        ("sid:1; flowbits:set,lw.passed;", "reserved"),
        ("sid:1; flowbits:isset,a|lw.passed;", "reserved"),
    ],
)
def test_rules_are_refused_with_their_text(options: str, reason: str) -> None:
    message = refused(strings(rule(options)))
    assert message.startswith("stateful rule is invalid, rule: alert tcp any any -> any any (")
    assert reason in message


def test_rules_that_conflict_with_the_groups_order_or_each_other() -> None:
    assert "Priority cannot be provided" in refused(strings(rule("sid:1; priority:1;"), **STRICT))
    assert validate_rule_group(strings(rule("sid:1; priority:1;")), "STATEFUL", 1) == 1
    assert "Duplicate signature, sid 1" in refused(strings(rule("sid:1;"), rule("sid:1;")))
    assert "protocol sctp" in refused(strings(rule("sid:1;", "alert sctp any any -> any any")))
    assert "with action reject" in refused(strings(rule("sid:1;", "reject ftp any any -> any any")))


def test_variables_must_be_defined() -> None:
    head = "alert tcp $WEB any -> @LIST $PORTS"
    variables = {"IPSets": {"WEB": {"Definition": ["10.0.0.1"]}}, "PortSets": {"PORTS": {"Definition": ["80"]}}}
    references = {"IPSetReferences": {"LIST": {"ReferenceArn": "arn:aws:ec2:eu-west-1:1:prefix-list/pl-1"}}}
    good = strings(rule("sid:1;", head), RuleVariables=variables, ReferenceSets=references)
    assert validate_rule_group(good, "STATEFUL", 1) == 1
    assert 'Variable "WEB" is not defined' in refused({**good, "RuleVariables": {}})
    assert 'IP set reference "LIST" is not defined' in refused({**good, "ReferenceSets": {}})
    assert "cannot be used as ports" in refused({**strings(rule("sid:1;", "alert tcp any any -> any @LIST")), "ReferenceSets": references})


def test_what_the_engine_is_asked_has_no_variables() -> None:
    ((written, text),) = lines_to_check(strings(rule("sid:1;", "alert tcp $HOME_NET any -> $EXTERNAL_NET any")), ("10.0.0.0/8",), {})
    assert written.source == "$HOME_NET"
    assert text == "alert tcp 10.0.0.0/8 any -> !10.0.0.0/8 any (sid:1;)"
    long = " ".join(f'content:"{number:0300}";' for number in range(30))
    with pytest.raises(Invalid, match="8192 are allowed"):
        lines_to_check(strings(rule(f"{long} sid:1;")), ("10.0.0.0/8",), {})


def test_a_group_has_exactly_one_kind_of_content() -> None:
    assert "exactly one of" in refused({"RulesSource": {}})
    assert "exactly one of" in refused({"RulesSource": {"RulesString": "", "StatefulRules": []}})
    assert "rules source is empty" in refused({"RulesSource": {"RulesString": "# nothing"}})
    assert refused(strings(rule("sid:1;")), "STATELESS").startswith("parameter is invalid")


# -- stateless ----------------------------------------------------------------------------------------------------------------------------


def stateless(*rules: dict[str, Any], customs: tuple[str, ...] = ()) -> dict[str, Any]:
    actions = [{"ActionName": name, "ActionDefinition": {"PublishMetricAction": {"Dimensions": [{"Value": name}]}}} for name in customs]
    return {"RulesSource": {"StatelessRulesAndCustomActions": {"StatelessRules": list(rules), "CustomActions": actions}}}


def one(priority: int = 1, *actions: str, **match: Any) -> dict[str, Any]:
    return {"Priority": priority, "RuleDefinition": {"Actions": list(actions or ("aws:pass",)), "MatchAttributes": match}}


def test_stateless_rules_cost_the_product_of_their_alternatives() -> None:
    addresses = [{"AddressDefinition": f"10.{number}.0.0/16"} for number in range(3)]
    ports = [{"FromPort": number, "ToPort": number} for number in range(1, 6)]
    rules = (one(1), one(2, Protocols=[6, 17], Sources=addresses), one(3, Protocols=[6], Sources=addresses, SourcePorts=ports))
    assert validate_rule_group(stateless(*rules), "STATELESS", 22) == 1 + 6 + 15
    assert "capacity exceeded" in refused(stateless(*rules), "STATELESS", 21)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ((one(1), one(1)), "priority must be unique, parameter: [1], context: StatelessRules[1]"),
        ((one(1, "aws:pass", "aws:drop"),), "exactly one of aws:pass, aws:drop, aws:forward_to_sfe"),
        ((one(1, "aws:pass", "Count"),), "custom action is not defined, parameter: [Count]"),
        ((one(Sources=[{"AddressDefinition": "10.0.0.0/40"}]),), "address is invalid, parameter: [10.0.0.0/40]"),
        ((one(Protocols=[1], SourcePorts=[{"FromPort": 1, "ToPort": 1}]),), "ports need protocol 6 or 17"),
        ((one(Protocols=[6], SourcePorts=[{"FromPort": 2, "ToPort": 1}]),), "port range is invalid, parameter: [2:1]"),
        ((one(Protocols=[17], TCPFlags=[{"Flags": ["SYN"]}]),), "TCP flags need protocol 6"),
        ((one(Protocols=[6], TCPFlags=[{"Flags": ["SYN"], "Masks": ["ACK"]}]),), "flags must be among the masks"),
    ],
)
def test_stateless_rules_are_refused_with_their_place(rules: tuple[dict[str, Any], ...], reason: str) -> None:
    assert reason in refused(stateless(*rules), "STATELESS")


def test_custom_actions_have_unique_names() -> None:
    assert "unique names" in refused(stateless(one(), customs=("Count", "Count")), "STATELESS")
