"""Transactions that share one of SQLite's: seen together, kept together, refused each by itself."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.base.faults import Unavailable
from latticewall.base.rows import Edge, Row
from latticewall.store import Store, Transaction

THING = Row("a:Thing", "1", "here", "", document={"n": 1})
NOW = "2026-01-02T03:04:05.678Z"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "region.db", lambda: NOW)
    yield found
    found.close()


def put(tx: Transaction, id_: str, status: str = "ready") -> Row:
    return tx.put(replace(THING, id=id_, arn=f"arn:{id_}", name=f"name of {id_}", status=status))


def seen(store: Store) -> tuple[int, list[str], int]:
    with store.question() as tx:
        return tx.revision, [row.id for row in tx.rows("a:Thing")], tx.count("a:Thing", "deleted", "1", "here")


def test_they_are_seen_at_once_and_each_has_its_revision(store: Store) -> None:
    assert seen(store) == (0, [], 0)
    with store.together() as together:
        for number, id_ in enumerate(("one", "two", "three"), 1):
            with together.write("caller", f"request {number}") as tx:
                assert len(tx.rows("a:Thing")) == tx.count("a:Thing", "deleted", "1", "here") == number - 1, "what those before it have written"
                assert put(tx, id_).revision == tx.revision == number
        with together.write() as tx:
            assert [row.id for row in tx.rows("a:Thing", name="name of two")] == ["two"]
    assert seen(store) == (3, ["one", "three", "two"], 3)
    with store.read() as snapshot:
        assert [(change["revision"], change["id"], change["request_id"]) for change in snapshot.changes(0)] == [
            (1, "one", "request 1"), (2, "two", "request 2"), (3, "three", "request 3"),
        ]  # fmt: skip
    assert store.wait_beyond(0, 0) == 3


def test_nobody_sees_one_before_all_of_them_are_there(tmp_path: Path, store: Store) -> None:
    other = Store(tmp_path / "region.db", lambda: NOW)
    with store.together() as together:
        with together.write() as tx:
            put(tx, "one")
        assert seen(other) == seen(store) == (0, [], 0)
    assert seen(other) == seen(store) == (1, ["one"], 1)
    other.close()


def test_one_that_fails_leaves_nothing_and_fails_nobody_else(store: Store) -> None:
    with store.together() as together:
        with together.write() as tx:
            put(tx, "one")
            tx.remember("token of one", "digest", {})
        with suppress(ZeroDivisionError), together.write() as tx:
            put(tx, "bad")
            put(tx, "one", "deleted")
            tx.link(Edge("a:Thing", "bad", "on", "a:Thing", "one"))
            tx.remember("token of bad", "digest", {})
            assert tx.count("a:Thing", "deleted", "1", "here") == 1
            raise ZeroDivisionError
        with together.write() as tx:
            assert tx.get("a:Thing", "bad") is None
            assert tx.count("a:Thing", "deleted", "1", "here") == 1
            assert (tx.token("token of one"), tx.token("token of bad")) == (("digest", {}), None)
            assert put(tx, "two").revision == 2, "the failed one has used up none"
    assert seen(store) == (2, ["one", "two"], 2)
    with store.read() as snapshot:
        assert snapshot.edges_to("a:Thing", "one") == []
        assert [change["id"] for change in snapshot.changes(0)] == ["one", "two"]


def test_what_is_undone_with_all_of_them_is_not_remembered(store: Store) -> None:
    def fail() -> None:
        with store.together() as together:
            for id_ in ("one", "two"):
                with together.write() as tx:
                    put(tx, id_)
                    assert tx.get("a:Thing", id_)
                    assert tx.count("a:Thing", "deleted", "1", "here")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen(store) == (0, [], 0)
    with store.write() as tx:
        put(tx, "three")
    assert seen(store) == (1, ["three"], 1)


def test_a_full_disk_refuses_all_of_them(store: Store) -> None:
    with store.write() as tx:
        put(tx, "before")
    store._connection().execute("PRAGMA max_page_count = 30")

    def fill() -> None:
        with store.together() as together:
            with together.write() as tx:
                put(tx, "small")
            with suppress(Unavailable), together.write() as tx:
                tx.put(replace(THING, id="large", document={"text": "x" * 1_000_000}))
            with suppress(Unavailable), together.write() as tx:
                put(tx, "after")

    with pytest.raises(Unavailable, match="not stored: the transaction was undone"):
        fill()
    assert seen(store) == (1, ["before"], 1)
    store._connection().execute("PRAGMA max_page_count = 100000")
    fill()
    assert seen(store) == (4, ["after", "before", "large", "small"], 4)


@pytest.mark.parametrize("finished", [False, True])
def test_a_crash_takes_all_or_none(tmp_path: Path, store: Store, finished: bool) -> None:
    with store.write() as tx:
        put(tx, "before")
    store.close()
    child = os.fork()
    if child == 0:
        with suppress(BaseException), Store(tmp_path / "region.db", lambda: NOW).together() as together:
            for id_ in ("one", "two"):
                with together.write() as tx:
                    put(tx, id_)
            if not finished:
                os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
    again = Store(tmp_path / "region.db", lambda: NOW)
    assert seen(again) == ((3, ["before", "one", "two"], 3) if finished else (1, ["before"], 1))
    again.close()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_counts_and_lists_are_those_of_the_tables(tmp_path: Path, store: Store, seed: int) -> None:
    chance = random.Random(seed)
    db = sqlite3.connect(tmp_path / "region.db")

    def change(tx: Transaction) -> None:
        for _ in range(chance.randint(0, 3)):
            row = tx.get("a:Thing", id_ := f"t{chance.randrange(12)}")
            if row is not None and chance.random() < 0.4:
                tx.delete(row)
            else:
                put(tx, id_, chance.choice(("ready", "creating", "deleted")))
            if chance.random() < 0.5:
                tx.count("a:Thing", "deleted", "1", "here")
        if chance.random() < 0.2:
            raise ZeroDivisionError

    for _ in range(150):
        with suppress(ZeroDivisionError), store.together() as together:
            for _ in range(chance.randint(0, 4)):
                with suppress(ZeroDivisionError), together.write() as tx:
                    change(tx)
            if chance.random() < 0.1:
                raise ZeroDivisionError
        ids = [id_ for (id_,) in db.execute("SELECT id FROM resource ORDER BY created_at, id")]
        ((live,),) = db.execute("SELECT COUNT(*) FROM resource WHERE status != 'deleted'")
        ((newest,),) = db.execute("SELECT MAX(revision) FROM change")
        assert seen(store) == (newest or 0, ids, live)
    db.close()
