"""The stored form of every resource, whatever its kind: what the store keeps, the engine edits and the world is built from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True, order=True)
class Edge:
    """`source` refers to `target`; on_delete says what deleting the target does to the source: block, cascade or clear."""

    source_kind: str
    source_id: str
    role: str
    target_kind: str
    target_id: str
    on_delete: str = "block"
