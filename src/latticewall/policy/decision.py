"""What a set of policies says about a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Outcome(StrEnum):
    """An explicit deny, an allow, or nothing said (an implicit deny)."""

    DENY = "Deny"
    ALLOW = "Allow"
    NONE = "None"


class Grant(IntEnum):
    """How closely a statement's Principal names the caller; the combination with identity policies depends on it."""

    ABSENT = 0
    """The policy has no Principal element (identity policies)."""
    EVERYONE = 1
    ACCOUNT = 2
    """Delegates to the caller's account."""
    ROLE = 3
    DIRECT = 4
    """The user, the session, the service or the identity provider itself."""


@dataclass(frozen=True)
class Match:
    """A statement that applied. policy: its policy's name. statement: its place, from 0."""

    policy: str
    statement: int
    sid: str = ""
    grant: Grant = Grant.ABSENT

    def __str__(self) -> str:
        return f"{self.policy or 'policy'} statement {self.statement}" + (f" ({self.sid})" if self.sid else "")


@dataclass(frozen=True)
class Decision:
    """The outcome and all statements that brought it about, in the order of the policies; none for an implicit deny.

    missing: the condition keys that the request lacks although a statement asked for them. A statement asks if its action and its principal
    apply, and its resource applies or hangs on a variable that the request lacks. It asks for the keys of its conditions, and for the variables
    without default in its conditions' values and in its Resource or NotResource. Spelled as in the policies (the first in order of characters
    where several spell one key), sorted.
    """

    outcome: Outcome
    statements: tuple[Match, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOW

    @property
    def denied(self) -> bool:
        """By an explicit deny."""
        return self.outcome is Outcome.DENY

    @property
    def grant(self) -> Grant:
        """The closest grant among the allowing statements."""
        return max((match.grant for match in self.statements), default=Grant.ABSENT) if self.allowed else Grant.ABSENT

    @property
    def reason(self) -> str:
        """One line for a person."""
        if self.outcome is Outcome.NONE:
            return "no statement allows it"
        verb = "denied" if self.denied else "allowed"
        return f"explicitly {verb} by " + ", ".join(map(str, self.statements))


IMPLICIT_DENY = Decision(Outcome.NONE)
