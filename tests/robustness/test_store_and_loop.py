"""What the store and the reconcile loop do when the disk refuses, without a region."""

from __future__ import annotations

import resource
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.base.faults import Unavailable
from latticewall.base.rows import Row
from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.node import NodePlan, Problem
from latticewall.plan.proxy import ProxyPlan
from latticewall.reconcile.applier import Failure, Report
from latticewall.reconcile.loop import AWAITED_SECONDS, GATHER_SECONDS, MANY, PATIENCE_SECONDS, QUIET_SECONDS, RESYNC_SECONDS, SETTLED_SECONDS, Loop
from latticewall.store import Store

PLAN = NodePlan(7, (), (), (), ProxyPlan(), AuthorizationPlan(), NamesPlan((), ()), ())


@contextmanager
def no_growth(path: Path) -> Iterator[None]:
    """The kernel refuses to make files larger than this one is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def put(store: Store, name: str) -> None:
    with store.write("me", "request") as tx:
        tx.put(Row("ec2:Vpc", "111122223333", "eu-central-1", name))


def test_a_write_that_the_disk_refuses(tmp_path: Path) -> None:
    store = Store(tmp_path / "region.db", lambda: "2026-01-02T03:04:05.678Z")
    put(store, "vpc-1")
    with no_growth(tmp_path / "region.db-wal"):
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"^the change was not stored: ") as caught:
                put(store, "vpc-2")
        assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
        with store.read() as snapshot:
            assert [row.id for row in snapshot.rows()] == ["vpc-1"]
        assert store.revision == 1
    put(store, "vpc-3")
    with store.read() as snapshot:
        assert [row.id for row in snapshot.rows()] == ["vpc-1", "vpc-3"]
    assert store.revision == 2
    store.close()


def test_a_mistake_in_a_transaction_is_not_blamed_on_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "region.db", lambda: "2026-01-02T03:04:05.678Z")
    with pytest.raises(ValueError, match="no such column"), store.write("me", "request") as tx:
        tx.rows("ec2:Vpc", colour="red")
    put(store, "vpc-1")
    assert store.revision == 1
    store.close()


def test_the_loop_survives_what_it_cannot_settle() -> None:
    settled: list[int] = []
    disk = iter((Unavailable("the change was not stored: database or disk is full"),))

    def settle(revision: int, _failures: Mapping[str, str], _unsettled: Collection[str]) -> None:
        for trouble in disk:
            raise trouble
        settled.append(revision)

    loop = Loop(lambda: PLAN, (), settle, lambda revision, _timeout: revision)
    assert not loop.round()
    assert loop.progress.applied_revision == 0
    assert "disk is full" in loop.progress.errors["settle"]
    assert loop.round()
    assert (loop.progress.applied_revision, loop.progress.errors, settled) == (7, {}, [7])


class Starting:
    """Something that takes three rounds to be there."""

    name = "starting"

    def __init__(self) -> None:
        self.rounds = 0

    def apply(self, _plan: NodePlan) -> Report:
        self.rounds += 1
        return Report(awaited=("db-1",)) if self.rounds < 3 else Report()


def test_what_is_on_its_way_is_looked_at_again_soon_and_holds_nothing_up() -> None:
    seen: list[set[str]] = []
    waits: list[float] = []

    def wait(revision: int, timeout: float) -> int:
        waits.append(timeout)
        if len(waits) == 3:
            loop.stop()
        return revision

    loop = Loop(lambda: PLAN, (Starting(),), lambda _, __, unsettled: seen.append(set(unsettled)), wait)
    loop.run()
    assert seen == [{"db-1"}, {"db-1"}, set()]
    assert waits == [AWAITED_SECONDS, AWAITED_SECONDS, RESYNC_SECONDS]
    assert (loop.progress.failures, loop.progress.applied_revision) == ({}, 7)


class Interrupted:
    """Something newer kept it from looking at everything, twice."""

    name = "interrupted"

    def __init__(self) -> None:
        self.revisions: list[int] = []
        self.changed = 0

    def apply(self, plan: NodePlan) -> Report:
        self.revisions.append(plan.revision)
        return Report(self.changed, unfinished=len(self.revisions) < 3)


def test_what_was_put_off_goes_on_at_once() -> None:
    waits: list[float] = []
    applier = Interrupted()

    def wait(revision: int, timeout: float) -> int:
        waits.append(timeout)
        if len(waits) == 3:
            loop.stop()
        return revision

    loop = Loop(lambda: PLAN, (applier,), lambda *_: None, wait, lambda *_: True)
    loop.run()
    assert waits == [0, 0, RESYNC_SECONDS]
    assert applier.revisions == [7, 7, 7]


def test_what_may_pass_by_itself_has_time_while_it_is_being_created(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failure from the start, for what was all right before, but nothing that is still being created has failed yet."""
    seen: list[tuple[dict[str, str], set[str]]] = []
    moment = [0.0]
    monkeypatch.setattr("latticewall.reconcile.loop.time.monotonic", lambda: moment[0])
    problems = (Problem("vpc-lattice:ResourceConfiguration", "rcfg-1", "no address", passing=True), Problem("ec2:Vpc", "vpc-1", "impossible"))
    plans = iter([replace(PLAN, problems=problems)] * 3 + [PLAN] + [replace(PLAN, problems=problems)])
    loop = Loop(lambda: next(plans), (), lambda _, failures, unsettled: seen.append((dict(failures), set(unsettled))), lambda revision, _: revision)
    for moment[0] in (0.0, PATIENCE_SECONDS - 1, PATIENCE_SECONDS, PATIENCE_SECONDS + 1, PATIENCE_SECONDS + 2):
        assert loop.round()
    both, young = {"rcfg-1": "no address", "vpc-1": "impossible"}, {"rcfg-1"}
    assert seen == [(both, young), (both, young), (both, set()), ({}, set()), (both, young)]


