"""The form of the table: a row says how one resource type is made, changed, deleted and shown by the operations of its service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from latticewall.resources.context import Context

Properties = dict[str, Any]
EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Made:
    """What exists of a resource. physical_id: what Ref is. row_id: the row whose status counts and whose view has the attributes; "" for
    resources that are only a part of another one. properties: as they were when it was made or last changed."""

    physical_id: str
    row_id: str = ""
    properties: Properties = field(default_factory=dict)


class Work(Protocol):
    """What the functions of a type work with: one resource of one stack, in one transaction."""

    ctx: Context
    logical_id: str
    tags: Mapping[str, str]
    """The user's tags, those of the stack included."""

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """An operation as the stack's caller."""
        ...

    def input(self, operation: str, properties: Mapping[str, Any], renames: Mapping[str, str] = EMPTY) -> dict[str, Any]:
        """Those properties that the operation takes, as its parameters."""
        ...

    def name(self, limit: int, *, lower: bool = False) -> str:
        """A name for a resource that was given none: stack, logical id, random characters."""
        ...


Making = Callable[[Work, Properties], Made]
Changing = Callable[[Work, Made, Properties], Made | None]
"""Change it to have these properties; answers what it is from now on if that is something else."""
Removing = Callable[[Work, Made], None]
Attribute = str | Callable[[Context, Made], Any]
"""A path in the view of the row ("dnsEntry.domainName"), "@id", "@arn" or "@name" of the row, "@ref", "#VpcId" for a property, or a function."""


@dataclass(frozen=True)
class ResourceType:
    """One resource type ("AWS resource and property types reference").

    properties: names with marks, "VpcId=! CidrBlock= Tags": = needs replacement, ! is required. A path ("Config.Port=") marks a part.
    kind: of its row. create: operation; made: path in its answer to the row's id, ARN or name. ref: "id", "arn" or "name" of the row.
    key: "<member>=<id|arn|name>": how update, settings and delete name the resource; more separated by spaces.
    attributes: Fn::GetAtt. renames: property -> member, at any depth.
    update: operation that takes all changed properties. settings: property -> operation that sets it alone, after creation and at a change;
    updates: the same, at a change only. clears: property -> operation when it was taken away;
    defaults: property -> value that it has from then on. lasting: properties that cannot be taken away.
    delete: operation. tagging: how tags are given, a key of `tagging.STYLES`. tag_type: EC2's resource type. tag_property: which property.
    name: "<property>:<longest>[:lower]" to generate where none is given; of IAM's types, the one that needs CAPABILITY_NAMED_IAM.
    Exceptions, as functions: before (properties as `create` wants them), making (instead of create), settled (when it is ready for the first
    time), changing (instead of update), leaving (before delete), removing (instead of delete). by_hand: properties that only these read;
    parts: of those, what it, or an item of the list, may have (names separated by spaces).
    capability: it needs IAM's acknowledgement.
    """

    type: str
    properties: str
    kind: str = ""
    create: str = ""
    made: str = ""
    ref: str = "id"
    key: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    update: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    updates: Mapping[str, str] = field(default_factory=dict)
    clears: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()
    delete: str = ""
    tagging: str = ""
    tag_type: str = ""
    tag_property: str = "Tags"
    name: str = ""
    before: Callable[[Properties], Properties] | None = None
    making: Making | None = None
    settled: Callable[[Work, Made], None] | None = None
    changing: Changing | None = None
    leaving: Removing | None = None
    removing: Removing | None = None
    by_hand: frozenset[str] = frozenset()
    parts: Mapping[str, str] = field(default_factory=dict)
    capability: bool = False

    @cached_property
    def _marked(self) -> list[tuple[str, str]]:
        return [(word.rstrip("=!"), word) for word in self.properties.split()]

    @cached_property
    def known(self) -> frozenset[str]:
        """All property names."""
        tags = {self.tag_property} if self.tagging else set()
        return frozenset({name.split(".")[0] for name, _ in self._marked} | tags)

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(name for name, word in self._marked if "!" in word)

    @cached_property
    def create_only(self) -> tuple[str, ...]:
        """Paths of what cannot be changed in place."""
        return tuple(name for name, word in self._marked if "=" in word)

    def needs_replacement(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
        """The create-only paths whose values differ."""
        return [path for path in self.create_only if at(old, path) != at(new, path)]


def at(value: Any, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    for step in path.split("."):
        if isinstance(value, list) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value
