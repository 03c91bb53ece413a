"""What a process has used of the processor."""

from __future__ import annotations

import time

_OF_A_PROCESS = 2
"""CPUCLOCK_SCHED: what the scheduler has counted for all its threads, in nanoseconds, where /proc counts a hundredth of a second."""


def processor_seconds(pid: int) -> float:
    """In user and kernel mode, since it began: the clock that clock_getcpuclockid(3) names, for a process of anybody's. Raises OSError when there is none."""
    return time.clock_gettime(~pid << 3 | _OF_A_PROCESS)
