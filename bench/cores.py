"""A core that proxies do not share, so that a latency is theirs and not the wait for a core that generator, target or control plane are on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.region import Region

_WORKER = "wrk:"
"""How Envoy names the threads that serve requests."""


@contextmanager
def core_of_their_own(region: Region, proxies: Sequence[int]) -> Iterator[None]:
    """The last core is for the workers of these Envoys (pids), the others for whatever else the region and this process run. One core alone is shared."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        yield
        return
    *others, own = cores
    pids = {os.getpid(), *_below({os.getpid(), region.holder}), *proxies}
    _place(pids, proxies, {own}, set(others))
    try:
        yield
    finally:
        _place(pids, (), set(cores), set(cores))


def _place(pids: set[int], proxies: Sequence[int], own: set[int], others: set[int]) -> None:
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            with suppress(OSError):  # it may have ended
                serves = pid in proxies and (thread / "comm").read_text().startswith(_WORKER)
                os.sched_setaffinity(int(thread.name), own if serves else others)


def _below(roots: set[int]) -> set[int]:
    """Their children, the children's children, and so on."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, set()).add(int(stat.parent.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        new = children.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
