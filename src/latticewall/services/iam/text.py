"""IAM's sentences."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Invalid, NotFound


def missing(noun: str, name: str) -> NotFound:
    article = {"Role": "The role with name", "User": "The user with name", "Instance Profile": "Instance Profile"}.get(noun, noun)
    return NotFound(f"{article} {name} cannot be found." if noun != "Policy" else f"Policy {name} does not exist or is not attachable.", code="NoSuchEntity")


def missing_policy(name: str, holder: str) -> NotFound:
    return NotFound(f"The {holder} policy with name {name} cannot be found.", code="NoSuchEntity")


def exists(noun: str, name: str) -> Conflict:
    return Conflict(f"{noun} with name {name} already exists.", code="EntityAlreadyExists")


def still(what: str) -> Conflict:
    return Conflict(f"Cannot delete entity, must {what} first.", code="DeleteConflict")


def bad(message: str, code: str = "ValidationError") -> Invalid:
    return Invalid(message, code=code)
