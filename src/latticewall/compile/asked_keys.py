"""Which facts a policy's outcome can depend on, found in its text before it is evaluated: what it does not speak of need not be told apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

IN_FORCE = timedelta(seconds=75)
"""How long after its `now` a world may be what decides: it is cut to the minute, and compiled again every ten seconds."""
ADDRESS_KEY = "sourceip"
"""aws:SourceIp and aws:VpcSourceIp, as a condition key or in a policy variable."""
TIME_KEYS = "time"
"""aws:CurrentTime, aws:EpochTime and aws:TokenIssueTime."""


def asks_for(policy: str, key: str) -> bool:
    """Whether a condition key with these letters (lower case) occurs anywhere in the policy, as a key or in a variable, however it is escaped in JSON.

    A text that is no JSON asks for nothing: it allows nobody.
    """
    try:
        return key in json.dumps(json.loads(policy), ensure_ascii=False).lower()
    except ValueError:
        return False


def moments(policies: Iterable[str], now: str) -> tuple[datetime, ...]:
    """The times at which a decision of these policies must allow, to be one for as long as a world may decide. now: the world's."""
    start = datetime.fromisoformat(now)
    return (start, start + IN_FORCE) if any(asks_for(text, TIME_KEYS) for text in policies) else (start,)
