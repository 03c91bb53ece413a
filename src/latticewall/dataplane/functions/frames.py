"""What the process and a runtime say to each other over their socket: a kind, a small JSON header, and a payload of bytes.

    kind (1 byte)  length of header (4)  length of payload (4)  header  payload        lengths big-endian

To the runtime: `I` invoke. From it: `N` ready for the first event, `R` the handler's result, `E` the handler failed, `F` the initialisation failed.
A header with `last` says that the runtime ends after it.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEAD = struct.Struct(">cII")
LONGEST_HEADER = 64 * 1024
_PIECE = 65_536


class BadFrame(ValueError):
    """What came is no frame: the runtime is not to be believed any more."""


@dataclass(frozen=True)
class Frame:
    """payload: None when it was longer than allowed; it was then thrown away as it came."""

    kind: str
    header: Mapping[str, Any]
    payload: bytes | None


def encode(kind: str, header: Mapping[str, Any], payload: bytes) -> bytes:
    head = json.dumps(header).encode()
    return HEAD.pack(kind.encode(), len(head), len(payload)) + head + payload


async def read(stream: asyncio.StreamReader, longest: int) -> Frame:
    """The next frame. longest: bytes of a payload that are kept. Raises BadFrame, and asyncio.IncompleteReadError at the end."""
    kind, header_size, size = HEAD.unpack(await stream.readexactly(HEAD.size))
    if header_size > LONGEST_HEADER:
        raise BadFrame(f"a header of {header_size} bytes")
    try:
        header = json.loads(await stream.readexactly(header_size))
    except ValueError as error:
        raise BadFrame(f"a header that is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise BadFrame("a header that is no object")
    if size <= longest:
        return Frame(kind.decode("latin-1"), header, await stream.readexactly(size))
    while size:
        size -= len(await stream.readexactly(min(size, _PIECE)))
    return Frame(kind.decode("latin-1"), header, None)
