"""What a pure function answered in the last round, kept for the next one: the same things asked again cost a comparison.

Things come as tuples, and of a long one little changes from round to round. So each question finds out in what a tuple differs from the one of the last round
(`_ends`: by identity, in C, once for all who ask) and does its own work for that part alone. What it does for the rest is copying references.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain, compress, count, repeat
from operator import eq, is_, is_not, not_
from typing import Any, NamedTuple, TypeVar, cast

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
MOST_GROUPS = 8
"""How many groups are put together one by one; of more, all are."""
_PAIRS = 128
"""How many pairs of tuples the differences are remembered of."""


class Memo:
    """Keeps one round of answers for each function. Arguments are told apart by identity, so nobody may change them; their answers stay the same objects
    as long as they do, which makes answers good arguments in turn. A function's answer must follow from its arguments alone."""

    def __init__(self) -> None:
        self._rounds: dict[Hashable, _Round] = {}
        self._values: dict[Hashable, Any] = {}
        self._followed: dict[Callable[..., Any], _Followed] = {}
        self._named: dict[Hashable, tuple[tuple[Any, ...], Any]] = {}
        self._differences: dict[tuple[int, int], tuple[tuple[Any, ...], tuple[Any, ...], tuple[int, int]]] = {}

    # -- of many things, one after the other --------------------------------------------------------------------------------------------------

    def map(self, function: Callable[..., T], *columns: Iterable[Any], given: tuple[Any, ...] = (), of: Hashable = None) -> tuple[T, ...]:
        """`tuple(function(*row, *given) for row in zip(*columns))`, columns equally long. of: which of several things a function is asked about in a round."""
        found = tuple(map(tuple, columns))
        before = self._rounds.get((function, of))
        if before is None or not _same(before.given, given) or len(before.columns) != len(found):
            before = _Round(given, ((),) * len(found), ())
        elif all(map(_same, before.columns, found)):
            return before.answer
        first, last = self._parts(before.columns, found)
        between, was = (tuple(column[first : len(column) - last] for column in columns) for columns in (found, before.columns))
        known = dict(zip(_identities(was), before.between(first, last), strict=True))
        identities = list(_identities(between))
        for identity, arguments in zip(identities, zip(*between, strict=True), strict=True):
            if identity not in known:
                known[identity] = function(*arguments, *given)
        answer = self._spliced(before, first, last, [known[identity] for identity in identities])
        self._rounds[function, of] = _Round(given, found, answer)
        return answer

    def index(self, name: Hashable, keys: tuple[K, ...], items: tuple[T, ...]) -> Mapping[K, T]:
        """`dict(zip(keys, items))`, in any order; not to be changed."""
        name, columns = ("index", name), (keys, items)
        before = self._rounds.get(name)
        if before is not None and all(map(_same, before.columns, columns)):
            return cast("Mapping[K, T]", before.found)
        if before is None or len(before.found) != len(before.columns[0]):
            found = dict(zip(keys, items, strict=True))
        else:
            first, last = self._parts(before.columns, columns)
            found = before.found.copy()
            for key in _between(before.columns[0], first, last):
                del found[key]
            found.update(zip(_between(keys, first, last), _between(items, first, last), strict=True))
            if len(found) != len(keys):  # two have one key
                found = dict(zip(keys, items, strict=True))
        self._rounds[name] = _Round((), columns, (), found)
        return found

    def grouped(self, name: Hashable, keys: tuple[K, ...], items: tuple[T, ...]) -> Mapping[K, tuple[T, ...]]:
        """Key -> its items, in their order; keys in any order. A group to which nothing has happened is the same tuple again. Not to be changed."""
        name, columns = ("grouped", name), (keys, items)
        before = self._rounds.get(name)
        if before is not None and all(map(_same, before.columns, columns)):
            return cast("Mapping[K, tuple[T, ...]]", before.found)
        known: dict[K, tuple[T, ...]] = before.found if before else {}
        first, last = self._parts(before.columns, columns) if before else (0, 0)
        affected = {*_between(keys, first, last), *(_between(before.columns[0], first, last) if before else ())}
        if affected == known.keys() and len(known) == 1:  # all are in one group, as they were
            found, fresh = {}, dict.fromkeys(known, items)
        elif before is not None and len(affected) <= MOST_GROUPS:
            found = known.copy()
            fresh = {key: tuple(compress(items, map(eq, keys, repeat(key)))) for key in affected}
        else:
            found = {}
            lists: dict[K, list[T]] = {}
            for key, item in zip(keys, items, strict=True):
                lists.setdefault(key, []).append(item)
            fresh = {key: tuple(group) for key, group in lists.items()}
        for key, group in fresh.items():
            if group:
                found[key] = was if (was := known.get(key)) is not None and _same(was, group) else group
            else:
                found.pop(key, None)
        self._rounds[name] = _Round((), columns, (), found)
        return found

    def look_up(self, name: Hashable, wanted: tuple[tuple[K, ...], ...], known: Mapping[K, T]) -> tuple[tuple[T, ...], ...]:
        """Of each row of keys what is known under them; keys under which nothing is known are left out."""
        before = self._rounds.get(name := ("look up", name)) or _Round((), ((),), (), {})
        if before.found is not known:
            changed = {*compress(known, map(is_not, known.values(), map(before.found.get, known))), *(before.found.keys() - known.keys())}
            answers = list(before.answer)
            for place in compress(count(), map(not_, map(changed.isdisjoint, before.columns[0]))):
                answers[place] = _known(before.columns[0][place], known)
            before = before._replace(answer=tuple(answers), found=known)
        first, last = self._parts(before.columns, (wanted,))
        answer = self._spliced(before, first, last, [_known(keys, known) for keys in _between(wanted, first, last)])
        self._rounds[name] = _Round((), (wanted,), answer, known)
        return answer

    def ordered(self, name: Hashable, key: Callable[[T], Any], items: tuple[T, ...]) -> tuple[T, ...]:
        """`tuple(sorted(items, key=key))`; few may have the same key."""
        name = "ordered", name
        before = self._rounds.get(name)
        if before is not None and _same(before.columns[0], items):
            return before.answer
        found = self._reordered(before, key, items) if before else None
        answer = tuple(sorted(items, key=key) if found is None else found)
        self._rounds[name] = _Round((), (items,), answer)
        return answer

    def _reordered(self, before: _Round, key: Callable[[T], Any], items: tuple[T, ...]) -> list[T] | None:
        """None where sorting is less work, or where two have one key: then it is their place among the items that decides."""
        was: tuple[T, ...] = before.columns[0]
        first, last = self._parts((was,), (items,))
        gone, come = _between(was, first, last), _between(items, first, last)
        if len(gone) + len(come) > len(items) // 8:
            return None
        found: list[T] = list(before.answer)
        for item in gone:
            place = bisect_left(found, key(item), key=key)
            if found[place] is not item:
                return None
            del found[place]
        for item in come:
            place = bisect_left(found, own := key(item), key=key)
            if place < len(found) and key(found[place]) == own:
                return None
            found.insert(place, item)
        return found

    def steady(self, name: Hashable, values: Mapping[K, T]) -> Mapping[K, T]:
        """Values by key, each the same object as in the last round as long as it is equal to the one of that key; the same mapping when all are."""
        before: Mapping[K, T] = self._values.setdefault(name, values)
        if before == values and list(before) == list(values):
            return before
        found = dict(values)
        for key in compress(values, map(is_not, values.values(), map(before.get, values))):
            was = before.get(key)
            if was is not None and was == found[key]:
                found[key] = was
        self._values[name] = found
        return found

    def steady_items(self, name: Hashable, key: Callable[[T], Hashable], items: tuple[T, ...]) -> tuple[T, ...]:
        """As `steady`, for things that have their key in them."""
        name = "steady_items", name
        before = self._rounds.get(name) or _Round((), ((),), ())
        if _same(before.columns[0], items):
            return before.answer
        first, last = self._parts(before.columns, (items,))
        known = {key(item): item for item in before.between(first, last)}
        between = [was if (was := known.get(key(item))) is not None and was == item else item for item in _between(items, first, last)]
        answer = self._spliced(before, first, last, between)
        answer = before.answer if _same(before.answer, answer) else answer
        self._rounds[name] = _Round((), (items,), answer)
        return answer

    def _parts(self, before: Sequence[tuple[Any, ...]], columns: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
        """How many rows at the beginning are the same, and how many of the others at the end: usually all but a few, and then there is little to look up."""
        ends = [self._ends(was, column) for was, column in zip(before, columns, strict=True)]
        first = min(first for first, _ in ends)
        shorter = min(map(len, chain(before, columns)))
        return first, min(shorter - first, *(last for _, last in ends))

    def _ends(self, before: tuple[Any, ...], given: tuple[Any, ...]) -> tuple[int, int]:
        """How many items are the same at the beginning and at the end; the same one may be counted twice."""
        if before is given:
            return len(given), len(given)
        known = self._differences.get((id(before), id(given)))
        if known is not None:
            return known[2]
        shorter = min(len(before), len(given))
        found = _alike(before, given, shorter), _alike(reversed(before), reversed(given), shorter)
        self._note(before, given, found)
        return found

    def _note(self, before: tuple[Any, ...], given: tuple[Any, ...], ends: tuple[int, int]) -> None:
        if len(self._differences) >= _PAIRS:
            self._differences.clear()
        self._differences[id(before), id(given)] = before, given, ends  # both are kept, so that no other ones can have their identities

    def _spliced(self, before: _Round, first: int, last: int, between: Iterable[Any]) -> tuple[Any, ...]:
        """The answer of the last round with others between its first and its last ones: in this it differs from that one, whoever asks."""
        was = before.answer
        answer = was[:first] + tuple(between) + was[len(was) - last :]
        self._note(was, answer, (first, last))
        return answer

    # -- of one thing -------------------------------------------------------------------------------------------------------------------------

    def follow(self, function: Callable[..., T], read: Callable[[Any], Any], *arguments: Any) -> T:
        """`function(read, *arguments)`, where read(name) gives one of many things. What the function reads is noted: as long as all of that is the same
        object, and every argument is, the answer stays, whatever else has changed. So nobody has to say what an answer depends on, or can forget to."""
        kept = self._followed.get(function)
        if kept is not None and _same(kept.arguments, arguments) and all(read(name) is value for name, value in kept.reads.items()):
            answer: T = kept.answer
            return answer
        reads: dict[Hashable, Any] = {}

        def noting(name: Hashable) -> Any:
            if name not in reads:
                reads[name] = read(name)
            return reads[name]

        answer = function(noting, *arguments)
        self._followed[function] = _Followed(reads, arguments, answer)
        return answer

    def once(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)`."""
        return self.named(function, function, *arguments)

    def named(self, name: Hashable, function: Callable[..., T], *arguments: Any) -> T:
        """As `once`, for a function that is asked several things in a round: one answer is kept for each name."""
        given, answer = self._named.get(name, ((), None))
        if not (given and _same(given, arguments)):
            answer = function(*arguments)
            self._named[name] = arguments, answer
        found: T = answer
        return found

    def parts(self, name: Hashable, keys: Iterable[K]) -> Mapping[K, Memo]:
        """A memo for each of these things; what was kept for others is forgotten."""
        before: Mapping[K, Memo] = self._values.get(("parts", name), {})
        found = {key: before.get(key) or Memo() for key in keys}
        self._values["parts", name] = found
        return found

    def kept(self, name: Hashable, value: T) -> T:
        """The value kept under that name as long as it is equal, so that it stays the same object."""
        kept: T = self._values.setdefault(name, value)
        if kept == value:
            return kept
        self._values[name] = value
        return value


class _Round(NamedTuple):
    """What was asked the last time, and the answer: one for each row, or one mapping of all (`found`)."""

    given: tuple[Any, ...]
    columns: tuple[tuple[Any, ...], ...]
    answer: tuple[Any, ...]
    found: Any = None

    def between(self, first: int, last: int) -> tuple[Any, ...]:
        return _between(self.answer, first, last)


class _Followed(NamedTuple):
    """The last answer of a function, and what it was made of."""

    reads: dict[Hashable, Any]
    arguments: tuple[Any, ...]
    answer: Any


def _known(keys: tuple[K, ...], known: Mapping[K, T]) -> tuple[T, ...]:
    return tuple(known[key] for key in keys if key in known)


def _same(before: tuple[Any, ...], given: tuple[Any, ...]) -> bool:
    return before is given or (len(before) == len(given) and all(map(is_, before, given)))


def _between(column: tuple[T, ...], first: int, last: int) -> tuple[T, ...]:
    return column[first : len(column) - last]


def _alike(one: Iterable[Any], other: Iterable[Any], most: int) -> int:
    """How many items are the same one after the other; most: the length of the shorter."""
    return next(compress(count(), map(is_not, one, other)), most)


def _identities(columns: tuple[tuple[Any, ...], ...]) -> Iterable[tuple[int, ...]]:
    """Of each row. `columns` keeps the objects alive, so that no other one can have the identity."""
    return zip(*(map(id, column) for column in columns), strict=True)
