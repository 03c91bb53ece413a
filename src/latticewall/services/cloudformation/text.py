"""CloudFormation's sentences: tools look for some of them word by word."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.faults import Conflict, Denied, Invalid, LimitExceeded, NotFound

NO_UPDATES = "No updates are to be performed."
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def invalid(message: str) -> Invalid:
    """ValidationError, the code of nearly all refusals."""
    return Invalid(message, code="ValidationError")


def format_error(message: str) -> Invalid:
    return invalid(f"Template format error: {message}")


def template_error(message: str) -> Invalid:
    return invalid(f"Template error: {message}")


def not_three_keys() -> Invalid:
    return template_error("every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value")


def bracketed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def no_stack(name: str) -> NotFound:
    return NotFound(f"Stack with id {name} does not exist", code="ValidationError", id=name)


def no_change_set(name: str) -> NotFound:
    return NotFound(f"ChangeSet [{name}] does not exist", code="ChangeSetNotFound", id=name)


def exists(name: str) -> Conflict:
    return Conflict(f"Stack [{name}] already exists", code="AlreadyExistsException", id=name)


def wrong_state(stack_id: str, status: str, verb: str) -> Invalid:
    return invalid(f"Stack:{stack_id} is in {status} state and can not be {verb}.")


def needs_capabilities(names: Iterable[str]) -> Denied:
    return Denied(f"Requires capabilities : {bracketed(names)}", code="InsufficientCapabilitiesException")


def limit(message: str) -> LimitExceeded:
    return LimitExceeded(message, code="LimitExceededException")
