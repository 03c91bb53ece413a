"""Intrinsic functions and pseudo parameters ("Intrinsic function reference", "Pseudo parameters reference").

`Resolver` turns a template's value into a plain one. What the functions refer to (parameters, resources, exports, zones) comes through a
`Scope`, so that the same code serves stacks being created, conditions before anything exists, and tests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latticewall.base.inet import parse_network
from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.template import function_of

PSEUDO = (
    "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
)  # fmt: skip
VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")
DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")
MOST_BLOCKS = 256


class NoValue:
    """AWS::NoValue: the property or list item that has this value is left out."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = NoValue()


@dataclass(frozen=True)
class Scope:
    """What functions may refer to.

    parameters: effective values, and pseudo parameters. ref: the Ref of a resource. attribute: Fn::GetAtt. Both raise Fault for what does not
    exist. zones: Availability Zones of a region. imported: the value of an export. parameter_store: the value of an SSM parameter.
    """

    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    ref: Callable[[str], Any] | None = None
    attribute: Callable[[str, str], Any] | None = None
    zones: Callable[[str], list[str]] | None = None
    imported: Callable[[str], str] | None = None
    parameter_store: Callable[[str], str] | None = None


class Resolver:
    """Evaluates values in a scope. Conditions are evaluated once and kept."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._conditions: dict[str, bool] = {}
        self._evaluating: list[str] = []
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref, "Fn::GetAtt": self._get_att, "Fn::Sub": self._sub, "Fn::Join": self._join, "Fn::Select": self._select,
            "Fn::Split": self._split, "Fn::Cidr": self._cidr, "Fn::GetAZs": self._zones, "Fn::Base64": self._base64, "Fn::If": self._if,
            "Fn::Equals": self._equals, "Fn::And": self._and, "Fn::Or": self._or, "Fn::Not": self._not, "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": self._import, "Fn::Length": self._length, "Fn::ToJsonString": self._to_json,
        }  # fmt: skip

    def resolve(self, value: Any) -> Any:
        """The plain value; NO_VALUE where it is AWS::NoValue. Raises ValidationError."""
        if isinstance(value, str):
            return self._dynamic(value)
        if isinstance(value, list):
            return [found for item in value if (found := self.resolve(item)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if name := function_of(value):
            if name not in self._functions:
                raise text.template_error(f"Encountered unsupported function: {name} Supported functions are: {text.bracketed(sorted(self._functions))}")
            return self._functions[name](value[name])
        return {key: found for key, item in value.items() if (found := self.resolve(item)) is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            if name not in self.scope.conditions:
                raise text.format_error(f"Unresolved condition dependency {name} in the Conditions block of the template")
            if name in self._evaluating:
                raise text.template_error(f"Found circular condition dependency between {name} and {self._evaluating[-1]}")
            self._evaluating.append(name)
            self._conditions[name] = self._truth(self.scope.conditions[name])
            self._evaluating.pop()
        return self._conditions[name]

    # -- references ----------------------------------------------------------------------------------------------------------------------

    def _ref(self, name: Any) -> Any:
        if not isinstance(name, str):
            raise text.template_error("every Ref object must have a single String value.")
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.scope.parameters:
            return self.scope.parameters[name]
        if self.scope.ref is None:
            raise text.format_error(f"Unresolved resource dependencies [{name}]: only parameters can be referred to here")
        return self.scope.ref(name)

    def _get_att(self, argument: Any) -> Any:
        name, attribute = attribute_of(argument)
        attribute = self.resolve(attribute)
        if self.scope.attribute is None:
            raise text.template_error(f"Fn::GetAtt of {name} cannot be used here: only parameters can be referred to")
        return self.scope.attribute(name, str(attribute))

    def _import(self, argument: Any) -> Any:
        name = self._text(argument, "Fn::ImportValue")
        if self.scope.imported is None:
            raise text.template_error("Fn::ImportValue cannot be used here")
        return self.scope.imported(name)

    def _dynamic(self, value: str) -> str:
        """A dynamic reference; Systems Manager's plain parameters are the one kind there is."""

        def fetch(found: re.Match[str]) -> str:
            service, reference = found[1], found[2]
            if service != "ssm" or self.scope.parameter_store is None:
                raise text.template_error(f"Dynamic references to {service} are not supported by latticewall: {found[0]}")
            return self.scope.parameter_store(reference)

        return DYNAMIC.sub(fetch, value) if "{{resolve:" in value else value

    # -- text and lists ------------------------------------------------------------------------------------------------------------------

    def _text(self, argument: Any, function: str) -> str:
        value = self.resolve(argument)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float | str):
            return str(value)
        raise text.template_error(f"every {function} object must have a String value where it has {json.dumps(value, default=repr)[:200]}")

    def _sub(self, argument: Any) -> str:
        variables: dict[str, Any] = {}
        body = argument
        if isinstance(argument, list):
            if len(argument) != 2 or not isinstance(argument[1], dict):
                message = "one or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional "
                raise text.template_error(message + "second argument to specify a mapping of values to replace in the string")
            body, variables = argument
        if not isinstance(body, str):
            raise text.template_error("one or more Fn::Sub intrinsic functions don't specify a string as first argument")

        def replaced(found: re.Match[str]) -> str:
            if found[1]:
                return f"${{{found[2]}}}"
            name = found[2].strip()
            if name in variables:
                return self._text(variables[name], "Fn::Sub")
            return self._text({"Fn::GetAtt": name.split(".", 1)} if "." in name else {"Ref": name}, "Fn::Sub")

        return self._dynamic(VARIABLE.sub(replaced, body))

    def _join(self, argument: Any) -> str:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
            message = "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns"
            raise text.template_error(message + " a list of strings (such as Fn::GetAZs) to be joined.")
        return argument[0].join(self._text(item, "Fn::Join") for item in self._list(argument[1], "Fn::Join"))

    def _list(self, argument: Any, function: str) -> list[Any]:
        value = self.resolve(argument)
        if not isinstance(value, list):
            raise text.template_error(f"{function} needs a list, not {json.dumps(value, default=repr)[:200]}")
        return value

    def _select(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 2:
            raise text.template_error("Fn::Select requires a list argument with two elements: an integer index and a list")
        index = self._text(argument[0], "Fn::Select")
        if not index.isdecimal():
            raise text.template_error("Fn::Select requires a list argument with a valid index")
        values = self._list(argument[1], "Fn::Select")
        if int(index) >= len(values):
            raise text.template_error(f"Fn::Select cannot select nonexistent value at index {index}")
        return values[int(index)]

    def _split(self, argument: Any) -> list[str]:
        if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str) or not argument[0]:
            raise text.template_error("every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split")
        return self._text(argument[1], "Fn::Split").split(argument[0])

    def _cidr(self, argument: Any) -> list[str]:
        """count blocks with `bits` host bits each, from the start of a block (default: as many as divide it)."""
        if not isinstance(argument, list) or len(argument) not in (2, 3):
            raise text.template_error("every Fn::Cidr object requires two or three parameters, (1) an IP block, (2) a count and (3) the number of bits")
        block, count = self._text(argument[0], "Fn::Cidr"), self._text(argument[1], "Fn::Cidr")
        bits = self._text(argument[2], "Fn::Cidr") if len(argument) == 3 else None
        return cidr_blocks(block, count, bits)

    def _zones(self, argument: Any) -> list[str]:
        region = self._text(argument, "Fn::GetAZs") or str(self.scope.parameters["AWS::Region"])
        if self.scope.zones is None:
            raise text.template_error("Fn::GetAZs cannot be used here")
        return self.scope.zones(region)

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(self._text(argument, "Fn::Base64").encode()).decode()

    def _length(self, argument: Any) -> int:
        return len(self._list(argument, "Fn::Length"))

    def _to_json(self, argument: Any) -> str:
        return json.dumps(self.resolve(argument), separators=(",", ":"))

    def _find_in_map(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) not in (3, 4):
            raise text.not_three_keys()
        keys = [self._text(item, "Fn::FindInMap") for item in argument[:3]]
        found: Any = self.scope.mappings
        for depth, key in enumerate(keys):
            if not isinstance(found, Mapping) or key not in found:
                if len(argument) == 4 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
                    return self.resolve(argument[3]["DefaultValue"])
                if depth == 0:
                    raise text.template_error(f"Mapping named '{key}' is not present in the 'Mappings' section of template.")
                raise text.template_error(f"Unable to get mapping for {'::'.join(keys)}")
            found = found[key]
        return self.resolve(found)

    # -- conditions ----------------------------------------------------------------------------------------------------------------------

    def _truth(self, value: Any) -> bool:
        if isinstance(value, dict) and list(value) == ["Condition"]:
            return self.condition(str(value["Condition"]))
        found = self.resolve(value)
        if not isinstance(found, bool):
            raise text.template_error("every Condition member must be a function that is true or false: Fn::Equals, Fn::And, Fn::Or, Fn::Not")
        return found

    def _if(self, argument: Any) -> Any:
        return self.resolve(argument[1] if self._decided(argument) else argument[2])

    def _decided(self, argument: Any) -> bool:
        """Whether the condition of a Fn::If holds."""
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise text.template_error("Fn::If requires a list argument with three elements, the first of which is the name of a condition")
        return self.condition(argument[0])

    def _equals(self, argument: Any) -> bool:
        if not isinstance(argument, list) or len(argument) != 2:
            raise text.template_error("every Fn::Equals object requires a list of 2 string parameters.")
        first, second = (self.resolve(item) for item in argument)
        return bool(_plain(first) == _plain(second))

    def _operands(self, argument: Any, function: str, low: int, high: int) -> list[bool]:
        if not isinstance(argument, list) or not low <= len(argument) <= high:
            count = f"{low}" if low == high else f"{low} to {high}"
            raise text.template_error(f"every {function} object requires a list of {count} boolean parameters.")
        return [self._truth(item) for item in argument]

    def _and(self, argument: Any) -> bool:
        return all(self._operands(argument, "Fn::And", 2, 10))

    def _or(self, argument: Any) -> bool:
        return any(self._operands(argument, "Fn::Or", 2, 10))

    def _not(self, argument: Any) -> bool:
        return not self._operands(argument, "Fn::Not", 1, 1)[0]


