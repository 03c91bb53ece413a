"""Refusals in Elastic Load Balancing's words ("Errors" of each action in the API Reference)."""

from __future__ import annotations

from latticewall.base.faults import Conflict, InUse, Invalid, LimitExceeded, NotFound, Unsupported


def invalid(member: str, message: str) -> Invalid:
    """ValidationError: a parameter that is wrong; member: its name in the request."""
    return Invalid(message, fields=((member, message),))


def configuration(message: str) -> Invalid:
    """InvalidConfigurationRequest: parameters that do not go together."""
    return Invalid(message, code="InvalidConfigurationRequest")


def refused(code: str, message: str) -> Conflict:
    """A refusal under its own code (InvalidSubnet, PriorityInUse, IncompatibleProtocols, ...)."""
    return Conflict(message, code=code)


def not_found(kind: str, words: str) -> NotFound:
    return NotFound(words, kind=kind)


def in_use(identifier: str, message: str) -> InUse:
    """ResourceInUse."""
    return InUse(message, id=identifier)


def too_many(code: str, message: str) -> LimitExceeded:
    return LimitExceeded(message, code=code)


def unsupported(member: str, message: str) -> Unsupported:
    """An option of AWS's that latticewall does not have; said openly (InvalidConfigurationRequest)."""
    return Unsupported(message, fields=((member, message),))
