"""Which policy texts speak for a role or user, out of its stored row: one rule, used by authorisation and by the world alike."""

from __future__ import annotations

from collections.abc import Callable

from latticewall.base.rows import Row

Find = Callable[[str], Row | None]
"""A managed policy's row by ARN."""


def identity_texts(row: Row, find: Find) -> tuple[str, ...]:
    """Inline policies by name, then the default versions of attached ones."""
    inline = [text for _, text in sorted((row.document.get("_inline") or {}).items())]
    attached = [policy.document["_document"] for arn in row.document.get("_attached") or () if (policy := find(arn))]
    return (*inline, *attached)


def boundary_text(row: Row, find: Find) -> str:
    """The permissions boundary, "" without one. A boundary that names no stored policy allows nothing."""
    arn = (row.document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", "")
    if not arn:
        return ""
    policy = find(arn)
    return policy.document["_document"] if policy else '{"Version":"2012-10-17","Statement":[]}'
