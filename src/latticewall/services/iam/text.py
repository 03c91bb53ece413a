"""IAM's sentences."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Invalid, NotFound

SUBJECTS = {"Role": "The role with name", "User": "The user with name", "Group": "The group with name"}
NAMED = frozenset(SUBJECTS)
"""Nouns of which messages say "with name"."""


def missing(noun: str, name: str) -> NotFound:
    """A role, user, group or instance profile that is not there."""
    return NotFound(f"{SUBJECTS.get(noun, noun)} {name} cannot be found.", code="NoSuchEntity")


def missing_policy(arn: str) -> NotFound:
    return NotFound(f"Policy {arn} was not found.", code="NoSuchEntity")


def not_attachable(arn: str) -> NotFound:
    return NotFound(f"Policy {arn} does not exist or is not attachable.", code="NoSuchEntity")


def missing_inline(name: str, holder: str) -> NotFound:
    return NotFound(f"The {holder} policy with name {name} cannot be found.", code="NoSuchEntity")


def exists(noun: str, name: str) -> Conflict:
    return Conflict(f"{noun}{' with name' if noun in NAMED else ''} {name} already exists.", code="EntityAlreadyExists")


def still(what: str) -> Conflict:
    return Conflict(f"Cannot delete entity, must {what} first.", code="DeleteConflict")


def bad(message: str, code: str = "ValidationError") -> Invalid:
    return Invalid(message, code=code)
