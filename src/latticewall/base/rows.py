"""The stored form of every resource, whatever its kind: what the store keeps, the engine edits and the world is built from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

_read = json.JSONDecoder().raw_decode
"""As `json.loads`, of what we have written ourselves, without spaces around it."""


@dataclass
class Row:
    """One resource.

    kind: "ec2:Subnet". id: the AWS id, or the name where AWS has no id. name: the unique name, if the kind has one. parent: the id of
    the resource it lives in, "" if none. status: the engine's own word (creating, ready, updating, deleting, failed); each kind's
    lifecycle spells it for the API. revision: the store revision of its last change. document: what Describe or Get answers, with AWS's
    member names verbatim (timestamps as ISO 8601 text), plus members that start with "_" which never leave the API.
    """

    kind: str
    account: str
    region: str
    id: str
    arn: str = ""
    name: str = ""
    parent: str = ""
    status: str = "ready"
    reason: str = ""
    revision: int = 0
    created_at: str = ""
    updated_at: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def stored(cls, values: Iterable[Any]) -> Row:
        """A row as it is kept, `document` and `tags` as JSON: they are read when they are first asked for, which of many rows is not."""
        row = cls.__new__(cls)
        row.__dict__ = dict(zip(_STORED, values, strict=True))
        return row

    def __getattr__(self, name: str) -> Any:
        text = self.__dict__.pop(f"_{name}", None) if name in ("document", "tags") else None
        if text is None:
            raise AttributeError(name)
        self.__dict__[name], _ = _read(text)
        return self.__dict__[name]


_STORED = (*(member.name for member in fields(Row)[:-2]), "_document", "_tags")


@dataclass(frozen=True, order=True)
class Edge:
    """`source` refers to `target`; on_delete says what deleting the target does to the source: block, cascade or clear."""

    source_kind: str
    source_id: str
    role: str
    target_kind: str
    target_id: str
    on_delete: str = "block"
