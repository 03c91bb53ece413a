"""Refusals in Amazon RDS's words ("Errors" of each action in the API Reference)."""

from __future__ import annotations

from latticewall.base.faults import Conflict, InUse, Invalid, LimitExceeded, NotFound, Unsupported


def invalid(member: str, message: str) -> Invalid:
    """InvalidParameterValue; member: its name in the request."""
    return Invalid(message, fields=((member, message),))


def combination(message: str) -> Invalid:
    """InvalidParameterCombination: parameters that do not go together."""
    return Invalid(message, code="InvalidParameterCombination")


def refused(code: str, message: str) -> Conflict:
    """A refusal under its own code (DBInstanceAlreadyExists, InvalidSubnet, ...)."""
    return Conflict(message, code=code)


def not_found(kind: str, words: str) -> NotFound:
    return NotFound(words, kind=kind)


def in_use(code: str, message: str) -> InUse:
    return InUse(message, code=code)


def too_many(code: str, message: str) -> LimitExceeded:
    return LimitExceeded(message, code=code)


def unsupported(member: str, message: str) -> Unsupported:
    """An option of AWS's that latticewall does not have; said openly (InvalidParameterCombination)."""
    return Unsupported(message, fields=((member, message),))
