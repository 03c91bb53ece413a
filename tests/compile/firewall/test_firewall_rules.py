"""Rules as text and as values; the three forms of rule groups; variables."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latticewall.compile.firewall.classification import severity
from latticewall.compile.firewall.groups import DEFAULT_ACTION_ORDER, STRICT_ORDER, stateful_rules
from latticewall.compile.firewall.rules import Rule, RuleSyntaxError, Scope, parse_rule, parse_rules
from latticewall.compile.firewall.variables import LONGEST_FIELD, VariableError, address_set, group_scope, policy_variables, port_set
from latticewall.compile.firewall.variables import Scope as Variables

HOME = policy_variables({}, ("10.0.0.0/16", "10.1.0.0/16"))


def test_a_rule_is_rendered_as_it_was_read() -> None:
    text = r'drop tcp [10.0.0.0/8, !10.1.0.0/16] any -> $HOME_NET [80,443:445] (msg:"a \"quoted\; text"; content:"x|3b|y"; nocase; sid:7; rev:2;)'
    rule = parse_rule(text)
    assert rule.source == "[10.0.0.0/8,!10.1.0.0/16]"
    assert (rule.sid, rule.message, rule.value("nocase"), rule.value("depth")) == (7, 'a "quoted; text', "", None)
    assert parse_rule(str(rule)) == rule


@given(st.text(max_size=60))
@example("a\x85b")
@example("a\u2028b")
def test_no_text_makes_more_than_one_line(text: str) -> None:
    """Whatever is accepted stays one rule of one line when it is written to the engine's file."""
    try:
        rule = parse_rule(f"alert tcp any any -> any any (msg:{text}; sid:1;)")
    except RuleSyntaxError:
        return
    assert len(str(rule).splitlines()) == 1
    assert parse_rule(str(rule)).options == rule.options


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alert tcp any any -> any any", "parentheses"),
        ("alert tcp any any -> any (sid:1;)", "header must be"),
        ("rejectboth tcp any any -> any any (sid:1;)", "action rejectboth"),
        ("alert TCP any any -> any any (sid:1;)", "protocol TCP"),
        ("alert tcp any any <- any any (sid:1;)", "direction"),
        ("alert tcp any any -> any any (sid:1)", "no terminating"),
        ("alert tcp any any -> any any (sid:1;;)", "an empty option"),
        ("alert tcp any any -> `x` any (sid:1;)", "not an address"),
        ('alert tcp any any -> any any (msg:"a\nb"; sid:1;)', "control characters"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_text(text: str, reason: str) -> None:
    with pytest.raises(RuleSyntaxError, match="stateful rule is invalid, rule: ") as refused:
        parse_rule(text)
    assert reason in str(refused.value)


def test_rule_files_have_comments_and_continued_lines() -> None:
    rules = parse_rules("# comment\r\n\nalert tcp any any -> any any \\\n  (sid:1;)\r\n  pass ip any any -> any any (sid:2;)\n")
    assert [(rule.sid, rule.line) for rule in rules] == [(1, 3), (2, 5)]
    with pytest.raises(RuleSyntaxError, match="backslash"):
        parse_rules("alert tcp any any -> any any (sid:1;) \\")


@pytest.mark.parametrize(
    ("protocol", "options", "scope"),
    [
        ("tcp", "", Scope.HEADER),
        ("ip", "ip_proto:47; classtype:misc-activity; alert;", Scope.HEADER),
        ("tcp", "flow:established;", Scope.PACKET),
        ("tcp", "flags:S;", Scope.PACKET),
        ("icmp", "itype:8;", Scope.PACKET),
        ("tcp", 'content:"x";', Scope.INSPECTION),
        ("udp", 'content:"x"; nocase;', Scope.PACKET),
        ("udp", 'dns.query; content:"x";', Scope.INSPECTION),
        ("http", "", Scope.INSPECTION),
        ("tcp", "app-layer-protocol:ssh;", Scope.INSPECTION),
        ("tcp", "some_new_keyword;", Scope.INSPECTION),
    ],
)
def test_what_a_match_decides_about(protocol: str, options: str, scope: Scope) -> None:
    assert parse_rule(f"pass {protocol} any any -> any any ({options} sid:1;)").scope is scope


def test_severity_is_the_rules_own_priority_or_its_classes() -> None:
    rules = [parse_rule(f"alert ip any any -> any any ({text} sid:1;)") for text in ("priority:9; classtype:misc-attack;", "classtype:misc-attack;", "")]
    assert [severity(rule) for rule in rules] == [9, 2, 3]


# -- rule groups --------------------------------------------------------------------------------------------------------------------------


def rules_of(source: dict[str, object], order: str = STRICT_ORDER) -> list[Rule]:
    return list(stateful_rules({"RulesSource": source}, order))


def domain_list(kind: str, *targets: str) -> dict[str, object]:
    return {"RulesSourceList": {"GeneratedRulesType": kind, "TargetTypes": ["HTTP_HOST", "TLS_SNI"], "Targets": targets}}


def test_domain_lists_become_aws_rules() -> None:
    texts = [str(rule) for rule in rules_of(domain_list("DENYLIST", "Evil.com", ".amazon.com"))]
    head = "$HOME_NET any -> $EXTERNAL_NET any"
    tail = "priority:1; flow:to_server, established;"
    tls, http = 'msg:"matching TLS denylisted FQDNs";', 'msg:"matching HTTP denylisted FQDNs";'
    assert texts == [
        f'drop tls {head} (ssl_state:client_hello; tls.sni; content:"evil.com"; startswith; nocase; endswith; {tls} {tail} sid:1; rev:1;)',
        f'drop tls {head} (ssl_state:client_hello; tls.sni; dotprefix; content:".amazon.com"; nocase; endswith; {tls} {tail} sid:2; rev:1;)',
        f'drop http {head} (http.host; content:"evil.com"; startswith; endswith; {http} {tail} sid:3; rev:1;)',
        f'drop http {head} (http.host; dotprefix; content:".amazon.com"; endswith; {http} {tail} sid:4; rev:1;)',
    ]


def test_allow_lists_deny_the_rest_in_default_order_only() -> None:
    assert [rule.action for rule in rules_of(domain_list("ALLOWLIST", "a.com"))] == ["pass", "pass"]
    listed = rules_of(domain_list("ALLOWLIST", "a.com"), DEFAULT_ACTION_ORDER)
    assert [(rule.action, rule.protocol, rule.sid) for rule in listed] == [("pass", "tls", 1), ("pass", "http", 2), ("drop", "tls", 3), ("drop", "http", 4)]
    assert listed[-1].message == "not matching any HTTP allowlisted FQDNs"


@pytest.mark.parametrize("target", ["", "a b.com", 'a";sid:2;.com', "*.example.com", "a..com"])
def test_domains_that_are_none_are_refused(target: str) -> None:
    with pytest.raises(RuleSyntaxError, match="domain is invalid"):
        rules_of(domain_list("DENYLIST", target))


def test_five_tuples_become_rules() -> None:
    header = {"Protocol": "TCP", "Source": "$A", "SourcePort": "ANY", "Direction": "ANY", "Destination": "any", "DestinationPort": "80"}
    options = [{"Keyword": "msg", "Settings": ["bare"]}, {"Keyword": "sid", "Settings": ["5"]}, {"Keyword": "flow", "Settings": ["established", "to_server"]}]
    (rule,) = rules_of({"StatefulRules": [{"Action": "REJECT", "Header": header, "RuleOptions": [*options, {"Keyword": "nocase"}]}]})
    assert str(rule) == 'reject tcp $A any <> any 80 (msg:"bare"; sid:5; flow:established,to_server; nocase;)'


# -- variables ----------------------------------------------------------------------------------------------------------------------------


def expand(scope: Variables, source: str, destination: str = "any", port: str = "any") -> list[str]:
    rules = scope.expand(parse_rule(f"alert ip {source} any -> {destination} {port} (sid:1;)"))
    return [f"{rule.source} -> {rule.destination} {rule.destination_port}" for rule in rules]


def scope_of(sets: dict[str, list[str]] | None = None, ports: dict[str, list[str]] | None = None, **members: object) -> Variables:
    variables = {
        "IPSets": {name: {"Definition": items} for name, items in (sets or {}).items()},
        "PortSets": {name: {"Definition": items} for name, items in (ports or {}).items()},
    }
    return group_scope({"RuleVariables": variables, **members}, HOME, {"arn:pl": ("192.0.2.0/24", "198.51.100.0/24")})


def test_home_net_is_the_vpc_and_external_net_its_complement() -> None:
    assert expand(scope_of(), "$HOME_NET", "$EXTERNAL_NET") == ["[10.0.0.0/16,10.1.0.0/16] -> ![10.0.0.0/16,10.1.0.0/16] any"]
    assert expand(scope_of(), "!$EXTERNAL_NET", "!$HOME_NET") == ["[10.0.0.0/16,10.1.0.0/16] -> ![10.0.0.0/16,10.1.0.0/16] any"]


def test_a_group_sets_each_of_the_two_by_itself() -> None:
    assert expand(scope_of({"HOME_NET": ["10.9.0.0/16"]}), "$HOME_NET", "$EXTERNAL_NET") == ["10.9.0.0/16 -> ![10.0.0.0/16,10.1.0.0/16] any"]
    assert expand(scope_of({"EXTERNAL_NET": ["0.0.0.0/0"]}), "$HOME_NET", "$EXTERNAL_NET") == ["[10.0.0.0/16,10.1.0.0/16] -> 0.0.0.0/0 any"]


def test_the_policy_sets_home_net_for_all_groups() -> None:
    policy = {"PolicyVariables": {"RuleVariables": {"HOME_NET": {"Definition": ["any"]}}}}
    assert {name: values.text() for name, values in policy_variables(policy, ("10.0.0.0/16",)).items()} == {"HOME_NET": "any", "EXTERNAL_NET": "any"}


def test_variables_inside_lists_ports_and_references() -> None:
    scope = scope_of({"A": ["10.5.0.1", "10.6.0.0-10.6.0.9"]}, {"P": ["80", "8000:8080"]}, ReferenceSets={"IPSetReferences": {"L": {"ReferenceArn": "arn:pl"}}})
    assert expand(scope, "[$A,!@L]", "@L", "$P") == [
        "[[10.5.0.1,10.6.0.0-10.6.0.9],![192.0.2.0/24,198.51.100.0/24]] -> [192.0.2.0/24,198.51.100.0/24] [80,8000:8080]"
    ]


def test_a_long_list_becomes_several_rules() -> None:
    addresses = [f"10.{high}.{low}.1" for high in range(8) for low in range(100)]
    pieces = [text.partition(" ")[0] for text in expand(scope_of({"LONG": addresses}), "$LONG")]
    assert len(pieces) > 1
    assert max(map(len, pieces)) <= LONGEST_FIELD
    assert ",".join(piece[1:-1] for piece in pieces).split(",") == addresses
    with pytest.raises(VariableError, match="too long"):
        expand(scope_of({"LONG": addresses}), "!$LONG")


@pytest.mark.parametrize(
    ("scope", "source", "reason"),
    [
        (scope_of(), "$NOPE", 'Variable "NOPE" is not defined'),
        (scope_of(), "@NOPE", 'IP set reference "NOPE" is not defined'),
        (scope_of({"ALL": ["any"]}), "!$ALL", "complement of any"),
        (scope_of(), "$1", "not a valid use"),
    ],
)
def test_uses_that_mean_nothing_are_refused(scope: Variables, source: str, reason: str) -> None:
    with pytest.raises(VariableError, match=reason.replace("$", r"\$")):
        expand(scope, source)


@pytest.mark.parametrize("item", ["10.0.0.0/33", "example.com", "10.0.0.9-10.0.0.1", "$HOME_NET", "10.0.0.1) any", "fe80::1%a, any", "10.0.0.1\n"])
def test_definitions_are_addresses(item: str) -> None:
    if item == "10.0.0.1\n":
        assert address_set("A", [item]).text() == "10.0.0.1"
        return
    with pytest.raises(VariableError, match="not valid"):
        address_set("A", [item])


@pytest.mark.parametrize("item", ["70000", "9:1", "http", ":", "80-90"])
def test_port_definitions_are_ports(item: str) -> None:
    with pytest.raises(VariableError, match="not valid"):
        port_set("P", [item])


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(VariableError, match="arn:other, which does not exist"):
        scope_of(ReferenceSets={"IPSetReferences": {"L": {"ReferenceArn": "arn:other"}}})
