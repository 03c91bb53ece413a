"""Bytes that are too many to be held at once: read piece by piece while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Streamed:
    """size: in bytes. pieces: reads them, once; what it holds open it closes at its end."""

    size: int
    pieces: Callable[[], Iterator[bytes]]

    def read(self) -> bytes:
        return b"".join(self.pieces())
