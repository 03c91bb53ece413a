"""What a Memo makes of a tuple that has changed is what would be made of it without any memory, and what has not changed stays the same object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st
from tests.differing import assert_notes_are_true

from latticewall.base.memo import Memo


@dataclass(frozen=True)
class Thing:
    id: str
    group: str
    value: int


KEYS = st.sampled_from("abcdefghijklmnopqrstuvwxyz")
THINGS = st.builds(Thing, KEYS, st.sampled_from("xyz"), st.integers(0, 3))
ROUNDS = st.lists(st.lists(THINGS, max_size=14), min_size=1, max_size=5)
"""Each round is mostly the things of the one before, in another order and with others between them; ids may be there twice."""
of_id, of_group = attrgetter("id"), attrgetter("group")


def doubled(thing: Thing, times: int) -> Thing:
    return Thing(thing.id, thing.group, thing.value * times)


@given(ROUNDS)
def test_every_round_is_as_if_it_were_the_first(rounds: list[list[Thing]]) -> None:
    memo = Memo()
    kept: dict[Thing, Thing] = {}
    for found in rounds:
        things = tuple(kept.setdefault(thing, thing) for thing in found)
        keys, groups = memo.map(of_id, things), memo.map(of_group, things)
        assert keys == tuple(map(of_id, things))
        assert memo.map(doubled, things, given=(2,)) == tuple(doubled(thing, 2) for thing in things)
        assert memo.index("index", keys, things) == dict(zip(keys, things, strict=True))
        assert memo.grouped("groups", groups, things) == {group: tuple(thing for thing in things if thing.group == group) for group in {*groups}}
        assert memo.ordered("order", of_id, things) == tuple(sorted(things, key=of_id))
        assert memo.steady_items("steady", of_id, things) == things
        by_id = {thing.id: thing for thing in things}
        wanted = memo.map(_wanted, things)
        assert memo.look_up("known", wanted, memo.steady("known", by_id)) == tuple(tuple(by_id[key] for key in keys if key in by_id) for keys in wanted)
        assert memo.steady("steady", by_id) == by_id
        assert memo.flat("flat", wanted) == tuple(chain.from_iterable(wanted))
        assert memo.filtered("large", things, memo.map(is_large, things)) == tuple(filter(is_large, things))
        assert memo.joined("joined", keys, groups, keys) == (*keys, *groups, *keys)
        assert memo.values_of("values", memo.flat("flat", wanted), memo.index("index", keys, things)) == tuple(by_id.get(key) for row in wanted for key in row)
        assert memo.counts("counts", groups) == Counter(groups)
        few = memo.filtered("large", things, memo.map(is_large, things))
        table, large = memo.index("index", keys, things), memo.index("large", memo.map(of_id, few, of="large"), few)
        mentions = memo.mapped(_wanted, table)
        assert mentions == {key: _wanted(thing) for key, thing in table.items()}
        assert memo.mapped(_pair, table, large, given=(1,)) == {key: (thing, large.get(key), 1) for key, thing in table.items()}
        assert memo.mentioned("mentioned", mentions) == Counter(chain.from_iterable(mentions.values()))
        assert memo.missing("missing", memo.mentioned("mentioned", mentions), table) == {key for row in mentions.values() for key in row} - table.keys()
        assert memo.overlaid("overlaid", large, mentions) == {**mentions, **large}
        assert_notes_are_true()


def is_large(thing: Thing) -> bool:
    return thing.value > 1


def _pair(thing: Thing, other: Thing | None, number: int) -> tuple[Thing, Thing | None, int]:
    return thing, other, number


def _wanted(thing: Thing) -> tuple[str, ...]:
    return thing.id, "abc"[thing.value % 3]


@given(st.lists(THINGS, min_size=3, max_size=20, unique_by=of_id), st.data())
def test_what_has_not_changed_is_the_same_object_and_is_not_made_again(found: list[Thing], data: st.DataObject) -> None:
    memo = Memo()
    made: list[Thing] = []

    def counted(thing: Thing) -> Thing:
        made.append(thing)
        return doubled(thing, 2)

    things = tuple(found)
    place = data.draw(st.integers(0, len(things) - 1))
    other = Thing(things[place].id, things[place].group, 9)
    for changed in ((*things[:place], other, *things[place + 1 :]), (*things[:place], *things[place + 1 :]), (*things[:place], other, *things[place:])):
        before, groups = memo.map(counted, things), memo.grouped("groups", tuple(map(of_group, things)), things)
        made.clear()
        again, regrouped = memo.map(counted, changed), memo.grouped("groups", tuple(map(of_group, changed)), changed)
        assert made == [thing for thing in changed if thing is other]
        assert {id(item) for item in again if item.value != 18} <= {id(item) for item in before}
        assert all(regrouped[group] is groups[group] for group in groups if group != other.group)


def test_an_equal_thing_is_the_one_that_was_there() -> None:
    memo, first = Memo(), (Thing("a", "x", 1), Thing("b", "x", 1), Thing("c", "x", 1))
    assert memo.steady_items("steady", of_id, first) == first
    second = (Thing("a", "x", 1), Thing("b", "x", 2), Thing("c", "x", 1))
    kept = memo.steady_items("steady", of_id, second)
    assert (kept[0], kept[1], kept[2]) == second
    assert kept[0] is first[0]
    assert kept[2] is first[2]
    assert memo.steady_items("steady", of_id, tuple(Thing(item.id, item.group, item.value) for item in second)) is kept


def test_the_memo_of_what_is_no_longer_there_is_forgotten() -> None:
    memo = Memo()
    first = memo.parts("parts", "ab")
    second = memo.parts("parts", "bc")
    assert second["b"] is first["b"]
    assert memo.parts("parts", "ab")["a"] is not first["a"]
