"""Parts of lists, counts and references are those of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from latticewall.base.rows import Edge, Row
from latticewall.store import Store

ACCOUNTS = ("1", "2", "3")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "state.sqlite", lambda: "2026-01-02T03:04:05.678Z")
    with found.write() as tx:
        for number in range(30):
            status = "deleted" if number % 7 == 0 else "ready"
            row = tx.put(Row("a:Thing", ACCOUNTS[number % 3], "here", f"t-{number:02}", name=f"n{number % 4}", status=status, document={"n": number}))
            tx.link(Edge(row.kind, row.id, "on", "a:Base", f"b-{number % 2}"))
    return found


def test_pages_are_parts_of_the_list(store: Store) -> None:
    with store.read() as snapshot:
        for where in ({}, {"account": "2"}, {"account": "2", "name": "n1"}):
            whole = [row for row in snapshot.rows("a:Thing", **where) if row.status != "deleted"]
            assert [row for start in range(0, 40, 4) for row in snapshot.page("a:Thing", start, 4, "deleted", **where)] == whole


def test_statuses_are_found(store: Store) -> None:
    with store.read() as snapshot:
        assert snapshot.any_in(("creating", "deleted"))
        assert not snapshot.any_in(("creating", "updating"))


def test_others_are_those_of_other_accounts(store: Store) -> None:
    with store.read() as snapshot:
        assert snapshot.others("a:Thing", "2", "here") == [row for row in snapshot.rows("a:Thing") if row.account != "2"]
        assert snapshot.others("a:Thing", "2", "elsewhere") == []


def test_references_are_found_and_counted(store: Store) -> None:
    with store.read() as snapshot:
        edges = snapshot.edges_to("a:Base", "b-1")
        found = [row for edge in edges if (row := snapshot.get(edge.source_kind, edge.source_id)) and row.status != "deleted"]
        assert snapshot.referring("a:Base", "b-1", "a:Thing", "deleted") == found
        assert snapshot.count_referring("a:Base", "b-1", "a:Thing") == len(edges)


def test_pages_of_references_are_parts_of_all_of_them(store: Store) -> None:
    with store.write() as tx:
        tx.link(Edge("a:Thing", "t-05", "in", "a:Base", "b-0"))
    with store.read() as snapshot:
        whole = [row for row in snapshot.rows("a:Thing") if int(row.id[2:]) % 2]
        assert [row for start in range(0, 40, 4) for row in snapshot.page_referring("a:Base", "b-1", "a:Thing", start, 4)] == whole
        assert snapshot.page_referring("a:Base", "b-1", "a:Thing", 0, -1) == whole
        without = snapshot.page_referring("a:Base", "b-1", "a:Thing", 0, -1, "in")
        assert without == [row for row in whole if row.id != "t-05"]
        assert snapshot.count_referring("a:Base", "b-1", "a:Thing", "in") == len(without)


def test_references_to_one_are_found_without_a_look_at_those_to_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.read() as snapshot:
        asked: list[tuple[str, tuple[object, ...]]] = []
        database = snapshot._db

        class Noting:
            def execute(self, query: str, values: tuple[object, ...] = ()) -> object:
                asked.append((query, values))
                return database.execute(query, values)

        monkeypatch.setattr(snapshot, "_db", Noting())
        snapshot.page_referring("a:Base", "b-1", "a:Thing", 0, 4, "in")
        snapshot.referring("a:Base", "b-1", "a:Thing", "deleted")
        snapshot.count_referring("a:Base", "b-1", "a:Thing", "in")
        plans = [step[-1] for query, values in asked for step in database.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert len(asked) == 3
    references = "SEARCH edge USING COVERING INDEX edge_by_target (target_kind=? AND target_id=? AND source_kind=?)"
    assert sum(step.startswith(references) for step in plans) == 3, plans
    assert sum(step.startswith("SEARCH resource USING INDEX sqlite_autoindex_resource_1 (kind=? AND id=?") for step in plans) == 2, plans
    assert not [step for step in plans if step.startswith("SCAN")], plans


def test_a_stored_row_is_read_when_it_is_asked_for(store: Store) -> None:
    with store.read() as snapshot:
        row = snapshot.rows("a:Thing", id="t-03")[0]
        assert "document" not in vars(row)
        assert (row.document, row.tags) == ({"n": 3}, {})
        assert row == snapshot.rows("a:Thing", id="t-03")[0]
        with pytest.raises(AttributeError):
            _ = row.documents  # type: ignore[attr-defined]
