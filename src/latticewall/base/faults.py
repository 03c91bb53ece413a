"""The ways a call can be refused, independent of any service's error dialect.

Code raises a fault; `apimodel.error_dialects` turns it into the service's own error code and shape. A service that documents a
particular code for the situation (EC2 has hundreds) passes it as `code`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar


class Fault(Exception):
    """A refused call.

    message: one sentence in AWS's words, naming the culprit. code: the AWS error code, empty for the dialect's default.
    kind, id: the resource concerned ("ec2:Vpc", "vpc-0abc"). fields: (member, message) pairs of a validation failure.
    members: further members of the modelled error shape.
    """

    status: ClassVar[int] = 400

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        kind: str = "",
        id: str = "",  # noqa: A002 - AWS's own word for it
        fields: tuple[tuple[str, str], ...] = (),
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.kind = kind
        self.id = id
        self.fields = fields
        self.members = dict(members or {})


class Invalid(Fault):
    """The request itself is wrong: a missing, malformed or contradictory parameter."""


class NotFound(Fault):
    """A named resource does not exist (for this caller)."""

    status = 404


class Conflict(Fault):
    """A duplicate, a stale token, or a state that does not permit the call."""

    status = 409


class InUse(Conflict):
    """Deleting or changing something that others depend on."""


class Denied(Fault):
    """The caller is known but not allowed, or cannot be authenticated."""

    status = 403


class LimitExceeded(Fault):
    """A quota is used up."""

    status = 402


class Unavailable(Fault):
    """Nothing is wrong with the request: what it needs does not work at the moment, and nothing was changed."""

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message, code="ServiceUnavailable")


class Pending(Exception):
    """Not a refusal: the call needs something from outside that takes time, and nobody may wait for it while the store is locked.

    fulfil: gets it, or finds out that it cannot be had; the call is then to be made once more.
    """

    def __init__(self, fulfil: Callable[[], object]) -> None:
        super().__init__("something from outside must be fetched first")
        self.fulfil = fulfil


class Unsupported(Fault):
    """The operation or option exists in AWS and is not there yet here: said openly, never pretended."""

    status = 501
