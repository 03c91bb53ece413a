"""What was tried, what was expected, what was observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One check. expected, observed: in words, whole; ok: whether they agree."""

    scenario: str
    check: str
    expected: str
    observed: str
    ok: bool


class Report:
    """All results, in order. watch: is told of each as it comes."""

    def __init__(self, watch: Callable[[Result], None]) -> None:
        self._watch = watch
        self.results: list[Result] = []

    def add(self, result: Result) -> None:
        self.results.append(result)
        self._watch(result)

    @property
    def ok(self) -> bool:
        """Whether there are results, and all are as expected."""
        return bool(self.results) and all(result.ok for result in self.results)
