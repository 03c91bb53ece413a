"""The Rules section: assertions about parameters, before anything is made ("CloudFormation template Rules syntax", "Rule functions").

CDK writes one into every template: that the region has been prepared for it. Fn::ValueOf and Fn::ValueOfAll, which look at resources that parameters name,
are not there and are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.services.cloudformation import text
from latticewall.services.cloudformation.intrinsics import PSEUDO, Resolver, Scope
from latticewall.services.cloudformation.template import Template, function_of, walk

TRUTHS = ("Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::Equals", "Fn::Not", "Fn::Or")
"""Functions that are true or false."""
FUNCTIONS = (*TRUTHS, "Fn::RefAll", "Ref")
MEMBERS = ("Assertions", "RuleCondition")


def check_form(template: Template) -> None:
    """Refuse rules that could not be evaluated. Raises ValidationError, naming the rule."""
    for name, rule in template.rules.items():
        if unknown := [member for member in rule if member not in MEMBERS]:
            raise text.format_error(f"[/Rules/{name}] Invalid rule member {text.bracketed(unknown)}")
        assertions = rule.get("Assertions")
        if not isinstance(assertions, list) or not assertions:
            raise text.format_error(f"[/Rules/{name}] Every Rules member must contain a list of Assertions")
        for assertion in assertions:
            if not isinstance(assertion, dict) or not {"Assert"} <= assertion.keys() <= {"Assert", "AssertDescription"}:
                raise text.format_error(f"[/Rules/{name}/Assertions] Every assertion must contain an Assert, and may contain an AssertDescription")
            _check_truth(template, name, assertion["Assert"])
        if "RuleCondition" in rule:
            _check_truth(template, name, rule["RuleCondition"])


def _check_truth(template: Template, rule: str, value: Any) -> None:
    if function_of(value) not in TRUTHS:
        raise text.format_error(f"[/Rules/{rule}] A rule's condition and assertions must be one of the functions {text.bracketed(TRUTHS)}")

    def visit(function: str, argument: Any) -> None:
        if function not in FUNCTIONS:
            raise text.format_error(f"[/Rules/{rule}] {function} is not supported in rules by latticewall. Supported are {text.bracketed(FUNCTIONS)}")
        if function == "Ref" and argument not in (*template.parameters, *PSEUDO):
            raise text.format_error(f"[/Rules/{rule}] Unresolved dependencies [{argument}]. Rules can only reference parameters")

    walk(value, visit)


def enforce(template: Template, parameters: Mapping[str, Any]) -> None:
    """Evaluate all rules. parameters: effective values, and pseudo parameters. Raises ValidationError with the descriptions of what does not hold."""
    resolver = _Rules(template, parameters)
    for name, rule in template.rules.items():
        if "RuleCondition" in rule and not resolver.resolve(rule["RuleCondition"]):
            continue
        failed = [assertion for assertion in rule["Assertions"] if not resolver.resolve(assertion["Assert"])]
        if failed:
            reasons = "; ".join(str(assertion.get("AssertDescription") or "an assertion does not hold") for assertion in failed)
            raise text.template_error(f"Rule {name} failed: {reasons}")


class _Rules(Resolver):
    """The functions that are there in rules."""

    def __init__(self, template: Template, parameters: Mapping[str, Any]) -> None:
        super().__init__(Scope(parameters))
        self._declared = template.parameters
        self._functions = {name: self._functions[name] for name in FUNCTIONS if name in self._functions} | {
            "Fn::Contains": self._contains, "Fn::EachMemberEquals": self._each_equals, "Fn::EachMemberIn": self._each_in, "Fn::RefAll": self._all_of_type,
        }  # fmt: skip

    def _pair(self, argument: Any, function: str) -> tuple[Any, Any]:
        if not isinstance(argument, list) or len(argument) != 2:
            raise text.template_error(f"every {function} object requires a list of 2 parameters.")
        return argument[0], argument[1]

    def _texts(self, argument: Any, function: str) -> list[str]:
        return [self._text(item, function) for item in self._list(argument, function)]

    def _contains(self, argument: Any) -> bool:
        listed, wanted = self._pair(argument, "Fn::Contains")
        return self._text(wanted, "Fn::Contains") in self._texts(listed, "Fn::Contains")

    def _each_equals(self, argument: Any) -> bool:
        listed, wanted = self._pair(argument, "Fn::EachMemberEquals")
        same = self._text(wanted, "Fn::EachMemberEquals")
        return all(item == same for item in self._texts(listed, "Fn::EachMemberEquals"))

    def _each_in(self, argument: Any) -> bool:
        checked, allowed = (set(self._texts(item, "Fn::EachMemberIn")) for item in self._pair(argument, "Fn::EachMemberIn"))
        return checked <= allowed

    def _all_of_type(self, argument: Any) -> list[Any]:
        """The values of all parameters of a type."""
        return [self.scope.parameters[name] for name, declared in self._declared.items() if declared.get("Type") == argument]