class Counting:
    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.plans: list[int] = []
        self.failures: tuple[Failure, ...] = ()

    def apply(self, plan: NodePlan) -> Report:
        self.plans.append(plan.revision)
        return Report(failures=self.failures)


def test_a_plan_that_says_nothing_new_is_settled_without_being_applied_again(monkeypatch: pytest.MonkeyPatch) -> None:
    applier, settled, now = Counting(), list[int](), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    plans = iter(replace(PLAN, revision=number) for number in range(1, 9))

    def settle(revision: int, _failures: Mapping[str, str], _unsettled: Collection[str]) -> None:
        settled.append(revision)

    loop = Loop(lambda: next(plans), (applier,), settle, lambda revision, _: revision, lambda _, plan: plan.revision != 3)
    assert loop.round()
    assert loop.round()
    assert loop.round()
    assert (applier.plans, settled, loop.progress.applied_revision) == ([1, 3], [1, 2, 3], 3)
    now[0] = RESYNC_SECONDS
    assert loop.round()
    assert applier.plans == [1, 3, 4], "it heals what has been damaged meanwhile"
    applier.failures = (Failure("vpc", "vpc-1", "no"),)
    now[0] *= 2
    loop.round()
    loop.round()
    assert applier.plans == [1, 3, 4, 5, 6], "what fails is tried again"


