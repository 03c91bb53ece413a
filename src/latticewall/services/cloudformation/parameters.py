"""Parameters: declared types, defaults and constraints; the values of a stack ("CloudFormation template Parameters syntax")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.template import Template

MASK = "****"
MEMBERS = (
    "Type", "Default", "NoEcho", "AllowedValues", "AllowedPattern", "MaxLength", "MinLength", "MaxValue", "MinValue", "Description",
    "ConstraintDescription",
)  # fmt: skip
ID_KINDS = {
    "AWS::EC2::VPC::Id": "ec2:Vpc", "AWS::EC2::Subnet::Id": "ec2:Subnet", "AWS::EC2::SecurityGroup::Id": "ec2:SecurityGroup",
    "AWS::EC2::Instance::Id": "ec2:Instance", "AWS::Route53::HostedZone::Id": "route53:HostedZone",
}  # fmt: skip
"""Types whose values must be ids of existing resources."""
PLAIN = ("String", "AWS::EC2::Image::Id", "AWS::EC2::AvailabilityZone::Name", "AWS::EC2::KeyPair::KeyName", "AWS::EC2::SecurityGroup::GroupName", *ID_KINDS)
STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>\Z")
LISTED = re.compile(r"List<(.+)>\Z")

Exists = Callable[[str, str], bool]
"""Whether a resource exists: (kind, id)."""
Fetch = Callable[[str], str]
"""The value of a Systems Manager parameter."""


@dataclass(frozen=True)
class Values:
    """A stack's parameters. given: as passed (or defaults), as text. effective: what Ref is. resolved: values out of Parameter Store."""

    given: dict[str, str] = field(default_factory=dict)
    effective: dict[str, Any] = field(default_factory=dict)
    resolved: dict[str, str] = field(default_factory=dict)


def check_declarations(template: Template) -> None:
    """Refuse parameters of unknown types or with unknown members."""
    for name, declared in template.parameters.items():
        kind = declared.get("Type")
        if not isinstance(kind, str):
            raise text.format_error(f"Every Parameters object must contain a Type member: {name}")
        if unknown := [member for member in declared if member not in MEMBERS]:
            raise text.invalid(f"Invalid template parameter property '{unknown[0]}' of parameter {name}")
        if not _known_type(kind):
            raise text.format_error(f"Unrecognized parameter type: {kind}")


def _known_type(kind: str) -> bool:
    if kind in ("Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name", *PLAIN):
        return True
    if found := STORED.match(kind):
        return _known_type(found[1])
    found = LISTED.match(kind)
    return bool(found) and (found[1] == "Number" or found[1] in PLAIN) if found else False


def evaluate(template: Template, passed: Sequence[Mapping[str, Any]], previous: Mapping[str, str], fetch: Fetch, exists: Exists) -> Values:
    """The values of a create or update. passed: the request's Parameters. previous: values of the stack now, for UsePreviousValue.

    Raises ValidationError, naming the parameter.
    """
    check_declarations(template)
    given = _given(template, passed, previous)
    effective: dict[str, Any] = {}
    resolved: dict[str, str] = {}
    for name, declared in template.parameters.items():
        kind, value = str(declared["Type"]), given[name]
        stored = STORED.match(kind)
        _check(name, declared, kind, value)
        if stored:
            kind, value = stored[1], fetch(value)
            resolved[name] = value
        effective[name] = _typed(name, kind, value, exists)
    return Values(given, effective, resolved)


