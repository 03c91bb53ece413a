"""What a rule group must be before it is stored ("Limitations and caveats for stateful rules", "Setting rule group capacity").

Refusals are `base.faults.Invalid` in the service's words: `<reason>, parameter: [<value>], context: <path>`. Whether the engine can load the rules
is a second question, for `dataplane.suricata_check.engine_check` with the lines of `lines_to_check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.base.inet import parse_network
from latticewall.compile.firewall.groups import STRICT_ORDER, rule_order, stateful_rules
from latticewall.compile.firewall.rules import Rule, RuleSyntaxError
from latticewall.compile.firewall.stateless import TCP, UDP, stateless_actions_problem
from latticewall.compile.firewall.strict import FLOWBIT_PREFIX
from latticewall.compile.firewall.variables import VariableError, address_set, group_scope

LONGEST_RULE = 8192
LONGEST_TEXT = 2_000_000
MOST_REFERENCES = 5
_UNSUPPORTED = frozenset({
    "dataset", "datarep", "iprep", "lua", "luajit", "luaxform", "enip_command", "cip_service", "filestore", "filemagic", "file.magic", "filename",
    "file.name", "fileext", "filesize", "filemd5", "filesha1", "filesha256", "ftpdata_command",
})  # fmt: skip
"""Keywords AWS documents as unsupported."""
_RESERVED = frozenset({"nfq_set_mark", "bypass", "requires"})
"""Keywords that would reach around the firewall: its verdict marks, its inspection, or the promise that every rule is loaded."""
_PROTOCOLS_REFUSED = frozenset({"sctp", "msn", "enip", "dnp3", "modbus"})
_PCRE_COMPANIONS = frozenset({"content", "tls.sni", "tls_sni", "http.host", "http_host", "dns.query", "dns_query"})
_FORMS = ("RulesString", "RulesSourceList", "StatefulRules")
_WITHOUT_REJECT = ("ftp", "imap")


def validate_rule_group(document: Mapping[str, Any], group_type: str, capacity: int) -> int:
    """The capacity the content uses. Raises Invalid if it is not a valid group of that type ("STATEFUL", "STATELESS") or uses more."""
    consumed = _stateless(document) if group_type == "STATELESS" else _stateful(document)
    if consumed > capacity:
        raise Invalid(f"capacity exceeded, parameter: [{capacity}], context: the rules use {consumed}")
    return consumed


def lines_to_check(
    document: Mapping[str, Any], home_net: Sequence[str], prefix_lists: Mapping[str, Sequence[str]]
) -> tuple[tuple[Rule, str], ...]:
    """For each rule of a stateful group as written, what the engine would load: variables replaced. Raises Invalid."""
    home = address_set("HOME_NET", home_net)
    try:
        scope = group_scope(document, {"HOME_NET": home, "EXTERNAL_NET": home.complement()}, prefix_lists)
        pairs = [(rule, str(expanded)) for rule in stateful_rules(document, rule_order(document)) for expanded in scope.expand(rule)[:1]]
    except (RuleSyntaxError, VariableError) as error:
        raise Invalid(str(error)) from None
    for rule, text in pairs:
        if len(text) > LONGEST_RULE and "@" not in str(rule):
            raise _invalid(rule, f"the rule has {len(text)} characters after variables are expanded, {LONGEST_RULE} are allowed")
    return tuple(pairs)


# -- stateful -----------------------------------------------------------------------------------------------------------------------------


def _stateful(document: Mapping[str, Any]) -> int:
    source = document.get("RulesSource", {})
    present = [form for form in _FORMS if form in source]
    if len(present) != 1 or "StatelessRulesAndCustomActions" in source:
        raise Invalid(f"exactly one of {', '.join(_FORMS)} must be provided, parameter: [{', '.join(source) or 'null'}], context: RulesSource")
    references = document.get("ReferenceSets", {}).get("IPSetReferences", {})
    if len(references) > MOST_REFERENCES:
        raise Invalid(f"too many IP set references, parameter: [{len(references)}], context: ReferenceSets.IPSetReferences")
    if "RulesSourceList" in source:
        _domain_list(document, source["RulesSourceList"])
        return len(source["RulesSourceList"]["Targets"]) * len(set(source["RulesSourceList"]["TargetTypes"]))
    if len(source.get("RulesString", "")) > LONGEST_TEXT:
        raise Invalid(f"rules string is too long, parameter: [{len(source['RulesString'])}], context: RulesSource.RulesString")
    try:
        rules = stateful_rules(document, rule_order(document))
    except RuleSyntaxError as error:
        raise Invalid(str(error)) from None
    if not rules:
        raise Invalid("rules source is empty, parameter: [null], context: RulesSource")
    _rules(rules, rule_order(document))
    _variables(document)
    return len(rules)


def _domain_list(document: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
    for member in ("Targets", "TargetTypes"):
        if not listed.get(member):
            raise Invalid(f"list must not be empty, parameter: [null], context: RulesSource.RulesSourceList.{member}")
    if "ReferenceSets" in document and document["ReferenceSets"].get("IPSetReferences"):
        raise Invalid("IP set references are not supported by domain lists, parameter: [ReferenceSets], context: RuleGroup")
    try:
        stateful_rules(document, rule_order(document))
    except RuleSyntaxError as error:
        raise Invalid(f"{error}, context: RulesSource.RulesSourceList.Targets") from None
    _variables(document)


def _rules(rules: Iterable[Rule], order: str) -> None:
    seen: set[int] = set()
    for rule in rules:
        names = {option.name for option in rule.options}
        if not 0 < rule.sid < 1 << 32:
            raise _invalid(rule, 'Signature missing required value "sid".')
        if rule.sid in seen:
            raise _invalid(rule, f"Duplicate signature, sid {rule.sid}")
        seen.add(rule.sid)
        if order == STRICT_ORDER and "priority" in names:
            raise _invalid(rule, "Priority cannot be provided when the rule order is STRICT_ORDER")
        priority = rule.value("priority")
        if priority is not None and not (priority.strip().isdecimal() and 1 <= int(priority) <= 65535):
            raise _invalid(rule, f"priority {priority} is not between 1 and 65535")
        refused = sorted(names & (_UNSUPPORTED | _RESERVED))
        if refused:
            raise _invalid(rule, f"keyword {refused[0]} is not supported")
        if rule.protocol in _PROTOCOLS_REFUSED or (rule.action == "reject" and rule.protocol in _WITHOUT_REJECT):
            raise _invalid(rule, f"protocol {rule.protocol} is not supported with action {rule.action}")
        if "pcre" in names and not names & _PCRE_COMPANIONS:
            raise _invalid(rule, "pcre must be used with content, tls.sni, http.host or dns.query")
        if any(option.name == "flowbits" and FLOWBIT_PREFIX in (option.value or "") for option in rule.options):
            raise _invalid(rule, f"flowbits whose names begin with {FLOWBIT_PREFIX} are reserved")


def _variables(document: Mapping[str, Any]) -> None:
    """Every variable used is defined; what a reference holds is not known here."""
    references = document.get("ReferenceSets", {}).get("IPSetReferences", {})
    known = {item.get("ReferenceArn", ""): ("192.0.2.0/24",) for item in references.values()}
    for rule, _ in lines_to_check(document, ("10.0.0.0/8",), known):
        for field in (rule.source_port, rule.destination_port):
            if "@" in field:
                raise _invalid(rule, "IP set references cannot be used as ports")


def _invalid(rule: Rule, reason: str) -> Invalid:
    return Invalid(f"stateful rule is invalid, rule: {rule}, reason: {reason}")


# -- stateless ----------------------------------------------------------------------------------------------------------------------------


def _stateless(document: Mapping[str, Any]) -> int:
    source = document.get("RulesSource", {})
    content = source.get("StatelessRulesAndCustomActions")
    if content is None or len(source) != 1:
        raise Invalid(f"parameter is invalid, parameter: [{', '.join(source) or 'null'}], context: RulesSource")
    customs = {item["ActionName"] for item in content.get("CustomActions", ())}
    if len(customs) > 10 or len(customs) != len(content.get("CustomActions", ())):
        raise Invalid(f"custom actions must be at most 10 with unique names, parameter: [{', '.join(sorted(customs))}], context: CustomActions")
    priorities: set[int] = set()
    used = 0
    for number, rule in enumerate(content.get("StatelessRules", ())):
        context = f"StatelessRules[{number}]"
        if rule["Priority"] in priorities:
            raise Invalid(f"priority must be unique, parameter: [{rule['Priority']}], context: {context}")
        priorities.add(rule["Priority"])
        problem = stateless_actions_problem(rule["RuleDefinition"]["Actions"], customs, f"{context}.RuleDefinition.Actions")
        if problem:
            raise Invalid(problem)
        used += _stateless_cost(rule["RuleDefinition"].get("MatchAttributes", {}), f"{context}.RuleDefinition.MatchAttributes")
    return used


def _stateless_cost(match: Mapping[str, Any], context: str) -> int:
    """The product of the numbers of alternatives ("Setting rule group capacity"), after a look at each."""
    protocols = set(match.get("Protocols", ()))
    for side in ("Sources", "Destinations"):
        for item in match.get(side, ()):
            _network(item["AddressDefinition"], f"{context}.{side}")
    for side in ("SourcePorts", "DestinationPorts"):
        if match.get(side) and protocols and not protocols & {TCP, UDP}:
            raise Invalid(f"ports need protocol 6 or 17, parameter: [{sorted(protocols)}], context: {context}.{side}")
        for item in match.get(side, ()):
            if item["FromPort"] > item["ToPort"]:
                raise Invalid(f"port range is invalid, parameter: [{item['FromPort']}:{item['ToPort']}], context: {context}.{side}")
    for item in match.get("TCPFlags", ()):
        if TCP not in protocols:
            raise Invalid(f"TCP flags need protocol 6, parameter: [{sorted(protocols)}], context: {context}.TCPFlags")
        if item.get("Masks") and not set(item["Flags"]) <= set(item["Masks"]):
            raise Invalid(f"flags must be among the masks, parameter: [{', '.join(item['Flags'])}], context: {context}.TCPFlags")
    attributes = ("Protocols", "Sources", "Destinations", "SourcePorts", "DestinationPorts", "TCPFlags")
    return prod(max(1, len(match.get(name, ()))) for name in attributes)


def _network(text: str, context: str) -> None:
    try:
        parse_network(text)
    except ValueError:
        raise Invalid(f"address is invalid, parameter: [{text}], context: {context}") from None
