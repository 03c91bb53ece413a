"""The tags that a session's principal has ("Pass session tags in AWS STS"): those of the role or user, replaced by tags of the session with the same key."""

from __future__ import annotations

from collections.abc import Mapping


def principal_tags(own: Mapping[str, str], session: Mapping[str, str]) -> dict[str, str]:
    """own: of the role or user. Keys are the same in any case, so that no condition can find two."""
    replaced = {key.lower() for key in session}
    return {**{key: value for key, value in own.items() if key.lower() not in replaced}, **session}