def _given(template: Template, passed: Sequence[Mapping[str, Any]], previous: Mapping[str, str]) -> dict[str, str]:
    asked = {str(item.get("ParameterKey", "")): item for item in passed}
    if len(asked) != len(passed):
        keys = [str(item.get("ParameterKey", "")) for item in passed]
        raise text.invalid(f"Duplicate parameter keys: {text.bracketed(sorted({key for key in keys if keys.count(key) > 1}))}")
    if unknown := [name for name in asked if name not in template.parameters]:
        raise text.invalid(f"Parameters: {text.bracketed(unknown)} do not exist in the template")
    given: dict[str, str] = {}
    missing = []
    for name, declared in template.parameters.items():
        item = asked.get(name, {})
        if item.get("UsePreviousValue"):
            if item.get("ParameterValue") is not None:
                raise text.invalid(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty value for a parameter")
            if name not in previous:
                message = f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                raise text.invalid(message)
            given[name] = previous[name]
        elif item.get("ParameterValue") is not None:
            given[name] = str(item["ParameterValue"])
        elif declared.get("Default") is not None:
            given[name] = as_text(declared["Default"])
        else:
            missing.append(name)
    if missing:
        raise text.invalid(f"Parameters: {text.bracketed(missing)} must have values")
    return given


def as_text(value: Any) -> str:
    """A default as the text a caller would pass."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    return str(value)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _check(name: str, declared: Mapping[str, Any], kind: str, value: str) -> None:
    """The declared constraints, on the text that was passed."""

    def refuse(message: str) -> Exception:
        described = declared.get("ConstraintDescription")
        return text.invalid(f"Parameter '{name}' failed to satisfy constraint: {described}" if described else message)

    items = [item.strip() for item in value.split(",")] if kind == "CommaDelimitedList" or LISTED.match(kind) else [value]
    allowed = declared.get("AllowedValues")
    if isinstance(allowed, list) and not {*items} <= {as_text(item) for item in allowed}:
        raise refuse(f"Parameter '{name}' must be one of AllowedValues")
    pattern = declared.get("AllowedPattern")
    if isinstance(pattern, str) and not all(_matches(name, pattern, item) for item in items):
        raise refuse(f"Parameter '{name}' failed to satisfy constraint: must match pattern {pattern}")
    if kind in ("Number", "List<Number>"):
        _check_numbers(name, declared, items, refuse)
    low, high = _number(as_text(declared.get("MinLength", ""))), _number(as_text(declared.get("MaxLength", "")))
    if low is not None and len(value) < low:
        raise refuse(f"Parameter '{name}' must contain at least {int(low)} characters")
    if high is not None and len(value) > high:
        raise refuse(f"Parameter '{name}' must contain at most {int(high)} characters")


def _check_numbers(name: str, declared: Mapping[str, Any], items: list[str], refuse: Callable[[str], Exception]) -> None:
    low, high = _number(as_text(declared.get("MinValue", ""))), _number(as_text(declared.get("MaxValue", "")))
    for item in items:
        number = _number(item)
        if number is None:
            raise refuse(f"Parameter '{name}' must be a number")
        if low is not None and number < low:
            raise refuse(f"Parameter '{name}' must be a number not less than {as_text(declared['MinValue'])}")
        if high is not None and number > high:
            raise refuse(f"Parameter '{name}' must be a number not greater than {as_text(declared['MaxValue'])}")


def _matches(name: str, pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        raise text.format_error(f"Parameter {name} has an AllowedPattern that is not a regular expression: {pattern}") from None


def _typed(name: str, kind: str, value: str, exists: Exists) -> Any:
    """What Ref gives: text, or a list."""
    listed = LISTED.match(kind)
    if kind == "CommaDelimitedList" or listed:
        items = [item.strip() for item in value.split(",")] if value else []
        return [_typed(name, listed[1], item, exists) for item in items] if listed else items
    if kind in ID_KINDS and not exists(ID_KINDS[kind], value):
        raise text.invalid(f"Parameter validation failed: parameter value {value} for parameter name {name} does not exist")
    return value


def shown(template: Template, values: Values) -> list[dict[str, str]]:
    """Parameters as DescribeStacks lists them; NoEcho values are masked."""
    listed = []
    for name, value in values.given.items():
        hidden = as_text(template.parameters.get(name, {}).get("NoEcho", False)).lower() == "true"
        item = {"ParameterKey": name, "ParameterValue": MASK if hidden else value}
        if name in values.resolved:
            item["ResolvedValue"] = MASK if hidden else values.resolved[name]
        listed.append(item)
    return listed


def declarations(template: Template) -> list[dict[str, Any]]:
    """Parameters as ValidateTemplate (and, with types and constraints, GetTemplateSummary) lists them."""
    listed = []
    for name, declared in template.parameters.items():
        hidden = as_text(declared.get("NoEcho", False)).lower() == "true"
        item: dict[str, Any] = {"ParameterKey": name, "NoEcho": hidden, "ParameterType": declared.get("Type", "")}
        if declared.get("Default") is not None:
            item["DefaultValue"] = as_text(declared["Default"])
        if declared.get("Description"):
            item["Description"] = str(declared["Description"])
        allowed = declared.get("AllowedValues")
        item["ParameterConstraints"] = {"AllowedValues": [as_text(value) for value in allowed]} if isinstance(allowed, list) else {}
        listed.append(item)
    return listed
