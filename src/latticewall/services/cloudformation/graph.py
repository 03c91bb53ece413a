"""What a template's resources refer to: unknown names, cycles, order ("DependsOn attribute", "Ref", "Fn::GetAtt")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latticewall.apimodel.catalog import Catalog
from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.conform import UnknownProperty, conform, member_of
from latticewall.services.cloudformation.intrinsics import PSEUDO, VARIABLE, attribute_of
from latticewall.services.cloudformation.preflight import check_functions
from latticewall.services.cloudformation.resource_types import TABLE, ResourceType
from latticewall.services.cloudformation.template import Resource, Template, function_of, walk


@dataclass
class References:
    """What a value refers to. names: Ref and ${Name}. attributes: (resource, attribute; "" when it is computed). conditions: of Fn::If."""

    names: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    conditions: set[str] = field(default_factory=set)
    imports: bool = False


def references(value: Any) -> References:
    """Every reference in a value, in all branches."""
    found = References()

    def visit(function: str, argument: Any) -> None:
        if function == "Ref":
            found.names.add(str(argument))
        elif function == "Fn::GetAtt":
            name, attribute = attribute_of(argument)
            found.attributes.add((name, attribute if isinstance(attribute, str) else ""))
        elif function == "Fn::If" and isinstance(argument, list) and argument:
            found.conditions.add(str(argument[0]))
        elif function == "Fn::ImportValue":
            found.imports = True
        elif function == "Fn::Sub":
            _sub(found, argument)

    walk(value, visit)
    return found


def _sub(found: References, argument: Any) -> None:
    body, variables = (argument[0], argument[1]) if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    for literal, name in VARIABLE.findall(body if isinstance(body, str) else ""):
        name = name.strip()
        if literal or (isinstance(variables, dict) and name in variables):
            continue
        if "." in name:
            resource, attribute = name.split(".", 1)
            found.attributes.add((resource, attribute))
        else:
            found.names.add(name)


def dependencies(template: Template, resource: Resource) -> set[str]:
    """The resources that must be there before this one."""
    found = references(resource.properties)
    named = {*found.names, *(name for name, _ in found.attributes), *resource.depends_on}
    return {name for name in named if name in template.resources}


def order(template: Template) -> list[str]:
    """Logical ids, each after what it depends on; otherwise as written. Raises ValidationError for a cycle, naming its members."""
    needs = {name: dependencies(template, resource) for name, resource in template.resources.items()}
    done: dict[str, None] = {}
    while len(done) < len(needs):
        ready = [name for name, wanted in needs.items() if name not in done and wanted <= done.keys()]
        if not ready:
            raise text.invalid(f"Circular dependency between resources: {text.bracketed(_cycle(needs, done))}")
        done.update(dict.fromkeys(ready))
    return list(done)


def _cycle(needs: Mapping[str, set[str]], done: Iterable[str]) -> list[str]:
    """The resources that are on a cycle: of those that are left, the ones that others on it need."""
    left = {name: wanted - set(done) for name, wanted in needs.items() if name not in set(done)}
    while True:
        needed = set().union(*left.values()) & left.keys()
        if len(needed) == len(left):
            return sorted(left)
        left = {name: wanted & needed for name, wanted in left.items() if name in needed}


# -- checks --------------------------------------------------------------------------------------------------------------------------------


def check(template: Template, catalog: Catalog) -> None:
    """Refuse what could never be deployed, before anything is created. Raises ValidationError, naming the culprit."""
    unknown = sorted({resource.type for resource in template.resources.values() if resource.type not in TABLE})
    if unknown:
        raise text.format_error(f"Unrecognized resource types: {text.bracketed(unknown)}")
    _check_conditions(template)
    _check_names(template)
    for resource in template.resources.values():
        _check_properties(resource, TABLE[resource.type], catalog)
    check_functions(template)
    order(template)


def _check_conditions(template: Template) -> None:
    for name, value in template.conditions.items():
        found = references(value)
        wrong = sorted({*found.names, *(resource for resource, _ in found.attributes)} - {*template.parameters, *PSEUDO})
        if wrong:
            raise text.format_error(f"Unresolved dependencies {text.bracketed(wrong)}. Cannot reference resources in the Conditions block of the template")
        if unknown := sorted(found.conditions - template.conditions.keys()):
            raise text.format_error(f"Unresolved condition dependency {unknown[0]} in condition {name}")
        if not function_of(value) and not (isinstance(value, dict) and list(value) == ["Condition"]):
            raise text.format_error(f"Conditions can only be boolean operations on parameters and other conditions: {name}")


def _check_names(template: Template) -> None:
    """Everything that is referred to exists."""
    blocks: dict[str, list[tuple[Any, str]]] = {
        "Resources": [(resource.properties, resource.condition) for resource in template.resources.values()],
        "Outputs": [(output, str(output.get("Condition", ""))) for output in template.outputs.values()],
    }
    for block, entries in blocks.items():
        for value, condition in entries:
            found = references(value)
            for unknown in sorted({*found.conditions, *([condition] if condition else [])} - template.conditions.keys()):
                raise text.format_error(f"Unresolved condition dependency {unknown} in the {block} block of the template")
            wrong = sorted(found.names - {*template.parameters, *template.resources, *PSEUDO})
            if wrong:
                raise text.format_error(f"Unresolved resource dependencies {text.bracketed(wrong)} in the {block} block of the template")
            for name, attribute in sorted(found.attributes):
                _check_attribute(template, name, attribute)
    for resource in template.resources.values():
        if wrong := sorted(set(resource.depends_on) - template.resources.keys()):
            raise text.format_error(f"Unresolved resource dependencies {text.bracketed(wrong)} in the Resources block of the template")


def _check_attribute(template: Template, name: str, attribute: str) -> None:
    if name not in template.resources:
        raise text.template_error(f"instance of Fn::GetAtt references undefined resource {name}")
    resource_type = TABLE[template.resources[name].type]
    if attribute and attribute not in resource_type.attributes:
        raise text.template_error(f"resource {name} does not support attribute type {attribute} in Fn::GetAtt")


def _refused(resource: Resource, message: str) -> Exception:
    return text.invalid(f"Properties validation failed for resource {resource.logical_id} with message: {message}")


def _check_properties(resource: Resource, resource_type: ResourceType, catalog: Catalog) -> None:
    """Every property is one of the type's, down to the members that its operation knows; required ones are there."""
    for name in resource.properties:
        if name not in resource_type.known:
            raise _refused(resource, f"Encountered unsupported property {name}")
    for name in resource_type.required:
        if resource.properties.get(name) is None:
            raise _refused(resource, f"Property {name} cannot be empty. required key [{name}] not found")
    for name, members in resource_type.parts.items():
        _check_parts(resource, name, members.split())
    shape = catalog.operation(resource_type.create).input if resource_type.create else None
    if shape is None:
        return
    for name, value in resource.properties.items():
        member = member_of(shape, name, resource_type.renames)
        if not member or name in resource_type.by_hand or (resource_type.tagging and name == resource_type.tag_property):
            continue
        try:
            conform(shape.members[member], value, resource_type.renames, name)
        except UnknownProperty as error:
            raise _refused(resource, f"Encountered unsupported property {error.path}") from None


