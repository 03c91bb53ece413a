"""`$NAME` and `@NAME` in rule headers, replaced by what they stand for in the rule's own group.

AWS's variables belong to a rule group, the engine's to all rules; so the engine is given none. Inheritance of HOME_NET and EXTERNAL_NET
is that of "Stateful domain list rule groups in AWS Network Firewall".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latticewall.base.inet import parse_address, parse_network
from latticewall.compile.firewall.rules import Rule

LONGEST_FIELD = 4000
"""Characters of one address field; the engine takes 8192 for a whole rule."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}\Z")
_USE = re.compile(r"(!?)([$@])([A-Za-z][A-Za-z0-9_]*)")
_PORTS = re.compile(r"[0-9]{0,5}(?::[0-9]{0,5})?\Z")


class VariableError(ValueError):
    """A variable that is not defined, or whose definition is not a list of addresses or ports."""


@dataclass(frozen=True)
class Values:
    """A list of addresses or ports, or everything but it."""

    items: tuple[str, ...]
    negated: bool = False

    def complement(self) -> Values:
        """Everything else; of `any` it stays `any`, as nothing would be left."""
        return self if "any" in self.items else replace(self, negated=not self.negated)

    def text(self, *, negate: bool = False) -> str:
        negated = negate != self.negated
        if "any" in self.items:
            if negated:
                raise VariableError("the complement of any address is empty")
            return "any"
        listed = self.items[0] if len(self.items) == 1 else f"[{','.join(self.items)}]"
        if negated and listed.startswith("!"):
            listed = f"[{listed}]"
        return f"!{listed}" if negated else listed


@dataclass(frozen=True)
class Scope:
    """The variables one rule group sees."""

    addresses: Mapping[str, Values]
    ports: Mapping[str, Values]
    references: Mapping[str, Values]

    def expand(self, rule: Rule) -> tuple[Rule, ...]:
        """The rule with its variables replaced; several rules where a list is too long for one. Raises VariableError."""
        source = self._addresses(rule.source)
        destination = self._addresses(rule.destination)
        source_port = self._replace(rule.source_port, self.ports)
        destination_port = self._replace(rule.destination_port, self.ports)
        return tuple(
            replace(rule, source=one, destination=other, source_port=source_port, destination_port=destination_port)
            for one in _chunks(source)
            for other in _chunks(destination)
        )

    def _addresses(self, field: str) -> str:
        return self._replace(field, self.addresses)

    def _replace(self, field: str, variables: Mapping[str, Values]) -> str:
        def value(use: re.Match[str]) -> str:
            negation, sigil, name = use.groups()
            found = variables.get(name) if sigil == "$" else self.references.get(name)
            if found is None:
                kind = "Variable" if sigil == "$" else "IP set reference"
                raise VariableError(f'{kind} "{name}" is not defined')
            return found.text(negate=bool(negation))

        replaced = _USE.sub(value, field)
        if "$" in replaced or "@" in replaced:
            raise VariableError(f"{field} is not a valid use of a variable")
        return replaced


def _chunks(field: str) -> list[str]:
    """A field in pieces that the engine takes. Only a plain list of addresses can be cut: its elements are alternatives."""
    if len(field) <= LONGEST_FIELD:
        return [field]
    if not field.startswith("[") or "!" in field or "[" in field[1:]:
        raise VariableError(f"an address list of {len(field)} characters with negations or nested lists is too long for one rule")
    pieces, piece = [], ""
    for item in field[1:-1].split(","):
        if piece and len(piece) + len(item) + 3 > LONGEST_FIELD:
            pieces.append(f"[{piece}]")
            piece = ""
        piece = f"{piece},{item}" if piece else item
    return [*pieces, f"[{piece}]"]


def policy_variables(policy: Mapping[str, Any], home_net: Sequence[str]) -> dict[str, Values]:
    """HOME_NET of the policy (by default the CIDRs of the firewall's VPC) and EXTERNAL_NET, which is always its complement."""
    defined = policy.get("PolicyVariables", {}).get("RuleVariables", {}).get("HOME_NET", {}).get("Definition")
    home = address_set("HOME_NET", defined or home_net)
    return {"HOME_NET": home, "EXTERNAL_NET": home.complement()}


def group_scope(group: Mapping[str, Any], inherited: Mapping[str, Values], prefix_lists: Mapping[str, Sequence[str]]) -> Scope:
    """The variables of a rule group: its own, then the policy's HOME_NET and EXTERNAL_NET. Raises VariableError."""
    variables = group.get("RuleVariables", {})
    own = {name: address_set(name, item.get("Definition", ())) for name, item in variables.get("IPSets", {}).items()}
    ports = {name: port_set(name, item.get("Definition", ())) for name, item in variables.get("PortSets", {}).items()}
    references = {}
    for name, item in group.get("ReferenceSets", {}).get("IPSetReferences", {}).items():
        arn = item.get("ReferenceArn", "")
        if arn not in prefix_lists:
            raise VariableError(f'IP set reference "{name}" refers to {arn}, which does not exist')
        # An empty prefix list matches no address; 0.0.0.0/32 is one that no packet carries through a firewall.
        references[name] = address_set(name, prefix_lists[arn] or ("0.0.0.0/32",))
    return Scope({**inherited, **own}, ports, references)


def address_set(name: str, definition: Sequence[str]) -> Values:
    """An IPSets definition. Raises VariableError for what is neither an address, a CIDR, a range of addresses nor `any`."""
    return Values(tuple(_checked(name, item, _is_address) for item in _defined(name, definition)))


def port_set(name: str, definition: Sequence[str]) -> Values:
    """A PortSets definition. Raises VariableError for what is neither a port, a range `from:to` nor `any`."""
    return Values(tuple(_checked(name, item, _is_port) for item in _defined(name, definition)))


def _defined(name: str, definition: Sequence[str]) -> list[str]:
    if not _NAME.match(name):
        raise VariableError(f'variable name "{name}" is not valid')
    items = [part.strip() for item in definition for part in str(item).strip().removeprefix("[").removesuffix("]").split(",")]
    if not items:
        raise VariableError(f'variable "{name}" has an empty definition')
    return items


def _checked(name: str, item: str, valid: Any) -> str:
    text = item.lower() if item.lower() == "any" else item
    if text != "any" and not valid(text.removeprefix("!")):
        raise VariableError(f'definition "{item}" of variable "{name}" is not valid')
    return text


def _is_address(text: str) -> bool:
    ends = text.split("-")
    try:
        if len(ends) == 2:
            low, high = (parse_address(end.strip()) for end in ends)
            return low.version == high.version and int(low) <= int(high)
        parse_network(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    if not text or text == ":" or not _PORTS.match(text):
        return False
    numbers = [int(part) for part in text.split(":") if part]
    return all(number <= 65535 for number in numbers) and numbers == sorted(numbers)
