"""Reading templates: YAML with the short forms of functions, or JSON ("CloudFormation template format", "Template sections").

Parsing trusts nothing: size, depth and alias expansion are bounded, and every refusal names the culprit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from latticewall.services.cloudformation import text

MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_RESOURCES, MAX_PARAMETERS, MAX_OUTPUTS = 500, 200, 200
VERSION = "2010-09-09"
SECTIONS = (
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Resources", "Outputs", "Hooks",
)  # fmt: skip
NOT_THERE = ("Hooks",)
TRANSFORMS = ("AWS::LanguageExtensions",)
RESOURCE_MEMBERS = (
    "Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "CreationPolicy", "UpdatePolicy",
)  # fmt: skip
POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")

LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}\Z")


@dataclass(frozen=True)
class Resource:
    """One entry of the Resources section."""

    logical_id: str
    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A template whose form is right; what it refers to is checked by `graph`."""

    description: str
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Mapping[str, Any]]
    metadata: Mapping[str, Any]
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's plain types without its surprises: dates stay text, keys are unique, functions have their short forms."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _function(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """!Ref x -> {"Ref": x}, !GetAtt a.b -> {"Fn::GetAtt": [a, b]}, !Name x -> {"Fn::Name": x}."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                where = f"(line {key.start_mark.line + 1}, column {key.start_mark.column + 1})"
                raise text.format_error(f"YAML not well-formed. Duplicate key [{key.value}] {where}")
            seen.add(key.value)
    loader.flatten_mapping(node)
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _function)


@lru_cache(maxsize=64)
def parse(body: str) -> Template:
    """The template of that text. Raises ValidationError."""
    if not body.strip():
        raise text.format_error("Template body is empty.")
    document = _read_json(body) if body.lstrip().startswith("{") else _read_yaml(body)
    if not isinstance(document, dict):
        raise text.format_error("unsupported structure.")
    return _template(document)


def _read_json(body: str) -> Any:
    try:
        found = json.loads(body)
    except json.JSONDecodeError as error:
        raise text.format_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise text.format_error("JSON not well-formed. It is nested too deeply.") from None
    _bounded(found)
    return found


def _read_yaml(body: str) -> Any:
    try:
        root = yaml.compose(body, Loader=_Loader)
        if root is None:
            return None
        _bounded_nodes(root)
        found = yaml.load(body, Loader=_Loader)  # noqa: S506 - a safe loader with our own tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise text.format_error(f"YAML not well-formed.{where}") from None
    except (yaml.YAMLError, RecursionError, TypeError, ValueError):
        raise text.format_error("YAML not well-formed.") from None
    return found


def _bounded_nodes(root: yaml.Node) -> None:
    """Refuse what would grow beyond measure: depth, and aliases counted as often as they are used (also those that contain themselves)."""
    count, pending = 0, [(root, 1)]
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise text.format_error(f"YAML not well-formed. It is nested too deeply or too large (line {node.start_mark.line + 1}).")
        if isinstance(node, yaml.SequenceNode):
            pending += [(child, depth + 1) for child in node.value]
        elif isinstance(node, yaml.MappingNode):
            pending += [(child, depth + 1) for pair in node.value for child in pair]


def _bounded(value: Any, depth: int = 1) -> None:
    if depth > MAX_DEPTH:
        raise text.format_error("JSON not well-formed. It is nested too deeply.")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _bounded(child, depth + 1)


# -- sections --------------------------------------------------------------------------------------------------------------------------------


def _template(document: dict[str, Any]) -> Template:
    if unknown := [name for name in document if name not in SECTIONS]:
        raise text.invalid(f"Invalid template property or properties {text.bracketed(unknown)}")
    if (version := document.get("AWSTemplateFormatVersion", VERSION)) != VERSION:
        raise text.format_error(f"unsupported value for AWSTemplateFormatVersion: {version}.")
    if used := [name for name in NOT_THERE if document.get(name)]:
        raise text.format_error(f"the section {used[0]} is not supported by latticewall.")
    description = document.get("Description", "")
    if not isinstance(description, str) or len(description.encode()) > 1024:
        raise text.format_error("Description must be a string of at most 1024 bytes.")
    sections = {name: _section(document, name) for name in ("Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs", "Metadata")}
    if not sections["Resources"]:
        raise text.format_error("At least one Resources member must be defined.")
    for name, most in (("Resources", MAX_RESOURCES), ("Parameters", MAX_PARAMETERS), ("Outputs", MAX_OUTPUTS)):
        if len(sections[name]) > most:
            raise text.format_error(f"Number of {name.lower()}, {len(sections[name])}, is greater than maximum allowed, {most}")
    return Template(
        description=description,
        parameters=_entries(sections["Parameters"], "Parameters"),
        mappings=_mappings(sections["Mappings"]),
        conditions=sections["Conditions"],
        resources={name: _resource(name, entry) for name, entry in sections["Resources"].items()},
        outputs=_outputs(sections["Outputs"]),
        metadata=sections["Metadata"],
        rules=_entries(sections["Rules"], "Rules"),
        transforms=_transforms(document.get("Transform")),
    )


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise text.format_error(f"{name} must be an object." if name != "Resources" else "At least one Resources member must be defined.")
    if loops := [key for key in found if key.startswith("Fn::ForEach::")]:
        raise text.format_error(f"[/{name}/{loops[0]}] Fn::ForEach is not supported by latticewall.")
    return found


