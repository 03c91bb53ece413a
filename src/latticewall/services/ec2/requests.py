"""Reading EC2 requests: options that are not there yet are refused, never dropped; tags are accepted only for what is being made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latticewall.base.faults import Unsupported
from latticewall.resources import tags
from latticewall.services.ec2 import text

ALWAYS = frozenset({"DryRun", "ClientToken", "TagSpecifications", "Filters", "MaxResults", "NextToken"})


def only(params: Mapping[str, Any], known: str, **harmless: Any) -> None:
    """Refuse (Unsupported) every parameter that is given but neither in `known` (space-separated names) nor equal to its harmless value.

    Absent, False, empty and None always count as not given.
    """
    allowed = ALWAYS.union(known.split())
    for name, value in params.items():
        if name in allowed or value in (None, False, "", [], {}) or (name in harmless and value == harmless[name]):
            continue
        raise Unsupported(f"The parameter {name} is not supported yet", kind="ec2", fields=((name, "not supported"),))


def tags_for(params: Mapping[str, Any], *resource_types: str) -> dict[str, str]:
    """The tags given for the first resource type; specifications for types that the operation does not make are refused."""
    for specification in params.get("TagSpecifications") or ():
        if specification.get("ResourceType") not in resource_types:
            given = specification.get("ResourceType")
            raise text.invalid("InvalidParameterValue", f"'{given}' is not a valid taggable resource type for this operation.")
    return tags.from_specifications(params, resource_types[0])


def count(params: Mapping[str, Any], member: str) -> int:
    """How many there are to be, 0 if nobody says. Raises InvalidParameterValue."""
    given = params.get(member) or 0
    if given < 0:
        raise text.bad_value(given, member[:1].lower() + member[1:], "It must not be negative.")
    return int(given)


def boolean(value: Any) -> bool:
    """An AttributeBooleanValue ({"Value": true}) or a plain boolean."""
    return bool(value.get("Value")) if isinstance(value, Mapping) else bool(value)
