"""What health checks of target groups accept, by Lattice and by load balancers."""

from __future__ import annotations


def status_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """A matcher's "200,202" or "200-299" as inclusive ranges."""
    found = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found.append((int(first), int(last or first)))
    return tuple(found)
