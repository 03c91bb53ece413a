"""Which policy texts speak for a role or user, out of its stored row: one rule, used by authorisation, simulation and the world alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from latticewall.base.rows import Row

Find = Callable[[str], Row | None]
"""The row of a managed policy or group by its ARN."""
NOTHING = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}'


@dataclass(frozen=True)
class HeldPolicy:
    """A policy and who holds it. holder: the identity or the group itself. arn: of a managed policy, "" for an inline one."""

    holder: Row
    name: str
    text: str
    arn: str = ""


def held_policies(row: Row, find: Find) -> Iterator[HeldPolicy]:
    """The policies of a role, user or group: inline ones by name, then the default versions of attached ones; for a user also those of his groups."""
    inline, attached, groups = row.kept(_named)
    for name, text in inline:
        yield HeldPolicy(row, name, text)
    for arn in attached:
        if policy := find(arn):
            yield HeldPolicy(row, policy.name, policy.kept(_text), arn)
    for arn in groups:
        if group := find(arn):
            yield from held_policies(group, find)


def _named(row: Row) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[str, ...]]:
    """Inline policies, ARNs of attached ones and of groups."""
    document = row.document
    return tuple(sorted((document.get("_inline") or {}).items())), tuple(document.get("_attached") or ()), tuple(document.get("_groups") or ())


def _text(policy: Row) -> str:
    return str(policy.document["_document"])


def identity_texts(row: Row, find: Find) -> tuple[str, ...]:
    """The texts of all policies that speak for a role or user."""
    return tuple(policy.text for policy in held_policies(row, find))


def boundary_text(row: Row, find: Find) -> str:
    """The permissions boundary, "" without one. A boundary that names no stored policy allows nothing."""
    arn = boundary_arn(row)
    if not arn:
        return ""
    policy = find(arn)
    return policy.kept(_text) if policy else NOTHING


def boundary_arn(row: Row) -> str:
    """Empty without a permissions boundary."""
    return row.kept(_boundary)


def _boundary(row: Row) -> str:
    return str((row.document.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", ""))
