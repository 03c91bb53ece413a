"""How often one source may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable


class RateBound:
    """A token bucket per source: `per_second` requests, as many at once as a second holds. Knows at most `sources` of them, the latest."""

    def __init__(self, per_second: float, clock: Callable[[], float], sources: int = 4096) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sources = sources
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def allows(self, source: Hashable) -> bool:
        now = self._clock()
        tokens, since = self._buckets.pop(source, (self._per_second, now))
        tokens = min(self._per_second, tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[source] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._sources:
            self._buckets.popitem(last=False)
        return allowed
