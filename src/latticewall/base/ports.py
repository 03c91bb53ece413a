"""What the pure rooms need from outside, as protocols: the composition root supplies the real ones, tests supply fixed ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol


class Clock(Protocol):
    """The time, always in UTC and aware."""

    def now(self) -> datetime: ...


class Random(Protocol):
    """Unpredictable bytes for ids, secrets and tokens."""

    def token_bytes(self, count: int) -> bytes: ...


class Call(Protocol):
    """The one door: perform an operation ("ec2:CreateVpc") as the given caller and return its output document."""

    def __call__(self, caller: Any, operation: str, params: Mapping[str, Any]) -> dict[str, Any]: ...
