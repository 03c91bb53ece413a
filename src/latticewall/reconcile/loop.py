"""Compile the newest revision, apply it, settle what waited for it; again at every change, and now and then without one, so that damage heals."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from latticewall.plan.node import NodePlan
from latticewall.reconcile.applier import Applier, Report

log = logging.getLogger(__name__)

Failures = Mapping[str, str]
"""Resource id (or ARN) -> why it cannot be realised."""
Settle = Callable[[int, Failures, Collection[str]], int | None]
RESYNC_SECONDS = 10.0
AWAITED_SECONDS = 0.25
"""When to look again at what is on its way by itself."""
MANY = 6
"""Changes that came during one round: they will go on coming. What one client makes of one thing after the other is fewer."""
QUIET_SECONDS, GATHER_SECONDS = 0.005, 0.05
"""What many changes leave between them when they have ended, and how long the first of them waits for more."""
SETTLED_SECONDS = 0.02
"""How long a round waits that there is only for statuses the last one has moved: the next change takes them along."""
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
PATIENCE_SECONDS = 30.0
"""How long an applier's failure is tried again before the resource is said to have failed. What does not compile fails at once,
unless it may pass by itself."""


@dataclass
class Progress:
    """What the loop has reached, for `status`: revision applied, seconds the last round took, failures by resource id, applier errors by name."""

    applied_revision: int = 0
    round_seconds: float = 0.0
    rounds: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Loop:
    """One thread. wait: blocks until there is a revision above the given one, the timeout (seconds) has passed, or `wake` has been called; returns the newest.

    is_same(last, plan): whether appliers would find nothing to do after the last one; only asked for as long as the last one is young.
    settle(revision, failures, unsettled): moves the statuses that waited, but not those of ids in `unsettled`; returns the revision that comes of it, if
    any. Appliers run in the given
    order; when one raises, the round settles nothing and is repeated with backoff.
    """

    def __init__(
        self,
        compile_plan: Callable[[], NodePlan],
        appliers: Sequence[Applier],
        settle: Settle,
        wait: Callable[[int, float], int],
        is_same: Callable[[NodePlan, NodePlan], bool] = lambda _, __: False,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._compile = compile_plan
        self._appliers = appliers
        self._settle = settle
        self._wait = wait
        self._is_same = is_same
        self._wake = wake
        self._settled: int | None = None
        """The revision that the last round's settling made."""
        self._whole_since: tuple[NodePlan, float] | None = None
        """The plan that was last applied without any failure, and when."""
        self._stop = threading.Event()
        self._hurry = threading.Event()
        """Somebody waits for what is not applied yet: no round is put off."""
        self._applied = threading.Condition()
        self._failing_since: dict[str, float] = {}
        self._passing_since: dict[str, float] = {}
        self._awaited: set[str] = set()
        self._unfinished: frozenset[str] = frozenset()
        """Names of the appliers that have put off looking for damage."""
        self.progress = Progress()
        self.plan: NodePlan | None = None

    def run(self) -> None:
        """Until `stop`."""
        attempt = 0
        while not self._stop.is_set():
            seen = self.plan.revision if self.plan else 0
            if self.round() and not self._failing_since:
                attempt = 0
                seen = self.plan.revision if self.plan else seen
                self._put_off(seen, self._wait(seen, self._pause()))
            else:
                self._stop.wait(BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)])
                attempt += 1

    def _pause(self) -> float:
        """Seconds until the next round, if nothing changes meanwhile."""
        if self._unfinished:
            return 0
        return AWAITED_SECONDS if self._awaited else RESYNC_SECONDS

    def _put_off(self, seen: int, newest: int) -> None:
        """While many changes come one after the other, let them: a round for each few would cost more than they do. A few never wait, nor do many when
        somebody waits for them."""
        if newest == self._settled == seen + 1 and not self._hurry.is_set():
            newest = self._wait(newest, SETTLED_SECONDS)
        most, until = seen + (self._settled is not None) + MANY, time.monotonic() + GATHER_SECONDS
        while newest >= most and time.monotonic() < until and not self._hurry.wait(QUIET_SECONDS):
            before, newest = newest, self._wait(newest, 0)
            if newest == before:
                break

    def stop(self) -> None:
        self._stop.set()
        self._hurry.set()

    def round(self) -> bool:
        """Compile, apply and settle once; False when an applier could not do its work at all."""
        started = time.monotonic()
        self._hurry.clear()
        try:
            plan = self._compile()
        except Exception as error:
            log.exception("the world does not compile")
            self.progress.errors = {"compile": str(error)}
            return False
        self.plan = plan
        failures: dict[str, str] = {}
        awaited: set[str] = set()
        unfinished: set[str] = set()
        errors = {}
        done = self._is_done(plan, started)
        for applier in self._appliers:
            if done and applier.name not in self._unfinished:
                continue
            try:
                report: Report = applier.apply(plan)
            except Exception as error:
                log.exception("applier `%s` failed", applier.name)
                errors[applier.name] = f"{type(error).__name__}: {error}"
                continue
            failures.update({failure.id: failure.message for failure in report.failures})
            awaited.update(report.awaited)
            if report.unfinished:
                unfinished.add(applier.name)
            done = done and not report.changed  # what it has repaired is looked at by those after it
        problems = {problem.id: problem.message for problem in plan.problems}
        self.progress.failures, self.progress.errors = {**failures, **problems}, errors
        if failures or errors or awaited:
            self._whole_since = None
        elif not done:
            self._whole_since = plan, started
        if errors:
            return False
        self._awaited, self._unfinished = awaited, frozenset(unfinished)
        lasting = self._lasting(failures)
        young = self._young({problem.id for problem in plan.problems if problem.passing})
        try:
            self._settled = self._settle(plan.revision, {**lasting, **problems}, (failures.keys() - lasting.keys()) | young | awaited)
        except Exception as error:
            log.exception("revision %d cannot be settled", plan.revision)
            self.progress.errors = {"settle": str(error)}
            return False
        with self._applied:
            self.progress.applied_revision = plan.revision
            self.progress.rounds += 1
            self.progress.round_seconds = time.monotonic() - started
            self._applied.notify_all()
        return True

    def _is_done(self, plan: NodePlan, now: float) -> bool:
        """Whether the appliers have just done all of it, but for looking for damage: to them many revisions of the store (a target group that nothing uses) are
        one and the same."""
        return self._whole_since is not None and now - self._whole_since[1] < RESYNC_SECONDS and self._is_same(self._whole_since[0], plan)

    def _lasting(self, failures: dict[str, str]) -> dict[str, str]:
        """Those that have been tried again for long enough; the others are tried again soon."""
        now = time.monotonic()
        self._failing_since = {resource: self._failing_since.get(resource, now) for resource in failures}
        lasting = {resource: reason for resource, reason in failures.items() if now - self._failing_since[resource] >= PATIENCE_SECONDS}
        for resource in lasting:
            self._failing_since.pop(resource)
        return lasting

    def _young(self, passing: set[str]) -> set[str]:
        """Those that have not been there for long: what is being created may still come to be all right."""
        now = time.monotonic()
        self._passing_since = {resource: self._passing_since.get(resource, now) for resource in passing}
        return {resource for resource, since in self._passing_since.items() if now - since < PATIENCE_SECONDS}

    def wait_applied(self, revision: int, timeout: float) -> bool:
        """Block until a round has applied that revision, at most `timeout` seconds."""
        with self._applied:
            if self.progress.applied_revision < revision:
                self._hurry.set()
                self._wake()
            return self._applied.wait_for(lambda: self.progress.applied_revision >= revision, timeout)
