"""What can be said of a template's functions before anything exists: those that cannot work are refused while the request is there to be answered.

Everything that is not known yet is `LATER`. `check_functions` knows nothing but the template and looks into all branches; `check_values` knows the
stack's parameters, and follows the branches that will be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from latticewall.base.faults import Fault
from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.intrinsics import PSEUDO, Resolver, Scope
from latticewall.services.cloudformation.template import Template, function_of

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
EXTENSIONS = "AWS::LanguageExtensions"
EXTENDED = ("Fn::Length", "Fn::ToJsonString")
"""Functions that are there with the transform AWS::LanguageExtensions only."""
KEYS = ("Ref", "Fn::FindInMap")
"""What Fn::FindInMap may have as arguments without it ("Fn::FindInMap": Supported functions)."""


class LenientResolver(Resolver):
    """A function of something not known yet (an element of its list, say) is not known yet either."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._unknown = 0
        self._certain: Fault | None = None

    def resolve(self, value: Any) -> Any:
        before = self._unknown
        try:
            found = super().resolve(value)
        except Fault as fault:
            if fault is self._certain or self._unknown == before:  # nothing unknown had a part in it
                self._certain = fault
                raise
            found = LATER
        if isinstance(found, str) and LATER in found:
            self._unknown += 1
        return found


def check_functions(template: Template) -> None:
    """Refuse functions that cannot work whatever the parameters are, and conditions that need themselves. Raises ValidationError."""
    resolver = _Form(template)
    for name in template.conditions:
        resolver.condition(name)
    for resource in template.resources.values():
        resolver.resolve(resource.properties)
    for output in template.outputs.values():
        resolver.resolve({key: value for key, value in output.items() if key != "Condition"})


def check_values(
    template: Template, parameters: Mapping[str, Any], active: list[str], conditions: Mapping[str, bool], zones: Callable[[str], list[str]]
) -> None:
    """Refuse functions that cannot work with these values: a key that a mapping does not have, say.

    parameters: effective values, and pseudo parameters. active: the resources whose condition holds. Raises ValidationError.
    """
    resolver = LenientResolver(Scope(parameters, template.mappings, template.conditions, _later, _later, zones, _later, _later))
    for name in active:
        resolver.resolve(template.resources[name].properties)
    for output in template.outputs.values():
        if conditions.get(output.get("Condition", ""), True):
            resolver.resolve({key: value for key, value in output.items() if key != "Condition"})


def _later(*_: str) -> Any:
    return LATER


class _Form(LenientResolver):
    """Nothing is known, and both branches of every Fn::If are looked into."""

    def __init__(self, template: Template) -> None:
        parameters = dict.fromkeys((*template.parameters, *PSEUDO), LATER)
        super().__init__(Scope(parameters, template.mappings, template.conditions, _later, _later, _later, _later, _later))
        self._extended = EXTENSIONS in template.transforms
        self._functions = {name: function for name, function in self._functions.items() if self._extended or name not in EXTENDED}

    def _if(self, argument: Any) -> Any:
        self._decided(argument)
        for branch in argument[1:]:
            self.resolve(branch)
        return LATER

    def _find_in_map(self, argument: Any) -> Any:
        plain = isinstance(argument, list) and len(argument) == 3 and all(function_of(key) in ("", *KEYS) for key in argument)
        if not plain and not self._extended:
            raise text.not_three_keys()
        return super()._find_in_map(argument)


__all__ = ["LATER", "LenientResolver", "check_functions", "check_values"]
