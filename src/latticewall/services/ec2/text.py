"""Refusals in EC2's words ("Error codes for the Amazon EC2 API"): one function per situation that several operations meet."""

from __future__ import annotations

from latticewall.base.faults import Conflict, InUse, Invalid, NotFound


def bad_value(value: object, parameter: str, why: str = "") -> Invalid:
    """InvalidParameterValue: the parameter's value cannot be used."""
    message = f"Value ({value}) for parameter {parameter} is invalid. {why}".rstrip()
    return Invalid(message, code="InvalidParameterValue", fields=((parameter, message),))


def bad_combination(message: str) -> Invalid:
    return Invalid(message, code="InvalidParameterCombination")


def missing_parameter(name: str) -> Invalid:
    return Invalid(f"The request must contain the parameter {name}", code="MissingParameter", fields=((name, "missing"),))


def invalid(code: str, message: str) -> Invalid:
    return Invalid(message, code=code)


def not_found(code: str, message: str) -> NotFound:
    return NotFound(message, code=code)


def conflict(code: str, message: str) -> Conflict:
    return Conflict(message, code=code)


def dependency_violation(noun: str, identifier: str, dependent: str = "") -> InUse:
    """DependencyViolation: something still needs the resource; `dependent` names it."""
    by = f" ({dependent} depends on it)" if dependent else ""
    return InUse(f"The {noun} '{identifier}' has dependencies and cannot be deleted.{by}", code="DependencyViolation", id=identifier)


def incorrect_state(message: str) -> Conflict:
    return Conflict(message, code="IncorrectState")