def _check_parts(resource: Resource, name: str, members: list[str]) -> None:
    """A property, or the items of a list, that no operation takes as it is."""
    value = resource.properties.get(name)
    items = [(f"{name}/{index}", item) for index, item in enumerate(value)] if isinstance(value, list) else [(name, value)]
    for path, item in items:
        if isinstance(item, dict) and not function_of(item):
            for member in item:
                if member not in members:
                    raise _refused(resource, f"Encountered unsupported property {path}/{member}")


def capabilities(template: Template) -> tuple[list[str], list[str]]:
    """The capabilities a template needs, and the resource types that need them."""
    types = sorted({resource.type for resource in template.resources.values() if TABLE[resource.type].capability})
    named = any(
        TABLE[resource.type].capability and resource.properties.get(TABLE[resource.type].name.split(":")[0]) is not None
        for resource in template.resources.values()
    )
    return (["CAPABILITY_NAMED_IAM"] if named else ["CAPABILITY_IAM"] if types else []), types


def check_capabilities(template: Template, given: Iterable[str]) -> None:
    """Raises InsufficientCapabilitiesException unless the caller acknowledges what the template makes."""
    needed, _ = capabilities(template)
    acknowledged = set(given)
    if "CAPABILITY_NAMED_IAM" in acknowledged:
        acknowledged.add("CAPABILITY_IAM")
    if missing := [name for name in needed if name not in acknowledged]:
        raise text.needs_capabilities(missing)
