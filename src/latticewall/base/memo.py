"""What a pure function answered in the last round, kept for the next one: the same things asked again cost a comparison.

Things come as tuples and mappings, and of a long one little changes from round to round. So each question begins with the difference to the last round
(`base.differences`), does its own work for that part alone, and notes in turn in what its answer differs. What it does for the rest is copying references.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from itertools import chain, compress, repeat
from operator import is_not
from typing import Any, NamedTuple, TypeVar, cast, overload

from latticewall.base import differences, splices
from latticewall.base.rounds import Round, regrouped, reordered

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
MOST_SEARCHED = 8
"""How many keys are searched for one by one."""


class Memo:
    """Keeps one round of answers for each function. Arguments are told apart by identity, so nobody may change them; their answers stay the same objects
    as long as they do, which makes answers good arguments in turn. A function's answer must follow from its arguments alone."""

    def __init__(self) -> None:
        self._rounds: dict[Hashable, Round] = {}
        self._values: dict[Hashable, Any] = {}
        self._followed: dict[Callable[..., Any], _Followed] = {}
        self._named: dict[Hashable, tuple[tuple[Any, ...], Any]] = {}

    # -- of many things, one after the other --------------------------------------------------------------------------------------------------

    def map(self, function: Callable[..., T], *columns: Iterable[Any], given: tuple[Any, ...] = (), of: Hashable = None) -> tuple[T, ...]:
        """`tuple(function(*row, *given) for row in zip(*columns))`, columns equally long. of: which of several things a function is asked about in a round."""
        found = tuple(map(tuple, columns))
        before = self._rounds.get((function, of))
        if before is None or not splices.same(before.given, given) or len(before.columns) != len(found):
            before = Round(given, ((),) * len(found), ())
        part = splices.part(before.columns, found)
        if part is None:
            return before.answer
        first, last = part
        between, was = (tuple(splices.between(column, first, last) for column in columns) for columns in (found, before.columns))
        known = dict(zip(_identities(was), splices.between(before.answer, first, last), strict=True))
        identities = list(_identities(between))
        for identity, arguments in zip(identities, zip(*between, strict=True), strict=True):
            if identity not in known:
                known[identity] = function(*arguments, *given)
        answer = splices.spliced(before.answer, first, last, tuple([known[identity] for identity in identities]))
        self._rounds[function, of] = Round(given, found, answer)
        return answer

    def flat(self, name: Hashable, rows: tuple[Sequence[T], ...]) -> tuple[T, ...]:
        """`tuple(chain.from_iterable(rows))`."""
        name = "flat", name
        before = self._rounds.get(name) or Round((), ((),), (), 0)
        part = splices.part(before.columns, (rows,))
        if part is None:
            return before.answer
        first, last = part
        between, length = splices.between(rows, first, last), before.found
        lengths = {*map(len, between)}
        if not before.columns[0]:
            length = lengths.pop() if len(lengths) == 1 else None
        elif length is not None and lengths - {length}:
            length = None
        at = _total(rows[:first], before.found)
        rest = len(before.answer) - at - _total(splices.between(before.columns[0], first, last), before.found)
        answer = splices.spliced(before.answer, at, rest, tuple(chain.from_iterable(between)))
        self._rounds[name] = Round((), (rows,), answer, length if rows else 0)
        return answer

    def filtered(self, name: Hashable, items: tuple[T, ...], chosen: tuple[bool, ...]) -> tuple[T, ...]:
        """`tuple(compress(items, chosen))`. chosen: True or False for each."""
        name, columns = ("filtered", name), (items, chosen)
        before = self._rounds.get(name) or Round((), ((), ()), ())
        part = splices.part(before.columns, columns)
        if part is None:
            return before.answer
        first, last = part
        at, rest = chosen[:first].count(True), chosen[len(chosen) - last :].count(True)
        answer = splices.spliced(before.answer, at, rest, tuple(compress(splices.between(items, first, last), splices.between(chosen, first, last))))
        self._rounds[name] = Round((), columns, answer)
        return answer

    def joined(self, name: Hashable, *parts: tuple[T, ...]) -> tuple[T, ...]:
        """`tuple(chain(*parts))`."""
        name = "joined", name
        before = self._rounds.get(name) or Round((), (), ())
        was = before.columns
        if splices.same(was, parts):
            return before.answer
        answer = tuple(chain.from_iterable(parts))
        if len(was) == len(parts):
            differing = [place for place, (one, other) in enumerate(zip(was, parts, strict=True)) if one is not other]
            (first, _), (_, last) = (differences.ends(was[place], parts[place]) for place in (differing[0], differing[-1]))
            first += sum(map(len, parts[: differing[0]]))
            differences.note_ends(before.answer, answer, first, last + sum(map(len, parts[differing[-1] + 1 :])))
        self._rounds[name] = Round((), parts, answer)
        return answer

    def index(self, name: Hashable, keys: tuple[K, ...], items: tuple[T, ...]) -> Mapping[K, T]:
        """`dict(zip(keys, items))`, in any order; not to be changed."""
        name, columns = ("index", name), (keys, items)
        before = self._rounds.get(name)
        part = splices.part(before.columns, columns) if before else (0, 0)
        if before is not None and part is None:
            return cast("Mapping[K, T]", before.found)
        found: Mapping[K, T] = {}
        if before is not None and part is not None and len(before.found) == len(before.columns[0]):
            fresh = dict(zip(splices.between(keys, *part), splices.between(items, *part), strict=True))
            found = splices.changed(before.found, fresh, {*splices.between(before.columns[0], *part)} - fresh.keys())
        if len(found) != len(keys):  # the first time, or two have one key
            found = dict(zip(keys, items, strict=True))
        self._rounds[name] = Round((), columns, (), found)
        return found

    def grouped(self, name: Hashable, keys: tuple[K, ...], items: tuple[T, ...]) -> Mapping[K, tuple[T, ...]]:
        """Key -> its items, in their order; keys in any order. A group to which nothing has happened is the same tuple again. Not to be changed."""
        name, columns = ("grouped", name), (keys, items)
        before = self._rounds.get(name)
        part = splices.part(before.columns, columns) if before else (0, 0)
        if before is not None and part is None:
            return cast("Mapping[K, tuple[T, ...]]", before.found)
        found: Mapping[K, tuple[T, ...]] | None = None
        if before is not None and part is not None:
            found = regrouped(before, columns, part)
        if found is None:
            known: dict[K, tuple[T, ...]] = before.found if before else {}
            lists: dict[K, list[T]] = {}
            for key, item in zip(keys, items, strict=True):
                lists.setdefault(key, []).append(item)
            made = {key: tuple(group) for key, group in lists.items()}
            found = {key: was if (was := known.get(key)) is not None and splices.same(was, group) else group for key, group in made.items()}
        self._rounds[name] = Round((), columns, (), found)
        return found

    @overload
    def values_of(self, name: Hashable, keys: tuple[K, ...], known: Mapping[K, T]) -> tuple[T | None, ...]: ...

    @overload
    def values_of(self, name: Hashable, keys: tuple[K, ...], known: Mapping[K, T], default: T) -> tuple[T, ...]: ...

    def values_of(self, name: Hashable, keys: tuple[K, ...], known: Mapping[K, T], default: T | None = None) -> tuple[T | None, ...]:
        """`tuple(known.get(key, default) for key in keys)`."""
        name = "values_of", name
        before = self._rounds.get(name)
        if before is not None and before.found is not known:
            changed = differences.keys(before.found, known)
            if len(changed) > MOST_SEARCHED:
                before = None
            else:
                answer = before.answer
                for place in chain.from_iterable(_places(before.columns[0], key) for key in changed):
                    answer = splices.spliced(answer, place, len(answer) - place - 1, (known.get(before.columns[0][place], default),))
                self._rounds[name] = before = before._replace(answer=answer, found=known)
        if before is None:
            before = Round((), ((),), (), known)
        part = splices.part(before.columns, (keys,))
        if part is None:
            return before.answer
        answer = splices.spliced(before.answer, *part, tuple(map(known.get, splices.between(keys, *part), repeat(default))))
        self._rounds[name] = Round((), (keys,), answer, known)
        return answer

    def look_up(self, name: Hashable, wanted: tuple[tuple[K, ...], ...], known: Mapping[K, T]) -> tuple[tuple[T, ...], ...]:
        """Of each row of keys what is known under them; keys under which nothing is known are left out."""
        before = self._rounds.get(name := ("look up", name)) or Round((), ((),), (), known)
        if before.found is not known:
            changed = differences.keys(before.found, known)
            answers = before.answer
            for place in [place for place, keys in enumerate(before.columns[0]) if not changed.isdisjoint(keys)]:
                answers = splices.spliced(answers, place, len(answers) - place - 1, (_known(before.columns[0][place], known),))
            self._rounds[name] = before = before._replace(answer=answers, found=known)
        part = splices.part(before.columns, (wanted,))
        if part is None:
            return before.answer
        answer = splices.spliced(before.answer, *part, tuple([_known(keys, known) for keys in splices.between(wanted, *part)]))
        self._rounds[name] = Round((), (wanted,), answer, known)
        return answer

    def ordered(self, name: Hashable, key: Callable[[T], Any], items: tuple[T, ...]) -> tuple[T, ...]:
        """`tuple(sorted(items, key=key))`; few may have the same key."""
        name = "ordered", name
        before = self._rounds.get(name)
        part = splices.part(before.columns, (items,)) if before else (0, 0)
        if before is not None and part is None:
            return before.answer
        answer = reordered(before, key, items, part) if before is not None and part is not None else None
        if answer is None:
            answer = tuple(sorted(items, key=key))
        self._rounds[name] = Round((), (items,), answer)
        return answer

    def steady_items(self, name: Hashable, key: Callable[[T], Hashable], items: tuple[T, ...]) -> tuple[T, ...]:
        """Items, each the same object as in the last round as long as it is equal to the one of that key; the same tuple when all are."""
        name = "steady_items", name
        before = self._rounds.get(name) or Round((), ((),), ())
        part = splices.part(before.columns, (items,))
        if part is None:
            return before.answer
        known = {key(item): item for item in splices.between(before.answer, *part)}
        between = tuple([was if (was := known.get(key(item))) is not None and was == item else item for item in splices.between(items, *part)])
        answer = splices.spliced(before.answer, *part, between)
        self._rounds[name] = Round((), (items,), answer)
        return answer

    def counts(self, name: Hashable, keys: tuple[K, ...]) -> Mapping[K, int]:
        """Key -> how often it is there; not to be changed."""
        name = "counts", name
        before = self._rounds.get(name) or Round((), ((),), (), {})
        part = splices.part(before.columns, (keys,))
        if part is None:
            return cast("Mapping[K, int]", before.found)
        found = splices.counted(before.found, splices.between(before.columns[0], *part), splices.between(keys, *part))
        self._rounds[name] = Round((), (keys,), (), found)
        return found

    # -- of mappings --------------------------------------------------------------------------------------------------------------------------

    def mapped(
        self, function: Callable[..., T], table: Mapping[K, Any], *others: Mapping[K, Any], given: tuple[Any, ...] = (), of: Hashable = None
    ) -> Mapping[K, T]:
        """`{key: function(value, *(other.get(key) for other in others), *given) for key, value in table.items()}`. of: as for `map`."""
        name, columns = ("mapped", function, of), (table, *others)
        before = self._rounds.get(name)
        if before is not None and splices.same(before.columns, columns) and splices.same(before.given, given):
            return cast("Mapping[K, T]", before.found)
        changed: Set[K] = table.keys()
        if before is None or not splices.same(before.given, given) or len(before.columns) != len(columns):
            before = Round(given, columns, (), {})
        else:
            changed = frozenset[K]().union(*map(differences.keys, before.columns, columns))
        fresh = {key: function(table[key], *(other.get(key) for other in others), *given) for key in changed if key in table}
        found = splices.changed(before.found, fresh, changed - fresh.keys())
        self._rounds[name] = Round(given, columns, (), found)
        return found

    def overlaid(self, name: Hashable, above: Mapping[K, T], below: Mapping[K, T]) -> Mapping[K, T]:
        """`{**below, **above}`, in any order."""
        if not below:
            return above
        name, columns = ("overlaid", name), (above, below)
        before = self._rounds.get(name)
        if before is None:
            found: Mapping[K, T] = {**below, **above}
        else:
            changed = frozenset[K]().union(*map(differences.keys, before.columns, columns))
            fresh = {key: above[key] if key in above else below[key] for key in changed if key in above or key in below}
            found = splices.changed(before.found, fresh, changed - fresh.keys())
        self._rounds[name] = Round((), columns, (), found)
        return found

    def mentioned(self, name: Hashable, table: Mapping[Any, Iterable[K]]) -> Mapping[K, int]:
        """What the values hold -> how often; not to be changed."""
        name = "mentioned", name
        before = self._rounds.get(name) or Round((), ({},), (), {})
        (was,) = before.columns
        if was is table:
            return cast("Mapping[K, int]", before.found)
        changed = differences.keys(was, table)
        gone = chain.from_iterable(was[key] for key in changed if key in was)
        come = chain.from_iterable(table[key] for key in changed if key in table)
        found = splices.counted(before.found, gone, come)
        self._rounds[name] = Round((), (table,), (), found)
        return found

    def missing(self, name: Hashable, wanted: Mapping[K, Any], there: Mapping[K, Any]) -> frozenset[K]:
        """`frozenset(wanted.keys() - there.keys())`."""
        name, columns = ("missing", name), (wanted, there)
        before = self._rounds.get(name) or Round((), ({}, {}), (), frozenset())
        changed = frozenset[K]().union(*map(differences.keys, before.columns, columns))
        found: frozenset[K] = (before.found - changed) | {key for key in changed if key in wanted and key not in there}
        self._rounds[name] = Round((), columns, (), found)
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

    # -- of one thing -------------------------------------------------------------------------------------------------------------------------

    def follow(self, function: Callable[..., T], read: Callable[[Any], Any], *arguments: Any) -> T:
        """`function(read, *arguments)`, where read(name) gives one of many things. What the function reads is noted: as long as all of that is the same
        object, and every argument is, the answer stays, whatever else has changed. So nobody has to say what an answer depends on, or can forget to."""
        kept = self._followed.get(function)
        if kept is not None and splices.same(kept.arguments, arguments) and all(read(name) is value for name, value in kept.reads.items()):
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
        if not (given and splices.same(given, arguments)):
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


class _Followed(NamedTuple):
    """The last answer of a function, and what it was made of."""

    reads: dict[Hashable, Any]
    arguments: tuple[Any, ...]
    answer: Any


def _known(keys: tuple[K, ...], known: Mapping[K, T]) -> tuple[T, ...]:
    return tuple(known[key] for key in keys if key in known)


def _places(keys: tuple[K, ...], key: K) -> list[int]:
    """Where a key is."""
    found: list[int] = []
    with suppress(ValueError):
        while True:
            found.append(keys.index(key, found[-1] + 1 if found else 0))
    return found


def _total(rows: tuple[Sequence[Any], ...], length: int | None) -> int:
    """How many there are in all. length: of each of them, where that is one."""
    return sum(map(len, rows)) if length is None else length * len(rows)


def _identities(columns: tuple[tuple[Any, ...], ...]) -> Iterable[tuple[int, ...]]:
    """Of each row. `columns` keeps the objects alive, so that no other one can have the identity."""
    return zip(*(map(id, column) for column in columns), strict=True)