def _entries(section: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    for key, entry in section.items():
        if not LOGICAL_ID.match(key):
            raise text.format_error(f"{name} name {key} is non alphanumeric.")
        if not isinstance(entry, dict):
            raise text.format_error(f"[/{name}/{key}] Every {name} member must be an object.")
    return section


def _mappings(section: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for name, keys in _entries(section, "Mappings").items():
        for key, attributes in keys.items():
            if not isinstance(attributes, dict):
                raise text.format_error(f"[/Mappings/{name}/{key}] Every Mappings entry must be an object of attributes.")
            for value in attributes.values():
                if value is None or isinstance(value, dict):
                    raise text.format_error("Every Mappings attribute must be a String or a List.")
    return section


def _outputs(section: dict[str, Any]) -> dict[str, dict[str, Any]]:
    for key, entry in _entries(section, "Outputs").items():
        if entry.get("Value") is None:
            raise text.format_error(f"[/Outputs/{key}] Every Outputs member must contain a Value object")
        if unknown := [member for member in entry if member not in ("Value", "Description", "Export", "Condition")]:
            raise text.format_error(f"[/Outputs/{key}] Invalid output member {text.bracketed(unknown)}")
    return section


def _transforms(given: Any) -> tuple[str, ...]:
    names = tuple(given) if isinstance(given, list) else (given,) if given else ()
    for name in names:
        if name not in TRANSFORMS:
            raise text.invalid(f"No transform named {name} found.")
    return names


def _resource(logical_id: str, entry: Any) -> Resource:
    if not LOGICAL_ID.match(logical_id):
        raise text.format_error(f"Resource name {logical_id} is non alphanumeric.")
    if not isinstance(entry, dict):
        raise text.format_error(f"[/Resources/{logical_id}] Every Resources member must be an object.")
    if not isinstance(entry.get("Type"), str):
        raise text.format_error(f"[/Resources/{logical_id}] Every Resources object must contain a Type member.")
    if unknown := [member for member in entry if member not in RESOURCE_MEMBERS]:
        raise text.invalid(f"Invalid template resource property '{unknown[0]}' of resource {logical_id}")
    if used := [member for member in ("CreationPolicy", "UpdatePolicy") if entry.get(member)]:
        raise text.format_error(f"[/Resources/{logical_id}] {used[0]} is not supported by latticewall.")
    properties = entry.get("Properties") or {}
    if not isinstance(properties, dict):
        raise text.format_error(f"[/Resources/{logical_id}/Properties] Properties must be an object.")
    depends = entry.get("DependsOn") or ()
    depends = (depends,) if isinstance(depends, str) else tuple(depends)
    if not all(isinstance(name, str) for name in depends):
        raise text.format_error(f"[/Resources/{logical_id}/DependsOn] DependsOn must be a string or a list of strings.")
    return Resource(
        logical_id, entry["Type"], properties, depends, _name(entry, "Condition", logical_id), _policy(entry, "DeletionPolicy", logical_id),
        _policy(entry, "UpdateReplacePolicy", logical_id), entry.get("Metadata") or {},
    )  # fmt: skip


def _name(entry: dict[str, Any], member: str, logical_id: str) -> str:
    value = entry.get(member, "")
    if not isinstance(value, str):
        raise text.format_error(f"[/Resources/{logical_id}/{member}] {member} must be a string.")
    return value


def _policy(entry: dict[str, Any], member: str, logical_id: str) -> str:
    value = _name(entry, member, logical_id) or "Delete"
    if value not in POLICIES:
        raise text.format_error(f"Unrecognized {member} {value} for resource {logical_id}")
    if value == "Snapshot":
        raise text.format_error(f"{member} Snapshot cannot be specified for a resource type {entry['Type']}, which has no snapshots")
    return value


Visit = Callable[[str, Any], None]


def walk(value: Any, visit: Visit) -> None:
    """Call `visit(function, argument)` for every function in a value, those inside arguments included."""
    if isinstance(value, list):
        for item in value:
            walk(item, visit)
    elif isinstance(value, dict):
        if name := function_of(value):
            visit(name, value[name])
        for item in value.values():
            walk(item, visit)


def function_of(value: Any) -> str:
    """ "Ref", "Fn::Sub" ... if the value is a call of a function, else ""."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    (name,) = value
    return name if name == "Ref" or name.startswith("Fn::") else ""
