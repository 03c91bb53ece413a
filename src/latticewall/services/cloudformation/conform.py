"""From the properties of a template to the parameters of an operation, led by the operation's shape.

Templates spell members with a capital, may give every scalar as text, and give policies as objects; the models say what the operation wants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from latticewall.apimodel.shapes import Shape
from latticewall.services.cloudformation.template import function_of

NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


class UnknownProperty(Exception):
    """A property that the shape does not have; `path` is its place as the template spells it ("Config/Foo")."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def member_of(shape: Shape, name: str, renames: Mapping[str, str]) -> str:
    """The member that a property is called in the model; "" if there is none."""
    wanted = renames.get(name, name)
    for candidate in (wanted, wanted[:1].lower() + wanted[1:]):
        if candidate in shape.members:
            return candidate
    return next((member for member in shape.members if member.lower() == wanted.lower()), "")


def conform(shape: Shape, value: Any, renames: Mapping[str, str], path: str = "") -> Any:
    """The value as the shape wants it. Functions that are not resolved yet are left as they are. Raises UnknownProperty.

    What is of the wrong kind altogether stays: the operation's own checks name it better.
    """
    if function_of(value):
        return value
    if shape.type == "structure" and not shape.document:
        return _structure(shape, value, renames, path)
    if shape.type == "list":
        items = value if isinstance(value, list) else [value]
        return [conform(shape.member, item, renames, f"{path}/{index}") for index, item in enumerate(items)]
    if shape.type == "map" and isinstance(value, dict):
        return {key: conform(shape.value, item, renames, f"{path}/{key}") for key, item in value.items()}
    return _scalar(shape, value)


def _structure(shape: Shape, value: Any, renames: Mapping[str, str], path: str) -> Any:
    if not isinstance(value, dict):
        if len(shape.members) == 1 and not isinstance(value, list):  # an attribute's {"Value": true}, a resource's {"ipAddress": "10.0.0.1"}
            ((member, inner),) = shape.members.items()
            return {member: conform(inner, value, renames, path)}
        return value
    found = {}
    for name, item in value.items():
        member = member_of(shape, name, renames)
        if not member:
            raise UnknownProperty(f"{path}/{name}".strip("/"))
        found[member] = conform(shape.members[member], item, renames, f"{path}/{name}")
    return found


def _scalar(shape: Shape, value: Any) -> Any:
    if shape.type == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if shape.type in NUMBERS and isinstance(value, str):
        try:
            return NUMBERS[shape.type](value)
        except ValueError:
            return value
    if shape.type == "string":
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, dict | list):  # a policy document
            return json.dumps(value)
    return value
