"""Tags by which latticewall itself is told something (docs/features/auth-policies.md): a value that means nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps

from latticewall.base.faults import Invalid
from latticewall.base.policy_tests import NAME
from latticewall.base.policy_tests import TAG as POLICY_TESTS
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.vpc_lattice.nouns import SERVICE_NETWORK

PREFIX = "latticewall:"
AUTH_MODE = "latticewall:auth-mode"
"""`enforce` (as without the tag) or `audit`: decisions are logged as if enforced, nothing is denied."""

_VALUES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    AUTH_MODE: (lambda value: value in ("enforce", "audit"), "is enforce or audit"),
    POLICY_TESTS: (lambda value: NAME.match(value) is not None, "is the name of policy tests kept with `latticewall policy tests put NAME FILE`"),
}


def checked(operation: str, handler: Handler) -> Handler:
    """The handler, for tags that mean something. operation: its name."""
    if operation != "TagResource" and not operation.startswith(("Create", "Start")):
        return handler

    @wraps(handler)
    def guarded(ctx: Context, params: Document) -> Document:
        own = {key: value for key, value in tags.read(params.get("tags")).items() if key.startswith(PREFIX)}
        if own:
            _check(own, _is_network(ctx, operation, params))
        return handler(ctx, params)

    return guarded


def _is_network(ctx: Context, operation: str, params: Document) -> bool:
    if operation != "TagResource":
        return operation == "CreateServiceNetwork"
    row = ctx.tx.by_arn(str(params.get("resourceArn")))
    return row is not None and row.kind == SERVICE_NETWORK


def _check(own: Mapping[str, str], is_network: bool) -> None:
    for key, value in own.items():
        if key not in _VALUES:
            raise _refused(f"Tag {key} has no meaning to latticewall: it knows {', '.join(_VALUES)}")
        if not is_network:
            raise _refused(f"Tag {key} is only for service networks")
        holds, meaning = _VALUES[key]
        if not holds(value):
            raise _refused(f"Tag {key} {meaning}, not `{value}`")


def _refused(message: str) -> Invalid:
    return Invalid(message, code="ValidationException", fields=(("tags", message),), members={"reason": "fieldValidationFailed"})
