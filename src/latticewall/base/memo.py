"""What a pure function answered in the last round, kept for the next one: the same things asked again cost a comparison."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from operator import is_
from typing import Any, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Memo:
    """Keeps one round of answers for each function. Arguments are told apart by identity, so nobody may change them; their answers stay the same objects
    as long as they do, which makes answers good arguments in turn. A function's answer must follow from its arguments alone."""

    def __init__(self) -> None:
        self._rounds: dict[Callable[..., Any], tuple[tuple[tuple[Any, ...], ...], tuple[Any, ...]]] = {}
        self._values: dict[Hashable, Any] = {}
        self._followed: dict[Callable[..., Any], _Followed] = {}
        self._named: dict[Hashable, tuple[tuple[Any, ...], Any]] = {}

    def map(self, function: Callable[..., T], *columns: Iterable[Any]) -> tuple[T, ...]:
        """`tuple(map(function, *columns))`, columns equally long."""
        given = tuple(map(tuple, columns))
        before, answers = self._rounds.get(function, ((), ()))
        if len(before) == len(given) and all(map(_same, before, given)):
            return answers
        first, last = _ends(before, given)
        between, was = (tuple(column[first : len(column) - last] for column in columns) for columns in (given, before))
        known = dict(zip(_identities(was), answers[first : len(answers) - last], strict=True))
        identities = list(_identities(between))
        for identity, arguments in zip(identities, zip(*between, strict=True), strict=True):
            if identity not in known:
                known[identity] = function(*arguments)
        found = (*answers[:first], *[known[identity] for identity in identities], *answers[len(answers) - last :])
        self._rounds[function] = given, found
        return found

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
        return self.map(function, *([argument] for argument in arguments))[0]

    def named(self, name: Hashable, function: Callable[..., T], *arguments: Any) -> T:
        """As `once`, for a function that is asked several things in a round: one answer is kept for each name."""
        given, answer = self._named.get(name, ((), None))
        if not (given and _same(given, arguments)):
            answer = function(*arguments)
            self._named[name] = arguments, answer
        found: T = answer
        return found

    def steady(self, name: Hashable, values: Mapping[K, T]) -> Mapping[K, T]:
        """Values by key, each the same object as in the last round as long as it is equal to the one of that key; the same mapping when all are."""
        before: Mapping[K, T] = self._values.get(name, {})
        if before == values and list(before) == list(values):
            return before
        known = before.get
        found = {key: was if (was := known(key)) is not None and (was is value or was == value) else value for key, value in values.items()}
        self._values[name] = found
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


def _same(before: tuple[Any, ...], given: tuple[Any, ...]) -> bool:
    return before is given or (len(before) == len(given) and all(map(is_, before, given)))


def _ends(before: tuple[tuple[Any, ...], ...], given: tuple[tuple[Any, ...], ...]) -> tuple[int, int]:
    """How many rows at the beginning are the same, and how many of the others at the end: usually all but a few, and then there is little to look up."""
    if len(before) != len(given):
        return 0, 0
    shorter = min(map(len, (*before, *given)), default=0)
    first = min((_alike(was, column, shorter) for was, column in zip(before, given, strict=True)), default=0)
    pairs = zip(before, given, strict=True)
    last = min((_alike(reversed(was), reversed(column), shorter - first) for was, column in pairs), default=0)
    return first, last


def _alike(one: Iterable[Any], other: Iterable[Any], most: int) -> int:
    """How many items are the same one after the other, at most so many."""
    same = list(map(is_, islice(one, most), other))
    return same.index(False) if False in same else len(same)


def _identities(columns: tuple[tuple[Any, ...], ...]) -> Iterable[tuple[int, ...]]:
    """Of each row. `columns` keeps the objects alive, so that no other one can have the identity."""
    return zip(*(map(id, column) for column in columns), strict=True)
