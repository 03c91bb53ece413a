"""Tags in AWS's three spellings: a map, a list of Key/Value (any case), and EC2's TagSpecifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Invalid


def read(value: Any) -> dict[str, str]:
    """A `tags`/`Tags` member, whichever form it has, as a dict. Raises Invalid for a reserved or repeated key."""
    if not value:
        return {}
    pairs: list[tuple[str, str]]
    if isinstance(value, Mapping):
        pairs = [(str(key), str(text)) for key, text in value.items()]
    else:
        pairs = [(str(tag.get("Key", tag.get("key", ""))), str(tag.get("Value", tag.get("value", "")) or "")) for tag in value]
    found: dict[str, str] = {}
    for key, text in pairs:
        if key.lower().startswith("aws:"):
            raise Invalid(f"Tag keys starting with 'aws:' are reserved for system use: {key}", fields=(("tags", "reserved prefix"),))
        if key in found:
            raise Invalid(f"Duplicate tag keys found. Please note that Tag keys are case insensitive: {key}", fields=(("tags", "duplicate key"),))
        found[key] = text
    return found


def from_specifications(params: Mapping[str, Any], resource_type: str) -> dict[str, str]:
    """EC2's `TagSpecifications`, those for one resource type ("subnet")."""
    found: dict[str, str] = {}
    for specification in params.get("TagSpecifications") or ():
        if specification.get("ResourceType") == resource_type:
            found.update(read(specification.get("Tags")))
    return found


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]

