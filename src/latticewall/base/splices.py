"""Making a long tuple or mapping out of the one of the last round, and noting in what it differs from that one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from itertools import chain
from operator import is_
from typing import Any, TypeVar

from latticewall.base import differences

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def same(before: tuple[Any, ...], given: tuple[Any, ...]) -> bool:
    """Whether all items are the same objects."""
    return before is given or (len(before) == len(given) and all(map(is_, before, given)))


def part(before: Sequence[tuple[Any, ...]], columns: Sequence[tuple[Any, ...]]) -> tuple[int, int] | None:
    """How many rows at the beginning are the same, and how many of the others at the end: usually all but a few, and then there is little to look up. None
    when all are."""
    if all(map(is_, before, columns)):
        return None
    found = [differences.ends(was, column) for was, column in zip(before, columns, strict=True)]
    first = min(first for first, _ in found)
    lengths = {len(column) for column in chain(before, columns)}
    if lengths == {first}:
        return None
    return first, min(min(lengths) - first, *(last for _, last in found))


def between(column: tuple[T, ...], first: int, last: int) -> tuple[T, ...]:
    return column[first : len(column) - last]


def spliced(was: tuple[T, ...], first: int, last: int, fresh: tuple[T, ...]) -> tuple[T, ...]:
    """The tuple of the last round with others between its first and its last ones; the same one where they are no others."""
    replaced = between(was, first, last)
    shorter = min(len(replaced), len(fresh))
    ahead = next((place for place in range(shorter) if replaced[place] is not fresh[place]), shorter)
    if ahead == len(replaced) == len(fresh):
        return was
    behind = next((place for place in range(shorter - ahead) if replaced[-1 - place] is not fresh[-1 - place]), shorter - ahead)
    answer = was[:first] + fresh + was[len(was) - last :]
    differences.note_ends(was, answer, first + ahead, last + behind)
    return answer


def changed(before: Mapping[K, T], fresh: Mapping[K, T], gone: Set[K]) -> Mapping[K, T]:
    """The mapping of the last round with these other values, and without what has gone; the same one where nothing is another."""
    keys = {*(key for key, value in fresh.items() if before.get(key) is not value), *(key for key in gone if key in before)}
    if not keys:
        return before
    found = before.copy() if isinstance(before, dict) else dict(before)  # a copy of a dictionary is made at one go, gaps and all
    found.update(fresh)
    for key in gone:
        found.pop(key, None)
    differences.note_keys(before, found, keys)
    return found


def counted(before: Mapping[K, int], gone: Iterable[K], come: Iterable[K]) -> Mapping[K, int]:
    """How often each is there, after some have gone and some have come."""
    steps: dict[K, int] = {}
    for keys, step in ((gone, -1), (come, 1)):
        for key in keys:
            steps[key] = steps.get(key, 0) + step
    times = {key: before.get(key, 0) + step for key, step in steps.items() if step}
    return changed(before, {key: number for key, number in times.items() if number}, {key for key, number in times.items() if not number})
