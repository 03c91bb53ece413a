"""Statements back into the documents they are read from, and policies with some of their statements rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from latticewall.policy.document import Condition, Form, Policy, PrincipalName, Statement, parse_policy


@dataclass(frozen=True)
class StatementEdit:
    """One statement rewritten. policy: the policy's name, "" for one that does not exist yet. statement: its number as the policy is now, None for a new one.
    becomes: as it is then written, None to take it away."""

    policy: str
    statement: int | None
    becomes: Mapping[str, Any] | None


def statement_document(statement: Statement) -> dict[str, Any]:
    """A statement as JSON has it; reading it gives the same statement again."""
    found: dict[str, Any] = {"Sid": statement.sid} if statement.sid else {}
    found["Effect"] = str(statement.effect)
    for element, names in (("Principal", statement.principals), ("NotPrincipal", statement.not_principals)):
        if names is not None:
            found[element] = _principals(names)
    elements = {
        "Action": statement.actions, "NotAction": statement.not_actions, "Resource": statement.resources, "NotResource": statement.not_resources,
    }  # fmt: skip
    found |= {element: list(texts) for element, texts in elements.items() if texts is not None}
    return found | ({"Condition": _conditions(statement.conditions)} if statement.conditions else {})


def _principals(names: tuple[PrincipalName, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.kind, []).append(name.value)
    return found


def _conditions(conditions: tuple[Condition, ...]) -> dict[str, dict[str, list[str]]]:
    """An operator that asks twice for one key is spelled in other cases, which do not count."""
    found: dict[str, dict[str, list[str]]] = {}
    for condition in conditions:
        name = str(condition.operator)
        block = next(block for spelled in (name, name.lower(), name.upper()) if condition.key not in (block := found.setdefault(spelled, {})))
        block[condition.key] = list(condition.values)
    return {name: block for name, block in found.items() if block}


def rewritten(policies: Iterable[Policy], edits: Iterable[StatementEdit], form: Form) -> tuple[Policy, ...]:
    """The policies of one layer with all of the edits made at once. form: of a policy that one of them begins."""
    written, wanted = tuple(policies), tuple(edits)
    if any(edit.policy not in {policy.name for policy in written} for edit in wanted):
        written += (Policy(form, (), "2012-10-17"),)
    return tuple(_rewritten(policy, [edit for edit in wanted if edit.policy == policy.name]) for policy in written)


def _rewritten(policy: Policy, edits: list[StatementEdit]) -> Policy:
    """Statements keep their numbers; one that is taken away leaves a gap, so that what other edits say of the rest stays true."""
    by_number = {edit.statement: edit.becomes for edit in edits if edit.statement is not None}
    kept: list[Statement] = []
    for own in policy.statements:
        becomes = by_number.get(own.index)
        if own.index not in by_number:
            kept.append(own)
        elif becomes is not None:
            kept.append(_read(becomes, policy, own.index))
    added = [edit.becomes for edit in edits if edit.statement is None and edit.becomes is not None]
    first_free = max((own.index for own in policy.statements), default=-1) + 1
    return replace(policy, statements=(*kept, *(_read(new, policy, first_free + at) for at, new in enumerate(added))))


def _read(document: Mapping[str, Any], policy: Policy, number: int) -> Statement:
    """Raises Malformed."""
    text = json.dumps({"Version": policy.version, "Statement": [document]})
    return replace(parse_policy(text, policy.form).statements[0], index=number)
