"""Nobody is answered before what he wrote is on the disk, and one sync serves all that waited."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from latticewall.base.faults import Unavailable
from latticewall.base.rows import Row
from latticewall.store import Store
from latticewall.store.disk import Disk


class Syncs:
    """Counts syncs; while `held`, they last. At each end: how many rows another connection sees, which is at least what was synced."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, descriptor: int) -> None:
        self.count += 1
        self.begun.set()
        assert self.free.wait(10)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    return Syncs(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.sqlite", lambda: "2026-01-02T03:04:05.678Z")


def put(store: Store, name: str) -> str:
    with store.write() as tx:
        tx.put(Row("a:Thing", "1", "here", name))
    return name


def test_a_write_is_answered_after_a_sync_that_began_after_it(store: Store, syncs: Syncs) -> None:
    syncs.free.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(put, store, "first")
        assert syncs.begun.wait(10)
        others = [pool.submit(put, store, name) for name in ("second", "third")]
        assert store.wait_beyond(1, 10) >= 2
        assert not any(found.done() for found in (first, *others))
        syncs.free.set()
        assert [found.result(10) for found in (first, *others)] == ["first", "second", "third"]
    assert syncs.count >= 2, "the first's own began before the others had written"


def test_all_that_was_committed_while_a_sync_ran_shares_the_next(tmp_path: Path, syncs: Syncs) -> None:
    (tmp_path / "state.sqlite-wal").touch()
    disk = Disk(str(tmp_path / "state.sqlite"))

    def commit() -> None:
        disk.committing()
        disk.committed()

    commit()
    syncs.free.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(disk.wait)
        assert syncs.begun.wait(10)
        commit()
        commit()
        others = [pool.submit(disk.wait) for _ in range(2)]
        syncs.free.set()
        for waiting in (first, *others):
            waiting.result(10)
    assert syncs.count == 2
    assert not disk.is_behind


def test_what_was_only_seen_is_on_the_disk_too(store: Store, syncs: Syncs) -> None:
    put(store, "first")
    assert syncs.count == 1
    with store.write() as tx:
        assert tx.get("a:Thing", "first")
    assert syncs.count == 1, "there is nothing that was not synced"


def test_a_disk_that_does_not_take_it_is_an_error_for_all_who_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(Unavailable, match="Input/output error"):
        put(store, "first")
    syncs = Syncs(monkeypatch)
    with store.read() as snapshot:
        with ThreadPoolExecutor(1) as pool, pytest.raises(Unavailable, match="cannot be written elsewhere"):
            pool.submit(put, store, "refused").result()
        assert snapshot.get("a:Thing", "first")
    assert syncs.count == 0, "after a failure a sync says nothing: the log is emptied first"
    assert put(store, "second") == "second"


def test_whoever_reads_a_commit_waits_for_its_sync(store: Store, syncs: Syncs) -> None:
    syncs.free.clear()
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(put, store, "first")
        assert syncs.begun.wait(10)
        reading = pool.submit(ask, store)
        with store.view() as view:
            assert not view.is_on_disk
        assert not reading.done()
        syncs.free.set()
        assert (writing.result(10), reading.result(10)) == ("first", True)
    with store.view() as view:
        assert view.is_on_disk


def ask(store: Store) -> bool:
    with store.question() as tx:
        return tx.get("a:Thing", "first") is not None
