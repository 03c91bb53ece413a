"""In what a long tuple or mapping differs from an earlier one: told by whoever made it out of the other, else found by comparing, by identity.

Who makes one out of another knows in what they differ, and all who ask in the same round would find out once more: at 500 things each time. So it is noted, of
the pairs that were looked at or made last. Nobody depends on a note: where there is none, the answer comes from the values themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Set
from itertools import compress, count
from operator import is_not
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
Ends = tuple[int, int]
"""How many items are the same at the beginning, and how many at the end; the same one may be counted twice."""
MOST_PAIRS = 512
_pairs: dict[tuple[int, int], tuple[object, object, Any]] = {}
"""Both things of a pair are kept with their difference, so that no other ones can have their identities."""
_order: deque[tuple[int, int]] = deque()


def ends(before: tuple[Any, ...], given: tuple[Any, ...]) -> Ends:
    if before is given:
        return len(given), len(given)
    found: Ends | None = _noted(before, given)
    if found is None:
        shorter = min(len(before), len(given))
        found = _alike(before, given, shorter), _alike(reversed(before), reversed(given), shorter)
        _note(before, given, found)
    return found


def note_ends(before: tuple[Any, ...], given: tuple[Any, ...], first: int, last: int) -> None:
    """first, last: at least so many items are the same."""
    _note(before, given, (first, last))


def keys(before: Mapping[K, Any], given: Mapping[K, Any]) -> Set[K]:
    """Keys under which there is not the same object in both."""
    if before is given:
        return frozenset()
    found: Set[K] | None = _noted(before, given)
    if found is None:
        found = {*compress(given, map(is_not, given.values(), map(before.get, given))), *(before.keys() - given.keys())}
        _note(before, given, found)
    return found


def note_keys(before: Mapping[K, Any], given: Mapping[K, Any], changed: Set[K]) -> None:
    """changed: the keys under which there may be another object; under all others there is not."""
    _note(before, given, changed)


def noted() -> list[tuple[Any, Any, Any]]:
    """Everything that is noted: what was before, what came of it, and the difference."""
    return list(_pairs.values())


def _noted(before: object, given: object) -> Any:
    found = _pairs.get((id(before), id(given)))
    return found[2] if found is not None else None


def _note(before: object, given: object, difference: object) -> None:
    pair = id(before), id(given)
    if pair not in _pairs:
        _order.append(pair)
    _pairs[pair] = before, given, difference
    while len(_order) > MOST_PAIRS:
        _pairs.pop(_order.popleft(), None)


def _alike(one: Iterable[Any], other: Iterable[Any], most: int) -> int:
    """How many items are the same one after the other; most: the length of the shorter."""
    return next(compress(count(), map(is_not, one, other)), most)
