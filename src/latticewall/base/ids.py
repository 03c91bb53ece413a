"""Names of Linux things derived from AWS ids: short, stable, and free of anything a shell or a script could misread."""

from __future__ import annotations

import base64
import hashlib


def digest(*ids: str) -> bytes:
    return hashlib.sha256("/".join(ids).encode()).digest()


def device(prefix: str, *ids: str) -> str:
    """An interface name: the prefix (one or two letters) and 10 base32 characters. Linux allows 15."""
    return prefix + base64.b32encode(digest(*ids)).decode().lower()[:10]


def table_number(*ids: str) -> int:
    """A routing table's number, above everything the system uses and the same whatever else exists."""
    return 10_000 + int.from_bytes(digest(*ids)[:4], "big") % 2_000_000_000


def namespace(prefix: str, id: str) -> str:  # noqa: A002 - AWS's own word
    """A network namespace's name: "vpc-0abc" stays as it is, others get their prefix."""
    return id if id.startswith(prefix + "-") else f"{prefix}-{id}"
