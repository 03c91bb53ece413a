"""EC2's `Filters`: by tag, by alias, or by the member of the answer that the filter's name spells in kebab case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from latticewall.base.faults import Invalid


def any_like(text: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns (* and ?) fits; brackets are literal, as in EC2."""
    return any(fnmatchcase(text, re.sub(r"\[", "[[]", pattern)) for pattern in patterns)


def spell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def values_at(document: Any, path: Sequence[str]) -> list[str]:
    """All scalar values at a path of members; lists on the way are flattened."""
    if isinstance(document, list):
        return [found for item in document for found in values_at(item, path)]
    if not path:
        return [] if document is None or isinstance(document, Mapping) else [spell(document)]
    if not isinstance(document, Mapping):
        return []
    return values_at(document.get(path[0]), path[1:])


def kebab(member: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", member).lower()


def select(
    documents: Iterable[dict[str, Any]],
    filters: Sequence[Mapping[str, Any]] | None,
    aliases: Mapping[str, str] | None = None,
    known: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """The documents that satisfy every filter (any of its values).

    aliases: filter name -> dotted member path where the name does not follow from the member ("association.main" ->
    "Associations.Main"). known: members that such documents may have. An unknown filter name is refused (InvalidParameterValue), never ignored.
    """
    found = list(documents)
    members = {kebab(member): member for member in known}
    for rule in filters or ():
        name, wanted = str(rule.get("Name", "")), [str(value) for value in rule.get("Values") or ()]
        if name == "tag-key" or name.startswith("tag:"):
            found = [document for document in found if _tagged(document, name, wanted)]
            continue
        path = (aliases or {}).get(name) or members.get(name) or next((key for document in found for key in document if kebab(key) == name), "")
        if not path and known:
            raise Invalid(f"The filter '{name}' is invalid", code="InvalidParameterValue", fields=(("Filters", name),))
        found = [document for document in found if any(any_like(value, wanted) for value in values_at(document, path.split(".")))]
    return found


def _tagged(document: Mapping[str, Any], name: str, wanted: Sequence[str]) -> bool:
    tags = {str(tag.get("Key")): str(tag.get("Value", "")) for tag in document.get("Tags") or ()}
    if name == "tag-key":
        return any(any_like(key, wanted) for key in tags)
    key = name.removeprefix("tag:")
    return key in tags and any_like(tags[key], wanted)
