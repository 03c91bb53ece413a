"""The store: one revision, snapshots, edges, the change log, tokens, log events; and what becomes of it when the file is in trouble."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latticewall.base.faults import Unavailable
from latticewall.base.rows import Edge, Row
from latticewall.store import Moved, MustWrite, Store, Transaction
from latticewall.store.schema import MIGRATIONS

ACCOUNT, REGION = "111122223333", "eu-north-7"
VPC = Row("ec2:Vpc", ACCOUNT, REGION, "vpc-1", "arn:vpc-1", document={"CidrBlock": "10.0.0.0/16"}, tags={"Name": "one"})


class Clock:
    """ISO times that a test sets."""

    text = "2026-01-02T03:04:05.678Z"

    def __call__(self) -> str:
        return self.text


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    found = Store(tmp_path / "region.db", clock)
    yield found
    found.close()


def test_what_is_put_is_there_with_its_revision_and_times(store: Store, clock: Clock) -> None:
    with store.write("me", "request-1") as tx:
        kept = tx.put(VPC)
    assert (kept.revision, kept.created_at, kept.updated_at) == (1, clock.text, clock.text)
    clock.text = "2026-01-02T03:04:06.000Z"
    with store.write() as tx:
        tx.put(replace(kept, status="updating"))
        tx.put(Row("ec2:Vpc", ACCOUNT, REGION, "vpc-2"))
    with store.read() as snapshot:
        assert snapshot.revision == 2
        first, second = snapshot.rows("ec2:Vpc")
        assert snapshot.by_arn("arn:vpc-1") == first == snapshot.get("ec2:Vpc", "vpc-1", ACCOUNT, REGION)
    assert (first.document, first.tags, first.status) == (VPC.document, VPC.tags, "updating")
    assert (first.created_at, first.updated_at) == ("2026-01-02T03:04:05.678Z", clock.text)
    assert (first.revision, second.revision) == (2, 2)


def test_the_empty_arn_names_nothing(store: Store) -> None:
    with store.write() as tx:
        tx.put(replace(VPC, arn=""))
        assert tx.by_arn("") is None
        assert tx.get("ec2:Vpc", "") is None


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with store.write() as tx:
        tx.put(VPC)

    def fail() -> None:
        with store.write() as tx:
            tx.delete(VPC)
            tx.put(replace(VPC, id="vpc-2"))
            tx.link(Edge("ec2:Vpc", "vpc-2", "peer", "ec2:Vpc", "vpc-1"))
            tx.remember("token", "digest", {})
            tx.add_log_events("group", "stream", [(1, 1, "x")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as snapshot:
        assert ([row.id for row in snapshot.rows()], snapshot.revision) == (["vpc-1"], 1)
        assert snapshot.edges_to("ec2:Vpc", "vpc-1") == []
        assert snapshot.log_events("group") == []
        assert [change["id"] for change in snapshot.changes(0)] == ["vpc-1"]
    with store.write() as tx:
        assert tx.token("token") is None


def test_readers_see_one_revision_while_others_write(store: Store) -> None:
    with store.write() as tx:
        tx.put(VPC)

    def write() -> None:
        with store.write() as tx:
            tx.delete(VPC)
        store.close()

    with store.read() as snapshot:
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(10)
        assert not writer.is_alive()
        assert (snapshot.revision, [row.id for row in snapshot.rows()]) == (1, ["vpc-1"])
    assert store.revision == 2


def test_many_writers_lose_nothing(store: Store) -> None:
    def write(number: int) -> None:
        for step in range(10):
            with store.write() as tx:
                tx.put(replace(VPC, id=f"vpc-{number}-{step}", arn=""))
        store.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    with store.read() as snapshot:
        assert snapshot.revision == 40
        assert sorted(row.revision for row in snapshot.rows()) == list(range(1, 41))


def test_deleting_ends_edges_on_both_sides(store: Store) -> None:
    subnet = replace(VPC, kind="ec2:Subnet", id="subnet-1", arn="arn:subnet-1")
    with store.write() as tx:
        for row in (VPC, subnet):
            tx.put(row)
        tx.link(Edge(subnet.kind, subnet.id, "VpcId", VPC.kind, VPC.id))
        tx.link(Edge(VPC.kind, VPC.id, "main", subnet.kind, subnet.id, "clear"))
        assert [edge.role for edge in tx.edges_to(VPC.kind, VPC.id)] == ["VpcId"]
        tx.delete(subnet)
        assert tx.edges_to(VPC.kind, VPC.id) == tx.edges_from(VPC.kind, VPC.id) == []


def test_unlinking_one_target_or_all(store: Store) -> None:
    with store.write() as tx:
        for target in ("a", "b", "c"):
            tx.link(Edge("k", "1", "role", "t", target))
        tx.unlink("k", "1", "role", "b")
        assert [edge.target_id for edge in tx.edges_from("k", "1")] == ["a", "c"]
        tx.unlink("k", "1", "other")
        tx.unlink("k", "1", "role")
        assert tx.edges_from("k", "1") == []


def test_rows_by_column_and_never_by_another(store: Store) -> None:
    with store.write() as tx:
        for number, region in enumerate((REGION, "us-east-9")):
            tx.put(replace(VPC, id=f"vpc-{number}", region=region, name="same"))
        assert [row.id for row in tx.rows("ec2:Vpc", region="us-east-9", name="same")] == ["vpc-1"]
        assert len(tx.rows("ec2:Vpc", region="")) == 2
        with pytest.raises(ValueError, match="document"):
            tx.rows("ec2:Vpc", document="{}")
        assert tx.rows("ec2:Vpc", name="' OR 1=1 --") == []


def test_the_change_log_tells_who_did_what(store: Store) -> None:
    with store.write("alice", "request-1") as tx:
        tx.put(VPC)
    with store.write("bob", "request-2") as tx:
        tx.delete(VPC)
    with store.read() as snapshot:
        changes = snapshot.changes(0)
        assert [change["revision"] for change in snapshot.changes(1)] == [2]
    assert [(change["caller"], change["request_id"], change["before"] is None, change["after"] is None) for change in changes] == [
        ("alice", "request-1", True, False), ("bob", "request-2", False, True),
    ]  # fmt: skip


def test_tokens_last_a_day(store: Store, clock: Clock) -> None:
    clock.text = "2026-01-02T12:00:00.000Z"
    with store.write() as tx:
        tx.remember("old", "digest", {"VpcId": "vpc-1"})
    clock.text = "2026-01-03T11:59:59.000Z"
    with store.write() as tx:
        tx.remember("new", "digest", {})
        assert tx.token("old") == ("digest", {"VpcId": "vpc-1"})
        assert not tx.changed
    clock.text = "2026-01-03T12:00:01.000Z"
    with store.write() as tx:
        assert tx.token("old") is None
        assert tx.token("new")


def test_log_events_in_order_of_time_and_their_extent(store: Store) -> None:
    with store.write() as tx:
        tx.add_log_events("g", "one", [(300, 1000, "c"), (100, 1000, "a")])
        tx.add_log_events("g", "two", [(200, 1001, "é")])
        tx.add_log_events("other", "one", [(100, 1, "z")])
    with store.read() as snapshot:
        assert snapshot.revision == 0
        assert "".join(event["message"] for event in snapshot.log_events("g")) == "aéc"
        assert "".join(event["message"] for event in snapshot.log_events("g", "one", start=150)) == "c"
        assert "".join(event["message"] for event in snapshot.log_events("g", end=300, limit=1)) == "a"
        last = max(event["sequence"] for event in snapshot.log_events("g"))
        assert snapshot.log_events("g", after=last) == []
        assert snapshot.log_extent("g") == {"count": 3, "bytes": 4, "first": 100, "last": 300, "ingestion": 1001}
        assert snapshot.log_extent("none")["count"] == 0
    with store.write() as tx:
        tx.delete_log_events("g", "one")
        assert [event["message"] for event in tx.log_events("g")] == ["é"]
        tx.delete_log_events("g")
        assert tx.log_events("g") == []
        assert len(tx.log_events("other")) == 1


def test_cursors(store: Store) -> None:
    with store.write() as tx:
        tx.move_cursor("eve", "7")
        tx.move_cursor("eve", "9")
    with store.read() as snapshot:
        assert (snapshot.cursor("eve"), snapshot.cursor("none")) == ("9", "")


def test_waiting_ends_with_a_change_or_in_time(store: Store) -> None:
    assert store.wait_beyond(0, 0.01) == 0
    found: list[int] = []
    waiter = threading.Thread(target=lambda: found.append(store.wait_beyond(0, 10)))
    waiter.start()
    with store.write() as tx:
        tx.move_cursor("nothing", "changed")
    with store.write() as tx:
        tx.put(VPC)
    waiter.join(10)
    assert found == [1]


def test_everything_is_there_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    first = Store(tmp_path / "region.db", clock)
    with first.write() as tx:
        tx.put(VPC)
    first.close()
    with Store(tmp_path / "region.db", clock).read() as snapshot:
        assert [row.document for row in snapshot.rows()] == [VPC.document]


def test_state_of_a_newer_version_is_not_touched(tmp_path: Path, clock: Clock) -> None:
    Store(tmp_path / "region.db", clock).close()
    with sqlite3.connect(tmp_path / "region.db") as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(ValueError, match="newer latticewall"):
        Store(tmp_path / "region.db", clock)


def in_a_thread_of_its_own(action: object) -> list[BaseException]:
    """What it raises; a new thread opens the file anew."""
    found: list[BaseException] = []

    def run() -> None:
        try:
            assert callable(action)
            action()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return found


def test_a_file_that_cannot_be_opened_is_named_in_the_log_only(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    store = Store(folder / "region.db", clock)
    folder.rename(tmp_path / "elsewhere")

    def write() -> None:
        with store.write() as tx:
            tx.put(VPC)

    for action in (write, lambda: store.revision):
        (error,) = in_a_thread_of_its_own(action)
        assert isinstance(error, Unavailable)
        assert "unable to open database file" in error.message
        assert str(folder) not in error.message
        assert f"state file {folder / 'region.db'}" in caplog.text
        caplog.clear()
    (tmp_path / "elsewhere").rename(folder)
    assert in_a_thread_of_its_own(write) == []
    assert store.revision == 1
    store.close()


def test_a_file_that_is_broken_is_named(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "region.db", clock)
    store.close()
    for leftover in ("region.db-wal", "region.db-shm"):
        (tmp_path / leftover).unlink(missing_ok=True)
    size = (tmp_path / "region.db").stat().st_size
    (tmp_path / "region.db").write_bytes(b"not a database" * (size // 14))
    (error,) = in_a_thread_of_its_own(lambda: store.revision)
    assert isinstance(error, Unavailable)
    assert "not a database" in error.message


# -- questions ------------------------------------------------------------------------------------------------------------------------------


def names(store: Store) -> list[str]:
    with store.question() as tx:
        return [row.id for row in tx.rows("ec2:Vpc")]


def test_a_question_sees_every_change_of_this_process_and_of_others(tmp_path: Path, clock: Clock) -> None:
    store, other = Store(tmp_path / "region.db", clock), Store(tmp_path / "region.db", clock)
    assert names(store) == []
    for number, writer in enumerate((store, other, store, other, other, store)):
        with writer.write() as tx:
            tx.put(replace(VPC, id=f"vpc-{number}", arn=f"arn:{number}"))
            assert len(tx.rows("ec2:Vpc")) == number + 1, "its own changes included"
            assert tx.any_in(("ready",))
        assert names(store) == names(other) == [f"vpc-{at}" for at in range(number + 1)]
    with store.write() as tx:
        tx.delete(tx.rows("ec2:Vpc")[0])
    assert len(names(other)) == 5
    other.close()
    store.close()


def test_what_was_undone_is_not_remembered(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "region.db", clock)

    def fail() -> None:
        with store.write() as tx:
            tx.put(VPC)
            assert tx.get("ec2:Vpc", "vpc-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(store) == []
    store.close()


def test_a_question_is_one_revision_or_is_asked_again(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "region.db", clock)
    for certain in (False, True):
        with store.view(certain=certain) as view:
            assert in_a_thread_of_its_own(lambda: put_vpc(store)) == []
            if certain:
                assert len(view.snapshot.rows("ec2:Vpc")) == 1
            else:
                for _ in range(2):  # it does not come to be another revision's by being asked again
                    with pytest.raises(Moved):
                        view.snapshot.rows("ec2:Vpc")
    assert len(names(store)) == 2
    store.close()


def test_a_question_changes_nothing(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "region.db", clock)
    changes: tuple[Callable[[Transaction], object], ...] = (
        lambda tx: tx.put(VPC), lambda tx: tx.move_cursor("a", "b"), lambda tx: tx.pending.add("a", 1, [b""]), lambda tx: tx.metrics.clear(),
    )  # fmt: skip
    for change in changes:
        with pytest.raises(MustWrite), store.question() as tx:
            change(tx)
    assert store.revision == 0
    store.close()


def put_vpc(store: Store) -> None:
    with store.write() as tx:
        tx.put(replace(VPC, id=f"vpc-{store.revision}"))
