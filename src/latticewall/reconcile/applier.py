"""What realises a part of a plan: observe, compare, act. Level-triggered: applying a plan again, late, or after a restart is always right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from latticewall.plan.node import NodePlan


@dataclass(frozen=True, order=True)
class Failure:
    """A resource that could not be realised. kind: what sort of thing in the plan ("vpc", "instance", "link", "firewall", ...). id: its AWS id."""

    kind: str
    id: str
    message: str


@dataclass(frozen=True)
class Report:
    """What one application did. changed: how many things differed from the plan and were acted on; 0 when all was already so. awaited: ids of resources that
    are on their way by themselves, and are to be looked at again soon. unfinished: whether looking for damage was put off for something newer."""

    changed: int = 0
    failures: tuple[Failure, ...] = ()
    awaited: tuple[str, ...] = ()
    unfinished: bool = False

    def __add__(self, other: Report) -> Report:
        return Report(self.changed + other.changed, self.failures + other.failures, self.awaited + other.awaited, self.unfinished or other.unfinished)


class Applier(Protocol):
    """Makes reality follow the plan. One broken resource is a Failure in the report and stops nothing else; nothing is raised for it."""

    name: str

    def apply(self, plan: NodePlan) -> Report: ...
