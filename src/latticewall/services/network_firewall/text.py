"""Network Firewall's sentences: tools look for some of them word by word."""

from __future__ import annotations

from latticewall.base.faults import Conflict, InUse, Invalid, NotFound

OWNED_KEY = {"Type": "AWS_OWNED_KMS_KEY", "KeyId": "AWS_OWNED_KMS_KEY"}


def invalid(reason: str, parameter: object, context: str) -> Invalid:
    return Invalid(f"{reason}, parameter: [{parameter}], context: {context}")


def in_use() -> InUse:
    return InUse("Unable to delete the object because it is still in use", code="InvalidOperationException")


def not_possible(message: str) -> Conflict:
    return Conflict(message, code="InvalidOperationException")


def stale_token() -> Conflict:
    return Conflict("Update token is invalid or stale; describe the resource again for the current one", code="InvalidTokenException")


def missing(what: str, name: str) -> NotFound:
    return NotFound(f"{what} not found, parameter: [{name}]", code="ResourceNotFoundException")
