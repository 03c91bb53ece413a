"""A measured figure and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row. value, peer: in `unit`, of the same run; None with a `note` that says why it was not measured."""

    what: str
    value: float | None
    unit: str
    peer: float | None = None
    peer_name: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.peer if self.value is not None and self.peer else None


@dataclass(frozen=True)
class Section:
    """One table of the page. how: a sentence or two on what was done."""

    title: str
    how: str
    figures: tuple[Figure, ...]


def skipped(what: str, unit: str, reason: str) -> Figure:
    """A row that this machine cannot measure."""
    return Figure(what, None, unit, note=f"skipped: {reason}")
