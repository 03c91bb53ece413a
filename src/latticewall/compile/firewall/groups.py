"""The three forms of a stateful rule group -> rules ("Working with stateful rule groups in AWS Network Firewall")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from latticewall.compile.firewall.rules import Option, Rule, RuleSyntaxError, parse_rule, parse_rules

STRICT_ORDER = "STRICT_ORDER"
DEFAULT_ACTION_ORDER = "DEFAULT_ACTION_ORDER"

_DOMAIN = re.compile(r"\.?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_LISTS = {
    "DENYLIST": ("drop", "denylisted"),
    "ALLOWLIST": ("pass", "allowlisted"),
    "REJECTLIST": ("reject", "rejectlisted"),
    "ALERTLIST": ("alert", "alertlisted"),
}
_TRAILING = {
    "TLS_SNI": 'drop tls $HOME_NET any -> $EXTERNAL_NET any (msg:"not matching any TLS allowlisted FQDNs"; priority:1; ssl_state:client_hello; '
    "flow:to_server, established; sid:{sid}; rev:1;)",
    "HTTP_HOST": "drop http $HOME_NET any -> $EXTERNAL_NET any (http.header_names; "
    'content:"|0d 0a|"; startswith; msg:"not matching any HTTP allowlisted FQDNs"; priority:1; '
    "flow:to_server, established; sid:{sid}; rev:1;)",
}


def rule_order(document: Mapping[str, Any]) -> str:
    """STRICT_ORDER or DEFAULT_ACTION_ORDER, of a rule group or (by its StatefulEngineOptions) of a policy."""
    options = document.get("StatefulRuleOptions") or document.get("StatefulEngineOptions") or {}
    return str(options.get("RuleOrder", DEFAULT_ACTION_ORDER))


def stateful_rules(group: Mapping[str, Any], order: str) -> tuple[Rule, ...]:
    """The rules of a stateful group in the order that counts, variables not yet replaced. Raises RuleSyntaxError."""
    source = group.get("RulesSource", {})
    if "RulesSourceList" in source:
        return domain_rules(source["RulesSourceList"], order)
    if "StatefulRules" in source:
        return tuple(tuple_rule(item, number) for number, item in enumerate(source["StatefulRules"], 1))
    return parse_rules(source.get("RulesString", ""))


def domain_rules(listed: Mapping[str, Any], order: str) -> tuple[Rule, ...]:
    """The rules AWS generates from a domain list ("Stateful domain list rule groups"); the trailing drops of an ALLOWLIST are for
    default action order only, as in strict order the policy's default action denies.
    """
    action, word = _LISTS[listed["GeneratedRulesType"]]
    texts: list[str] = []
    kinds = [kind for kind in ("TLS_SNI", "HTTP_HOST") if kind in listed["TargetTypes"]]
    for kind in kinds:
        for target in listed["Targets"]:
            texts.append(_domain_rule(action, word, kind, target, len(texts) + 1))
    if action == "pass" and order == DEFAULT_ACTION_ORDER:
        for kind in kinds:
            texts.append(_TRAILING[kind].format(sid=len(texts) + 1))
    return tuple(parse_rule(text, number) for number, text in enumerate(texts, 1))


def _domain_rule(action: str, word: str, kind: str, target: str, sid: int) -> str:
    if not _DOMAIN.match(target):
        raise RuleSyntaxError(f"domain is invalid, parameter: [{target}]")
    name = target.lower()
    place = f'dotprefix; content:"{name}"; ' if name.startswith(".") else f'content:"{name}"; startswith; '
    if kind == "TLS_SNI":
        protocol, match = "tls", f"ssl_state:client_hello; tls.sni; {place}nocase; endswith;"
    else:
        protocol, match = "http", f"http.host; {place}endswith;"
    label = f"matching {protocol.upper()} {word} FQDNs"
    return (
        f"{action} {protocol} $HOME_NET any -> $EXTERNAL_NET any "
        f'({match} msg:"{label}"; priority:1; flow:to_server, established; sid:{sid}; rev:1;)'
    )


def tuple_rule(item: Mapping[str, Any], number: int) -> Rule:
    """One rule of the 5-tuple form. Raises RuleSyntaxError."""
    header = item["Header"]
    direction = "<>" if header["Direction"] == "ANY" else "->"
    fields = [str(header[key]) for key in ("Source", "SourcePort", "Destination", "DestinationPort")]
    source, source_port, destination, destination_port = ("any" if field.upper() == "ANY" else field for field in fields)
    options = " ".join(str(_tuple_option(option)) for option in item.get("RuleOptions", ()))
    protocol = str(header["Protocol"]).lower()
    text = f"{str(item['Action']).lower()} {protocol} {source} {source_port} {direction} {destination} {destination_port} ({options})"
    return parse_rule(text, number)


def _tuple_option(option: Mapping[str, Any]) -> Option:
    settings: Sequence[str] = option.get("Settings") or ()
    if not settings:
        return Option(option["Keyword"])
    value = ",".join(settings)
    if option["Keyword"] == "msg" and not value.startswith('"'):
        value = f'"{value}"'  # AWS accepts it bare, the engine does not
    return Option(option["Keyword"], value)
