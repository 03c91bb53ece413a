"""Tags as they are given, of all resources; and those by which latticewall itself is told something (docs/features/auth-policies.md): a value that means
nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps

from latticewall.auth.log_delivery import INTERVAL_TAG, INTERVALS, is_interval
from latticewall.base.faults import Invalid
from latticewall.base.policy_tests import NAME
from latticewall.base.policy_tests import TAG as POLICY_TESTS
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Answer, Document, Handler
from latticewall.services.vpc_lattice import tag_limits
from latticewall.services.vpc_lattice.nouns import ACCESS_LOG_SUBSCRIPTION, SERVICE_NETWORK

PREFIX = "latticewall:"
PLURALS = {SERVICE_NETWORK: "service networks", ACCESS_LOG_SUBSCRIPTION: "access log subscriptions"}
AUTH_MODE = "latticewall:auth-mode"
"""`enforce` (as without the tag) or `audit`: decisions are logged as if enforced, nothing is denied."""

_VALUES: Mapping[str, tuple[Callable[[str], bool], str, str]] = {
    AUTH_MODE: (lambda value: value in ("enforce", "audit"), "is enforce or audit", SERVICE_NETWORK),
    POLICY_TESTS: (
        lambda value: NAME.match(value) is not None, "is the name of policy tests kept with `latticewall policy tests put NAME FILE`", SERVICE_NETWORK,
    ),
    INTERVAL_TAG: (is_interval, INTERVALS, ACCESS_LOG_SUBSCRIPTION),
}  # fmt: skip
"""Tag -> (which values it may have, in words, the kind it is for)."""


def checked(operation: str, handler: Handler) -> Handler:
    """The handler, for tags that may be and mean something. operation: its name."""
    if operation != "TagResource" and not operation.startswith(("Create", "Start")):
        return handler

    @wraps(handler)
    def guarded(ctx: Context, params: Document) -> Answer:
        given = tags.read(params.get("tags"))
        row = ctx.tx.by_arn(str(params["resourceArn"])) if operation == "TagResource" else None
        tag_limits.check(given, row.tags if row else {})
        _check({key: value for key, value in given.items() if key.startswith(PREFIX)}, _kind_of(operation, row))
        return handler(ctx, params)

    return guarded


def _kind_of(operation: str, row: Row | None) -> str:
    """The kind that is about to be made or tagged."""
    return f"vpc-lattice:{operation.removeprefix('Create')}" if operation != "TagResource" else row.kind if row else ""


def _check(own: Mapping[str, str], kind: str) -> None:
    for key, value in own.items():
        if key not in _VALUES:
            raise _refused(f"Tag {key} has no meaning to latticewall: it knows {', '.join(_VALUES)}")
        holds, meaning, only = _VALUES[key]
        if kind != only:
            raise _refused(f"Tag {key} is only for {PLURALS[only]}")
        if not holds(value):
            raise _refused(f"Tag {key} {meaning}, not `{value}`")


def _refused(message: str) -> Invalid:
    return Invalid(message, code="ValidationException", fields=(("tags", message),), members={"reason": "fieldValidationFailed"})
