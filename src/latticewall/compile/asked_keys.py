"""Which facts a policy's outcome can depend on, found in its text before it is evaluated: what it does not speak of need not be told apart."""

from __future__ import annotations

import json


def asks_for(policy: str, key: str) -> bool:
    """Whether a condition key with these letters (lower case) occurs anywhere in the policy, as a key or in a variable, however it is escaped in JSON.

    A text that is no JSON asks for nothing: it allows nobody.
    """
    try:
        return key in json.dumps(json.loads(policy), ensure_ascii=False).lower()
    except ValueError:
        return False
