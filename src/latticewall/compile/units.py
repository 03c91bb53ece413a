"""A compile unit: a pure function of the world that answers again only when something it looked at has changed.

`follow` notes which collections of the world a unit reads. A round in which all of them are the same objects as before costs a comparison each: so a unit
joins by being called through `follow`, and must take what it needs from the index and the gates it is given (or from arguments), never from elsewhere.
What a unit needs of a collection that changes often it gets as an argument that stays the same (see `ServiceSockets`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast

from latticewall.base.memo import Memo
from latticewall.compile.index import Index
from latticewall.compile.service_network import ServiceNetworkGates, ServiceSockets, service_sockets
from latticewall.world.types import World

T = TypeVar("T")
Unit = Callable[..., T]
"""(index, gates, arguments)."""


class Units:
    """Calls compile units on one world. memo: of this region's rounds."""

    def __init__(self, world: World, memo: Memo) -> None:
        self.memo = memo
        self._world = world
        self._sockets: ServiceSockets | None = None
        self._sockets = memo.kept(ServiceSockets, self.follow(_sockets))

    def follow(self, unit: Unit[T], *arguments: Any) -> T:
        """`unit(index, gates, *arguments)`."""
        answer: T = self.memo.follow(_reading(unit), self._part, self._sockets, *arguments)
        return answer

    def _part(self, name: str | _Derived) -> Any:
        if isinstance(name, str):
            return getattr(self._world, name)
        return self.memo.named(name, partial(name.function, self.memo), *(getattr(self._world, part) for part in name.parts))


class _Derived(NamedTuple):
    """The name of what a function answers about collections of the world."""

    function: Callable[..., Any]
    parts: tuple[str, ...]


class _Parts:
    """The world as a unit sees it."""

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return self._read(name)


@cache
def _reading(unit: Unit[T]) -> Callable[..., T]:
    def reading(read: Callable[[Any], Any], sockets: ServiceSockets | None, *arguments: Any) -> T:
        index = Index(cast(World, _Parts(read)), lambda function, *parts: read(_Derived(function, parts)))
        return unit(index, ServiceNetworkGates(index, sockets), *arguments)

    return reading


def _sockets(index: Index, gates: ServiceNetworkGates) -> ServiceSockets:
    return service_sockets(index, gates)
