"""Headers that only the service network sets ("HTTP targets in VPC Lattice"): a client's own copies are taken away before anything looks at the request."""

from __future__ import annotations

OURS_TO_SAY = ("x-amzn-lattice", "x-amzn-source", "x-amzn_", "x_amzn", "x-forwarded_", "x_forwarded")
"""How their names begin, in small letters; also spelt with underscores, which many frameworks take for the same header. (x-forwarded-for, -port and -proto are
replaced on the way to the target: a signature may cover the client's.)"""


def is_ours_to_say(name: str) -> bool:
    """Whether a header, in whatever letters, is one that no client can send."""
    return name.lower().startswith(OURS_TO_SAY)