def _plain(value: Any) -> Any:
    """Scalars compare as text, as in AWS: true equals "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def attribute_of(argument: Any) -> tuple[str, Any]:
    """The resource and the attribute of a Fn::GetAtt, in either form."""
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if not isinstance(argument, list) or len(argument) < 2 or not isinstance(argument[0], str):
        raise text.template_error("every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
    rest: Sequence[Any] = argument[1:]
    return argument[0], ".".join(rest) if all(isinstance(part, str) for part in rest) else rest[0]


def cidr_blocks(block: str, count: str, bits: str | None) -> list[str]:
    """Fn::Cidr. Raises ValidationError."""
    try:
        network = parse_network(block)
    except ValueError:
        raise text.template_error(f"Fn::Cidr: '{block}' is not a CIDR block") from None
    number = int(count) if count.isdecimal() else 0
    if not 1 <= number <= MOST_BLOCKS:
        raise text.template_error(f"Fn::Cidr: the count of blocks must be from 1 to {MOST_BLOCKS}, not '{count}'")
    if bits is None:
        host_bits = network.max_prefixlen - network.prefixlen - (number - 1).bit_length()
    elif bits.isdecimal():
        host_bits = int(bits)
    else:
        raise text.template_error(f"Fn::Cidr: the number of bits must be a number, not '{bits}'")
    prefix = network.max_prefixlen - host_bits
    if not network.prefixlen <= prefix <= network.max_prefixlen or number > 2 ** (prefix - network.prefixlen):
        raise text.template_error(f"Fn::Cidr: '{block}' does not hold {number} blocks with {host_bits} bits each")
    size = 2**host_bits
    return [f"{network.network_address + index * size}/{prefix}" for index in range(number)]


__all__ = ["NO_VALUE", "PSEUDO", "NoValue", "Resolver", "Scope", "attribute_of", "cidr_blocks"]
