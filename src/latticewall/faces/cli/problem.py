"""Why a command ends without its result, as one line for the user."""

from __future__ import annotations

NOT_AS_EXPECTED = 1
COULD_NOT_TELL = 2


class Problem(Exception):
    """Lower case: what happened, to what, why, what next. code: the exit code, 1 for "no" and 2 for "could not tell"."""

    def __init__(self, message: str, code: int = COULD_NOT_TELL) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code
