"""Refusals in Lambda's words (Lambda API Reference; codes of its model)."""

from __future__ import annotations

from latticewall.base.faults import Conflict, Fault, Invalid, NotFound, Unsupported


class TooManyRequests(Fault):
    status = 429


class PreconditionFailed(Fault):
    status = 412


def invalid(message: str, member: str = "") -> Invalid:
    return Invalid(message, code="InvalidParameterValueException", fields=((member, message),) if member else ())


def unsupported(member: str, message: str) -> Unsupported:
    """An option of AWS's that latticewall does not have; said openly."""
    return Unsupported(f"{message} ({member})", code="InvalidParameterValueException", fields=((member, message),))


def no_function(arn: str) -> NotFound:
    return NotFound(f"Function not found: {arn}", code="ResourceNotFoundException", kind="lambda:Function", id=arn)


def not_found(message: str) -> NotFound:
    return NotFound(message, code="ResourceNotFoundException")


def conflict(message: str) -> Conflict:
    return Conflict(message, code="ResourceConflictException")


def stale() -> PreconditionFailed:
    advice = "Call the GetFunction/GetAlias API to retrieve the latest RevisionId for your resource."
    return PreconditionFailed(f"The RevisionId provided does not match the latest RevisionId. {advice}", code="PreconditionFailedException")


class TooLarge(Fault):
    status = 413


def invalid_content(message: str) -> Invalid:
    return Invalid(message, code="InvalidRequestContentException")
