"""Compile the newest revision, apply it, settle what waited for it; again at every change, and now and then without one, so that damage heals."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Applier, Report

log = logging.getLogger(__name__)

Failures = Mapping[str, str]
"""Resource id (or ARN) -> why it cannot be realised."""
RESYNC_SECONDS = 10.0
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass
class Progress:
    """What the loop has reached, for `status`: revision applied, seconds the last round took, failures by resource id, applier errors by name."""

    applied_revision: int = 0
    round_seconds: float = 0.0
    rounds: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Loop:
    """One thread. wait: blocks until there is a revision above the given one (or the timeout, in seconds, has passed).

    settle(revision, failures): moves the statuses that waited. Appliers run in the given order; when one raises, the round settles nothing
    and is repeated with backoff.
    """

    def __init__(
        self, compile_plan: Callable[[], NodePlan], appliers: Sequence[Applier], settle: Callable[[int, Failures], None], wait: Callable[[int, float], int]
    ) -> None:
        self._compile = compile_plan
        self._appliers = appliers
        self._settle = settle
        self._wait = wait
        self._stop = threading.Event()
        self._applied = threading.Condition()
        self.progress = Progress()
        self.plan: NodePlan | None = None

    def run(self) -> None:
        """Until `stop`."""
        attempt = 0
        while not self._stop.is_set():
            seen = self.plan.revision if self.plan else 0
            if self.round():
                attempt = 0
                seen = self.plan.revision if self.plan else seen
                self._wait(seen, RESYNC_SECONDS)
            else:
                self._stop.wait(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
                attempt += 1

    def stop(self) -> None:
        self._stop.set()

    def round(self) -> bool:
        """Compile, apply and settle once; False when an applier could not do its work at all."""
        started = time.monotonic()
        try:
            plan = self._compile()
        except Exception as error:
            log.exception("the world does not compile")
            self.progress.errors = {"compile": str(error)}
            return False
        self.plan = plan
        failures = {problem.id: problem.message for problem in plan.problems}
        errors = {}
        for applier in self._appliers:
            try:
                report: Report = applier.apply(plan)
            except Exception as error:
                log.exception("applier `%s` failed", applier.name)
                errors[applier.name] = f"{type(error).__name__}: {error}"
                continue
            failures.update({failure.id: failure.message for failure in report.failures})
        self.progress.failures, self.progress.errors = failures, errors
        if errors:
            return False
        self._settle(plan.revision, failures)
        with self._applied:
            self.progress.applied_revision = plan.revision
            self.progress.rounds += 1
            self.progress.round_seconds = time.monotonic() - started
            self._applied.notify_all()
        return True

    def wait_applied(self, revision: int, timeout: float) -> bool:
        """Block until a round has applied that revision, at most `timeout` seconds."""
        with self._applied:
            return self._applied.wait_for(lambda: self.progress.applied_revision >= revision, timeout)
