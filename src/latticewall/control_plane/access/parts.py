"""Calls that name a part of a resource (an association, an attachment, a rule, a change set, a key): what AWS's policies speak of then is the whole.

A Deny about the whole must hold for whoever names only the part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.base.rows import Row
from latticewall.control_plane.access.resource_types import admits, type_of_kind
from latticewall.resources.context import Context

WHOLE = {"cloudformation:ChangeSet": "cloudformation:Stack", "ec2:SecurityGroupRule": "ec2:SecurityGroup", "iam:AccessKey": "iam:User"}
"""Kinds whose rows are parts of another: the kind of their parent."""
PARTS = ("AssociationId", "AttachmentId")
"""Members that hold ids of what has no row of its own; it stands in the documents of what it joins."""


def wholes(ctx: Context, row: Row, types: frozenset[str] | None) -> list[Row]:
    """What a row is a part of, for an action that does not know the part itself."""
    if row.kind not in WHOLE or admits(types, type_of_kind(ctx.registry.kind(row.kind), row.document)):
        return []
    whole = ctx.tx.get(WHOLE[row.kind], row.parent)
    return [whole] if whole else []


def holders(ctx: Context, types: frozenset[str] | None, service: str, member: str, value: str) -> list[Row]:
    """The resources, of the types that an action knows, that an association or attachment joins."""
    if member not in PARTS or not types:
        return []
    found: dict[str, Row] = {}
    kinds = [kind for kind in ctx.registry.services[service].kinds if type_of_kind(kind, {}) in types]
    for kind in kinds:
        for row in ctx.live(kind.name):
            for joined in _objects_with(row.document, value):
                found[row.arn] = row
                texts = [text for text in joined.values() if isinstance(text, str)]
                others = (ctx.find(other.name, text) for other in kinds for text in texts if text.startswith(other.id_prefix))
                found |= {other.arn: other for other in others if other}
    return list(found.values())


def _objects_with(value: Any, text: str) -> Iterator[Mapping[str, Any]]:
    """The objects within a document that have the text as one of their values."""
    if isinstance(value, Mapping):
        if text in value.values():
            yield value
        for inner in value.values():
            yield from _objects_with(inner, text)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects_with(inner, text)