def test_who_looks_for_damage_goes_on_alone_while_there_is_nothing_new() -> None:
    """Statuses are moved without what the others did being done again. Of what is repaired those after it hear, and what fails is tried again by all."""
    before, looking, after, settled = Counting("before"), Interrupted(), Counting("after"), list[int]()
    plans = iter(replace(PLAN, revision=revision) for revision in (1, 2, 2, 3, 4, 5))

    def settle(revision: int, _failures: Mapping[str, str], _unsettled: Collection[str]) -> None:
        settled.append(revision)

    loop = Loop(lambda: next(plans), (before, looking, after), settle, lambda revision, _: revision, lambda *_: True)
    assert loop.round()
    assert loop.round()
    looking.changed = 1
    assert loop.round()
    looking.changed = 0
    assert loop.round()
    assert (settled, before.plans, looking.revisions, after.plans) == ([1, 2, 2, 3], [1], [1, 2, 2], [1, 2])
    loop._unfinished = frozenset((after.name,))
    after.failures = (Failure("vpc", "vpc-1", "no"),)
    assert all(loop.round() for _ in range(2))
    assert (before.plans, looking.revisions, after.plans) == ([1, 5], [1, 2, 2, 5], [1, 2, 4, 5])


class Feed:
    """Revisions as they come: each look at the newest finds the next of these, the last one again and again; time passes with each pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *revisions: int) -> None:
        self.revisions = list(revisions)
        self.now = 0.0
        self.asked: list[float] = []
        self.compiled: list[tuple[int, float]] = []
        self.settled: int | None = None
        self.loop = Loop(self.compile, (), lambda *_: self.settled, self.wait)
        monkeypatch.setattr("latticewall.reconcile.loop.time.monotonic", lambda: self.now)
        monkeypatch.setattr(self.loop._hurry, "wait", self.pause)

    def compile(self) -> NodePlan:
        self.compiled.append((self.revisions[0], self.now))
        if len(self.compiled) == 2:
            self.loop.stop()
        return replace(PLAN, revision=self.revisions[0])

    def wait(self, _revision: int, timeout: float) -> int:
        self.asked.append(timeout)
        self.revisions[:-1] = self.revisions[1:-1]
        return self.revisions[0]

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        return self.loop._hurry.is_set()

    def rounds(self) -> list[tuple[int, float]]:
        """Revision and time of the first two."""
        self.loop.run()
        return [(revision, round(now, 3)) for revision, now in self.compiled]


@pytest.mark.parametrize("settled", [2, None])
def test_a_few_changes_never_wait(monkeypatch: pytest.MonkeyPatch, settled: int | None) -> None:
    few = MANY + (settled is not None)
    feed = Feed(monkeypatch, 1, few, few + 1)
    feed.settled = settled
    assert feed.rounds() == [(1, 0), (few, 0)]


def test_many_changes_wait_until_they_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Feed(monkeypatch, 1, MANY + 1, MANY + 2, MANY + 3).rounds() == [(1, 0), (MANY + 3, 3 * QUIET_SECONDS)]


def test_many_changes_that_do_not_end_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, (_, second)) = Feed(monkeypatch, 1, *range(MANY + 1, 1000)).rounds()
    assert GATHER_SECONDS <= second <= GATHER_SECONDS + QUIET_SECONDS


def test_nothing_is_put_off_while_somebody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[bool] = []
    feed = Feed(monkeypatch, 1, *range(MANY + 1, 1000))
    feed.loop._wake = lambda: woken.append(True)
    assert not feed.loop.wait_applied(1, 0)
    assert woken
    compile_plan = feed.compile

    def compile_and_be_asked() -> NodePlan:
        plan = compile_plan()
        feed.loop._hurry.set()
        return plan

    feed.loop._compile = compile_and_be_asked
    assert feed.rounds() == [(1, 0), (MANY + 1, QUIET_SECONDS)]


@pytest.mark.parametrize("settled", [2, None])
def test_moved_statuses_wait_for_the_next_change(monkeypatch: pytest.MonkeyPatch, settled: int | None) -> None:
    feed = Feed(monkeypatch, 1, 2, 3)
    feed.settled = settled
    feed.rounds()
    assert feed.asked[:2] == ([RESYNC_SECONDS, SETTLED_SECONDS] if settled else [RESYNC_SECONDS, RESYNC_SECONDS])
    assert feed.compiled[1][0] == (3 if settled else 2)
