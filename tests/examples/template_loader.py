"""The walkthrough's templates as documents, with the little of CloudFormation that their tests must evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

WALKTHROUGH = Path(__file__).parents[2] / "examples" / "walkthrough"
SCENARIOS = ("centralized", "service-network", "combined")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: !Ref x -> {"Ref": x}, !GetAtt a.b -> {"Fn::GetAtt": [a, b]}, !Name x -> {"Fn::Name": x}."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = str(value).split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def path_of(scenario: str) -> Path:
    return WALKTHROUGH / f"{scenario}.yaml"


def template(scenario: str) -> dict[str, Any]:
    document = yaml.load(path_of(scenario).read_text(), Loader=_Loader)
    assert isinstance(document, dict)
    return document


def of_type(document: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of every resource of one type."""
    return {name: one.get("Properties", {}) for name, one in document["Resources"].items() if one["Type"] == kind}


def default_of(document: dict[str, Any], value: Any) -> Any:
    """A value with every Ref to a parameter, and ${parameter} inside Sub, replaced by the parameter's default."""
    if isinstance(value, list):
        return [default_of(document, item) for item in value]
    if not isinstance(value, dict):
        return value
    parameters = {name: one["Default"] for name, one in document["Parameters"].items()}
    if value.keys() == {"Ref"} and value["Ref"] in parameters:
        return parameters[value["Ref"]]
    if value.keys() == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, default in parameters.items():
            text = text.replace("${" + name + "}", str(default))
        return text
    return {name: default_of(document, item) for name, item in value.items()}
