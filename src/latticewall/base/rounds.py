"""What a question to a memo was in the last round, and answers that are made out of the last one's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

from latticewall.base import differences, splices

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
MOST_GROUPS = 8
"""How many groups are put together one by one; of more, all are."""


class Round(NamedTuple):
    """What was asked the last time, and the answer: one for each row, or what else was found of all."""

    given: tuple[Any, ...]
    columns: tuple[Any, ...]
    answer: tuple[Any, ...]
    found: Any = None


def regrouped(before: Round, columns: tuple[tuple[K, ...], tuple[T, ...]], part: tuple[int, int]) -> Mapping[K, tuple[T, ...]] | None:
    """None where many groups are others."""
    (first, last), (keys, items), was = part, columns, before.columns[0]
    gone, come = splices.between(was, first, last), splices.between(keys, first, last)
    affected = {*gone, *come}
    if len(affected) > MOST_GROUPS:
        return None
    known: Mapping[K, tuple[T, ...]] = before.found
    fresh = {}
    items = splices.between(items, first, last)
    for key in affected:
        group = known.get(key, ())
        if len(known) == 1 and group:  # all were in one group
            ahead, behind = first, last
        else:
            ahead = keys[:first].count(key)
            behind = len(group) - ahead - gone.count(key)
        fresh[key] = splices.spliced(group, ahead, behind, tuple([item for own, item in zip(come, items, strict=True) if own == key]))
    return splices.changed(known, {key: group for key, group in fresh.items() if group}, {key for key, group in fresh.items() if not group})


def reordered(before: Round, key: Callable[[T], Any], items: tuple[T, ...], part: tuple[int, int]) -> tuple[T, ...] | None:
    """None where sorting is less work, or where two have one key: then it is their place among the items that decides."""
    gone, come = splices.between(before.columns[0], *part), splices.between(items, *part)
    if len(gone) + len(come) > len(items) // 8:
        return None
    found: list[T] = list(before.answer)
    first = last = len(found)
    for item in gone:
        place = bisect_left(found, key(item), key=key)
        if place == len(found) or found[place] is not item:
            return None
        del found[place]
        first, last = min(first, place), min(last, len(found) - place)
    for item in come:
        place = bisect_left(found, own := key(item), key=key)
        if place < len(found) and key(found[place]) == own:
            return None
        found.insert(place, item)
        first, last = min(first, place), min(last, len(found) - place - 1)
    answer = tuple(found)
    differences.note_ends(before.answer, answer, first, last)
    return answer
